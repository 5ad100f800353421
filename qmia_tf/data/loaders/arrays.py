"""Records of one side as arrays: a pair (values, labels), or .npy files."""

import pathlib

import numpy as np

from qmia_tf import files
from qmia_tf.data.loaders import Loader
from qmia_tf.data.sides import Side, checked_values
from qmia_tf.errors import InputError
from qmia_tf.files import is_path

BETWEEN = ".npy:"


def _load_pair(pair, **_):
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise InputError(
            "members and nonmembers are paths or pairs (values, labels), got "
            f"{type(pair).__name__}"
        )
    values, labels = pair
    return Side.of("arrays", np.asarray(values), labels, taken="values, labels")


def _load_values(source):
    if hasattr(source, "__array__"):
        return checked_values("arrays", np.asarray(source))
    return _load_pair(source).values


LOADER = Loader(
    is_side=lambda source: not is_path(source),
    load_side=_load_pair,
    load_values=_load_values,
)


def _load_npy(source, **_):
    text = str(source)
    values, separator, labels = text.rpartition(BETWEEN)
    if not separator:
        raise InputError(
            f"{text}: the labels are missing: give images.npy:labels.npy"
        )
    arrays = [_read(path) for path in (f"{values}.npy", labels)]
    return Side.of(text, *arrays, taken="records and labels")


def _check_npy(source, **_):
    values, separator, labels = str(source).rpartition(BETWEEN)
    for path in (f"{values}.npy", labels) if separator else (labels,):
        files.require_readable(pathlib.Path(path).expanduser())


def _load_npy_values(source):
    text = str(source)
    if BETWEEN in text:
        return _load_npy(text).values
    return checked_values(text, _read(text))


def _read(path):
    return files.read_npy(pathlib.Path(path).expanduser())


NPY = Loader(
    is_side=lambda source: is_path(source) and str(source).endswith(".npy"),
    load_side=_load_npy,
    load_values=_load_npy_values,
    check=_check_npy,
)
