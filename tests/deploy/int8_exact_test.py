"""Tests of the int8 files' kernels against other makers of the same numbers.

Int64 NumPy with exact fractions, and TensorFlow's own converter.
"""

import integer_nets
import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from ai_edge_litert import interpreter as litert
from exact_arithmetic import exact_convolution, requantize_all
from integer_nets import EDGE

from qmia_tf import layers
from qmia_tf.deploy.integer import int8_file, integer_network
from qmia_tf.deploy.integer.code_grids import UNIT_GRID, branch_grid
from qmia_tf.layers import integer_layers as twins
from qmia_tf.quantizers.grids import Grid, activation_grid


class ExactTest(parameterized.TestCase, tf.test.TestCase):
    """LiteRT's kernels against int64 NumPy and exact fractions."""

    def run_layer(self, layer, numbers, shape, count=12):
        """LiteRT's levels of one integer layer, and the levels it read."""
        image = keras.Input(shape, name="pixels")
        x = layer(twins.ToLevels(UNIT_GRID, name="codes")(image))
        kernel, bias, multipliers = numbers
        scales = self.scales(layer, multipliers)
        layer.set_weights([kernel, bias, scales, multipliers])
        model = keras.Model(image, twins.FromLevels(layer.grid.scale)(x))
        pixels = integer_nets.images(count, shape)
        pixels[0], pixels[1] = 0, 255
        content = int8_file.to_tflite(model)
        answers = [
            integer_nets.run(content, pixels, threads=threads)[layer.name]
            for threads in (1, 2)
        ]
        self.assertAllEqual(*answers)
        self.assertEqual(answers[0].dtype, np.int8)
        return answers[0].astype(np.int64) - layer.grid.zero_point, pixels

    def scales(self, layer, multipliers):
        """Weight scales that make XNNPACK's multipliers these."""
        f32 = np.float32
        scales = multipliers * f32(layer.grid.scale) / f32(layer.input_scale)
        again = f32(layer.input_scale) * scales / f32(layer.grid.scale)
        self.assertAllClose(again, multipliers, rtol=3e-7, atol=0)
        multipliers[:] = again
        return scales

    def numbers(self, shape, channels, seed=0):
        rng = np.random.default_rng(seed)
        kernel = rng.integers(-127, 128, shape).astype(np.int8)
        bias = rng.integers(-(2**18), 2**18, channels).astype(np.int32)
        multipliers = np.exp(rng.uniform(-9, -4, channels))
        return kernel, bias, multipliers.astype(np.float32)

    @parameterized.product(
        options=(
            {},
            {"strides": (2, 2)},
            {"padding": "valid", "strides": (1, 2)},
            {"dilation_rate": (2, 2)},
        ),
        grid=(
            activation_grid(3),
            activation_grid(8),
            branch_grid(4, projection=True),
        ),
    )
    def test_convolution(self, options, grid):
        numbers = self.numbers((3, 2, 5, 7), 7)
        layer = twins.IntegerConv2D(
            (3, 2, 5, 7), 7, input_scale=1 / 255, grid=grid, **options
        )
        codes, pixels = self.run_layer(layer, numbers, (7, 8, 5))
        sums = exact_convolution(pixels, numbers[0], **options)
        self.compare(codes, sums, numbers, grid)

    @parameterized.product(
        options=({}, {"strides": (2, 2)}, {"padding": "valid"}),
        multiple=(1, 3),
    )
    def test_depthwise_convolution(self, options, multiple):
        shape, grid = (3, 3, 4, multiple), activation_grid(8)
        numbers = self.numbers(shape, 4 * multiple)
        layer = twins.IntegerDepthwiseConv2D(
            shape, 4 * multiple, input_scale=1 / 255, grid=grid, **options
        )
        codes, pixels = self.run_layer(layer, numbers, (7, 8, 4))
        sums = exact_convolution(pixels, numbers[0], depthwise=True, **options)
        self.compare(codes, sums, numbers, grid)

    def compare(self, codes, sums, numbers, grid):
        expected = requantize_all(sums, *numbers[1:], grid)
        wrong = (codes != expected).sum()
        self.assertEqual(wrong, 0, f"{wrong} of {codes.size}")
        least = min(20, grid.high - grid.low)
        self.assertGreater(len(np.unique(expected)), least)

    @parameterized.parameters(
        activation_grid(4), activation_grid(8), Grid(0.1, 20, -128, 127)
    )
    def test_dense_at_every_size_of_multiplier(self, grid):
        # From the smallest that a fold gives to the largest XNNPACK takes.
        count = 64
        kernel, bias, _ = self.numbers((100, count), count)
        multipliers = np.exp2(np.linspace(-34, 7.99, count)).astype(np.float32)
        multipliers[-1] = 255.5
        reach = 100 * 127 * 255
        bias = np.where(multipliers < 1e-5, 60 / multipliers, bias / 40)
        bias = bias.clip(-(2.0**30), 2.0**30).astype(np.int32)
        bias[-8:] = -np.rint((kernel.astype(int) * 255).sum(axis=0))[-8:]
        layer = twins.IntegerDense(
            (100, count), count, input_scale=1 / 255, grid=grid
        )
        numbers = kernel, bias, multipliers
        codes, pixels = self.run_layer(layer, numbers, (100,), count=200)
        self.assertLess(reach + 2**30, 2**31)
        self.compare(codes, pixels @ kernel.astype(np.int64), numbers, grid)

    def test_sums_beyond_float32(self):
        # All codes pull one way, and the bias back: float32 would lose bits.
        fan_in = 1500
        rng = np.random.default_rng(0)
        kernel = np.full((fan_in, 3), 127, np.int8)
        kernel[rng.integers(0, fan_in, 400)] = 125
        bias = np.full(3, -int(fan_in * 126.5 * 127.5), np.int32)
        multipliers = np.array([2e-4, 1 / 4096, 1 / 20000], np.float32)
        grid = Grid(0.1, 0, -128, 127)
        layer = twins.IntegerDense(
            (fan_in, 3), 3, input_scale=1 / 255, grid=grid, wide=True
        )
        numbers = kernel, bias, multipliers
        codes, pixels = self.run_layer(layer, numbers, (fan_in,), count=300)
        sums = pixels @ kernel.astype(np.int64)
        self.assertGreater(np.median(sums), 2**24)
        self.compare(codes, sums, numbers, grid)

    def assertSoftmax(self, codes, scale):
        codes_of_file, _ = integer_nets.run_op(
            "SOFTMAX",
            [codes.astype(np.int8)],
            [Grid(scale, -7, -128, 127)],
            codes.shape[1:],
            twins.SOFTMAX_GRID,
            options="SoftmaxOptions",
            beta=1.0,
        )
        codes_of_file = codes_of_file.astype(int)
        levels = twins.IntegerSoftmax(scale)((codes + 7).astype(np.float32))
        wrong = (codes_of_file + 128 != levels.numpy()).sum()
        self.assertEqual(wrong, 0, f"{wrong} of {codes.size}")

    @parameterized.product(
        classes=(2, 3, 10, 100, 512, 1000), scale=(0.0005, 0.02, 0.1, 0.7, 5.0)
    )
    def test_softmax(self, classes, scale):
        rng = np.random.default_rng(classes)
        codes = rng.integers(-128, 128, (20000 // classes, classes))
        codes[::3] = rng.normal(0, 20, codes[::3].shape).clip(-128, 127)
        codes[0], codes[1], codes[2] = 127, -128, 0
        codes[3], codes[3, 0] = -128, 127
        codes[4], codes[4, -1] = 127, -128
        self.assertSoftmax(codes, float(np.float32(scale)))

    def test_softmax_where_the_order_of_the_sum_decides(self):
        scale, f32 = float(np.float32(0.04)), np.float32
        codes = np.random.default_rng(0).integers(-60, 60, (400000, 10))
        below = codes.max(axis=1, keepdims=True) - codes
        powers = np.exp(-f32(scale) * np.arange(256, dtype=f32))[below]
        ends = []
        for order in (powers, powers[:, ::-1]):
            total = np.add.accumulate(order, axis=1, dtype=f32)[:, -1:]
            ends.append(np.rint(powers * (1 / (total * f32(1 / 256)))))
        differ = (ends[0] != ends[1]).any(axis=1)
        self.assertGreater(differ.sum(), 3)
        self.assertSoftmax(codes[differ], scale)


class ConverterTest(parameterized.TestCase, tf.test.TestCase):
    """TensorFlow's own converter, given the network as fake_quant ops."""

    SHAPE = (9, 7, 3)

    def setUp(self):
        super().setUp()
        keras.utils.set_random_seed(0)
        options = {"padding": "same", "use_bias": False}
        norm = keras.layers.BatchNormalization
        pixels = keras.Input(self.SHAPE, name="pixels")
        x = layers.DoReFaConv2D(8, 3, strides=2, name="one", **EDGE, **options)(
            pixels
        )
        x = layers.DoReFaActivation(4, name="act")(norm(name="norm1")(x))
        y = layers.DoReFaConv2D(8, 3, weight_bits=4, name="two", **options)(x)
        y = norm(name="norm2")(y)
        x = layers.DoReFaAdd(4, name="sum")([x, y])
        x = keras.layers.GlobalAveragePooling2D()(x)
        x = layers.DoReFaDense(5, activation="softmax", **EDGE)(x)
        self.model = integer_nets.randomize(keras.Model(pixels, x), seed=2)
        for name in ("norm1", "norm2"):
            # The converter cannot give a dead channel a scale.
            gamma = self.model.get_layer(name).gamma
            gamma.assign(tf.where(gamma == 0, -0.3, gamma))
            self.assertLess(np.min(gamma), 0)
        self.twin = integer_network.fold(self.model)
        self.pixels = integer_nets.images(64, self.SHAPE)

    def twins_numbers(self, name):
        """Kernel, limits, factor and offset of a twin's layer, as floats."""
        layer = self.twin.get_layer(name)
        scales = layer.weight_scales.numpy().astype(np.float64)
        kernel = layer.kernel.numpy() * scales
        offset = layer.bias.numpy() * scales * layer.input_scale
        return kernel, 127 * scales, np.ones_like(scales), offset

    def trained_numbers(self, name, convolution, norm):
        """The same of the trained layers; int8's headroom is the twin's."""
        kernel = self.model.get_layer(convolution).quantized_kernel().numpy()
        codes = self.twin.get_layer(name).kernel.numpy().astype(np.float64)
        scales = np.abs(kernel).max(axis=(0, 1, 2))
        scales /= np.abs(codes).max(axis=(0, 1, 2))
        norm = self.model.get_layer(norm)
        gamma, beta, mean, variance = norm.get_weights()
        factor = gamma / np.sqrt(variance + norm.epsilon)
        return kernel, 127 * scales, factor, beta - mean * factor

    def convert(self, one, two):
        n, scale = 15, self.twin.get_layer("norm2").grid.scale
        fake_quant = tf.quantization.fake_quant_with_min_max_args

        def convolution(x, numbers, stride):
            kernel, limit, factor, offset = map(np.float32, numbers)
            kernel = tf.quantization.fake_quant_with_min_max_vars_per_channel(
                kernel, -limit, limit, num_bits=8, narrow_range=True
            )
            x = tf.nn.conv2d(x, kernel, stride, "SAME")
            return x * factor + offset if (factor != 1).any() else x + offset

        @tf.function(input_signature=[tf.TensorSpec([1, *self.SHAPE])])
        def network(x):
            x = fake_quant(x, 0.0, 1.0, 8)
            x = tf.nn.relu(convolution(x, one, 2))
            x = fake_quant(x, (n - 255) / n, 1.0, 8)
            y = fake_quant(convolution(x, two, 1), -128 * scale, 127 * scale, 8)
            return fake_quant(tf.nn.relu(x + y), (n - 255) / n, 1.0, 8)

        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [network.get_concrete_function()]
        )
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8
        return converter.convert()

    def facts(self, content):
        """Of every op: its kind, and its tensors' numbers."""
        lite = litert.Interpreter(
            model_content=content,
            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        )
        lite.allocate_tensors()
        tensors = {t["index"]: t for t in lite.get_tensor_details()}
        for op in lite._get_ops_details():
            constants = [lite.get_tensor(i) for i in op["inputs"][1:]]
            scales = [
                tensors[i]["quantization_parameters"]["scales"]
                for i in op["inputs"]
            ]
            ports = [
                (tensors[i]["dtype"], *tensors[i]["quantization"])
                for i in (op["inputs"][0], op["outputs"][0])
            ]
            yield op["op_name"], constants, scales, ports

    def converted_codes(self, content):
        return np.concatenate(
            [
                next(iter(integer_nets.run(content, image[None]).values()))
                for image in self.pixels
            ]
        )

    def test_the_same_file_from_the_twins_numbers(self):
        content = self.convert(
            self.twins_numbers("act"), self.twins_numbers("norm2")
        )
        ours = list(self.facts(int8_file.to_tflite(self.twin)))[:4]
        theirs = list(self.facts(content))
        self.assertEqual([op[0] for op in theirs], [op[0] for op in ours])
        self.assertEqual(
            [op[0] for op in theirs], ["QUANTIZE", "CONV_2D", "CONV_2D", "ADD"]
        )
        for one, two in zip(ours, theirs, strict=True):
            self.assertEqual(one[3], two[3])
            if one[0] != "CONV_2D":
                continue
            for first, second in zip(one[1], two[1], strict=True):
                self.assertAllEqual(first, second)
            self.assertAllEqual(one[2][0], two[2][0])
            self.assertAllEqual(one[2][1], two[2][1])
            # Of a bias no kernel reads the scale; ours is the product of the
            # other two in float32.
            self.assertAllClose(one[2][2], two[2][2], rtol=2e-7, atol=0)
        self.assertCodesOf(content, 0)

    def test_the_same_codes_from_the_trained_numbers(self):
        content = self.convert(
            self.trained_numbers("act", "one", "norm1"),
            self.trained_numbers("norm2", "two", "norm2"),
        )
        ours = list(self.facts(int8_file.to_tflite(self.twin)))[:4]
        for one, two in zip(ours, self.facts(content), strict=True):
            self.assertEqual((one[0], one[3]), (two[0], two[3]))
            if one[0] != "CONV_2D":
                continue
            self.assertAllEqual(one[1][0], two[1][0])
            self.assertLessEqual(np.abs(one[1][1] - two[1][1]).max(), 2)
            self.assertAllClose(one[2][1], two[2][1], rtol=0.02, atol=0)
        # Its biases and scales are the nearest ones, ours are chosen: codes
        # may differ where a sum is all but half-way between two.
        self.assertCodesOf(content, 20)

    def assertCodesOf(self, content, most):
        codes = self.converted_codes(content)
        visible = integer_nets.visible(int8_file.to_tflite(self.twin))
        expected = integer_nets.run(visible, self.pixels)["sum"]
        wrong = (codes != expected).sum()
        self.assertLessEqual(wrong, most, f"{wrong} of {codes.size} codes")
        self.assertGreater(len(np.unique(codes)), 12)


if __name__ == "__main__":
    tf.test.main()
