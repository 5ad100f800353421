"""Averages of levels, and batch norms of them, as depthwise convolutions.

LiteRT's MEAN and AVERAGE_POOL_2D round in a way of their own in every kernel
set. A depthwise convolution with equal weights sums the same levels and
rounds as all the others do; a batch norm that follows no convolution is an
average over windows of 1x1.
"""

import dataclasses

import keras
import numpy as np

from qmia_tf.deploy.integer.code_grids import UNIT_GRID
from qmia_tf.deploy.integer.kernel_conversion import (
    PendingSums,
    float_depthwise,
)
from qmia_tf.deploy.integer.pending_values import Codes, copy_of
from qmia_tf.errors import InputError
from qmia_tf.quantizers.grids import INT8_MAX, Grid


def mean_grid(source: Grid) -> Grid:
    """Returns the grid of an average that the trained network left in floats.

    It has 255 steps from 0 to 1 if that is the range of what is averaged,
    else it is that one's own.
    """
    return UNIT_GRID if source.low == source.zero_point else source


@dataclasses.dataclass(frozen=True, eq=False)
class PendingMeans(PendingSums):
    """Averages over windows, still without a grid.

    Attributes:
        window: (height, width), of levels; None for all there are.
        strides: of the windows.
        flat: whether the first move is the Flatten that the trained layer
            does itself.
    """

    window: tuple[int, int] | None = None
    strides: tuple[int, int] = (1, 1)
    flat: bool = False

    def __post_init__(self):
        self._start(0.0)

    @property
    def depthwise(self) -> bool:
        """Every channel is averaged by itself."""
        return True

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.source.tensor.shape[-1]

    @property
    def is_float(self) -> bool:
        """Whether what is averaged is no levels."""
        return not isinstance(self.source, Codes)

    @property
    def is_plain(self) -> bool:
        """Whether no batch norm was folded in."""
        return self.spread is None

    @property
    def limit(self) -> int:
        """Largest code; sums of plain levels need no headroom."""
        return 1 if self.is_plain and not self.offset.any() else INT8_MAX

    @property
    def between(self) -> tuple:
        """Moves that a batch norm cannot pass."""
        return self.moves[1:] if self.flat else self.moves

    def sizes(self) -> tuple[int, int]:
        """Returns (height, width) of the windows.

        Raises: InputError if they are as large as the maps and those have no
            fixed size.
        """
        sizes = self.window or self.source.tensor.shape[1:3]
        if None in sizes:
            raise InputError(
                f"layer {self.layer.name!r} averages over a size that is not "
                "known: give the model a fixed input shape"
            )
        return tuple(sizes)

    def trained_codes(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns ones, and 1 / the number of levels in a window."""
        shape = (*self.sizes(), self.channels, 1)
        return np.ones(shape), np.array([1.0 / np.prod(shape[:2])])

    def in_floats(
        self, tensor: keras.KerasTensor, grid: Grid | None = None
    ) -> keras.KerasTensor:
        """Returns the averages in float32; see PendingSums.in_floats."""
        del grid
        if self.is_plain:
            return self._move(copy_of(self.layer)(tensor), moves=self.between)
        name = f"{self.layer.name}_scaled"
        layer = float_depthwise(
            self.sizes(), name=name, dtype="float32", **self._windows()
        )
        outputs = layer(tensor)
        codes, scale = self.trained_codes()
        layer.set_weights(
            [codes * scale * self.factor[:, np.newaxis], self.offset]
        )
        return self._move(outputs)

    def _windows(self):
        return {"strides": self.strides, "padding": "valid"}
