"""Networks that are hard on integer kernels, and what LiteRT makes of them."""

import keras
import numpy as np
from ai_edge_litert import interpreter as litert

from qmia_tf import layers
from qmia_tf.deploy.integer import int8_file, integer_network
from qmia_tf.deploy.tflite import flatbuffer
from qmia_tf.models.resnet import resnet18

LOGITS = (-4.0, 5.0)
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
    edge = {"weight_bits": 8, "weight_quantizer": "symmetric"}
    pixels = keras.Input(shape, name="pixels")
    x = conv(12, (2, 3), padding="same", input_steps=255, **edge)(pixels)
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
    x = dense(7, activation="softmax", name="logits", **edge)(x)
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
    """The twin's levels at layers, and its answer, as NumPy arrays."""
    outputs = [twin.get_layer(name).output for name in names]
    probe = keras.Model(twin.inputs, [*outputs, twin.output])
    *tensors, answer = probe([as_unit(pixels)], training=False)
    return dict(zip(names, map(np.array, tensors), strict=True)), np.array(
        answer
    )


class Pair:
    """A twin and its file, run on the same images.

    Attributes:
        content: the file.
        names: of its int8 tensors, in order; the twin's layers as well.
        levels: dict name -> the twin's levels.
        answer: the twin's answer.
    """

    def __init__(self, twin, pixels):
        self.twin = twin
        self.pixels = pixels
        self.content = int8_file.to_tflite(twin)
        self.visible = visible(self.content)
        zeros = zero_points(self.visible)
        first = run(self.visible, pixels)
        self.names = list(first)
        self.zeros = {name: zeros[name] for name in self.names}
        self.levels, self.answer = levels(twin, self.names, pixels)

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

    def file_answer(self, *, batch=None, **options):
        """The unmodified file's answer, as floats."""
        batch = batch or len(self.pixels)
        answers = run(self.content, self.pixels[:batch], **options)
        ((name, answer),) = answers.items()
        if answer.dtype == np.float32:
            return answer
        codes = answer.astype(np.float32) - np.float32(self.zeros[name])
        return codes * np.float32(self.twin.layers[-1].scale)
