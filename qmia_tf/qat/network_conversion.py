"""Converts a network, layer by layer, into its quantized version.

A kernel's sums are held back until it is known what closes them: a clip (an
activation), a sum's own rounding, or the signed grid of linear tensors.
"""

import dataclasses

import keras
from keras import layers

from qmia_tf import layers as ours
from qmia_tf.models.resnet import BETA, GAMMA
from qmia_tf.qat.bit_widths import Widths
from qmia_tf.qat.input_grid import InputRange
from qmia_tf.qat.layer_plan import Entry
from qmia_tf.qat.node_list import Network
from qmia_tf.qat.operations import Operation, kind_of
from qmia_tf.qat.quantized_values import (
    Value,
    is_dorefa,
    is_kernel,
    is_mover,
    is_relu,
)
from qmia_tf.quantizers.grids import FLOAT_BITS, linear_grid, steps

NO_NORM = (
    "no batch norm before the clip to [0, 1], which DoReFa needs: put a "
    "BatchNormalization in front, or use insert_batch_norm=True"
)
NO_NORM_LINEAR = (
    "no batch norm before the rounding of a linear output, which reaches to "
    "about 2: put a BatchNormalization in front, or use insert_batch_norm=True"
)
NO_NORM_FLOATS = (
    "no batch norm between DoReFa weights, which have a scale of their own, "
    "and what minds it: put a BatchNormalization between, or use "
    "insert_batch_norm=True"
)
# Of an inserted norm in front of the signed grid, which reaches to about 2.
LINEAR_GAMMA = 0.5


@dataclasses.dataclass(frozen=True)
class Settings:
    """What quantize_model was asked for, beside bit widths.

    Attributes:
        input_range: the numbers that both networks take.
        insert_norms: whether kernels without a batch norm get one.
        full_norms: whether batch norms without gamma or beta get them.
        seed: of the gradient noise.
    """

    input_range: InputRange
    insert_norms: bool
    full_norms: bool
    seed: int


@dataclasses.dataclass
class ConvertedNetwork:
    """The quantized network, and what of it stands for what of the old one.

    Attributes:
        norms: names of the batch norms that the old network has as well.
        inserted: new batch norm -> the new kernel whose sums it norms.
        kernels: new kernel without a batch norm -> (old layer, old layer
            that it reads).
        limits: old layer -> the largest value that its result may have on
            the grid that it is put on.
    """

    model: keras.Model = None
    entries: list[Entry] = dataclasses.field(default_factory=list)
    norms: list[str] = dataclasses.field(default_factory=list)
    inserted: dict = dataclasses.field(default_factory=dict)
    kernels: dict = dataclasses.field(default_factory=dict)
    limits: dict = dataclasses.field(default_factory=dict)


class Conversion:
    """The state of one conversion, and the steps that several layers share."""

    def __init__(self, network: Network, widths: Widths, settings: Settings):
        self.network = network
        self.widths = widths
        self.settings = settings
        self.readers = network.readers
        self.kernel_after = _kernel_after(network.nodes, self.readers)
        self.kernel_before = _kernel_before(network)
        self.closed = {}
        self.signed_of = {}
        self.norms = {}
        self.weights = []
        self.inputs = None
        self.count = 0
        self.written = ConvertedNetwork()

    def log(self, node, what, *, alone=False, warning=""):
        """Notes what happens to a node, behind what was noted of it before."""
        kind = kind_of(node.layer)
        entry = Entry(node.name, kind, what, alone, warning)
        entries = self.written.entries
        for place, old in enumerate(entries):
            if old.layer == node.name:
                entries[place] = old.joined(entry)
                return
        entries.append(entry)

    def is_last(self, node):
        """Whether no kernel reads a node's result, however far behind."""
        return not self.kernel_after[node.name]

    def is_head(self, node):
        """Whether all that follows are kernels that are last."""
        for reader in self.readers[node.name]:
            if is_kernel(reader.layer):
                if not self.is_last(reader):
                    return False
            elif not self.is_head(reader):
                return False
        return True

    def copied(self, node, inputs, **changes):
        """Calls a copy of a node's layer, weights and all."""
        if isinstance(node.layer, Operation):
            return node.layer.copy(node.name)(inputs)
        config = {**node.layer.get_config(), "name": node.name, **changes}
        copy = type(node.layer).from_config(config)
        return self.carried(copy, inputs, node.layer.get_weights())

    def carried(self, layer, inputs, weights):
        """Calls a layer, which gets these weights in the end."""
        result = layer(inputs)
        if weights:
            self.weights.append((layer, weights))
        return result

    def in_floats(self, node, read):
        """What a layer that minds the scale of sums reads, normed if asked."""
        ready = []
        for value, source in zip(read, node.inputs, strict=True):
            if value.kind == "sums" and not value.normed and _dorefa(value):
                value, warning = self.normed(value, 1.0, 0.0, NO_NORM_FLOATS)
                self.log(self.network.by_name[source], "", warning=warning)
            ready.append(value)
        return ready

    def alone(self, node, read, why="left alone", warning=""):
        """Leaves a layer as it is."""
        tensors = [value.tensor for value in read]
        tensor = self.copied(node, tensors if node.listed else tensors[0])
        linear = is_kernel(node.layer) and (
            node.layer.activation is keras.activations.linear
        )
        if is_kernel(node.layer):
            self.written.kernels[node.name] = (node.name, node.inputs[0])
        self.log(node, why, alone=True, warning=warning)
        return Value(tensor, "sums" if linear else "float", node.name)

    def coming_relu(self, node):
        """The quantized ReLU that alone follows, moves between, or None."""
        while len(self.readers[node.name]) == 1:
            node = self.readers[node.name][0]
            if is_relu(node.layer):
                bits = self.widths.activation(node.name)
                closes = bits < FLOAT_BITS and not self.is_last(node)
                return node if closes else None
            if not is_mover(node.layer):
                return None
        return None

    def activated(self, value, bits, name, owner):
        """Clips and rounds a result, in a DoReFaActivation of that name.

        Args:
            owner: the node whose activation it is.
        """
        warning = ""
        if value.kind == "sums" and not value.normed:
            value, warning = self.normed(value, GAMMA, BETA, NO_NORM)
        layer = ours.DoReFaActivation(
            bits, name=name, dtype=owner.layer.dtype_policy
        )
        self.written.limits[owner.name] = 1.0
        unit = Value(layer(value.tensor), "unit", name, 1.0 / steps(bits))
        return unit, warning

    def normed(self, value, gamma, beta, warning, *, always=False):
        """Puts a batch norm behind a kernel without one, if asked to."""
        if not (self.settings.insert_norms or always):
            return value, warning
        name = f"{value.maker}_norm"
        if name in self.norms:
            return self.norms[name], ""
        norm = layers.BatchNormalization(
            momentum=0.9,
            epsilon=1e-5,
            gamma_initializer=keras.initializers.Constant(gamma),
            beta_initializer=keras.initializers.Constant(beta),
            name=name,
        )
        self.written.inserted[name] = value.maker
        self.written.kernels.pop(value.maker, None)
        normed = Value(norm(value.tensor), "sums", name, normed=True)
        self.norms[name] = normed
        return normed, ""

    def signed(self, value, source):
        """Puts a linear result on the signed grid, once for all readers.

        Args:
            source: name of the node whose result it is.
        Returns: the value itself where it is not linear or nothing is
            rounded.
        """
        if value.kind != "sums":
            return value
        if self.widths.linear is None:
            return dataclasses.replace(value, kind="float")
        if source not in self.signed_of:
            self.signed_of[source] = self._signed(value, source)
        return self.signed_of[source]

    def _signed(self, value, source):
        warning = ""
        if not value.normed:
            value, warning = self.normed(
                value, LINEAR_GAMMA, 0.0, NO_NORM_LINEAR
            )
        rounded = self.on_signed_grid(value, f"{value.maker}_signed")
        reach = 127 * rounded.scale
        self.written.limits[source] = reach
        what = f"linear result in 8 bits, {-reach:.3g} to {reach:.3g}"
        node = self.network.by_name[source]
        self.log(node, f"{what}: {rounded.maker}", warning=warning)
        return rounded

    def on_signed_grid(self, value, name):
        """Rounds values to the signed grid."""
        bits = self.widths.linear
        layer = ours.ResidualQuantizer(
            bits, linear=True, name=name, dtype=_policy(value.tensor)
        )
        scale = linear_grid(bits).scale
        return Value(layer(value.tensor), "signed", name, scale)


def _dorefa(value):
    """Whether sums are those of DoReFa weights, whose scale is their own."""
    return is_dorefa(value.tensor._keras_history.operation)


def _policy(tensor):
    return tensor._keras_history.operation.dtype_policy


def _kernel_after(nodes, readers):
    has_kernel = {}
    for node in reversed(nodes):
        has_kernel[node.name] = any(
            is_kernel(reader.layer) or has_kernel[reader.name]
            for reader in readers[node.name]
        )
    return has_kernel


def _kernel_before(network):
    has_kernel = {}
    for node in network.nodes:
        has_kernel[node.name] = any(
            is_kernel(network.by_name[name].layer) or has_kernel[name]
            for name in node.inputs
        )
    return has_kernel
