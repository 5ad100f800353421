"""What a trained layer's result becomes on its way into the integer twin."""

import dataclasses

import keras

from qmia_tf.errors import InputError
from qmia_tf.quantizers.grids import Grid


@dataclasses.dataclass(frozen=True)
class Codes:
    """Levels on a grid.

    Attributes:
        tensor: of the levels.
        grid: on which they lie.
        is_image: whether it is the network's input.
        is_head: whether an integer head rounded what the trained network
            does not round.
        times: what the trained network multiplies an image of this grid by
            before its first kernel reads it.
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

    @property
    def scales(self) -> tuple[float, float]:
        """The scales of the two."""
        return self.first.grid.scale, self.second.grid.scale


def copy_of(
    layer: keras.layers.Layer, name: str | None = None
) -> keras.layers.Layer:
    """Returns a layer without weights again, for float32 tensors."""
    config = {**layer.get_config(), "dtype": "float32"}
    return type(layer).from_config({**config, "name": name or layer.name})


def refused(layer: keras.layers.Layer, why: str) -> InputError:
    """Returns the error that names a layer and says why."""
    kind = type(layer).__name__
    return InputError(f"layer {layer.name!r} ({kind}): {why}")
