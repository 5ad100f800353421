"""Tests of what is in an int8 file, as LiteRT reads it."""

import collections

import integer_nets
import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from ai_edge_litert import interpreter as litert
from integer_nets import EDGE

from qmia_tf import layers
from qmia_tf.deploy.integer import int8_file, integer_network
from qmia_tf.deploy.tflite.flatbuffer import unpack
from qmia_tf.errors import InputError

RELU, NO_ACTIVATION = 1, 0
SAME, VALID = 0, 1


class FileTest(parameterized.TestCase, tf.test.TestCase):
    """What LiteRT reads in the file, against the trained model in NumPy."""

    def open(self, content):
        lite = litert.Interpreter(
            model_content=content,
            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        )
        lite.allocate_tensors()
        ops = lite._get_ops_details()
        tensors = {t["index"]: t for t in lite.get_tensor_details()}
        return lite, ops, tensors

    @parameterized.product(
        stem=("cifar", "imagenet"), head=integer_network.HEADS
    )
    def test_ops(self, stem, head):
        model = integer_nets.resnet(stem, 4, 4)
        twin = integer_nets.fold(model, head)
        content = int8_file.to_tflite(twin)
        _, ops, _ = self.open(content)
        expected = {"QUANTIZE": 1, "CONV_2D": 20, "ADD": 8}
        expected |= {"FULLY_CONNECTED": 1, "SOFTMAX": 1}
        if stem == "imagenet":
            expected["MAX_POOL_2D"] = 1
        if head == "float":
            expected |= {"DEQUANTIZE": 1, "MEAN": 1}
        else:
            expected |= {"DEPTHWISE_CONV_2D": 1, "RESHAPE": 1}
        counts = collections.Counter(op["op_name"] for op in ops)
        self.assertEqual(counts, expected)
        kept = [] if head == "integer" else ["logits"]
        self.assertEqual(int8_file.float_layers(twin), kept)
        written = unpack(content)
        self.assertEqual(written.version, 3)
        # Nothing but built-in ops.
        for code in written.operatorCodes:
            self.assertIsNone(code.customCode)
            self.assertLess(code.builtinCode, 127)

    @parameterized.product(
        stem=("cifar", "imagenet"), bits=((1, 2), (2, 1), (4, 4), (7, 8))
    )
    def test_every_convolution_and_sum(self, stem, bits):
        model = integer_nets.resnet(stem, *bits)
        twin = integer_network.fold(model)
        content = int8_file.to_tflite(twin)
        lite, ops, tensors = self.open(content)
        (graph,) = unpack(content).subgraphs
        n = 2 ** bits[1] - 1
        kernels = [
            x for x in model.layers if isinstance(x, layers.DoReFaConv2D)
        ]
        self.assertLen(kernels, 20)
        seen = set()
        for op, written in zip(ops, graph.operators, strict=True):
            if op["op_name"] != "CONV_2D":
                continue
            source, weights, bias = (tensors[i] for i in op["inputs"])
            target = tensors[op["outputs"][0]]
            types = [t["dtype"] for t in (source, weights, bias, target)]
            self.assertEqual(types, [np.int8, np.int8, np.int32, np.int8])
            layer = self.trained(model, target["name"])
            seen.add(layer.name)
            is_act = "act" in target["name"]
            self.assertEqual(
                written.builtinOptions.fusedActivationFunction,
                RELU if is_act else NO_ACTIVATION,
                target["name"],
            )
            if is_act:
                grid = (np.float32(1 / n), 127 - n)
            else:
                grid = (
                    np.float32(twin.get_layer(target["name"]).grid.scale),
                    0,
                )
            self.assertEqual(target["quantization"], grid)
            pixels = (np.float32(1 / 255), -128)
            if layer.name == "stem":
                self.assertEqual(source["quantization"], pixels)
            else:
                self.assertEqual(
                    source["quantization"], (np.float32(1 / n), 127 - n)
                )
            options = written.builtinOptions
            self.assertEqual(options.padding, SAME)
            self.assertEqual((options.strideH, options.strideW), layer.strides)
            self.check_weights(lite, layer, source, weights, bias, model)
        self.assertEqual(seen, {layer.name for layer in kernels})
        self.check_sums(ops, graph, tensors, n)

    def trained(self, model, name):
        """The convolution whose sums end in a tensor of that name."""
        convolution = name.replace("_act", "_conv").replace("_norm", "_conv")
        convolution = convolution.replace("shortcut_conv", "shortcut")
        return model.get_layer(
            {"stem_conv": "stem"}.get(convolution, convolution)
        )

    def check_weights(self, lite, layer, source, weights, bias, model):
        stored = lite.get_tensor(weights["index"]).astype(np.float64)
        stored = stored.transpose(1, 2, 3, 0)
        quantized = weights["quantization_parameters"]
        self.assertAllEqual(quantized["zero_points"], np.zeros(stored.shape[3]))
        self.assertEqual(quantized["quantized_dimension"], 0)
        value = layer.quantized_kernel().numpy().astype(np.float64)
        if layer.weight_quantizer.name == "symmetric":
            scale = np.abs(value).max(axis=(0, 1, 2)) / 127
        elif layer.weight_bits == 1:
            scale = np.full(stored.shape[3], np.abs(value).max())
        else:
            scale = np.full(stored.shape[3], 1 / (2**layer.weight_bits - 1))
        codes = np.rint(value / scale)
        norm = model.get_layer(
            layer.name.replace("conv", "norm")
            if "conv" in layer.name
            else f"{layer.name}_norm"
        )
        gamma, beta, mean, variance = (
            np.float64(weight) for weight in norm.get_weights()
        )
        factor = gamma / np.sqrt(variance + norm.epsilon)
        dead = factor == 0
        self.assertEqual(np.abs(stored[..., dead]).sum(), 0)
        # Codes times what int8 leaves room for, with the factor's sign.
        times = (stored * codes)[..., ~dead].sum(axis=(0, 1, 2))
        times /= (codes**2)[..., ~dead].sum(axis=(0, 1, 2))
        self.assertAllEqual(stored[..., ~dead], codes[..., ~dead] * times)
        self.assertAllEqual(np.sign(times), np.sign(factor[~dead]))
        room = 127 // np.abs(codes).max()
        self.assertAllInSet(np.abs(times), np.arange(room / 2, room + 1) // 1)
        scales = quantized["scales"].astype(np.float64)
        true = (np.abs(factor) * scale)[~dead] / np.abs(times)
        # A scale may move by 2 % to keep thresholds between the same sums.
        self.assertAllClose(scales[~dead], true, rtol=0.021, atol=0)
        self.assertAllGreater(scales, 0)
        offset = beta - mean * factor
        sums = lite.get_tensor(bias["index"])
        steps = np.float32(source["quantization"][0]) * quantized["scales"]
        quantized = bias["quantization_parameters"]
        self.assertAllEqual(quantized["scales"], steps)
        self.assertAllEqual(quantized["zero_points"], np.zeros(len(steps)))
        # Half a step, one to choose from, and the 2 %.
        slack = 1.5 * steps + 0.021 * np.abs(offset)
        self.assertAllLessEqual(np.abs(sums * steps - offset) - slack, 1e-6)

    @parameterized.parameters(*integer_network.HEADS)
    def test_file_has_the_twins_numbers(self, head):
        twin = integer_nets.fold(integer_nets.varied(), head)
        lite, ops, tensors = self.open(int8_file.to_tflite(twin))
        by_name = {tensor["name"]: tensor for tensor in tensors.values()}
        compared = 0
        for layer in twin.layers:
            if not hasattr(layer, "weight_scales"):
                continue
            tensor = by_name[f"{layer.name}/kernel"]
            scales = tensor["quantization_parameters"]["scales"]
            self.assertAllEqual(scales, layer.weight_scales)
            bias = lite.get_tensor(by_name[f"{layer.name}/bias"]["index"])
            self.assertAllEqual(bias, layer.bias)
            target = by_name[layer.name]["quantization"]
            self.assertEqual(
                target, (np.float32(layer.grid.scale), layer.grid.zero_point)
            )
            source = next(
                tensors[op["inputs"][0]]["quantization"][0]
                for op in ops
                if op["outputs"][0] == by_name[layer.name]["index"]
            )
            multipliers = (np.float32(source) * scales) / np.float32(target[0])
            self.assertAllEqual(multipliers, layer.multipliers)
            compared += 1
        self.assertEqual(compared, 4 + (head == "integer"))

    def check_sums(self, ops, graph, tensors, n):
        count = 0
        for op, written in zip(ops, graph.operators, strict=True):
            if op["op_name"] != "ADD":
                continue
            count += 1
            scale, zero = tensors[op["outputs"][0]]["quantization"]
            self.assertEqual(
                written.builtinOptions.fusedActivationFunction, RELU
            )
            if count < 8:
                self.assertEqual((scale, zero), (np.float32(1 / n), 127 - n))
            else:
                # The last one is not rounded: a grid that holds every sum.
                top = round(1 / scale)
                self.assertEqual((top % n, zero), (0, 127 - top))
            for index in op["inputs"]:
                self.assertEqual(tensors[index]["dtype"], np.int8)
        self.assertEqual(count, 8)

    @parameterized.product(
        head=integer_network.HEADS, outputs=("softmax", "logits")
    )
    def test_ports(self, head, outputs):
        twin = integer_nets.fold(integer_nets.varied(), head, outputs=outputs)
        content = int8_file.to_tflite(twin)
        self.assertEqual(content[4:8], b"TFL3")
        lite, _, _ = self.open(content)
        (entry,), (end,) = lite.get_input_details(), lite.get_output_details()
        self.assertEqual(entry["dtype"], np.uint8)
        self.assertEqual(entry["quantization"], (np.float32(1 / 255), 0))
        self.assertAllEqual(entry["shape_signature"], [-1, 8, 9, 3])
        self.assertAllEqual(end["shape_signature"], [-1, 7])
        if head == "float":
            self.assertEqual(end["dtype"], np.float32)
        else:
            self.assertEqual(end["dtype"], np.int8)
            grid = twin.get_layer("logits").grid
            expected = (np.float32(grid.scale), grid.zero_point)
            if outputs == "softmax":
                expected = (1 / 256, -128)
            self.assertEqual(end["quantization"], expected)
        name = "logits_softmax" if outputs == "softmax" else "logits"
        self.assertEqual(
            lite.get_signature_list(),
            {"serving_default": {"inputs": ["pixels"], "outputs": [name]}},
        )
        pixels = integer_nets.images(1, (8, 9, 3))
        answer = litert.Interpreter(model_content=content)
        runner = answer.get_signature_runner("serving_default")
        self.assertAllEqual(
            runner(pixels=pixels)[name],
            next(iter(integer_nets.run(content, pixels).values())),
        )

    @parameterized.parameters(
        {"padding": "valid"}, {"padding": "same", "strides": 2}
    )
    def test_windows(self, **options):
        pixels = keras.Input((9, 8, 2), name="pixels")
        x = layers.DoReFaConv2D(4, (2, 3), weight_bits=3, **options)(pixels)
        x = layers.DoReFaActivation(3)(x)
        x = keras.layers.MaxPooling2D((2, 1), (1, 2))(x)
        x = layers.DoReFaDense(3, **EDGE)(keras.layers.Flatten()(x))
        model = keras.Model(pixels, keras.layers.Softmax()(x))
        (graph,) = unpack(
            int8_file.to_tflite(integer_network.fold(model))
        ).subgraphs
        conv, pool = (op.builtinOptions for op in graph.operators[1:3])
        self.assertEqual(
            conv.padding, (SAME, VALID)[options["padding"] == "valid"]
        )
        stride = options.get("strides", 1)
        self.assertEqual((conv.strideH, conv.strideW), (stride, stride))
        self.assertEqual((pool.filterHeight, pool.filterWidth), (2, 1))
        self.assertEqual((pool.strideH, pool.strideW), (1, 2))

    def test_only_twins_can_be_written(self):
        with self.assertRaisesRegex(
            InputError,
            r"^layer '.*' \(DoReFaConv2D\) is none of an integer twin's: write "
            "what integer.fold gives$",
        ):
            int8_file.to_tflite(integer_nets.varied())


if __name__ == "__main__":
    tf.test.main()
