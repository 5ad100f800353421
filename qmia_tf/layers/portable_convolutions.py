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
    strides: tuple[int, int] = (1, 1),
    padding: str = "valid",
    dilation_rate: tuple[int, int] = (1, 1),
    data_format: str = "channels_last",
) -> tf.Tensor:
    """Convolves, as keras.ops.conv does.

    Where oneDNN's gradients are unsafe they are those of the same convolution,
    with stride 1, of the inputs that the strides pick.

    Args:
        inputs: float tensor [N, height, width, channels], or as data_format
            says; so is the result, of the kernel's filters.
        kernel: float tensor [height, width, channels / groups, filters].
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first".
    """
    inputs = _channels_last(inputs, data_format)
    outputs = _convolved(
        ops.conv, inputs, kernel, tuple(strides), padding, dilation_rate
    )
    return _as_given(outputs, data_format)


def depthwise_conv2d(
    inputs,
    kernel,
    *,
    strides: tuple[int, int] = (1, 1),
    padding: str = "valid",
    dilation_rate: tuple[int, int] = (1, 1),
    data_format: str = "channels_last",
) -> tf.Tensor:
    """Convolves each channel by itself, as keras.ops.depthwise_conv does.

    With unequal strides it convolves with their greatest common divisor and
    picks what the strides would have reached. The arguments are those of
    conv2d, but for the kernel: [height, width, channels, multiple].
    """
    inputs = _channels_last(inputs, data_format)
    strides, dilation_rate = tuple(strides), tuple(dilation_rate)
    step = math.gcd(*strides)
    if are_unequal(strides) and padding == "same":
        inputs = _padded(inputs, kernel.shape, strides, dilation_rate)
        padding = "valid"
    outputs = _convolved(
        ops.depthwise_conv, inputs, kernel, (step, step), padding, dilation_rate
    )
    if are_unequal(strides):
        outputs = outputs[:, :: strides[0] // step, :: strides[1] // step]
    return _as_given(outputs, data_format)


def are_unequal(strides) -> bool:
    """Whether TensorFlow's own depthwise kernels refuse these strides."""
    return len(set(strides)) > 1


def is_unsafe(kernel_shape, strides) -> bool:
    """Whether oneDNN's gradient kernels may damage memory.

    Args:
        kernel_shape: (height, width, channels / groups, filters), or without
            the height.
        strides: of each of these sizes.
    """
    *size, channels, _ = kernel_shape
    return set(size) == {1} and max(strides) > 1 and channels < SAFE_CHANNELS


def _convolved(op, inputs, kernel, strides, padding, dilation_rate):
    def operation(inputs, kernel, strides):
        return op(
            inputs,
            kernel,
            strides=strides,
            padding=padding,
            data_format="channels_last",
            dilation_rate=dilation_rate,
        )

    # A depthwise one of a single channel TensorFlow makes a plain one.
    if is_unsafe(kernel.shape, strides):
        return _picking(operation, strides)(inputs, kernel)
    return operation(inputs, kernel, strides)


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


def _channels_last(inputs, data_format):
    if data_format == FIRST:
        return tf.transpose(inputs, (0, 2, 3, 1))
    return inputs


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
