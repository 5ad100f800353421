"""Which images a network's first batch norm has seen.

Its moving statistics are those of its inputs in training: fed with another
range, a network gives it others.
"""

import numpy as np
from keras import layers

from qmia_tf.qat import float_network


def norm_distances(network, fed: dict) -> dict:
    """Says how far the first batch norm is from what each range makes of it.

    Args:
        network: node_list.Network.
        fed: anything -> float32 images [N, ...].
    Returns: the same -> nats a channel; empty where no batch norm stands near
        enough to the input, or none has learned anything.
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
    path = [node for node in network.nodes if _is_norm(node.layer)][:1]
    while path and path[0].inputs != (network.nodes[0].name,):
        if len(path[0].inputs) != 1:
            return None
        path.insert(0, network.by_name[path[0].inputs[0]])
    if not path:
        return None
    norm = path[-1].layer
    learned = np.any(np.asarray(norm.moving_mean) != 0) or np.any(
        np.asarray(norm.moving_variance) != 1
    )
    return path if learned else None


def _is_norm(layer):
    return isinstance(layer, layers.BatchNormalization)


def _distance(norm, values):
    """Kullback-Leibler divergence of normal distributions, median channel."""
    mean, variance = float_network.channel_moments(norm, values)
    seen_mean = np.asarray(norm.moving_mean, np.float64)
    seen = np.asarray(norm.moving_variance, np.float64) + norm.epsilon
    share = (variance + norm.epsilon) / seen
    off = (mean - seen_mean) ** 2 / seen
    return float(np.median((share + off - 1 - np.log(share)) / 2))
