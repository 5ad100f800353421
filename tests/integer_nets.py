"""Networks that are hard on integer kernels, and what LiteRT makes of them."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from ai_edge_litert import interpreter as litert

from qmia_tf import layers
from qmia_tf.deploy.integer import int8_file, integer_network
from qmia_tf.deploy.tflite import flatbuffer
from qmia_tf.models.resnet import resnet18

LOGITS = (-4.0, 5.0)
# The first and the last layer of integer networks.
EDGE = {"weight_bits": 8, "weight_quantizer": "symmetric"}
# Odd sizes, so that every stride pads one side more than the other.
SHAPES = {"cifar": (7, 9, 3), "imagenet": (33, 32, 3)}


def images(count, shape, *, seed=3):
    """Random uint8 pixels [count, *shape]."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, *shape), np.uint8)


def as_unit(pixels):
    """Pixels / 255 in float32."""
    return pixels.astype(np.float32) / np.float32(255)


def randomize(model, *, seed=0):
    """Gives the batch norms negative scales, dead channels, odd statistics."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            count = layer.gamma.shape[0]
            gamma = rng.normal(0.3, 0.3, count)
            gamma[rng.random(count) < 0.1] = 0
            layer.gamma.assign(gamma)
            layer.beta.assign(rng.normal(0.2, 0.3, count))
            layer.moving_mean.assign(rng.normal(0, 0.5, count))
            layer.moving_variance.assign(rng.uniform(0.3, 6, count))
    return model


def resnet(stem, weight_bits, activation_bits, *, seed=1, **options):
    """A ResNet-18 of width 8 with random weights and statistics."""
    model = resnet18(
        SHAPES[stem],
        10,
        stem=stem,
        width=8,
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        seed=seed,
        **options,
    )
    return randomize(model, seed=seed)


def varied(shape=(8, 9, 3), *, seed=0):
    """Every layer that ResNet-18 does without, of many bit widths."""
    keras.utils.set_random_seed(seed)
    conv, dense = layers.DoReFaConv2D, layers.DoReFaDense
    norm = keras.layers.BatchNormalization
    pixels = keras.Input(shape, name="pixels")
    x = conv(12, (2, 3), padding="same", input_steps=255, **EDGE)(pixels)
    x = layers.DoReFaActivation(4)(norm()(x))
    x = layers.DoReFaDepthwiseConv2D(
        3, strides=2, depth_multiplier=2, padding="same", weight_bits=3
    )(x)
    x = layers.DoReFaActivation(6)(norm()(x))
    x = conv(16, 2, dilation_rate=2, padding="same", weight_bits=1)(x)
    x = layers.DoReFaActivation(5)(norm()(x))
    x = keras.layers.MaxPooling2D(2, strides=1)(x)
    x = keras.layers.Dropout(0.5)(keras.layers.Flatten()(x))
    x = dense(40, weight_bits=2, bias_initializer="random_normal")(x)
    x = layers.DoReFaActivation(3)(norm()(x))
    x = dense(7, activation="softmax", name="logits", **EDGE)(x)
    return randomize(keras.Model(pixels, x, name="varied"), seed=seed)


def fold(model, head, **options):
    """The twin, for either head."""
    return integer_network.fold(
        model, head=head, logits_range=LOGITS, **options
    )


def run(content, pixels, *, threads=1, kernels="AUTO"):
    """Runs a .tflite file on one batch.

    Returns: dict name of an output -> array as LiteRT gives it.
    """
    lite = litert.Interpreter(
        model_content=content,
        num_threads=threads,
        experimental_op_resolver_type=getattr(litert.OpResolverType, kernels),
    )
    (entry,) = lite.get_input_details()
    lite.resize_tensor_input(entry["index"], pixels.shape)
    lite.allocate_tensors()
    lite.set_tensor(entry["index"], pixels)
    lite.invoke()
    return {
        detail["name"]: lite.get_tensor(detail["index"])
        for detail in lite.get_output_details()
    }


def run_op(name, arrays, grids, shape, target, *, constants=(), **options):
    """Runs one op on int8 arrays in LiteRT's default kernels.

    Returns: (codes, whether XNNPACK ran it).
    """
    writer = flatbuffer.Writer(name)
    sources = {
        f"in{index}": writer.tensor(
            f"in{index}", array.shape[1:], np.int8, grid
        )
        for index, (array, grid) in enumerate(zip(arrays, grids, strict=True))
    }
    end = writer.tensor("end", shape, np.int8, target)
    inputs = [*sources.values()]
    inputs += [writer.constant("constant", values) for values in constants]
    writer.op(name, inputs, [end], version=2, **options)
    lite = litert.Interpreter(
        model_content=writer.to_bytes(sources, {"end": end})
    )
    entries = lite.get_input_details()
    for entry, array in zip(entries, arrays, strict=True):
        lite.resize_tensor_input(entry["index"], array.shape)
    lite.allocate_tensors()
    for entry, array in zip(entries, arrays, strict=True):
        lite.set_tensor(entry["index"], array)
    lite.invoke()
    (entry,) = lite.get_output_details()
    ops = [op["op_name"] for op in lite._get_ops_details()]
    return lite.get_tensor(entry["index"]), "DELEGATE" in ops


def visible(content):
    """The same file with every int8 tensor as an output."""
    return flatbuffer.with_outputs(content, flatbuffer.is_int8)


def zero_points(content):
    """Zero point of every tensor with one."""
    (graph,) = flatbuffer.unpack(content).subgraphs
    return {
        tensor.name.decode(): int(tensor.quantization.zeroPoint[0])
        for tensor in graph.tensors
        if tensor.quantization and tensor.quantization.zeroPoint is not None
    }


def levels(twin, names, pixels):
    """The twin's levels at layers, and its outputs, as NumPy arrays."""
    shown = [twin.get_layer(name).output for name in names]
    probe = keras.Model(twin.inputs, [*shown, twin.output])
    *tensors, outputs = map(np.array, probe([as_unit(pixels)], training=False))
    return dict(zip(names, tensors, strict=True)), outputs


class Pair:
    """A twin and its file, run on the same images.

    Attributes:
        content: the file.
        names: of its int8 tensors, in order; the twin's layers as well.
        levels: dict name -> the twin's levels.
        outputs: the twin's.
    """

    def __init__(self, twin, pixels):
        self.twin = twin
        self.pixels = pixels
        self.content = int8_file.to_tflite(twin)
        self.visible = visible(self.content)
        zeros = zero_points(self.visible)
        self.names = list(run(self.visible, pixels))
        self.zeros = {name: zeros[name] for name in self.names}
        self.levels, self.outputs = levels(twin, self.names, pixels)

    def mismatches(self, *, batch=None, **options):
        """Runs the first images; dict name -> codes that differ, if any."""
        batch = batch or len(self.pixels)
        codes_by_name = run(self.visible, self.pixels[:batch], **options)
        wrong = {}
        for name, codes in codes_by_name.items():
            expected = self.levels[name][:batch]
            if codes.shape != expected.shape:
                wrong[name] = f"{codes.shape} is not {expected.shape}"
                continue
            differ = codes.astype(np.int64) - self.zeros[name] != expected
            if differ.any():
                wrong[name] = f"{differ.sum()} of {differ.size}"
        return wrong

    def file_outputs(self, *, batch=None, **options):
        """The unmodified file's outputs, as floats."""
        batch = batch or len(self.pixels)
        outputs = run(self.content, self.pixels[:batch], **options)
        ((name, output),) = outputs.items()
        if output.dtype == np.float32:
            return output
        codes = output.astype(np.float32) - np.float32(self.zeros[name])
        return codes * np.float32(self.twin.layers[-1].scale)


class PairTest(parameterized.TestCase, tf.test.TestCase):
    """Base of tests that a file's codes are its twin's, at every tensor."""

    def assertEqualCodes(self, pair, sizes, says=""):
        """Compares in batches and threads of these sizes."""
        is_integer = isinstance(
            pair.twin.layers[-1], layers.integer_layers.FromLevels
        )
        for batch, threads in sizes:
            wrong = pair.mismatches(batch=batch, threads=threads)
            self.assertEmpty(wrong, f"{says}, batch {batch}, {threads} threads")
            # The file as it is: XNNPACK may join ops whose codes nobody sees.
            # A float head sums a mean and a dense layer in float32.
            self.assertAllClose(
                pair.file_outputs(batch=batch, threads=threads),
                pair.outputs[:batch],
                rtol=0,
                atol=0 if is_integer else 1e-6,
            )

    def assertAlive(self, pair, least=3, says="", share=np.min):
        """Equal codes prove little where there are hardly any."""
        kinds = {
            name: len(np.unique(levels)) for name, levels in pair.levels.items()
        }
        self.assertGreaterEqual(share([*kinds.values()]), least, (says, kinds))


def gammas(model):
    """The scales of all batch norms of a model."""
    return np.concatenate(
        [
            layer.gamma.numpy()
            for layer in model.layers
            if isinstance(layer, keras.layers.BatchNormalization)
        ]
    )
