"""Convolutions that TensorFlow computes, and rightly, on every processor.

TensorFlow takes oneDNN's kernels on some processors and its own on others
(TF_ENABLE_ONEDNN_OPTS). Its own refuse channels_first and, in depthwise
convolutions, unequal strides. oneDNN's on AVX2 write past the end of memory
in the gradients of a 1x1 convolution with strides that reads less than 8
channels (benchmarks/convolution_kernels.py). Here are forms of the same
arithmetic without either; they do not ask which kernels there are, so a
network computes alike everywhere.
"""

import math

import tensorflow as tf
from keras import ops

FIRST = "channels_first"
SAFE_CHANNELS = 8


def conv2d(
    inputs,
    kernel,
    *,
    strides=(1, 1),
    padding="valid",
    dilation_rate=(1, 1),
    data_format="channels_last",
):
    """Convolves, as keras.ops.conv does.

    Where oneDNN's gradients are unsafe they are those of the same convolution,
    with stride 1, of the inputs that the strides pick.

    Args:
        inputs: float tensor [N, height, width, channels], or as data_format
            says.
        kernel: float tensor [height, width, channels / groups, filters].
        strides: (down, right).
        padding: "valid" or "same".
        dilation_rate: (down, right).
        data_format: "channels_last" or "channels_first".
    Returns: tensor [N, height, width, filters], or as data_format says.
    """
    if data_format == FIRST:
        inputs = tf.transpose(inputs, (0, 2, 3, 1))

    def operation(inputs, kernel, strides):
        return ops.conv(
            inputs,
            kernel,
            strides=strides,
            padding=padding,
            data_format="channels_last",
            dilation_rate=dilation_rate,
        )

    strides = tuple(strides)
    if is_unsafe(kernel.shape, strides):
        outputs = _picking(operation, strides)(inputs, kernel)
    else:
        outputs = operation(inputs, kernel, strides)
    return _as_given(outputs, data_format)


def is_unsafe(kernel_shape, strides):
    """Whether oneDNN's gradient kernels may damage memory.

    Args:
        kernel_shape: (height, width, channels / groups, filters), or without
            the height.
        strides: int for each of them.
    """
    *size, channels, _ = kernel_shape
    return set(size) == {1} and max(strides) > 1 and channels < SAFE_CHANNELS


def _picking(operation, strides):
    """A strided 1x1 convolution whose gradients are those of stride 1."""

    @tf.custom_gradient
    def convolve(inputs, kernel):
        def gradient(dy):
            with tf.GradientTape() as tape:
                tape.watch([inputs, kernel])
                picked = inputs[:, :: strides[0], :: strides[1]]
                outputs = operation(picked, kernel, (1, 1))
            return tape.gradient(outputs, [inputs, kernel], dy)

        return operation(inputs, kernel, strides), gradient

    return convolve


def depthwise_conv2d(
    inputs,
    kernel,
    *,
    strides=(1, 1),
    padding="valid",
    dilation_rate=(1, 1),
    data_format="channels_last",
):
    """Convolves each channel by itself, as keras.ops.depthwise_conv does.

    With unequal strides it convolves with their greatest common divisor and
    picks what the strides would have reached.

    Args:
        inputs: float tensor [N, height, width, channels], or as data_format
            says.
        kernel: float tensor [height, width, channels, multiple].
        strides: (down, right).
        padding: "valid" or "same".
        dilation_rate: (down, right).
        data_format: "channels_last" or "channels_first".
    Returns: tensor [N, height, width, channels * multiple], or as data_format
        says.
    """
    if data_format == FIRST:
        inputs = tf.transpose(inputs, (0, 2, 3, 1))
    strides, dilation_rate = tuple(strides), tuple(dilation_rate)
    if are_unequal(strides):
        step = math.gcd(*strides)
        if padding == "same":
            inputs = _padded(inputs, kernel.shape, strides, dilation_rate)
        outputs = _depthwise(inputs, kernel, step, "valid", dilation_rate)
        outputs = outputs[:, :: strides[0] // step, :: strides[1] // step]
    else:
        outputs = _depthwise(inputs, kernel, strides[0], padding, dilation_rate)
    return _as_given(outputs, data_format)


def are_unequal(strides):
    """Whether TensorFlow's own depthwise kernels refuse these strides."""
    return len(set(strides)) > 1


def _depthwise(inputs, kernel, stride, padding, dilation_rate):
    def operation(inputs, kernel, strides):
        return ops.depthwise_conv(
            inputs,
            kernel,
            strides=strides,
            padding=padding,
            dilation_rate=dilation_rate,
            data_format="channels_last",
        )

    # TensorFlow makes a plain convolution of one with a single channel.
    strides = (stride, stride)
    if is_unsafe(kernel.shape, strides):
        return _picking(operation, strides)(inputs, kernel)
    return operation(inputs, kernel, strides)


def _padded(inputs, kernel_shape, strides, dilation_rate):
    """Puts zeros round the maps, as padding "same" has them."""
    sizes, larger = inputs.shape[1:3], max
    if None in sizes:
        sizes, larger = tf.unstack(tf.shape(inputs)[1:3]), tf.maximum
    pads = []
    for axis in (0, 1):
        reach = (kernel_shape[axis] - 1) * dilation_rate[axis] + 1
        steps = -(-sizes[axis] // strides[axis]) - 1
        total = larger(steps * strides[axis] + reach - sizes[axis], 0)
        pads.append([total // 2, total - total // 2])
    return tf.pad(inputs, [[0, 0], *pads, [0, 0]])


def _as_given(outputs, data_format):
    if data_format == FIRST:
        return tf.transpose(outputs, (0, 3, 1, 2))
    return outputs
