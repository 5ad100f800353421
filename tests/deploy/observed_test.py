"""Tests of the codes inside a running .tflite file."""

import math
import pathlib

import integer_runs
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from ai_edge_litert import interpreter as litert

from qmia_tf.deploy.integer import int8_file, integer_network
from qmia_tf.deploy.tflite.interpreter import KERNELS
from qmia_tf.deploy.tflite.observed_tensors import Observed

IMAGES = integer_runs.digits().images[:7]
INT8 = 9


def all_tensors(content, images, kernels):
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
    lite.resize_tensor_input(entry["index"], images.shape)
    lite.allocate_tensors()
    lite.set_tensor(entry["index"], images)
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
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        model = integer_runs.small()
        cls.int8 = int8_file.to_tflite(integer_network.fold(model))
        cls.int8_io = int8_file.to_tflite(
            integer_network.fold(
                model, head="integer", logits_range=(-9.0, 9.0)
            )
        )

    @parameterized.product(
        scheme=("int8", "int8_io"), kernels=("builtin", "reference")
    )
    def test_every_int8_tensor_as_litert_keeps_it(self, scheme, kernels):
        content = getattr(self, scheme)
        levels, output = Observed(content, kernels=kernels).run(IMAGES)
        expected = all_tensors(content, IMAGES, kernels)
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
        (answer,) = (
            expected[n][0] for n in expected if n == list(expected)[-1]
        )
        self.assertEqual(output.dtype, answer.dtype)
        self.assertAllEqual(output, answer)

    @parameterized.product(scheme=("int8", "int8_io"), threads=(1, 2))
    def test_default_kernels_run_and_answer_as_in_the_file(
        self, scheme, threads
    ):
        content = getattr(self, scheme)
        folder = pathlib.Path(self.create_tempdir().full_path)
        (folder / "model.tflite").write_bytes(content)
        lite = litert.Interpreter(
            model_path=str(folder / "model.tflite"), num_threads=threads
        )
        (entry,) = lite.get_input_details()
        lite.resize_tensor_input(entry["index"], IMAGES.shape)
        lite.allocate_tensors()
        lite.set_tensor(entry["index"], IMAGES)
        lite.invoke()
        answer = lite.get_tensor(lite.get_output_details()[0]["index"])
        levels, output = Observed(content, num_threads=threads).run(IMAGES)
        self.assertAllEqual(output, answer)
        # The image's own codes are its pixels.
        self.assertAllEqual(levels["pixels_codes"], IMAGES)

    def test_kernel_sets_are_those_asked_for(self):
        by_kernels = [
            Observed(self.int8_io, kernels=name).run(
                integer_runs.digits().images[:200]
            )[0]
            for name in KERNELS
        ]
        for one, two in ((0, 1), (0, 2), (1, 2)):
            self.assertTrue(
                any(
                    np.any(by_kernels[one][name] != by_kernels[two][name])
                    for name in by_kernels[one]
                )
            )

    def test_shapes_are_those_of_one_record(self):
        shapes = Observed(self.int8_io).shapes
        levels, _ = Observed(self.int8_io).run(IMAGES)
        self.assertEqual(shapes["act"], (8, 8, 6))
        self.assertEqual(
            shapes, {name: part.shape[1:] for name, part in levels.items()}
        )
        self.assertGreater(sum(map(math.prod, shapes.values())), 700)

    def test_batches_of_any_size(self):
        observed = Observed(self.int8)
        whole, answers = observed.run(IMAGES)
        for part in (slice(0, 1), slice(2, 7), slice(0, 7), slice(6, 7)):
            levels, some = observed.run(IMAGES[part])
            self.assertAllClose(some, answers[part], atol=1e-5)
            for name, array in levels.items():
                self.assertAllEqual(array, whole[name][part], name)


if __name__ == "__main__":
    tf.test.main()
