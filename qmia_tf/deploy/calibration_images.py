"""The members of a run, as conversions that measure something see them."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from qmia_tf.data.batches import reshape_images
from qmia_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Members:
    """Members that are loaded when a conversion first asks for them.

    Attributes:
        load: callable without arguments -> (images uint8
            [N, height, width, channels], labels int [N]).
        source: text that names these members and no others, such as a
            fingerprint; it goes into the manifest.
    """

    load: Callable[[], tuple[np.ndarray, np.ndarray]]
    source: str

    @functools.cached_property
    def records(self):
        """The images and labels."""
        return self.load()


def draw(images, *, count, seed, shape):
    """Draws calibration images, without repetition.

    Args:
        images: uint8 [N, height, width, channels].
        count: int >= 1; where N is smaller, all images are taken.
        seed: int >= 0.
        shape: (height, width, channels) of the model's input; None marks a
            size that may change.
    Returns: uint8 [min(count, N), ...], of the model's shape.
    Raises: InputError if there are no images or they do not fit the model.
    """
    check_images(images, shape)
    chosen = np.random.default_rng(seed).permutation(len(images))[:count]
    return reshape_images(images[chosen], shape)


def check_images(images, shape):
    """Checks that calibration images can be given to a model.

    Args:
        images: what should be uint8 [N, height, width, channels], N >= 1.
        shape: (height, width, channels) of the model's input.
    Raises: InputError that says what is wrong.
    """
    if images.dtype != np.uint8:
        raise InputError(
            f"calibration images are {images.dtype}, not uint8 0..255: give "
            "the pixels as they are stored"
        )
    if len(images) == 0:
        raise InputError(
            "there are no calibration images: give some members of the run"
        )
    if reshape_images(images, shape) is None:
        raise InputError(
            f"calibration images have the shape {list(images.shape[1:])}, the "
            f"model takes {list(shape)}: give members of the run it was "
            "trained in"
        )
