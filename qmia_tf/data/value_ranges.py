"""What the numbers of records look like, whatever their type and rank."""

import dataclasses

import numpy as np

from qmia_tf.data.pixels import BYTES, LIMITS, SIGNED, UNIT

# Int8 codes of pixels, which are the pixels - 128.
CODES = "-128..127"
# The brightest of some hundred images is seldom darker.
BRIGHT = 128
# By how much of a range resized images may leave it.
OVERSHOOT = 0.05
SAMPLED = 1 << 18


@dataclasses.dataclass(frozen=True, eq=False)
class RecordNumbers:
    """A summary of an array of records.

    Attributes:
        dtype: of the records.
        shape: of one record.
        low: float, the smallest number.
        high: float, the largest.
        sample: 1-D array of the numbers of some records.
        is_images: whether they are uint8 [N, H, W, C], C in 1..4.
    """

    dtype: np.dtype
    shape: tuple[int, ...]
    low: float
    high: float
    sample: np.ndarray
    is_images: bool

    @classmethod
    def of(cls, values: np.ndarray, *, is_images: bool) -> "RecordNumbers":
        """Summarizes an array [N, ...]."""
        size = int(np.prod(values.shape[1:]))
        count = min(len(values), max(1, SAMPLED // max(1, size)))
        rows = np.linspace(0, len(values) - 1, count).astype(np.int64)
        return cls(
            dtype=values.dtype,
            shape=tuple(values.shape[1:]),
            low=float(values.min()),
            high=float(values.max()),
            sample=values[np.unique(rows)].reshape(-1),
            is_images=is_images,
        )

    @property
    def is_integer(self) -> bool:
        """Whether the type is one of integers."""
        return self.dtype.kind in "iu"

    @property
    def is_like_images(self) -> bool:
        """Whether rank or type are those of images: not of tables."""
        return self.dtype == np.uint8 or len(self.shape) > 1

    @property
    def channels(self) -> int | None:
        """The axis of a record that holds red, green, blue; None of none."""
        if len(self.shape) != 3:
            return None
        return {3: 2}.get(self.shape[2], 0 if self.shape[0] == 3 else None)

    @property
    def range(self) -> str | None:
        """The range that the numbers fill: of pixels.PIXELS, or CODES.

        None of numbers that fill none, such as those of a table.
        """
        if self.dtype == np.int8 and self.low <= -100 and self.high >= 100:
            return CODES
        for pixel_range in (UNIT, SIGNED, BYTES):
            least, most = LIMITS[pixel_range]
            slack = 0.0
            if self.dtype.kind == "f" and self.is_like_images:
                slack = OVERSHOOT * (most - least)
            if self.low < least - slack or self.high > most + slack:
                continue
            if pixel_range != BYTES or self.high >= BRIGHT or self.is_images:
                return pixel_range
        return None

    @property
    def may_be_pixels(self) -> bool:
        """Whether somebody could mean pixels of 0..255."""
        return self.low >= 0 and 1 < self.high <= 255

    @property
    def shown(self) -> str:
        """The range of the numbers as text."""
        return f"{self.low:.6g}..{self.high:.6g}"
