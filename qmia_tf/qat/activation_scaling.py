"""Scaling a network so that its activations meet the clip to [0, 1].

ReLU, sums, pooling and concatenation do not mind a common factor: scaled
inputs give scaled results. So every group of results that they tie together
gets one factor, the one that brings a high percentile of the float network's
values to the end of its grid. Batch norms take the factor into gamma and
beta. What follows is indifferent to it: a quantized kernel has a scale of its
own, which the next batch norm takes away again, with statistics measured on
the quantized network. Kernels with float or symmetric weights and no batch
norm are divided by the factor of what they read.
"""

import keras
import numpy as np
from keras import layers

from qmia_tf.errors import InputError
from qmia_tf.qat import float_network, node_list
from qmia_tf.qat.quantized_values import is_dorefa, is_kernel
from qmia_tf.qat.scale_factors import groups_of

# Float32 needs no more to tell a percentile from its neighbours.
SAMPLES = 2_000_000
# A variance below this is that of a constant.
TINY = 1e-12


def check(model: keras.Model, images: np.ndarray, percentile: float):
    """Checks calibration images.

    Raises: InputError if there are none, their shape is not the model's, or
        percentile is outside (0, 100].
    """
    images = np.asarray(images)
    shape = tuple(model.inputs[0].shape[1:])
    fits = images.ndim == len(shape) + 1 and all(
        want in (None, got)
        for want, got in zip(shape, images.shape[1:], strict=True)
    )
    if not fits or len(images) == 0:
        raise InputError(
            f"calibration images must be [N, {', '.join(map(str, shape))}], "
            f"got {list(images.shape)}"
        )
    if not 0 < percentile <= 100:
        raise InputError(f"percentile must be in (0, 100], got {percentile}")


def calibrate(reference: keras.Model, written, fed, percentile: float):
    """Scales the network and measures its batch norms again.

    Args:
        reference: what the network is without quantization.
        written: ConvertedNetwork; its model's weights are changed.
        fed: float32 [N, ...], images as both models take them.
    Returns: the calibrated model's results of the images.
    """
    nodes = node_list.read(reference).nodes
    groups, fixed = groups_of(nodes)
    tops, sums = _measure(nodes, fed, written, percentile)
    factors = {}
    for name, limit in written.limits.items():
        group = groups.get(name, name)
        if tops[name] > 0 and group not in fixed:
            ratio = limit / tops[name]
            factors[group] = min(ratio, factors.get(group, np.inf))

    def factor(name):
        return factors.get(groups.get(name, name), 1.0)

    for name in written.norms:
        norm = written.model.get_layer(name)
        norm.gamma.assign(norm.gamma * factor(name))
        norm.beta.assign(norm.beta * factor(name))
    for name, kernel in written.inserted.items():
        mean, deviation = sums[kernel]
        known = kernel in groups or kernel in written.limits
        by = factor(kernel if known else kernel.removesuffix("_pointwise"))
        norm = written.model.get_layer(name)
        norm.gamma.assign(deviation * by)
        norm.beta.assign(mean * by)
    for name, (old, source) in written.kernels.items():
        _scale_kernel(
            written.model.get_layer(name), factor(old), factor(source)
        )
    return _measure_norms(written, fed)


def _scale_kernel(layer, out, into):
    """Makes a kernel give `out` times its results for `into` times inputs."""
    if layer.use_bias:
        layer.bias.assign(layer.bias * out)
    if not is_dorefa(layer):
        kernel = layer.kernel
        if type(layer) is layers.SeparableConv2D:
            kernel = layer.pointwise_kernel
        kernel.assign(kernel * (out / into))


def _measure(nodes, images, written, percentile):
    """Runs the float network and measures what is wanted of it.

    Returns: (tops, sums): old layer -> percentile of its |results|; new
        kernel -> (means, deviations) of its sums, [channels] each.
    """
    tops, sums = {}, {}

    def seen(name, values):
        if name in written.limits:
            tops[name] = _percentile(values, percentile)

    def summed(name, values):
        if name in written.inserted.values():
            axes = tuple(range(values.ndim - 1))
            sums[name] = values.mean(axes), values.std(axes)

    def step(node, read):
        if not is_kernel(node.layer):
            result = node.layer(read, training=False)
        else:
            result = _kernel_result(node, read, seen, summed)
        seen(node.name, np.asarray(result))
        return result

    float_network.run(nodes, images, step)
    return tops, sums


def _kernel_result(node, inputs, seen, summed):
    """A kernel's result; its sums, and a separable one's middle, on the way."""
    layer = node.layer
    if type(layer) is layers.SeparableConv2D:
        between = float_network.depthwise(layer, layer.depthwise_kernel, inputs)
        seen(f"{node.name}_depthwise", np.asarray(between))
        summed(f"{node.name}_depthwise", np.asarray(between))
    # The reference is a copy, so it may be changed.
    function, layer.activation = layer.activation, keras.activations.linear
    result = float_network.sums(layer, inputs)
    summed(node.name, np.asarray(result))
    summed(f"{node.name}_pointwise", np.asarray(result))
    return function(result)


def _percentile(values, percentile):
    """Of |values|; evenly spaced ones of them where they are many."""
    flat = np.abs(values).reshape(-1)
    return float(np.percentile(flat[:: len(flat) // SAMPLES + 1], percentile))


def _measure_norms(written, images):
    """Gives batch norms the statistics of the images, one after the other.

    Epsilon is not scaled with what is normed, so gamma makes up for it: a
    channel that hardly varies would come out large otherwise.
    """

    def step(node, read):
        layer = node.layer
        if isinstance(layer, layers.BatchNormalization):
            values = np.asarray(read)
            mean, variance = float_network.channel_moments(layer, values)
            share = 1.0 / _kept(variance, layer.epsilon)
            if layer.name not in written.inserted:
                old = np.asarray(layer.moving_variance)
                share = share * _kept(old, layer.epsilon)
            layer.gamma.assign(layer.gamma * share)
            layer.moving_mean.assign(mean)
            layer.moving_variance.assign(variance)
        return layer(read, training=False)

    return float_network.run(node_list.read(written.model).nodes, images, step)


def _kept(variance, epsilon):
    """What epsilon leaves of a norm's deviation; 1 for what does not vary."""
    share = np.sqrt(variance / (variance + epsilon))
    return np.where(variance > TINY, share, 1.0)
