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
        args, kwargs: what it is called with, keras.KerasTensor among it.
    """

    weights = ()

    def __init__(self, operation, args, kwargs):
        self.operation = operation
        self.args = args
        self.kwargs = kwargs

    @property
    def kind(self) -> str:
        """The name of the operation, such as TrueDivide."""
        return type(self.operation).__name__

    @property
    def tensors(self) -> list:
        """What it reads, as keras.KerasTensor."""
        parts = keras.tree.flatten((self.args, self.kwargs))
        return [part for part in parts if isinstance(part, keras.KerasTensor)]

    def __call__(self, inputs, training=False):
        """Computes it of a tensor, or of a list where it reads several."""
        del training
        values = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        values = iter(values)

        def filled(part):
            is_tensor = isinstance(part, keras.KerasTensor)
            return next(values) if is_tensor else part

        args, kwargs = keras.tree.map_structure(
            filled, (self.args, self.kwargs)
        )
        return self.operation(*args, **kwargs)

    def copy(self, name: str) -> "Operation":
        """Returns it once more, under a name."""
        config = {**self.operation.get_config(), "name": name}
        operation = type(self.operation).from_config(config)
        return Operation(operation, self.args, self.kwargs)

    def get_weights(self) -> list:
        """Returns the weights, of which it has none."""
        return []


def moves(layer) -> bool:
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


def kind_of(layer) -> str:
    """Returns the name of a layer's class, or of an operation."""
    is_operation = isinstance(layer, Operation)
    return layer.kind if is_operation else type(layer).__name__
