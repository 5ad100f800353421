"""What a conversion starts from: the model, members of the run, settings."""

import dataclasses
import functools
import numbers
import pathlib
from collections.abc import Callable, Iterable

import numpy as np

from qmia_tf.data.batches import reshape_images
from qmia_tf.errors import InputError
from qmia_tf.training import recipes

INT8_OUTPUTS = ("softmax", "logits")
LEAST = {
    "calibration_records": 1,
    "calibration_seed": 0,
    "tfmot_epochs": 0,
    "seed": 0,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """How the schemes are made that leave something to choose.

    Attributes:
        calibration_records: members that are drawn to measure ranges; all of
            them if there are fewer.
        calibration_seed: draws them.
        int8_output: what int8_io gives: "softmax" or "logits".
        tfmot_epochs: passes over the members of tfmot's fine-tuning.
        recipe: that the model was trained with; the fine-tuning takes its
            optimizer, batches and augmentation.
        seed: of the fine-tuning's batches.
    Raises: InputError if a value is outside its range.
    """

    calibration_records: int = 500
    calibration_seed: int = 0
    int8_output: str = "softmax"
    tfmot_epochs: int = 3
    recipe: recipes.Recipe = recipes.RECIPES["digits"]
    seed: int = 0

    def __post_init__(self):
        for name, least in LEAST.items():
            value = getattr(self, name)
            if not isinstance(value, numbers.Integral) or value < least:
                raise InputError(
                    f"{name} must be an integer, {least} or more, got {value!r}"
                )
        if self.int8_output not in INT8_OUTPUTS:
            raise InputError(
                f"int8_output must be one of {', '.join(INT8_OUTPUTS)}, got "
                f"{self.int8_output!r}"
            )

    def chosen(self, names: Iterable[str]) -> dict:
        """Gives some of the settings, in JSON types."""
        values = {name: getattr(self, name) for name in names}
        if "recipe" in values:
            values["recipe"] = self.recipe.as_dict()
        return values


@dataclasses.dataclass(frozen=True)
class Members:
    """Members of the run, loaded when a conversion first needs them.

    Attributes:
        load: gives images, uint8 [N, height, width, channels], and labels,
            int [N].
        source: text that names these members and no others, such as a
            fingerprint; it goes into the manifest.
    """

    load: Callable[[], tuple[np.ndarray, np.ndarray]]
    source: str

    @functools.cached_property
    def records(self) -> tuple[np.ndarray, np.ndarray]:
        """The images and labels."""
        return self.load()


@dataclasses.dataclass(frozen=True)
class Job:
    """One network that is converted.

    Attributes:
        model: keras.Model, frozen (keras_files.freeze).
        members: None where no scheme needs them.
        settings: of the schemes.
        folder: where a conversion that takes minutes keeps what it has so
            far.
    """

    model: object
    members: Members | None
    settings: Settings
    folder: pathlib.Path

    @functools.cached_property
    def images(self) -> np.ndarray:
        """The calibration images, drawn from the members."""
        return draw(
            self.members.records[0],
            count=self.settings.calibration_records,
            seed=self.settings.calibration_seed,
            shape=self.model.input_shape[1:],
        )


def draw(
    images: np.ndarray, *, count: int, seed: int, shape: tuple
) -> np.ndarray:
    """Draws calibration images of the model's shape, without repetition.

    Where there are fewer than count, all are taken.

    Raises: InputError as check_images.
    """
    check_images(images, shape)
    chosen = np.random.default_rng(seed).permutation(len(images))[:count]
    return reshape_images(images[chosen], shape)


def check_images(images: np.ndarray, shape: tuple) -> None:
    """Checks that calibration images can be given to a model.

    Args:
        images: should be uint8 [N, height, width, channels], N >= 1.
        shape: of the model's input; None marks a size that may change.
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
