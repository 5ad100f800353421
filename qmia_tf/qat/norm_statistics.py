"""Which images a network's first batch norm has seen.

Its moving statistics are those of its inputs in training: fed with another
range, a network gives it others.
"""

import numpy as np
from keras import layers

from qmia_tf.qat import float_network


def norm_distances(network, fed):
    """Says how far the first batch norm is from what each range makes of it.

    Args:
        network: network.Network.
        fed: dict of anything -> float32 images [N, ...].
    Returns: dict of the same -> nats a channel; empty where no batch norm
        stands near enough to the input, or none has learned anything.
    """
    path = _to_first_norm(network)
    if path is None:
        return {}
    distances = {}
    for key, values in fed.items():
        for node in path[:-1]:
            values = float_network.result(node.layer, values)
        values = np.asarray(values, np.float64)
        distances[key] = _distance(path[-1].layer, values)
    return distances


def _to_first_norm(network):
    """The nodes up to the first batch norm; None without one in a row."""
    by_name = {node.name: node for node in network.nodes}
    path = [node for node in network.nodes if is_norm(node.layer)][:1]
    while path and path[0].inputs != (network.nodes[0].name,):
        if len(path[0].inputs) != 1:
            return None
        path.insert(0, by_name[path[0].inputs[0]])
    if not path:
        return None
    norm = path[-1].layer
    learned = np.any(np.asarray(norm.moving_mean) != 0) or np.any(
        np.asarray(norm.moving_variance) != 1
    )
    return path if learned else None


def is_norm(layer):
    """Whether a layer is a batch norm."""
    return isinstance(layer, layers.BatchNormalization)


def _distance(norm, values):
    """Kullback-Leibler divergence of normal distributions, median channel."""
    axis = norm.axis if isinstance(norm.axis, int) else norm.axis[0]
    other_axes = tuple({*range(values.ndim)} - {axis % values.ndim})
    mean = np.asarray(norm.moving_mean, np.float64)
    variance = np.asarray(norm.moving_variance, np.float64) + norm.epsilon
    share = (values.var(other_axes) + norm.epsilon) / variance
    off = (values.mean(other_axes) - mean) ** 2 / variance
    return float(np.median((share + off - 1 - np.log(share)) / 2))
