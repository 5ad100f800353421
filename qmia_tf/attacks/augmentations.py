"""Augmented queries: images shifted, mirrored, rotated, or with noise.

Augmentations or Noise make several queries of each record. Neither depends on
the other records, their order or the batches.
"""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from qmia_tf.errors import InputError

UNCHANGED = "unchanged"
MOST_SHIFT = 8
MOST_ROTATION = 15
# Places where a piece of noise may begin.
BANK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Augmentations:
    """One transform at a time; what moves in from outside is black.

    Black, because training crops with black borders (input_pipeline): a
    query is most telling where it looks like what the model was trained on.

    Attributes:
        shift: d >= 0; the 4d shifts by dx and dy pixels, |dx| + |dy| = d.
        flip: mirrors left to right.
        rotation: r >= 0; rotated by -r..r whole degrees, 2r of them.
    Raises: InputError if a number is out of range.
    """

    shift: int = 1
    flip: bool = True
    rotation: int = 0

    def __post_init__(self):
        for name, most in (("shift", MOST_SHIFT), ("rotation", MOST_ROTATION)):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value <= most:
                raise InputError(f"{name} must be in 0..{most}, got {value!r}")

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each query, the unchanged image first."""
        return tuple(name for name, _ in self._transforms())

    def apply(
        self, images: np.ndarray, record_ids: np.ndarray | None = None
    ) -> Iterator[np.ndarray]:
        """Yields the uint8 [N, H, W, C] images of each query, as names says.

        Noise needs the record ids; these do not.
        """
        for _, transform in self._transforms():
            yield transform(images)

    def _transforms(self):
        yield UNCHANGED, lambda images: images
        for dx, dy in _offsets(self.shift):
            yield (
                f"shift({dx},{dy})",
                lambda images, dx=dx, dy=dy: shifted(images, dx, dy),
            )
        if self.flip:
            yield "flip", lambda images: images[:, :, ::-1]
        for size in range(1, self.rotation + 1):
            for degrees in (size, -size):
                yield (
                    f"turn({degrees})",
                    lambda images, degrees=degrees: rotated(images, degrees),
                )


@dataclasses.dataclass(frozen=True)
class Noise:
    """Normal noise on every pixel, in several strengths.

    Draw j of a record is one pattern of normal numbers, the same for every
    sigma: a piece of one long sequence that follows from the seed. At which
    of BANK places it begins is a hash of the record id and j. So a
    pattern costs no more than copying it, and does not depend on the other
    records. Two records may get the same piece, which does no harm: what has
    to differ are the patterns of one record.

    Attributes:
        sigmas: standard deviations, in 0..1 of the range of a pixel.
        draws: patterns a sigma.
        seed: int >= 0.
    Raises: InputError if a number is out of range.
    """

    sigmas: tuple[float, ...] = (0.02, 0.05, 0.1)
    draws: int = 5
    seed: int = 0

    def __post_init__(self):
        if not self.sigmas or not all(0 < s <= 1 for s in self.sigmas):
            raise InputError(f"sigmas must be in 0..1, got {self.sigmas}")
        if self.draws < 1 or self.seed < 0:
            raise InputError(
                "draws must be 1 or more and seed 0 or more, got "
                f"{self.draws} and {self.seed}"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each query, the unchanged image first."""
        return (
            UNCHANGED,
            *(
                f"noise({sigma:g},{draw})"
                for draw in range(self.draws)
                for sigma in self.sigmas
            ),
        )

    def apply(
        self, images: np.ndarray, record_ids: np.ndarray
    ) -> Iterator[np.ndarray]:
        """Yields the uint8 [N, H, W, C] images of each query, as names says.

        255 sigma times the pattern is added, rounded and clipped to 0..255.
        record_ids: int [N], 0 or more.
        """
        yield images
        size = math.prod(images.shape[1:])
        bank = np.random.default_rng(self.seed)
        bank = bank.standard_normal(BANK + size, np.float32)
        pieces = np.lib.stride_tricks.sliding_window_view(bank, size)
        for draw in range(self.draws):
            starts = _hashed(record_ids, draw) % np.uint64(BANK)
            pattern = pieces[starts].reshape(images.shape)
            for sigma in self.sigmas:
                changed = pattern * np.float32(255 * sigma) + images
                np.rint(np.clip(changed, 0, 255, out=changed), out=changed)
                yield changed.astype(np.uint8)


def shifted(images: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """Moves images [N, H, W, C] by dx pixels right and dy down; black in."""
    height, width = images.shape[1:3]
    border = max(abs(dx), abs(dy))
    sides = [border, border]
    framed = np.pad(images, [[0, 0], sides, sides, [0, 0]])
    top, left = border - dy, border - dx
    return framed[:, top : top + height, left : left + width]


def rotated(images: np.ndarray, degrees: float) -> np.ndarray:
    """Rotates images [N, H, W, C] around their middle, to the left.

    Interpolated linearly between pixels; black comes in.
    """
    from scipy import ndimage

    return ndimage.rotate(
        images, degrees, axes=(1, 2), reshape=False, order=1, mode="constant"
    )


def _offsets(distance):
    """Lists dx, dy with |dx| + |dy| = distance > 0, round from the right."""
    return [
        offset
        for step in range(distance)
        for offset in (
            (distance - step, step),
            (-step, distance - step),
            (step - distance, -step),
            (step, step - distance),
        )
    ]


def _hashed(record_ids, draw):
    """SplitMix64 of the record id, moved by the draw; uint64 [N].

    Source: Steele et al., OOPSLA 2014.
    """
    state = np.asarray(record_ids).astype(np.uint64)
    for step in (1, draw + 1):
        state = state * np.uint64(0x9E3779B97F4A7C15) + np.uint64(step)
        for shift, factor in (
            (30, 0xBF58476D1CE4E5B9),
            (27, 0x94D049BB133111EB),
        ):
            state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
        state ^= state >> np.uint64(31)
    return state
