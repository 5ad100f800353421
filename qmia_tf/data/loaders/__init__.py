"""Records from every source: a module a format, and the table of them.

A format gives a Dataset, which a training is split from, a Side, which
somebody's own members or nonmembers are, or both. A new one is a module with
a Loader and its line in LOADERS; the last line is tried first.
"""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np

from qmia_tf.data import label_noise as noisy_labels
from qmia_tf.data.dataset import Dataset, LabelNoise
from qmia_tf.data.sides import Side
from qmia_tf.data.split import check_pool
from qmia_tf.errors import InputError
from qmia_tf.registry import Registry

__all__ = ["Dataset", "Loader", "Side", "load", "load_side", "load_values"]
FORMATS = (
    "an .npz file of images|x and labels|y, images.npy:labels.npy, a folder "
    "of class folders, tfds:NAME:SPLIT, or a .csv or .npz file of outputs"
)


def _never(source):
    return False


def _pass(source, **place):
    """What nothing can be said of before it is read."""


@dataclasses.dataclass(frozen=True)
class Loader:
    """How records of one format are read.

    Attributes:
        is_dataset: whether a name, text, is of a data set of this format.
        load_dataset: of (name, pool=, data_dir=, download=).
        is_side: whether a source, a text or an object, is of this format.
        load_side: of (source, data_dir=, download=).
        load_values: the same of records whose labels may be missing, if
            that is another way.
        check: of (source, data_dir=, download=): raises InputError if the
            records are not there; reads none of them.
        is_published: whether everybody can have the records.
    """

    is_dataset: Callable[[str], bool] = _never
    load_dataset: Callable[..., Dataset] | None = None
    is_side: Callable[[object], bool] = _never
    load_side: Callable[..., Side] | None = None
    load_values: Callable[[object], np.ndarray] | None = None
    check: Callable[..., None] = _pass
    is_published: bool = False


LOADERS = Registry(
    "record loader",
    {
        "tfds": f"{__name__}.tfds:LOADER",
        "arrays": f"{__name__}.arrays:LOADER",
        "npy": f"{__name__}.arrays:NPY",
        "image_folder": f"{__name__}.image_folder:LOADER",
        "npz": f"{__name__}.npz:LOADER",
        "digits": f"{__name__}.digits:LOADER",
    },
)


def load(
    name: str,
    *,
    data_dir: str | None = None,
    download: bool = False,
    pool: str = "all",
    label_noise: float = 0.0,
    label_noise_seed: int = 0,
) -> Dataset:
    """Loads a data set into memory.

    Args:
        name: one of
            "digits": the 1,797 digits that come with scikit-learn, 8x8x1;
            "path/to/x.npz": see `qmia_tf.data.loaders.npz`;
            "path/to/folder": class folders of images, see
                `qmia_tf.data.loaders.image_folder`; in the working directory
                write "./folder", because a bare name is a TFDS name;
            else a TensorFlow Datasets name, such as "cifar10",
                "emnist/letters" or "cifar10:3.0.2".
        data_dir: where TFDS keeps prepared data sets; by default
            $TFDS_DATA_DIR, else TFDS's own default.
        download: whether TFDS may download and prepare what is missing.
            Without it nothing touches the network.
        pool: "train", "test" or "all": the records to load; with "all",
            train records come first.
        label_noise: share of records whose label is replaced by another
            class, drawn at random, in [0, 1).
        label_noise_seed: draws them, >= 0.
    Raises: InputError if there is no such data set, or it cannot be used.
    """
    check_pool(pool)
    noise = LabelNoise(label_noise, label_noise_seed)
    dataset = _of_dataset(name).load_dataset(
        name, pool=pool, data_dir=data_dir, download=download
    )
    return noisy_labels.apply(dataset, noise)


def check(name: str, **place) -> None:
    """Checks that a data set is there, as far as that is quick.

    Args:
        name: as of load.
        **place: data_dir and download, as of load.
    Raises: InputError if it is not.
    """
    _of_dataset(name).check(name, **place)


def check_side(source: object, **place) -> None:
    """Checks that the records of one side are there; see check.

    Args:
        source: as of load_side.
        **place: as of check.
    """
    _of_side(source).check(source, **place)


def _of_dataset(name):
    loader = _first(name, "is_dataset")
    if loader is None:
        path = pathlib.Path(name).expanduser()
        raise InputError(f"there is no folder {path}")
    return loader


def is_published(name: str) -> bool:
    """Whether everybody can have a data set: the digits, those of TFDS."""
    loader = _first(name, "is_dataset")
    return loader is not None and loader.is_published


def load_side(
    source: object, *, data_dir: str | None = None, download: bool = False
) -> Side:
    """Reads the records of one side: one's own members, or nonmembers.

    Args:
        source: one of
            "x.npz": images or x [N, ...], labels or y [N]; class_names;
            "images.npy:labels.npy": the same in two files;
            "folder/" of class folders, see `loaders.image_folder`;
            "tfds:NAME:SPLIT[RANGE]", such as "tfds:cifar10:train[:5000]";
            (values, labels): arrays.
            Labels are as data.labels reads them.
    Raises: InputError if it is none of these formats, or cannot be used.
    """
    loader = _of_side(source)
    return loader.load_side(source, data_dir=data_dir, download=download)


def _of_side(source):
    loader = _first(source, "is_side")
    if loader is None:
        there = pathlib.Path(source).expanduser().exists()
        problem = "is none of" if there else "is not there; give"
        raise InputError(f"{source} {problem} {FORMATS}")
    return loader


def load_values(source: object, **options) -> np.ndarray:
    """Reads records as load_side, of which labels may be missing.

    Args:
        source: as of load_side; also an array, or one .npy file.
        **options: as of load_side.
    """
    loader = _first(source, "is_side")
    if loader is not None and loader.load_values is not None:
        return loader.load_values(source)
    return load_side(source, **options).values


def is_published_side(source: object) -> bool:
    """Whether everybody can have the records of one side: those of TFDS."""
    loader = _first(source, "is_side")
    return loader is not None and loader.is_published


def _first(source, fits):
    loaders = reversed(list(LOADERS))
    return next((one for one in loaders if getattr(one, fits)(source)), None)
