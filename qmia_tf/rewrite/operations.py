"""Operations on tensors, such as x[..., ::-1], as nodes of a network."""

import keras
import numpy as np

# They pick, place or repeat values.
MOVES = (
    "Flip",
    "GetItem",
    "Repeat",
    "Reshape",
    "Squeeze",
    "Stack",
    "Transpose",
)


class Operation:
    """An operation on tensors and what it is called with beside tensors.

    Args:
        operation: keras.Operation.
        call: how it is called, as a functional model's get_config says it.
    """

    weights = ()

    def __init__(self, operation, call):
        self.operation = operation
        self.args = _revived(call["args"])
        self.kwargs = _revived(call["kwargs"])

    @property
    def kind(self):
        """The name of the operation, such as TrueDivide."""
        return type(self.operation).__name__

    @property
    def tensors(self):
        """What it reads, as keras.KerasTensor."""
        return [*_tensors([*self.args, *self.kwargs.values()])]

    def __call__(self, inputs, training=False):
        """Computes it of a tensor, or of a list where it reads several."""
        del training
        values = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        values = iter(values)
        args = _filled(self.args, values)
        return self.operation(*args, **_filled(self.kwargs, values))

    def copy(self, name):
        """Returns it once more, under a name."""
        config = {**self.operation.get_config(), "name": name}
        return _with(self, type(self.operation).from_config(config))

    def get_weights(self):
        """Returns the weights, of which it has none."""
        return []


def moves(layer):
    """Whether an operation picks, places or repeats values as they are.

    Zeros and infinite numbers that it puts beside them stay what they are
    when everything is scaled.
    """
    if not isinstance(layer, Operation):
        return False
    if layer.kind == "Pad":
        fill = layer.kwargs.get("constant_values", [*layer.args, None][1])
        return fill is None or fill == 0 or np.isinf(fill)
    return layer.kind in MOVES


def kind_of(layer):
    """Returns the name of a layer's class, or of an operation."""
    is_operation = isinstance(layer, Operation)
    return layer.kind if is_operation else type(layer).__name__


def _with(call, operation):
    made = Operation.__new__(Operation)
    made.operation, made.args, made.kwargs = operation, call.args, call.kwargs
    return made


def _revived(part):
    if isinstance(part, (list, tuple)):
        return type(part)(_revived(item) for item in part)
    if isinstance(part, dict) and "class_name" not in part:
        return {key: _revived(item) for key, item in part.items()}
    return keras.saving.deserialize_keras_object(part)


def _tensors(part):
    if isinstance(part, keras.KerasTensor):
        yield part
    elif isinstance(part, (list, tuple)):
        for item in part:
            yield from _tensors(item)


def _filled(part, values):
    """Puts values in the places of tensors."""
    if isinstance(part, keras.KerasTensor):
        return next(values)
    if isinstance(part, (list, tuple)):
        return type(part)(_filled(item, values) for item in part)
    if isinstance(part, dict):
        return {key: _filled(item, values) for key, item in part.items()}
    return part
