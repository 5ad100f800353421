"""What ships, as plain data: sets of models of one data set each."""

import dataclasses

import numpy as np

from qmia_tf.data import loaders
from qmia_tf.errors import InputError
from qmia_tf.training import recipes


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShippedSet:
    """Models of one data set, trained alike.

    Attributes:
        recipe: recipes.Recipe, with the data set and the width.
        models: dict bits, such as "w4a4" -> schemes of its files.
        parity_images: how many images the codes of a file and its twin are
            compared over, drawn at random; None for all.
        audited: whether the audit of each run ships as well.
        records: whether members and nonmembers ship as well, so that the
            files can be audited.
        label_noise: share of labels that are replaced, see data/label_noise.py.
        member_fraction: share of members.
        seed: of the weights, the batches, the noise, the split and that draw.
    """

    recipe: recipes.Recipe
    models: dict[str, tuple[str, ...]]
    parity_images: int | None = None
    audited: bool = False
    records: bool = False
    label_noise: float = 0.0
    member_fraction: float = 0.5
    seed: int = 0

    def load(self, **place):
        """Loads the data set, with the labels that the models train on.

        Args:
            **place: data_dir and download, as of loaders.load.
        """
        return loaders.load(
            self.recipe.dataset,
            label_noise=self.label_noise,
            label_noise_seed=self.seed,
            **place,
        )

    def parity_sample(self, images):
        """Those of uint8 [N, height, width, channels] to compare codes over."""
        if self.parity_images is None:
            return images
        rng = np.random.default_rng(self.seed)
        rows = rng.permutation(len(images))[: self.parity_images]
        return images[np.sort(rows)]


SETS = {
    "digits": ShippedSet(
        recipe=recipes.get("digits", width=8),
        models={
            "w32a32": ("float32", "int8_ptq"),
            "w4a4": ("float32", "int8", "int8_io"),
            "w2a2": ("float32", "int8", "int8_io"),
        },
        records=True,
    ),
    "digits_memorizing": ShippedSet(
        recipe=recipes.get("digits", width=8, epochs=40),
        models={"w4a4": ("int8",)},
        records=True,
        label_noise=0.3,
        member_fraction=0.25,
    ),
    "cifar10": ShippedSet(
        recipe=recipes.get("modern", width=16, epochs=24),
        models={"w4a4": ("int8",)},
        parity_images=1000,
        audited=True,
    ),
}


def select_sets(names) -> dict[str, ShippedSet]:
    """Gives the sets of these names, of all for None.

    Raises: InputError if there is no such set, or none is named.
    """
    names = tuple(SETS if names is None else names)
    unknown = [name for name in names if name not in SETS]
    if unknown or not names:
        raise InputError(
            f"sets are any of {', '.join(SETS)}, got {(unknown or [''])[0]!r}"
        )
    return {name: SETS[name] for name in names}
