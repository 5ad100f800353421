"""TFLite's standard conversions of a trained network: float and post-training.

All start from the frozen model: a quantized network's exact codes in float
kernels. Only built-in ops are allowed, so none needs TensorFlow to run.
"""

import math

import keras
import numpy as np

from qmia_tf.deploy.scheme import (
    CALIBRATION,
    Converted,
    Scheme,
    refuse_quantized,
)
from qmia_tf.deploy.tflite.converter import convert, one_by_one

# TFLite leaves smaller weights in float32 (its converter's own limit).
LEAST_DYNAMIC_WEIGHTS = 1024


def to_float32(model: keras.Model) -> bytes:
    """Converts a frozen model to float kernels on its exact codes.

    No converter optimization is asked for: with one, TFLite would quantize
    the weights once more. The file's batch size may change.

    Raises: InputError, as every conversion, if the model has an op that TFLite
        does not.
    """
    return convert(model, lambda converter: None)


def to_float16(model: keras.Model) -> bytes:
    """Converts to float kernels whose constants are stored as float16.

    Kernels turn them back into float32 when the file is loaded, so weights
    have 11 significant bits and sums are float32.
    """
    import tensorflow as tf

    def configure(converter):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]

    return convert(model, configure)


def to_dynamic(model: keras.Model) -> bytes:
    """Converts with int8 weights (dynamic range quantization).

    Kernels of LEAST_DYNAMIC_WEIGHTS weights or more become int8, symmetric
    per channel; their inputs are rounded to int8 for each image anew.
    """
    import tensorflow as tf

    def configure(converter):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]

    return convert(model, configure)


def to_int8_ptq(model: keras.Model, images: np.ndarray) -> bytes:
    """Converts to int8 kernels, ranges measured on images after training.

    The input is uint8, with scale 1/255 and zero point 0 if the images hold
    a black and a white pixel, otherwise as the converter measures it; the
    output is int8 softmax (scale 1/256, zero point -128).

    Args:
        model: frozen.
        images: uint8 [N, height, width, channels], N >= 1.
    """
    import tensorflow as tf

    def configure(converter):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: one_by_one(images)
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        ]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8

    return convert(model, configure)


def _refuse_small(model):
    least = LEAST_DYNAMIC_WEIGHTS
    if not any(math.prod(w.shape) >= least for w in model.trainable_weights):
        return f"no layer has {least} weights, so none would become int8"
    return None


FLOAT32 = Scheme(
    "exact codes in float kernels",
    lambda job: Converted(to_float32(job.model)),
    weights="float32",
)
FLOAT16 = Scheme(
    "constants stored as float16",
    lambda job: Converted(to_float16(job.model)),
    weights="float16",
)
DYNAMIC = Scheme(
    "int8 weights, inputs rounded as they come",
    lambda job: Converted(to_dynamic(job.model)),
    refusal=_refuse_small,
    weights="int8",
)
INT8_PTQ = Scheme(
    "TFLite's full-integer post-training quantization",
    lambda job: Converted(to_int8_ptq(job.model, job.images)),
    refusal=refuse_quantized,
    nearest=("int8", "float32"),
    settings=CALIBRATION,
    members=True,
)
