""".tflite files of one last layer, whose every number is ours."""

import numpy as np

from qmia_tf.deploy.tflite import flatbuffer
from qmia_tf.quantizers.grids import Grid

ENTRY, RESULT = Grid(0.5, -3, -128, 127), Grid(0.25, 4, -128, 127)
SHARES = Grid(1 / 256, -128, -128, 127)
RELU = 1


def weights(classes=4, width=6, seed=0):
    """Int8 weights [C, F], their scales and an int32 bias."""
    rng = np.random.default_rng(seed)
    return (
        rng.integers(-127, 128, (classes, width)).astype(np.int8),
        rng.uniform(0.001, 0.01, classes).astype(np.float32),
        rng.integers(-500, 500, classes).astype(np.int32),
    )


def dense(*, ops=(), activation=0, bias=True, softmax="SOFTMAX"):
    """Int8 codes [6] -> FULLY_CONNECTED -> ops -> softmax, int8 [4].

    Args:
        ops: names of ops without options between the two.
        activation: of the schema's ActivationFunctionType.
        bias: whether the layer has one.
        softmax: "SOFTMAX", or "" for logits.
    """
    values, scales, shift = weights()
    writer = flatbuffer.Writer("a last layer")
    entry = writer.tensor("codes", (6,), np.int8, ENTRY)
    inputs = [entry, writer.constant("w", values, scales=scales)]
    if bias:
        steps = (scales * np.float32(ENTRY.scale)).astype(np.float32)
        inputs.append(writer.constant("b", shift, scales=steps))
    end = writer.tensor("logits", (4,), np.int8, RESULT)
    writer.op(
        "FULLY_CONNECTED",
        inputs,
        [end],
        version=5,
        options="FullyConnectedOptions",
        fusedActivationFunction=activation,
    )
    for name in ops:
        start, end = end, writer.tensor(name, (4,), np.int8, RESULT)
        writer.op(name, [start], [end])
    if softmax:
        start, end = end, writer.tensor("p", (4,), np.int8, SHARES)
        writer.op(
            softmax,
            [start],
            [end],
            version=2,
            options="SoftmaxOptions",
            beta=1.0,
        )
    return writer.to_bytes({"x": entry}, {"y": end})


def convolution(*, size=3, kernel=1):
    """Int8 codes [size, size, 6] -> 1x1 CONV_2D -> MEAN -> SOFTMAX."""
    values, scales, shift = weights()
    values = np.tile(values[:, None, None], (1, kernel, kernel, 1))
    writer = flatbuffer.Writer("a last convolution")
    entry = writer.tensor("codes", (size, size, 6), np.int8, ENTRY)
    steps = (scales * np.float32(ENTRY.scale)).astype(np.float32)
    kernels = writer.constant("w", values, scales=scales)
    places = writer.tensor("places", (size, size, 4), np.int8, RESULT)
    writer.op(
        "CONV_2D",
        [entry, kernels, writer.constant("b", shift, scales=steps)],
        [places],
        version=3,
        options="Conv2DOptions",
        strideH=1,
        strideW=1,
        dilationHFactor=1,
        dilationWFactor=1,
    )
    mean = writer.tensor("mean", (4,), np.int8, RESULT)
    axes = writer.constant("axes", np.int32([1, 2]))
    writer.op(
        "MEAN",
        [places, axes],
        [mean],
        version=2,
        options="ReducerOptions",
        keepDims=False,
    )
    end = writer.tensor("p", (4,), np.int8, SHARES)
    writer.op(
        "SOFTMAX",
        [mean],
        [end],
        version=2,
        options="SoftmaxOptions",
        beta=1.0,
    )
    return writer.to_bytes({"x": entry}, {"y": end})
