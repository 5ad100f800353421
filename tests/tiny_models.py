"""Image classifiers of a few weights, as Keras models and .tflite files."""

import hashlib
import pathlib
import re
import tempfile
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from qmia_tf import layers
from qmia_tf.data.dataset import Dataset
from qmia_tf.data.split import Split
from qmia_tf.models import resnet

SHAPE, CLASSES = (6, 5, 1), 4


def images(count=23, *, seed=0, shape=SHAPE):
    """Random uint8 pixels [count, *shape]."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, *shape), np.uint8)


def dataset(count, *, classes=CLASSES, seed=0, **options):
    """A Dataset of random images, classes in turn."""
    return Dataset(
        name="tiny",
        images=images(count, seed=seed, **options),
        labels=np.arange(count) % classes,
        class_names=tuple("abcdefghij"[:classes]),
        origin=np.zeros(count, np.uint8),
    )


def split_of(data, members=None):
    """A Split of a Dataset: every third record is a member, or those given."""
    everybody = np.arange(len(data.labels))
    members = everybody[::3] if members is None else np.asarray(members)
    others = np.setdiff1d(everybody, members)
    return Split(members, others, 0, "all", data.fingerprint())


def classifier(*, shape=SHAPE, classes=CLASSES, seed=0, softmax=True):
    """A convolution and a dense layer, random but not indifferent."""
    start = keras.initializers.HeNormal
    pixels = keras.Input(shape, name="pixels")
    x = keras.layers.Conv2D(
        3,
        3,
        activation="relu",
        name="conv",
        kernel_initializer=start(seed + 1),
    )(pixels)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(
        classes, name="logits", kernel_initializer=start(seed + 2)
    )(x)
    if softmax:
        x = keras.layers.Softmax()(keras.layers.Rescaling(4.0)(x))
    return keras.Model(pixels, x)


def quantized(*, shape=SHAPE, classes=CLASSES, bits=4, ends=8, seed=0):
    """Two convolutions of w bits and a bits, full precision at 32.

    Args:
        ends: bits of the first convolution and of the dense layer.
    """
    pixels = x = keras.Input(shape, name="pixels")
    for number, width in enumerate((ends, bits)):
        x = layers.DoReFaConv2D(
            4,
            3,
            padding="same",
            use_bias=False,
            weight_bits=width,
            weight_quantizer="dorefa" if number else "symmetric",
            input_steps=(2**bits - 1 if number else 255) if bits < 32 else None,
            kernel_initializer=keras.initializers.HeNormal(seed + number),
            name=f"conv_{number}",
        )(x)
        x = keras.layers.BatchNormalization(name=f"norm_{number}")(x)
        x = layers.DoReFaActivation(bits, name=f"levels_{number}")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = layers.DoReFaDense(
        classes,
        weight_bits=ends,
        weight_quantizer="symmetric",
        kernel_initializer=keras.initializers.RandomNormal(0, 9, seed),
        name="logits",
    )(x)
    x = keras.layers.Activation("softmax")(x)
    return keras.Model(pixels, x)


def short_resnet():
    """Has resnet18 make two blocks, where its eight are not the point."""
    return mock.patch.multiple(resnet, STAGES=((1, 1), (2, 1)), BLOCKS=1)


# Files that were made in this process: converting takes a second.
_made = {}


def write_tflite(model, path, *, batch=None, inputs=None, outputs=None):
    """Converts a Keras model, by TensorFlow's own converter alone.

    The same network with the same weights is converted once; so numbers that
    Keras put behind a layer's name may be those of an earlier one.

    Args:
        model: keras.Model.
        path: the .tflite file.
        batch: a fixed batch size; None leaves it open.
        inputs, outputs: tf.int8 or tf.uint8 quantizes the whole model after
            training, with that type for its input and output.
    Returns: path.
    """
    path = pathlib.Path(path)
    key = (*_network(model), batch, inputs, outputs)
    if key not in _made:
        _made[key] = _converted(model, batch, inputs, outputs)
    path.write_bytes(_made[key])
    return path


def _network(model):
    """What a file depends on; the names that Keras counts up do not count."""
    weights = hashlib.sha256()
    for value in model.get_weights():
        weights.update(value.tobytes())
    return re.sub(r"_\d+\b", "", model.to_json()), weights.hexdigest()


def _converted(model, batch, inputs, outputs):
    shape = model.input_shape[1:]
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve",
        lambda x: model(x, training=False),
        input_signature=[tf.TensorSpec([batch, *shape], tf.float32)],
    )
    with tempfile.TemporaryDirectory() as folder:
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if inputs or outputs:
            _ask_for_integers(converter, shape, inputs, outputs)
        return converter.convert()


def _ask_for_integers(converter, shape, inputs, outputs):
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [one[None].astype(np.float32) / 255]
        for one in images(32, seed=9, shape=shape)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = inputs or tf.float32
    converter.inference_output_type = outputs or tf.float32


def write_batch_dependent(path):
    """A .tflite file that subtracts the mean of a batch from each image."""

    def answer(pixels):
        centred = pixels - tf.reduce_mean(pixels, axis=0, keepdims=True)
        return tf.nn.softmax(4.0 * centred[:, 0, :CLASSES, 0])

    return write_function(answer, [(None, *SHAPE)], path)


def write_function(function, shapes, path):
    """Converts a function of float32 tensors of fixed shapes."""
    traced = tf.function(
        function,
        input_signature=[tf.TensorSpec(shape, tf.float32) for shape in shapes],
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [traced.get_concrete_function()]
    )
    path = pathlib.Path(path)
    path.write_bytes(converter.convert())
    return path
