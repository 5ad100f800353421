"""The integer twin: a trained network as TFLite's int8 kernels compute it.

`fold` walks the trained graph once. A convolution is held back until what
follows it (batch norm, then a clip or a residual branch) says on which grid
its sums end; then it becomes one integer layer with the trained codes.
"""

import keras
import numpy as np

from qmia_tf import layers as ours
from qmia_tf.deploy import kernels
from qmia_tf.deploy.codes import (
    UNIT_GRID,
    branch_grid,
    logits_grid,
    sum_grid,
)
from qmia_tf.deploy.graph import steps_of
from qmia_tf.errors import InputError
from qmia_tf.grids import FLOAT_BITS, activation_grid
from qmia_tf.layers import integer

HEADS = ("float", "integer")
OUTPUTS = ("softmax", "logits")


def fold(model, *, head="float", outputs="softmax", logits_range=None):
    """Makes the integer twin of a trained network.

    Args:
        model: functional keras.Model of this project's layers, or one that
            was loaded, pixels / 255 -> probabilities.
        head: "float" sums what follows the last quantized activation in
            float32, "integer" in integers as well.
        outputs: "softmax", or "logits", which leaves the softmax out.
        logits_range: (low, high) of the logits, for head="integer";
            `calibrate` measures it.
    Returns: keras.Model, pixels / 255 -> probabilities or logits, for
        inference, of the layers in qmia_tf.layers.integer. A layer is called
        as the trained layer whose result its levels are.
    Raises: InputError if int8 kernels cannot carry the model; it names the
        layer and the reason.
    """
    if head not in HEADS or outputs not in OUTPUTS:
        raise InputError(
            f"head must be one of {HEADS} and outputs one of {OUTPUTS}, got "
            f"{head!r} and {outputs!r}"
        )
    grid = None if logits_range is None else logits_grid(*logits_range)
    if head == "integer" and grid is None:
        raise InputError("an integer head needs logits_range: see calibrate")
    return _Fold(head, outputs, grid).run(model)


def calibrate(twin, images, *, batch_size=100):
    """Measures the range of the logits.

    Args:
        twin: what fold(head="float") returned; its last layer is a softmax.
        images: uint8 [N, height, width, channels], members of the run.
        batch_size: images a call.
    Returns: (low, high), floats.
    Raises: InputError if there are no images or they do not fit the model.
    """
    expected = tuple(twin.input_shape[1:])
    if len(images) == 0:
        raise InputError("there are no images to calibrate the logits with")
    if images.dtype != np.uint8 or images.shape[1:] != expected:
        raise InputError(
            f"calibration images must be uint8 [N, {expected}], got "
            f"{images.dtype} {list(images.shape)}"
        )
    last = twin.layers[-1]
    if not isinstance(last, keras.layers.Activation):
        raise InputError(
            f"model {twin.name!r} does not end in a softmax of floats: "
            "calibrate the twin that fold(head='float') gives"
        )
    logits = keras.Model(twin.inputs, last.input)
    low, high = np.inf, -np.inf
    for start in range(0, len(images), batch_size):
        chunk = images[start : start + batch_size].astype(np.float32)
        found = logits([chunk / np.float32(255)], training=False).numpy()
        low, high = min(low, found.min()), max(high, found.max())
    return float(low), float(high)


class _Fold:
    """The state of one walk: what every layer's result has become."""

    def __init__(self, head, outputs, grid):
        self.head = head
        self.outputs = outputs
        self.logits_grid = grid
        self.answer = None
        self.results = {}
        self.floats_of = {}

    def run(self, model):
        steps = steps_of(model)
        for step in steps:
            values = [self.results[name] for name in step.inputs]
            self.results[step.name] = self.step(step, values)
        end = self.results[steps[-1].name]
        if end is not self.answer:
            raise self.unknown(
                steps[-1].layer, "the model must end in a softmax"
            )
        inputs = self.results[steps[0].name + "/input"]
        last = self.floats(end)
        name = f"{model.name}_twin"
        return keras.Model(inputs, last.tensor, name=name, trainable=False)

    def step(self, step, values):
        layer = step.layer
        if getattr(layer, "data_format", None) == "channels_first":
            raise self.unknown(layer, "TFLite's kernels take channels last")
        if isinstance(layer, keras.layers.InputLayer):
            return self.pixels(layer)
        if kernels.is_kernel(layer):
            return self.kernel(layer, *values)
        handler = HANDLERS.get(type(layer))
        if handler is None:
            raise self.unknown(layer)
        return handler(self, layer, *values)

    def unknown(self, layer, why="integer export does not know this layer"):
        kind = type(layer).__name__
        return InputError(f"layer {layer.name!r} ({kind}): {why}")

    def pixels(self, layer):
        image = keras.Input(layer.batch_shape[1:], name=layer.name)
        self.results[layer.name + "/input"] = image
        codes = integer.ToLevels(UNIT_GRID, name=f"{layer.name}_codes")
        return kernels.Codes(codes(image), UNIT_GRID, is_image=True)

    def kernel(self, layer, value):
        if not isinstance(value, kernels.Codes):
            value = self.floats(value)
        sums = kernels.Sums(layer, value)
        if layer.activation is keras.activations.linear:
            return sums
        if layer.activation is keras.activations.softmax:
            return self.softmax(f"{layer.name}_softmax", sums)
        raise self.unknown(layer, "its own activation: use DoReFaActivation")

    def norm(self, layer, value):
        if isinstance(value, kernels.Sums):
            return value.normed(layer)
        raise self.unknown(layer, "batch norm must follow a convolution")

    def activation(self, layer, value):
        if isinstance(value, kernels.Codes) and layer.bits <= 8:
            if value.grid == activation_grid(layer.bits):
                return value
            raise self.unknown(layer, "its input is on another grid already")
        is_clip = isinstance(value, kernels.Total) and layer.bits == FLOAT_BITS
        if layer.bits > 8 and not is_clip:
            raise self.unknown(
                layer,
                f"{layer.bits}-bit activations; int8 kernels carry 1 to 8",
            )
        if isinstance(value, kernels.Total):
            bits = None if is_clip else layer.bits
            if bits is None and not layer.clip:
                raise self.unknown(layer, "ReLU on a sum, with no upper end")
            return self.close(layer, value, bits)
        return self.sums(layer, value, activation_grid(layer.bits))

    def sums(self, layer, value, grid):
        """Ends a kernel's sums on a grid."""
        if not isinstance(value, kernels.Sums):
            raise self.unknown(
                layer, "it must follow a convolution or dense layer"
            )
        return self.ended(value, grid, layer.name)

    def ended(self, sums, grid, name, *, every=1):
        if sums.is_float:
            if not getattr(sums.source, "is_image", False):
                raise InputError(sums.why_float())
            # Only the first layer: behind it everything is on a grid.
            values = sums.in_floats(self.floats(sums.source).tensor, grid)
            return kernels.Codes(
                integer.ToLevels(grid, name=name)(values), grid
            )
        try:
            return kernels.Codes(sums.on(grid, name, every=every), grid)
        except InputError as error:
            raise InputError(f"layer {sums.layer.name!r}: {error}") from error

    def residual(self, layer, value):
        grid = branch_grid(layer.activation_bits, projection=layer.projection)
        return self.sums(layer, value, grid)

    def branch(self, layer, value, *, every=1):
        grid = branch_grid(layer.activation_bits, projection=layer.projection)
        if not isinstance(value, kernels.Sums):
            raise self.unknown(layer, "its branch is not a convolution")
        return self.ended(value, grid, value.name, every=every)

    def add(self, layer, first, second, *more):
        if (
            isinstance(first, kernels.Codes)
            and isinstance(second, kernels.Codes)
            and not more
        ):
            return kernels.Total(first, second)
        raise self.unknown(
            layer,
            "a sum needs two quantized inputs (residual_bits=8 gives them)",
        )

    def quantized_sum(self, layer, shortcut, branch):
        bits = layer.activation_bits if layer.rounded else None
        if layer.projection:
            shortcut = self.branch(layer, shortcut)
        elif not isinstance(shortcut, kernels.Codes):
            raise self.unknown(layer, "its shortcut is not quantized")
        grid = branch_grid(layer.activation_bits, projection=layer.projection)
        every = 1
        if bits is not None and not layer.projection:
            # The shortcut is whole steps of the sum: of the branch only its
            # nearest whole step gets through.
            units, _ = sum_grid(shortcut.grid.scale, grid.scale, bits)
            every = units[2] if units[0] == units[2] else 1
        branch = self.branch(layer, branch, every=every)
        return self.close(layer, kernels.Total(shortcut, branch), bits)

    def close(self, layer, total, bits):
        """Clips a sum to [0, 1] and rounds it, or leaves it on its grid."""
        scales = total.first.grid.scale, total.second.grid.scale
        try:
            units, grid = sum_grid(*scales, bits)
        except InputError as error:
            raise self.unknown(layer, str(error)) from error
        add = integer.IntegerAdd(scales, units, grid, name=layer.name)
        return kernels.Codes(
            add([total.first.tensor, total.second.tensor]), grid
        )

    def same_codes(self, layer, value):
        """A layer that moves or picks codes without computing."""
        config = {**layer.get_config(), "dtype": "float32"}
        copy = type(layer).from_config(config)
        if isinstance(value, kernels.Codes):
            return kernels.Codes(copy(value.tensor), value.grid)
        return kernels.Floats(copy(self.floats(value).tensor))

    def passed(self, layer, value):
        del layer
        return value

    def average(self, layer, value):
        if layer.keepdims:
            raise self.unknown(layer, "keepdims=True: leave it out")
        if isinstance(value, kernels.Codes) and self.head == "integer":
            tensor = kernels.average(value, UNIT_GRID, layer.name)
            name = f"{layer.name}_flat"
            flat = keras.layers.Flatten(name=name, dtype="float32")
            return kernels.Codes(flat(tensor), UNIT_GRID)
        return self.same_codes(layer, self.floats(value))

    def end(self, layer, value):
        if getattr(layer, "activation", None) not in (
            None,
            keras.activations.softmax,
        ):
            raise self.unknown(layer, "only a softmax at the end is known")
        if len(layer.output.shape) != 2:
            raise self.unknown(layer, "a softmax over [batch, classes] only")
        return self.softmax(layer.name, value)

    def softmax(self, name, value):
        if self.answer is not None:
            raise InputError(f"layer {name!r} is a second softmax")
        self.answer = self._softmax(name, value)
        return self.answer

    def _softmax(self, name, value):
        if self.head == "float":
            logits = self.floats(value).tensor
            if self.outputs == "logits":
                return kernels.Floats(logits)
            end = keras.layers.Activation("softmax", name=name, dtype="float32")
            return kernels.Floats(end(logits))
        if not isinstance(value, kernels.Sums) or value.is_float:
            raise InputError(
                f"layer {name!r}: the layer before the softmax has no integer "
                "kernel (first_last_bits=8 gives it one); the scheme int8 "
                "keeps it in float32"
            )
        codes = self.ended(value, self.logits_grid, value.name)
        if self.outputs == "logits":
            return codes
        end = integer.IntegerSoftmax(self.logits_grid.scale, name=name)
        return kernels.Codes(end(codes.tensor), integer.SOFTMAX_GRID)

    def floats(self, value):
        """Gives a result as floats, each one once."""
        if isinstance(value, kernels.Floats):
            return value
        if isinstance(value, kernels.Sums):
            source = self.floats(value.source).tensor
            return kernels.Floats(value.in_floats(source))
        if isinstance(value, kernels.Total):
            raise InputError(
                "a sum of two quantized tensors needs a DoReFaActivation of 8 "
                "bits or fewer behind it, or at the end one of 32 with clip"
            )
        key = id(value.tensor)
        if key not in self.floats_of:
            name = f"{value.tensor._keras_history.operation.name}_floats"
            layer = integer.FromLevels(value.grid.scale, name=name)
            self.floats_of[key] = kernels.Floats(layer(value.tensor))
        return self.floats_of[key]


HANDLERS = {
    keras.layers.BatchNormalization: _Fold.norm,
    keras.layers.Add: _Fold.add,
    keras.layers.MaxPooling2D: _Fold.same_codes,
    keras.layers.Flatten: _Fold.same_codes,
    keras.layers.Dropout: _Fold.passed,
    keras.layers.GlobalAveragePooling2D: _Fold.average,
    keras.layers.Activation: _Fold.end,
    keras.layers.Softmax: _Fold.end,
    ours.DoReFaActivation: _Fold.activation,
    ours.ResidualQuantizer: _Fold.residual,
    ours.DoReFaAdd: _Fold.quantized_sum,
}
