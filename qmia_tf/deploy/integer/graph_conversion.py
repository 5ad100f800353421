"""Converts a trained graph, layer by layer, into its integer twin."""

from collections.abc import Mapping

import keras

from qmia_tf.deploy.flat_model import read_flat
from qmia_tf.deploy.integer.averages import PendingMeans, mean_grid
from qmia_tf.deploy.integer.code_grids import UNIT_GRID
from qmia_tf.deploy.integer.kernel_conversion import PendingSums
from qmia_tf.deploy.integer.pending_values import (
    Codes,
    Floats,
    PendingAddition,
    refused,
)
from qmia_tf.errors import InputError
from qmia_tf.layers import integer_layers
from qmia_tf.quantizers.grids import Grid


class Conversion:
    """The state of one conversion.

    A handler is a function(conversion, layer, *values) that gives what a layer
    makes of its inputs: Codes, Floats, PendingSums or PendingAddition; ops has
    one a class of layers (layer_ops.LayerOp.convert). The other options are
    those of integer_network.fold.
    """

    def __init__(
        self,
        ops: Mapping[type, object],
        head: str = "float",
        outputs: str = "softmax",
        logits_grid: Grid | None = None,
    ):
        self.ops = ops
        self.head = head
        self.outputs = outputs
        self.logits_grid = logits_grid
        self.model_output = None
        self._image = None
        self._results = {}
        self._floats_of = {}

    def run(self, model: keras.Model) -> keras.Model:
        """Converts a model; returns its twin."""
        graph = read_flat(model)
        for call in graph.calls:
            values = [self._results[name] for name in graph.sources(call)]
            self._results[call.name] = self._step(call.layer, values)
        last = graph.calls[-1]
        end = self._results[last.name]
        if end is not self.model_output:
            raise refused(last.layer, "the model must end in a softmax")
        outputs = self.floats(end).tensor
        name = f"{model.name}_twin"
        return keras.Model(self._image, outputs, name=name, trainable=False)

    def _step(self, layer, values):
        if getattr(layer, "data_format", None) == "channels_first":
            raise refused(layer, "TFLite's kernels take channels last")
        if isinstance(layer, keras.layers.InputLayer):
            return self._pixels(layer)
        op = self.ops.get(type(layer))
        if op is None or op.convert is None:
            raise refused(
                layer, "integer export does not know this layer: use float32"
            )
        images = [value for value in values if isinstance(value, Codes)]
        if any(i.times != 1 for i in images) and not op.takes_factor:
            raise refused(
                layer,
                "it reads pixels that a Rescaling multiplies, which only a "
                "convolution or a dense layer takes in: put it behind one, or "
                "use float32",
            )
        return op.convert(self, layer, *values)

    def _pixels(self, layer):
        self._image = keras.Input(layer.batch_shape[1:], name=layer.name)
        codes = integer_layers.ToLevels(UNIT_GRID, name=f"{layer.name}_codes")
        return Codes(codes(self._image), UNIT_GRID, is_image=True)

    def put_on_grid(
        self, sums: PendingSums, grid: Grid, name: str, *, every: int = 1
    ) -> Codes:
        """Puts a kernel's sums on the grid to which the trained network rounds.

        They become the levels of the layer of that name. See PendingSums.on.

        Raises: InputError if int8 kernels cannot carry the sums.
        """
        source = sums.source
        if getattr(source, "is_head", False):
            raise InputError(sums.why_float())
        if not sums.is_float:
            return Codes(_on(sums, grid, name, every=every), grid)
        # Only the first layer: behind it everything is on a grid.
        if not getattr(source, "is_image", False):
            raise InputError(sums.why_float())
        values = sums.in_floats(self.floats(source).tensor, grid)
        return Codes(integer_layers.ToLevels(grid, name=name)(values), grid)

    def put_on_head_grid(self, sums: PendingSums, grid: Grid) -> Codes:
        """Puts sums on the grid of an integer head, which only the twin has."""
        return Codes(_on(sums, grid, sums.name), grid, is_head=True)

    def read(self, value) -> Codes | Floats:
        """Gives a result as a kernel reads it."""
        if isinstance(value, PendingMeans) and self.head == "integer":
            return self.put_on_head_grid(value, mean_grid(value.source.grid))
        return value if isinstance(value, Codes) else self.floats(value)

    def floats(self, value) -> Floats:
        """Gives a result as Floats, each one once."""
        if isinstance(value, Floats):
            return value
        if isinstance(value, PendingSums):
            return Floats(value.in_floats(self.floats(value.source).tensor))
        if isinstance(value, PendingAddition):
            raise InputError(
                f"layer {value.name!r}: a sum of two quantized tensors needs a "
                "DoReFaActivation of 8 bits or fewer behind it, a "
                "ResidualQuantizer with linear=True, or at the end a "
                "DoReFaActivation of 32 bits with clip"
            )
        key = id(value.tensor)
        if key not in self._floats_of:
            name = f"{value.tensor._keras_history.operation.name}_floats"
            layer = integer_layers.FromLevels(value.grid.scale, name=name)
            self._floats_of[key] = Floats(layer(value.tensor))
        return self._floats_of[key]


def _on(sums, grid, name, **options):
    try:
        return sums.on(grid, name, **options)
    except InputError as error:
        at = f"layer {sums.layer.name!r}"
        if str(error).startswith(at):
            raise
        raise InputError(f"{at}: {error}") from error
