"""Image classification data in memory: bundled, TFDS, .npz or a folder."""

import os
import pathlib

from qmia_tf.data.dataset import Dataset
from qmia_tf.data.loaders import digits, image_folder, npz, tfds
from qmia_tf.data.split import check_pool
from qmia_tf.errors import InputError

__all__ = ["Dataset", "is_published", "load"]


def load(name, *, data_dir=None, download=False, pool="all"):
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
        pool: "train", "test" or "all": the records to load.
    Returns: Dataset; with "all", train records come first.
    Raises: InputError if there is no such data set, or it cannot be used.
    """
    check_pool(pool)
    path = pathlib.Path(name).expanduser()
    if name == "digits":
        return digits.load(pool)
    if path.suffix == ".npz":
        return npz.load(name, path, pool)
    if _has_separator(name) and path.is_dir():
        return image_folder.load(name, path, pool)
    if path.is_absolute() or name.startswith((".", "~")):
        raise InputError(f"there is no folder {path}")
    return tfds.load(name, data_dir=data_dir, download=download, pool=pool)


def is_published(name) -> bool:
    """Whether everybody can have the records: the digits, TFDS.

    Args:
        name: as load takes it.
    """
    path = pathlib.Path(name).expanduser()
    own = path.suffix == ".npz" or (_has_separator(name) and path.is_dir())
    return name == "digits" or not (
        own or path.is_absolute() or name.startswith((".", "~"))
    )


def _has_separator(name):
    return os.sep in name or (os.altsep or os.sep) in name
