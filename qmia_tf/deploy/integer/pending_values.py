"""What a trained layer's result becomes on its way into the integer twin."""

import dataclasses

import keras

from qmia_tf.quantizers.grids import Grid


@dataclasses.dataclass(frozen=True)
class Codes:
    """Levels on a grid.

    Attributes:
        tensor: Keras tensor.
        grid: grids.Grid.
        is_image: whether it is the network's input.
        times: what the trained network multiplies an image of this grid by
            before its first kernel reads it.
        is_head: whether an integer head rounded what the trained network
            does not round.
    """

    tensor: keras.KerasTensor
    grid: Grid
    is_image: bool = False
    is_head: bool = False
    times: float = 1.0


@dataclasses.dataclass(frozen=True)
class Floats:
    """A Keras tensor of floats."""

    tensor: keras.KerasTensor


@dataclasses.dataclass(frozen=True)
class PendingAddition:
    """A sum of two Codes that still has no grid, and its layer's name."""

    first: Codes
    second: Codes
    name: str


def copy_of(layer, name=None):
    """Returns a Keras layer without weights again, for float32 tensors."""
    config = {**layer.get_config(), "dtype": "float32"}
    return type(layer).from_config({**config, "name": name or layer.name})
