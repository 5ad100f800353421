"""Tests of exact logits against int64 NumPy on the file's codes."""

import os
import pathlib

import flatbuffer_view
import last_layer_files
import numpy as np
from absl.testing import absltest, parameterized

from qmia_tf.deploy.tflite import flatbuffer
from qmia_tf.deploy.tflite.inside_interpreter import InsideInterpreter
from qmia_tf.deploy.tflite.interpreter import KERNELS, Interpreter
from qmia_tf.deploy.tflite.isolated_inside import ObservedInterpreter
from qmia_tf.deploy.tflite.isolation import IsolatedInterpreter, Limits
from qmia_tf.deploy.tflite.observed_tensors import Observed
from qmia_tf.errors import InputError

SHIPPED = pathlib.Path(__file__).parents[2] / "tflite_models"
FILES = sorted(path.stem for path in SHIPPED.glob("*.tflite"))
# Public files, where a folder of them is named.
FOLDER = "QMIA_PUBLIC_MODELS"
PUBLIC = sorted(pathlib.Path(os.getenv(FOLDER, "/nowhere")).glob("*.tflite"))


def exact_logits(op, codes):
    """The last layer on codes [N, F], in int64.

    Returns: float64 [N, C].
    """
    entry, kernel, *bias = op.inputs
    weights = kernel.values.reshape(kernel.shape[0], -1).astype(np.int64)
    zeros = np.int64(kernel.zero_points)[:, None]
    sums = (codes.astype(np.int64) - entry.zero_points[0]) @ (weights - zeros).T
    if bias:
        sums = sums + bias[0].values.astype(np.int64)
    return sums * (np.float64(entry.scales[0]) * np.float64(kernel.scales))


def batch(model, count=9, seed=0):
    """Values of a file's input, at random."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, *model.input.shape[1:]))
    return model.input.encode_pixels(pixels.astype(np.uint8))


class LastLayerTest(parameterized.TestCase):
    def written(self, content):
        path = pathlib.Path(self.create_tempdir().full_path, "m.tflite")
        path.write_bytes(content)
        return path

    def require_exact(self, path, kernels="default"):
        model = InsideInterpreter(path, kernels=kernels)
        values = batch(model)
        rows, logits, entered = model.run_inside(values)
        plain = Interpreter(path, kernels=kernels).run(values)
        np.testing.assert_array_equal(rows, plain)
        ops = flatbuffer_view.read(path.read_bytes())
        (op,) = (x for x in ops[-4:] if x.name == "FULLY_CONNECTED")
        if op.inputs[0].dtype == np.float32:
            weights, *bias = (tensor.values for tensor in op.inputs[1:])
            expected = entered.astype(np.float64) @ weights.T.astype(float)
            # The file adds in float32, of numbers up to some tens.
            np.testing.assert_allclose(logits, expected + bias[0], atol=2e-5)
            return
        wrong = int(np.sum(logits != exact_logits(op, entered)))
        self.assertEqual(wrong, 0, f"{wrong} of {logits.size} differ")
        # What the file rounds them to is what it softmaxes.
        grid = op.outputs[0]
        codes = np.rint(logits / grid.scales[0]) + grid.zero_points[0]
        levels, _ = Observed(path.read_bytes(), kernels=kernels).run(values)
        own = [x for x in levels.values() if x.shape == logits.shape][-2:][0]
        off = np.abs(codes.clip(-128, 127) - grid.zero_points[0] - own)
        self.assertLessEqual(off.max(), 1)

    @parameterized.parameters(*FILES)
    def test_shipped_files(self, name):
        self.require_exact(SHIPPED / f"{name}.tflite")

    @parameterized.parameters(*KERNELS)
    def test_other_kernels(self, kernels):
        self.require_exact(SHIPPED / "digits_w4a4_int8_io.tflite", kernels)

    def test_public_files(self):
        if not PUBLIC:
            self.skipTest(f"${FOLDER} names no folder of .tflite files")
        for path in PUBLIC:
            with self.subTest(path.name):
                self.require_exact(path)

    @parameterized.parameters(
        {},
        {"bias": False},
        {"softmax": ""},
        {"ops": ("QUANTIZE",)},
    )
    def test_files_of_one_layer(self, **options):
        path = self.written(last_layer_files.dense(**options))
        model = InsideInterpreter(path)
        codes = np.random.default_rng(1).integers(-128, 128, (7, 6))
        _, logits, entered = model.run_inside(codes.astype(np.int8))
        np.testing.assert_array_equal(entered, codes)
        values, scales, bias = last_layer_files.weights()
        sums = (codes + 3) @ values.T.astype(np.int64)
        sums = sums + (bias if options.get("bias", True) else 0)
        expected = sums * (np.float64(np.float32(0.5)) * np.float64(scales))
        np.testing.assert_array_equal(logits, expected)
        self.assertEqual(model.layer.has_bias, options.get("bias", True))

    @parameterized.parameters(1, 3)
    def test_mean_over_places(self, size):
        path = self.written(last_layer_files.convolution(size=size))
        model = InsideInterpreter(path)
        shape = (5, size, size, 6)
        codes = np.random.default_rng(1).integers(-128, 128, shape)
        _, logits, entered = model.run_inside(codes.astype(np.int8))
        values, scales, bias = last_layer_files.weights()
        sums = (codes + 3) @ values.T.astype(np.int64) + bias
        expected = sums.mean(axis=(1, 2)) * (0.5 * np.float64(scales))
        np.testing.assert_allclose(logits, expected, rtol=1e-12)
        middle = codes.mean(axis=(1, 2))
        np.testing.assert_allclose(entered, middle, atol=1e-4)

    def test_uint8_with_zero_points_of_weights(self):
        """As the first quantized files had them."""
        model = flatbuffer.unpack(last_layer_files.dense(bias=False))
        kernel = model.subgraphs[0].tensors[1]
        stored = model.buffers[kernel.buffer].data.view(np.int8)
        kernel.type = flatbuffer.TYPES[np.dtype(np.uint8)]
        shifted = (stored.astype(np.int16) + 128).astype(np.uint8)
        model.buffers[kernel.buffer].data = shifted
        kernel.quantization.scale = np.float32([0.01])
        kernel.quantization.zeroPoint = np.int64([130])
        from qmia_tf.deploy.tflite import last_layer

        layer = last_layer.find(model, model.subgraphs[0].outputs[0])
        codes = np.random.default_rng(1).integers(-128, 128, (7, 6))
        logits, _ = layer.read(codes.astype(np.int8), None, 7)
        values = shifted.reshape(4, 6).astype(np.int64) - 130
        step = 0.5 * np.float64(np.float32(0.01))
        np.testing.assert_array_equal(logits, (codes + 3) @ values.T * step)

    @parameterized.parameters(
        ({"ops": ("ABS",)}, "ABS before its SOFTMAX is not understood"),
        ({"activation": last_layer_files.RELU}, "activation function"),
    )
    def test_what_is_not_understood_is_named(self, options, message):
        path = self.written(last_layer_files.dense(**options))
        for make in (
            InsideInterpreter,
            lambda path: ObservedInterpreter(path, print, limits=Limits()),
        ):
            with self.assertRaisesRegex(InputError, message):
                make(path)

    def test_larger_kernel_is_refused(self):
        path = self.written(last_layer_files.convolution(kernel=3))
        with self.assertRaisesRegex(InputError, "kernel of .3, 3., not 1x1"):
            InsideInterpreter(path)

    def test_several_subgraphs_are_refused(self):
        model = flatbuffer.unpack(last_layer_files.dense())
        model.subgraphs.append(model.subgraphs[0])
        path = self.written(flatbuffer.pack(model))
        with self.assertRaisesRegex(InputError, "it has 2 subgraphs"):
            InsideInterpreter(path)

    def test_sums_that_no_float64_holds_are_refused(self):
        model = flatbuffer.unpack(last_layer_files.dense())
        graph = model.subgraphs[0]
        bias = graph.tensors[2]
        bias.type = 4  # INT64
        bias.shape = [4]
        values = np.full(4, 2**60, np.int64)
        model.buffers[bias.buffer].data = values.view(np.uint8)
        from qmia_tf.deploy.tflite import last_layer

        with self.assertRaisesRegex(InputError, "do not fit into float64"):
            last_layer.find(model, graph.outputs[0])


class IsolatedTest(parameterized.TestCase):
    @parameterized.parameters("digits_w4a4_int8_io", "digits_w2a2_float32")
    def test_is_what_this_process_reads(self, name):
        path, seen = SHIPPED / f"{name}.tflite", []
        apart = IsolatedInterpreter(path, limits=Limits())
        self.addCleanup(apart.close)
        observed = apart.reopened(
            ObservedInterpreter, lambda *arrays: seen.append(arrays)
        )
        self.addCleanup(observed.close)
        here = InsideInterpreter(path)
        values = batch(here)
        rows, *arrays = here.run_inside(values)
        np.testing.assert_array_equal(observed.run(values), rows)
        np.testing.assert_array_equal(apart.run(values), rows)
        for one, other in zip(seen[0], arrays, strict=True):
            self.assertEqual(one.dtype, other.dtype)
            np.testing.assert_array_equal(one, other)
        self.assertEqual(observed.layer, here.layer.facts)


if __name__ == "__main__":
    absltest.main()
