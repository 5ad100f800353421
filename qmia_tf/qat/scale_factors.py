"""Which results share a factor when a network is scaled, and which none.

ReLU, sums, pooling and concatenation do not mind a common factor: scaled
inputs give scaled results. A product minds none either where all but one of
what it multiplies keep their size, as behind a sigmoid.
"""

from keras import layers

from qmia_tf.qat.operations import moves
from qmia_tf.qat.quantized_values import POOLS, is_kernel, is_mover, is_relu

JOINS = (layers.Add, layers.Concatenate)


def groups_of(nodes: list) -> tuple[dict[str, str], set[str]]:
    """Finds the results that share a factor, and those that have none.

    Args:
        nodes: of node_list.Node, in an order to compute them.
    Returns: (groups, fixed): name -> the name that stands for its group;
        those groups whose factor has to be 1.
    """
    gated = []
    groups = _tied(nodes, gated)
    fixed = _fixed(nodes, groups, gated=None)
    for node in nodes:
        if type(node.layer) is not layers.Multiply:
            continue
        free = [name for name in node.inputs if groups[name] not in fixed]
        if len(free) == 1:
            gated.append((free[0], node.name))
    groups = _tied(nodes, gated)
    return groups, _fixed(nodes, groups, {name for _, name in gated})


def _tied(nodes, gated):
    parent = {}

    def find(name):
        while parent[name] != name:
            name = parent[name]
        return name

    for node in nodes:
        parent[node.name] = node.name
        layer = node.layer
        tied = is_mover(layer) or is_relu(layer) or moves(layer)
        if tied or type(layer) in (*POOLS, *JOINS):
            for source in node.inputs:
                parent[find(source)] = find(node.name)
    for source, product in gated:
        parent[find(source)] = find(product)
    return {name: find(name) for name in parent}


def _fixed(nodes, groups, gated):
    """Groups that something reads which minds a factor.

    `gated` names the products that follow one of their inputs; None takes
    every product for one.
    """
    fixed = set()
    for node in nodes:
        layer = node.layer
        if isinstance(layer, layers.InputLayer):
            fixed.add(groups[node.name])
            continue
        if type(layer) is layers.Multiply and (
            gated is None or node.name in gated
        ):
            continue
        indifferent = (*POOLS, *JOINS, layers.BatchNormalization)
        if not (
            is_kernel(layer)
            or is_mover(layer)
            or is_relu(layer)
            or moves(layer)
            or type(layer) in indifferent
        ):
            fixed.update(groups[name] for name in (*node.inputs, node.name))
    return fixed
