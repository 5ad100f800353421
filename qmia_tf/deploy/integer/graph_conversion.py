"""Converts a trained graph, layer by layer, into its integer twin."""

import keras

from qmia_tf.deploy.flat_model import read_flat
from qmia_tf.deploy.integer import kernel_conversion
from qmia_tf.deploy.integer.averages import PendingMeans, mean_grid
from qmia_tf.deploy.integer.code_grids import UNIT_GRID
from qmia_tf.errors import InputError
from qmia_tf.layers import integer_layers


def unknown(layer, why):
    """Returns the InputError that names a layer and says why."""
    kind = type(layer).__name__
    return InputError(f"layer {layer.name!r} ({kind}): {why}")


class Conversion:
    """The state of one conversion.

    A handler is a function(conversion, layer, *values) that gives what a layer
    makes of its inputs: Codes, Floats, PendingSums or PendingAddition.

    Args:
        handlers: dict class of layer -> handler.
        head: "float" or "integer".
        outputs: "softmax" or "logits".
        logits_grid: grids.Grid of the logits, for an integer head.
    """

    def __init__(self, handlers, head, outputs, logits_grid):
        self.handlers = handlers
        self.head = head
        self.outputs = outputs
        self.logits_grid = logits_grid
        self.model_output = None
        self._results = {}
        self._floats_of = {}

    def run(self, model):
        """Converts a model; returns its twin."""
        graph = read_flat(model)
        for call in graph.calls:
            values = [self._results[name] for name in graph.sources(call)]
            self._results[call.name] = self._step(call.layer, values)
        first, last = graph.calls[0], graph.calls[-1]
        end = self._results[last.name]
        if end is not self.model_output:
            raise unknown(last.layer, "the model must end in a softmax")
        inputs = self._results[first.name + "/input"]
        outputs = self.floats(end).tensor
        name = f"{model.name}_twin"
        return keras.Model(inputs, outputs, name=name, trainable=False)

    def _step(self, layer, values):
        if getattr(layer, "data_format", None) == "channels_first":
            raise unknown(layer, "TFLite's kernels take channels last")
        if isinstance(layer, keras.layers.InputLayer):
            return self._pixels(layer)
        handler = self.handlers.get(type(layer))
        if handler is None:
            raise unknown(
                layer, "integer export does not know this layer: use float32"
            )
        return handler(self, layer, *values)

    def _pixels(self, layer):
        image = keras.Input(layer.batch_shape[1:], name=layer.name)
        self._results[layer.name + "/input"] = image
        codes = integer_layers.ToLevels(UNIT_GRID, name=f"{layer.name}_codes")
        return kernel_conversion.Codes(codes(image), UNIT_GRID, is_image=True)

    def put_on_grid(self, sums, grid, name, *, every=1):
        """Puts a kernel's sums on the grid to which the trained network rounds.

        Args:
            sums: PendingSums.
            grid: grids.Grid.
            name: of the layer whose levels they become.
            every: see PendingSums.on.
        Returns: Codes.
        Raises: InputError if int8 kernels cannot carry the sums.
        """
        source = sums.source
        if getattr(source, "is_head", False):
            raise InputError(sums.why_float())
        if sums.is_float:
            if not getattr(source, "is_image", False):
                raise InputError(sums.why_float())
            # Only the first layer: behind it everything is on a grid.
            values = sums.in_floats(self.floats(source).tensor, grid)
            return kernel_conversion.Codes(
                integer_layers.ToLevels(grid, name=name)(values), grid
            )
        return kernel_conversion.Codes(_on(sums, grid, name, every=every), grid)

    def put_on_head_grid(self, sums, grid):
        """Puts sums on the grid of an integer head, which only the twin has."""
        return kernel_conversion.Codes(
            _on(sums, grid, sums.name), grid, is_head=True
        )

    def read(self, value):
        """Gives a result as a kernel reads it: Codes, or Floats."""
        if isinstance(value, PendingMeans) and self.head == "integer":
            return self.put_on_head_grid(value, mean_grid(value.source.grid))
        return (
            value
            if isinstance(value, kernel_conversion.Codes)
            else self.floats(value)
        )

    def floats(self, value):
        """Gives a result as Floats, each one once."""
        if isinstance(value, kernel_conversion.Floats):
            return value
        if isinstance(value, kernel_conversion.PendingSums):
            source = self.floats(value.source).tensor
            return kernel_conversion.Floats(value.in_floats(source))
        if isinstance(value, kernel_conversion.PendingAddition):
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
            self._floats_of[key] = kernel_conversion.Floats(layer(value.tensor))
        return self._floats_of[key]


def _on(sums, grid, name, **options):
    try:
        return sums.on(grid, name, **options)
    except InputError as error:
        at = f"layer {sums.layer.name!r}"
        if str(error).startswith(at):
            raise
        raise InputError(f"{at}: {error}") from error
