"""Which numbers a network takes: the range of its pixels, and their grid."""

import dataclasses
import math
import warnings
from fractions import Fraction

import numpy as np
from keras import layers

from qmia_tf.data.pixels import AUTO, PIXEL_STEPS, range_limits
from qmia_tf.errors import InputError
from qmia_tf.layers.dorefa_layers import check_input_steps
from qmia_tf.layers.exact_convolutions import MAX_INPUT_STEPS
from qmia_tf.qat.norm_statistics import norm_distances
from qmia_tf.qat.operations import Operation
from qmia_tf.qat.quantized_values import is_mover

GIVEN = "input_range"
UNIT, WHOLE, SIGNED = (0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)
# A Rescaling by less than this, or around a centre beyond that, is made for
# pixels from 0 to 255; a Normalization with such a mean or deviation as well.
SMALL_SCALE, FAR_CENTRE = 0.1, 8.0
# How far, in nats a channel, a batch norm's statistics may be from those of
# the images before another range is looked at, and how much nearer that is.
FAR, NEARER = 0.5, 0.1
LOOKED_AT = 100


@dataclasses.dataclass(frozen=True)
class InputRange:
    """The numbers that a network takes, and those that the new one takes.

    Attributes:
        low, high: what 0 and 255 of a uint8 image are fed as.
        steps: n if the numbers are low + i/n (high - low); None: any floats.
        unit: whether the new network takes (x - low) / (high - low) instead.
        where: what says so, "" where it is the usual range and nothing does.
    """

    low: float = 0.0
    high: float = 1.0
    steps: int | None = PIXEL_STEPS
    unit: bool = False
    where: str = ""

    @property
    def moved(self) -> bool:
        """Whether the new network takes other numbers than the old one."""
        return self.unit and (self.low, self.high) != UNIT

    @property
    def grid(self) -> float | None:
        """The scale of the grid of what the new network takes, or None."""
        if self.steps is None:
            return None
        if self.unit:
            return 1.0 / self.steps
        return grid_of(1.0, self.low, (self.high - self.low) / self.steps)

    def fed(self, images) -> np.ndarray:
        """Returns whole pixels, or floats for the new network, for the old."""
        values = self.fed_to_new(images)
        if not self.moved:
            return values
        return np.float32(self.high - self.low) * values + np.float32(self.low)

    def fed_to_new(self, images) -> np.ndarray:
        """Returns images [N, ...] as the new network takes them, float32."""
        images = np.asarray(images)
        values = images.astype(np.float32)
        low, high = UNIT if self.unit else (self.low, self.high)
        if not are_pixels(images) or (low, high) == WHOLE:
            return values
        return values / np.float32(255 / (high - low)) + np.float32(low)


def are_pixels(images: np.ndarray) -> bool:
    """Whether images are whole pixels from 0 to 255, by type and numbers."""
    if images.dtype == np.uint8:
        return True
    is_whole = np.issubdtype(images.dtype, np.integer) and images.ndim >= 3
    return bool(
        is_whole
        and images.size
        and images.min() >= 0
        and 1 < images.max() <= 255
    )


def find_input_range(
    network,
    *,
    input_range: tuple | str,
    steps: int | None,
    unit: bool,
    images: np.ndarray | None = None,
) -> InputRange:
    """Finds out which numbers a network takes.

    Args:
        network: node_list.Network.
        input_range: (low, high), "LOW..HIGH", or "auto": what the network's
            own layers say, else what fits its first batch norm on uint8
            images, else (0, 1).
        steps: how many steps images have from low to high.
        unit: whether the new network is to take pixels / 255.
        images: for calibration.
    Raises: InputError if input_range or steps are none, or images lie outside
        the range.
    """
    check_input_steps(steps)
    given_limits = _checked(input_range)
    layer_limits, where = _range_of_layers(network)
    if given_limits is not None:
        pixels = InputRange(*given_limits, steps, unit, GIVEN)
    elif layer_limits is not None:
        steps = PIXEL_STEPS if layer_limits == WHOLE else steps
        pixels = InputRange(*layer_limits, steps, unit, where)
    else:
        pixels = InputRange(steps=steps, unit=unit)
        if images is not None:
            pixels = _of_images(network, pixels, np.asarray(images))
    if images is not None:
        _check_images(pixels, np.asarray(images))
    return pixels


def _checked(input_range):
    if isinstance(input_range, str) and input_range == AUTO:
        return None
    try:
        return range_limits(input_range)
    except ValueError as error:
        raise InputError(
            'input_range must be "auto" or (low, high), the numbers that the '
            'network takes for black and white, such as (0, 255) or "0..255", '
            f"got {input_range!r}"
        ) from error


def _range_of_layers(network):
    """The range that the first layers are made for, and which layer it is."""
    waiting = [network.nodes[0]]
    while waiting:
        node = waiting.pop()
        layer, limits = node.layer, None
        if type(layer) is layers.Rescaling:
            limits = _of_rescaling(layer)
        elif isinstance(layer, layers.Normalization):
            limits = _of_moments(layer)
        if limits is not None:
            return limits, f"layer {node.name!r}"
        passes = isinstance(layer, layers.InputLayer) or is_mover(layer)
        if passes or picks(layer):
            waiting.extend(network.readers[node.name])
    return None, ""


def picks(layer) -> bool:
    """Whether a layer is an operation that picks or stacks values."""
    return isinstance(layer, Operation) and layer.kind in ("GetItem", "Stack")


def _of_rescaling(layer):
    scale = np.max(np.abs(np.asarray(layer.scale, np.float64)))
    offset = np.max(np.abs(np.asarray(layer.offset, np.float64)))
    if scale == 0 or (scale == 1 and offset == 0):
        return None
    whole = scale < SMALL_SCALE or offset / scale > FAR_CENTRE
    return WHOLE if whole else UNIT


def _of_moments(layer):
    if layer.mean is None:
        return None
    mean = np.max(np.abs(np.asarray(layer.mean, np.float64)))
    deviation = np.sqrt(np.max(np.asarray(layer.variance, np.float64)))
    return WHOLE if max(mean, deviation) > FAR_CENTRE else None


def _of_images(network, pixels, images):
    """The range where no layer says it."""
    if not are_pixels(images):
        return _of_floats(pixels, images)
    if pixels.steps is None:
        # Statistics were subtracted outside: the user has said so.
        return pixels
    fits = norm_distances(
        network,
        {
            ends: InputRange(*ends).fed(images[:LOOKED_AT])
            for ends in (UNIT, WHOLE, SIGNED)
        },
    )
    if not fits:
        return pixels
    best = min(fits, key=fits.get)
    pixels = dataclasses.replace(pixels, where="the first batch norm")
    if fits[UNIT] < FAR or fits[best] > NEARER * fits[UNIT]:
        return pixels
    low, high = best
    warnings.warn(
        f"the network is taken to be fed with {low:g} to {high:g}, as the "
        "statistics of its first batch norm say: say "
        f"input_range=({low:g}, {high:g}) if it is, (0, 1) if not",
        stacklevel=4,
    )
    return dataclasses.replace(pixels, low=low, high=high)


def _of_floats(pixels, images):
    if pixels.unit or not images.size:
        return pixels
    if images.min() >= 0 and images.max() <= 1:
        return pixels
    whole = images.ndim >= 3 and images.min() >= 0 and images.max() <= 255
    if whole and np.array_equal(images, np.rint(images)):
        low, high = WHOLE
        return dataclasses.replace(
            pixels, low=low, high=high, where="the calibration images"
        )
    return dataclasses.replace(pixels, steps=None)


def _check_images(pixels, images):
    """Raises InputError if floats cannot be what the network takes."""
    where = pixels.where or ("unit_pixels" if pixels.unit else "")
    if not images.size or are_pixels(images) or not where:
        return
    least, most = float(np.min(images)), float(np.max(images))
    low, high = UNIT if pixels.unit else (pixels.low, pixels.high)
    slack = 0.01 * (high - low)
    wrong = (low, high) == WHOLE and 0 <= least and most <= 1
    wrong |= (low, high) == UNIT and most > FAR_CENTRE
    if pixels.where == GIVEN:
        wrong |= least < low - slack or most > high + slack
    if wrong:
        raise InputError(
            f"calibration images reach from {least:g} to {most:g}, but the "
            f"network takes {low:g} to {high:g} ({where} says): give "
            "uint8 images, or floats as the network takes them, or say "
            "input_range=(low, high)"
        )


def grid_of(scale, offset, step: float | None) -> float | None:
    """Returns the 1/n that divides scale * i * step + offset, or None.

    Args:
        scale, offset: numbers; arrays of them have no grid.
    """
    if np.ndim(scale) or np.ndim(offset) or step is None:
        return None
    exact = float(scale) * step, float(offset)
    parts = [
        Fraction(part).limit_denominator(MAX_INPUT_STEPS) for part in exact
    ]
    if any(
        abs(float(part) - want) > 1e-6 * abs(want)
        for part, want in zip(parts, exact, strict=True)
    ):
        return None
    n = math.lcm(*(part.denominator for part in parts))
    return 1.0 / n if n <= MAX_INPUT_STEPS else None
