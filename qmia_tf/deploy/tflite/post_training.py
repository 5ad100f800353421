"""TFLite's standard conversions of a trained network: float and post-training.

All start from the frozen model: a quantized network's exact codes in float
kernels. Only built-in ops are allowed, so none needs TensorFlow to run.
"""

import contextlib
import io
import tempfile
import warnings

import numpy as np

from qmia_tf import quiet
from qmia_tf.errors import InputError

# TFLite leaves smaller weights in float32 (its converter's own limit).
LEAST_DYNAMIC_WEIGHTS = 1024


def to_float32(model):
    """Converts a frozen model to float kernels on its exact codes.

    No converter optimization is asked for: with one, TFLite would quantize
    the weights once more.

    Args:
        model: keras.Model, frozen (keras_files.freeze).
    Returns: bytes of the .tflite file; its batch size may change.
    Raises: InputError if the model has an op that TFLite does not.
    """
    return _convert(model, lambda converter: None)


def to_float16(model):
    """Converts to float kernels whose constants are stored as float16.

    Kernels turn them back into float32 when the file is loaded, so weights
    have 11 significant bits and sums are float32.

    Args: see to_float32.
    Returns: bytes of the .tflite file.
    Raises: InputError if the model has an op that TFLite does not.
    """
    import tensorflow as tf

    def ask(converter):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]

    return _convert(model, ask)


def to_dynamic(model):
    """Converts with int8 weights (dynamic range quantization).

    Kernels of LEAST_DYNAMIC_WEIGHTS weights or more become int8, symmetric
    per channel; their inputs are rounded to int8 for each image anew.

    Args: see to_float32.
    Returns: bytes of the .tflite file.
    Raises: InputError if the model has an op that TFLite does not.
    """
    import tensorflow as tf

    def ask(converter):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]

    return _convert(model, ask)


def to_int8_ptq(model, images):
    """Converts to int8 kernels, ranges measured on images after training.

    The input is uint8, with scale 1/255 and zero point 0 if the images hold
    a black and a white pixel, otherwise as the converter measures it; the
    output is int8 softmax (scale 1/256, zero point -128).

    Args:
        model: see to_float32.
        images: uint8 [N, height, width, channels], N >= 1.
    Returns: bytes of the .tflite file.
    Raises: InputError if the model has an op that TFLite's int8 kernels do
        not.
    """
    import tensorflow as tf

    def one_by_one():
        for image in images:
            yield [image[np.newaxis].astype(np.float32) / np.float32(255)]

    def ask(converter):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = one_by_one
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        ]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8

    return _convert(model, ask)


def _convert(model, ask):
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        # Keras prints the signature whatever it is asked for.
        with contextlib.redirect_stdout(io.StringIO()), _written_whole(model):
            model.export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        ask(converter)
        return run_converter(converter)


@contextlib.contextmanager
def _written_whole(model):
    """Depthwise convolutions become one op, which nothing runs here."""
    from qmia_tf.layers import DoReFaDepthwiseConv2D

    depthwise = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, DoReFaDepthwiseConv2D)
    ]
    for layer in depthwise:
        layer.written_whole = True
    try:
        yield
    finally:
        for layer in depthwise:
            layer.written_whole = False


def run_converter(converter):
    """Runs a tf.lite.TFLiteConverter without its messages.

    Returns: bytes of the .tflite file.
    Raises: InputError with the converter's reason.
    """
    try:
        # The converter writes its errors to the terminal as well.
        with (
            quiet.without_messages(show_if_it_fails=False),
            warnings.catch_warnings(action="ignore"),
        ):
            return converter.convert()
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"TFLite cannot carry this model: {reason}") from error
