"""What a model says of its input, and the ways to prepare records for it."""

import dataclasses

import numpy as np

from qmia_tf.data.pixels import BYTES, LIMITS, SIGNED, UNIT, scale_to_range
from qmia_tf.data.value_ranges import CODES, RecordNumbers
from qmia_tf.deploy.tflite.input_clipping import shares_outside

TO_GIVE = {
    (UNIT, BYTES): "multiply the records by 255",
    (UNIT, SIGNED): "give 2 x - 1 of them",
    (SIGNED, UNIT): "give (x + 1) / 2 of them",
    (SIGNED, BYTES): "give 127.5 (x + 1) of them",
}


@dataclasses.dataclass(frozen=True)
class InputFacts:
    """What a model says of its input.

    Attributes:
        dtype: NumPy type; None of a function, which takes anything.
        range: one of INPUT_RANGES, None if nothing says it.
        where: what says it, or what could and does not.
        limits: the smallest and the largest number that a quantized input
            holds; None of floats.
        has_codes: whether the input itself takes codes, with a scale.
        takes_indices: whether numbers are looked up, as token ids are.
        moments: (mean, variance) that are subtracted and divided by.
    """

    dtype: np.dtype | None
    range: str | None = None
    where: str = "does not say"
    limits: tuple[float, float] | None = None
    has_codes: bool = False
    takes_indices: bool = False
    moments: tuple | None = None

    @property
    def takes(self) -> str:
        """The input in words."""
        if self.dtype is None:
            return "anything"
        return str(self.dtype) + " codes" if self.has_codes else "floats"

    def agrees_with(self, numbers: RecordNumbers) -> bool:
        """Whether a Normalization layer was made for such numbers."""
        if self.moments is None:
            return False
        mean, variance = (np.asarray(x, np.float64) for x in self.moments)
        spread = np.sqrt(variance.mean() + mean.var())
        values = numbers.sample.astype(np.float64)
        return bool(
            abs(values.mean() - mean.mean()) <= 2 * spread
            and spread / 5 <= values.std() <= spread * 5
        )


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """How records are turned into what a model takes.

    Attributes:
        start: the range of their numbers, None if it does not matter.
        end: the range they are turned into; start and end alike, or either
            None, leave them as they are.
        is_codes: whether they are the input's codes already.
        reversed_axis: the axis of a record whose order is reversed, or None.
    """

    start: str | None = None
    end: str | None = None
    is_codes: bool = False
    reversed_axis: int | None = None

    @property
    def is_mapped(self) -> bool:
        """Whether numbers change."""
        return None not in (self.start, self.end) and self.start != self.end

    @property
    def description(self) -> str:
        """It in words, for messages."""
        if self.is_codes:
            text = "taken as codes"
        elif self.start == BYTES and self.end:
            text = f"taken as pixels of {self.end}"
        elif self.is_mapped:
            text = f"turned from {self.start} into {self.end}"
        else:
            text = "taken as they are"
        if self.reversed_axis is not None:
            text += ", channels reversed"
        return text

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Turns records [N, ...] into what the model means by its input."""
        if self.reversed_axis is not None:
            values = np.flip(values, self.reversed_axis + 1)
        if self.is_codes or not (self.is_mapped or values.dtype.kind == "i"):
            return values
        if not self.is_mapped:
            # Integers of the input's own type would be taken as codes.
            return values.astype(np.float32)
        return scale_to_range(_as_bytes(values, self.start), self.end)

    def limits_in_records(self, limits: tuple) -> tuple[float, float]:
        """Gives limits of the input as numbers of the records."""
        ends = np.asarray(limits, np.float64)
        if self.is_mapped:
            least, most = _ends(self.end)
            first, last = _ends(self.start)
            ends = first + (ends - least) * (last - first) / (most - least)
        return float(ends[0]), float(ends[1])


def _ends(name):
    return LIMITS.get(name, (-128, 127))


def _as_bytes(values, start):
    if start == BYTES:
        return values
    values = values.astype(np.float32)
    if start == CODES:
        return values + 128
    return values * 255 if start == UNIT else (values + 1) * np.float32(127.5)


def clipped_shares(
    preprocessing: Preprocessing,
    numbers: RecordNumbers,
    limits: tuple[float, float] | None,
) -> tuple[float, float]:
    """Which shares of the numbers a quantized input clips.

    Args:
        limits: the smallest and the largest that it holds; None holds all.
    Returns: the shares below and above it; see input_clipping.shares_outside.
    """
    if limits is None or preprocessing.is_codes:
        return 0.0, 0.0
    return shares_outside(
        numbers.sample, *preprocessing.limits_in_records(limits)
    )
