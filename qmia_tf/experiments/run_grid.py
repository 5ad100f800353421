"""The runs of a grid: data sets, recipes, networks, bits, seeds, as data."""

import dataclasses
import itertools
import pathlib
import re
from collections.abc import Iterable, Mapping

from qmia_tf.data.dataset import Dataset, LabelNoise
from qmia_tf.data.dataset_cache import DatasetCache
from qmia_tf.errors import InputError
from qmia_tf.experiments import configuration
from qmia_tf.models.network_bits import Bits
from qmia_tf.training import recipes

DEFAULT_RECIPE = "digits"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grid:
    """Every combination of these is one run.

    Attributes:
        datasets: names, as of loaders.load; empty: the one of each recipe.
        recipes: names of recipes; empty: the one that is meant for a data
            set, of others the digits'.
        bits: "w4a4" and the like.
        widths: channels of the first stage; empty: the recipe's.
        stems: "imagenet" or "cifar"; empty: the recipe's.
        seeds: of initial weights and batches, each >= 0.
        split_seed: draws the members; None: the seed of each run, so that
            another seed has other members.
        pool: records to split, "train", "test" or "all".
        member_fraction: share of members.
        label_noise: share of records whose label is replaced.
        label_noise_seed: draws these records.
        recipe_fields: further fields of the recipes -> values.
    Raises: InputError if a value cannot be used, or is there twice.
    """

    datasets: Iterable[str] = ()
    recipes: Iterable[str] = ()
    bits: Iterable[str] = ("w32a32", "w4a4")
    widths: Iterable[int] = ()
    stems: Iterable[str] = ()
    seeds: Iterable[int] = (0,)
    split_seed: int | None = None
    pool: str = "all"
    member_fraction: float = 0.5
    label_noise: float = 0.0
    label_noise_seed: int = 0
    recipe_fields: Mapping = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for name in ("datasets", "recipes", "widths", "stems", "seeds"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
            _require_unlike(name, getattr(self, name))
        bits = tuple(Bits.parse(text).name for text in self.bits)
        _require_unlike("bits", bits)
        object.__setattr__(self, "bits", bits)
        if not self.bits or not self.seeds:
            raise InputError("nothing to do: name bits and a seed at least")
        LabelNoise(self.label_noise, self.label_noise_seed)
        for seed in self.seeds:
            configuration.check_options(
                seed=seed,
                split_seed=seed if self.split_seed is None else self.split_seed,
                pool=self.pool,
                member_fraction=self.member_fraction,
            )

    def runs(self) -> list["GridRun"]:
        """Lists the runs by data set; full precision before other bits.

        Raises: InputError if a recipe is not there, a field cannot be used,
            or two data sets would have one folder.
        """
        _require_folders(self.datasets)
        return [
            GridRun(name, self._recipe(recipe, width, stem), bits, seed, self)
            for name, recipe in self._data_and_recipes()
            for width, stem in itertools.product(
                self.widths or [None], self.stems or [None]
            )
            for bits in sorted(map(Bits.parse, self.bits), key=_full_first)
            for seed in self.seeds
        ]

    def _data_and_recipes(self):
        if not self.datasets:
            names = self.recipes or [DEFAULT_RECIPE]
            return [(recipes.get(name).dataset, name) for name in names]
        return [
            (dataset, name)
            for dataset in self.datasets
            for name in self.recipes
            or [recipes.meant_for(dataset) or DEFAULT_RECIPE]
        ]

    def _recipe(self, name, width, stem):
        fields = {**self.recipe_fields, "width": width, "stem": stem}
        return recipes.get(name, **fields)


@dataclasses.dataclass(frozen=True)
class GridRun:
    """One run of a grid."""

    dataset: str
    recipe: recipes.Recipe
    bits: Bits
    seed: int
    grid: Grid = dataclasses.field(repr=False)

    @property
    def folder(self) -> pathlib.PurePath:
        """DATASET/RECIPE-STEM-widthN-BITS-seedK."""
        recipe = self.recipe
        name = (
            f"{recipe.name}-{recipe.stem}-width{recipe.width}-"
            f"{self.bits.name}-seed{self.seed}"
        )
        return pathlib.PurePath(_folder_of(self.dataset), name)

    @property
    def full(self) -> "GridRun":
        """The full-precision run on the same members."""
        return dataclasses.replace(self, bits=Bits())

    def load(self, data: DatasetCache) -> Dataset:
        """Gives its data set."""
        grid = self.grid
        return data.load(
            self.dataset,
            pool=grid.pool,
            label_noise=grid.label_noise,
            label_noise_seed=grid.label_noise_seed,
        )

    def config(self, dataset: Dataset) -> dict:
        """Gives its config.json.

        Raises: InputError if no split can be drawn.
        """
        split_seed = self.grid.split_seed
        return configuration.describe(
            dataset,
            recipe=self.recipe,
            bits=self.bits,
            pool=self.grid.pool,
            split_seed=self.seed if split_seed is None else split_seed,
            member_fraction=self.grid.member_fraction,
            seed=self.seed,
        )


def _full_first(bits):
    return bits != Bits()


def _folder_of(dataset):
    """A folder's name for a data set: of a path the last part."""
    path = pathlib.PurePath(dataset)
    if path.suffix == ".npz":
        dataset = path.stem
    elif dataset.startswith((".", "/", "~")):
        dataset = path.name
    return re.sub(r"[^\w.-]+", "-", dataset)


def _require_unlike(name, values):
    twice = [value for value in values if values.count(value) > 1]
    if twice:
        raise InputError(f"{name} has {twice[0]} twice: name each once")


def _require_folders(datasets):
    """Raises InputError unless each has a folder of its own."""
    by_folder = {}
    for dataset in datasets:
        other = by_folder.setdefault(_folder_of(dataset), dataset)
        if other != dataset:
            raise InputError(
                f"{other} and {dataset} would have the same folder, "
                f"{_folder_of(dataset)}: rename one of them"
            )
