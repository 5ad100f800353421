"""How long each record's gradient of the loss is, layer by layer.

A record's gradient of a layer's weights is a sum over the places t where the
kernel lies: sum_t p_t outer g_t, p_t what the kernel sees there, g_t the
gradient of its sum. One forward and one backward pass give the p_t and g_t of
all records; its length then comes from one of two products,

    |P^T G|^2 = sum of (P P^T) (G G^T), element by element,

whichever takes fewer multiplications. No gradient of all weights is kept for
a record where the second is smaller.
"""

import numpy as np
import tensorflow as tf

from qmia_tf.data.batches import pad_batch
from qmia_tf.deploy.differentiable.file_layers import (
    DENSE,
    DEPTHWISE,
    FileLayer,
)
from qmia_tf.deploy.differentiable.file_network import (
    FileNetwork,
    cross_entropy,
)

MOST_RECORDS = 64
# Floats of the largest array of a batch: 128 MB.
MOST_FLOATS = 2**25


class GradientNorms:
    """Gradient norms by layer, of records of one file.

        norms = GradientNorms(differentiable.load("model.tflite"))
        rows, outputs = norms(images, labels)

    Args:
        network: of `differentiable.load`.
        logits: whether the file's output is logits.
        batch_size: records at once; None goes by the layers' sizes.
    Raises: InputError if the file ends in no softmax.
    """

    def __init__(
        self,
        network: FileNetwork,
        *,
        logits: bool = False,
        batch_size: int | None = None,
    ):
        network.require_loss(logits=logits)
        self.network = network
        self.names = [layer.name for layer in network.layers]
        self.batch_size = batch_size or _batch_size(network)
        self._compiled = tf.function(self._norms, reduce_retracing=True)

    def __call__(self, values, labels) -> tuple[np.ndarray, np.ndarray]:
        """Computes a batch; a short one is filled up and cut again.

        Args:
            values: [B, ...] as FileNetwork takes them, B <= batch_size.
            labels: int [B].
        Returns: float32 [B, layers], the norms of the gradients of kernel and
            bias, dequantized; and float32 [B, C], the network's outputs.
        """
        count = len(values)
        try:
            rows, outputs = self._compiled(
                pad_batch(np.asarray(values), self.batch_size),
                pad_batch(np.asarray(labels, np.int32), self.batch_size),
            )
        except tf.errors.OpError as error:
            raise self.network.refusal(error, "its gradients") from error
        return rows.numpy()[:count], outputs.numpy()[:count]

    def _norms(self, values, labels):
        seen = []
        with tf.GradientTape(watch_accessed_variables=False) as tape:

            def watch(layer_call):
                tape.watch(layer_call.sums)
                seen.append(layer_call)

            tensors = self.network.run(values, watch=watch)
            loss = cross_entropy(self.network.logits(tensors), labels)
        gradients = tape.gradient(
            loss,
            [call.sums for call in seen],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        squares = [
            squared_norms(
                call.layer,
                call.inputs,
                gradient / call.output_scale,
                records=values.shape[0],
            )
            for call, gradient in zip(seen, gradients, strict=True)
        ]
        return tf.sqrt(tf.stack(squares, 1)), self.network.outputs(tensors)


def squared_norms(
    layer: FileLayer, inputs, gradient, *, records: int
) -> tf.Tensor:
    """Squared norms of the gradients of kernel and bias, float32 [N].

    Args:
        inputs: values that the layer takes, [N, height, width, channels], or
            [..., channels] of N records.
        gradient: of its sums, likewise.
        records: N.
    """
    sums = tf.reshape(gradient, (records, -1, gradient.shape[-1]))
    bias = _squares(tf.reduce_sum(sums, 1))
    if layer.op.name == DENSE:
        return bias + _of_products(inputs, gradient, layer, records)
    if layer.op.name == DEPTHWISE:
        return bias + _of_channels(_patches(layer, inputs), gradient, layer)
    groups = layer.groups(inputs.shape[-1])
    parts = zip(
        tf.split(inputs, groups, -1),
        tf.split(gradient, groups, -1),
        strict=True,
    )
    return bias + sum(
        _of_products(_patches(layer, part), sums, layer, records)
        for part, sums in parts
    )


def _patches(layer, inputs):
    """What the kernel sees, [N, height, width, taps * channels]."""
    windows = layer.windows
    height, width = layer.kernel.shape[:2]
    if (height, width) == (1, 1):
        down, across = windows["strides"]
        return inputs[:, ::down, ::across]
    return tf.image.extract_patches(
        inputs,
        sizes=[1, height, width, 1],
        strides=[1, *windows["strides"], 1],
        rates=[1, *windows["dilation_rate"], 1],
        padding=windows["padding"].upper(),
    )


def _of_products(seen, gradient, layer, records):
    """|P^T G|^2 of P [N, ..., D] and G [N, ..., K]."""
    depth, width = layer.depth, gradient.shape[-1]
    seen = tf.reshape(seen, (records, -1, depth))
    gradient = tf.reshape(gradient, (records, -1, width))
    if _is_by_places(seen.shape[1], depth, width):
        return tf.reduce_sum(
            tf.matmul(seen, seen, transpose_b=True)
            * tf.matmul(gradient, gradient, transpose_b=True),
            (1, 2),
        )
    return _squares(tf.matmul(seen, gradient, transpose_a=True))


def _is_by_places(places, depth, width):
    """Whether products of places are fewer than those of weights."""
    return places * (depth + width) < depth * width


def _of_channels(seen, gradient, layer):
    """The same of a depthwise convolution: every channel by itself."""
    *taps, channels, multiple = layer.kernel.shape
    records, places = seen.shape[0], seen.shape[1] * seen.shape[2]
    seen = tf.reshape(seen, (records, places, taps[0] * taps[1], channels))
    gradient = tf.reshape(gradient, (records, places, 1, channels, multiple))
    return sum(
        _squares(tf.reduce_sum(seen * gradient[..., index], 1))
        for index in range(multiple)
    )


def _squares(array):
    return tf.reduce_sum(tf.square(array), list(range(1, len(array.shape))))


def _batch_size(network):
    """As many records as fit, MOST_RECORDS at most."""
    floats = 1
    for layer in network.layers:
        width = layer.kernel.shape[-1]
        products = layer.depth * width
        if _is_by_places(layer.places, layer.depth, width):
            products = layer.places**2
        floats = max(floats, products, layer.places * layer.seen)
    return int(np.clip(MOST_FLOATS // floats, 1, MOST_RECORDS))
