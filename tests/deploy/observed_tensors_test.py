"""Tests of the codes inside a running .tflite file."""

import functools

import integer_runs
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from ai_edge_litert import interpreter as litert
from integer_nets import run

from qmia_tf.deploy.integer import int8_file, integer_network
from qmia_tf.deploy.tflite.interpreter import KERNELS
from qmia_tf.deploy.tflite.observed_tensors import Observed

IMAGES = integer_runs.digits().images[:7]
SCHEMES = {
    "int8": {},
    "int8_io": {"head": "integer", "logits_range": (-9.0, 9.0)},
}


@functools.cache
def content_of(scheme):
    twin = integer_network.fold(integer_runs.small(), **SCHEMES[scheme])
    return int8_file.to_tflite(twin)


def all_tensors(content, kernels):
    """Every tensor of a file by LiteRT's own means, which switches XNNPACK off.

    Returns: dict name -> (array, zero point).
    """
    lite = litert.Interpreter(
        model_content=content,
        experimental_op_resolver_type=getattr(
            litert.OpResolverType, KERNELS[kernels]
        ),
        experimental_preserve_all_tensors=True,
    )
    (entry,) = lite.get_input_details()
    lite.resize_tensor_input(entry["index"], IMAGES.shape)
    lite.allocate_tensors()
    lite.set_tensor(entry["index"], IMAGES)
    lite.invoke()
    computed = {
        index for op in lite._get_ops_details() for index in op["outputs"]
    }
    return {
        detail["name"]: (
            lite.get_tensor(detail["index"]),
            detail["quantization"][1],
        )
        for detail in lite.get_tensor_details()
        if detail["index"] in computed
    }


class ObservedTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        scheme=tuple(SCHEMES), kernels=("builtin", "reference")
    )
    def test_every_int8_tensor_as_litert_keeps_it(self, scheme, kernels):
        content = content_of(scheme)
        levels, output = Observed(content, kernels=kernels).run(IMAGES)
        expected = all_tensors(content, kernels)
        codes = {
            name: (array, zero)
            for name, (array, zero) in expected.items()
            if array.dtype == np.int8
        }
        self.assertGreaterEqual(len(codes), 5)
        self.assertEqual(list(levels), list(codes))
        for name, (array, zero) in codes.items():
            self.assertEqual(levels[name].dtype, np.int16)
            off = int(np.sum(levels[name] != array.astype(np.int16) - zero))
            self.assertEqual(off, 0, f"{off} of {array.size} in {name}")
        last, _ = expected[list(expected)[-1]]
        self.assertEqual(output.dtype, last.dtype)
        self.assertAllEqual(output, last)

    @parameterized.product(scheme=tuple(SCHEMES), threads=(1, 2))
    def test_default_kernels_give_what_the_file_gives(self, scheme, threads):
        content = content_of(scheme)
        observed = Observed(content, num_threads=threads)
        levels, output = observed.run(IMAGES)
        (expected,) = run(content, IMAGES, threads=threads).values()
        self.assertAllEqual(output, expected)
        # The image's own codes are its pixels.
        self.assertAllEqual(levels["pixels_codes"], IMAGES)
        self.assertEqual(observed.shapes["act"], (8, 8, 6))
        self.assertEqual(
            observed.shapes,
            {name: part.shape[1:] for name, part in levels.items()},
        )
        for part in (slice(0, 1), slice(2, 7), slice(0, 7), slice(6, 7)):
            some, outputs = observed.run(IMAGES[part])
            self.assertAllClose(outputs, output[part], atol=1e-5)
            for name, array in some.items():
                self.assertAllEqual(array, levels[name][part], name)

    def test_kernel_sets_are_those_asked_for(self):
        images = integer_runs.digits().images[:200]
        by_kernels = [
            Observed(content_of("int8_io"), kernels=name).run(images)[0]
            for name in KERNELS
        ]
        for one, two in ((0, 1), (0, 2), (1, 2)):
            self.assertTrue(
                any(
                    np.any(by_kernels[one][name] != by_kernels[two][name])
                    for name in by_kernels[one]
                )
            )


if __name__ == "__main__":
    tf.test.main()
