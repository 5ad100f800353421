"""Data sets of TensorFlow Datasets: read if prepared, prepared if allowed."""

import contextlib
import difflib
import os
import pathlib
import re
import sys
import urllib.parse

import numpy as np

from qmia_tf import extras, terminal
from qmia_tf.data.dataset import Dataset, choose_parts, origins
from qmia_tf.data.loaders import Loader
from qmia_tf.data.sides import TFDS, Side
from qmia_tf.errors import InputError, option
from qmia_tf.files import is_path

BATCH = 1000
MODULES = ("tensorflow_datasets", "tensorflow", "importlib_resources")
NETWORK_SECONDS = 10
# TFDS's own default.
DATA_DIR = "~/tensorflow_datasets"
NAME = re.compile(r"[a-z0-9_]+(?=[/:]|$)")


def load(
    name: str, *, data_dir: str | None, download: bool, pool: str
) -> Dataset:
    """Loads a data set from TFDS's prepared files.

    Splits are read in TFDS's own stored order, "train" and then "test" (or
    "validation" where there is no "test").

    Args:
        name: TFDS name, with config and version if wanted.
        data_dir: where it is prepared; None for $TFDS_DATA_DIR, else
            TFDS's default.
        download: whether to download and prepare it if it is not there.
        pool: "train", "test" or "all".
    Raises: InputError if there is no such data set, it is not prepared, it
        has no images with one label each, or its files are damaged.
    """
    with _quiet():
        builder, label_key = _prepared(name, data_dir, download)
        splits = _splits(name, builder, pool)
        images, labels = _read(name, builder, splits.values())
    sizes = [builder.info.splits[s].num_examples for s in splits.values()]
    return Dataset(
        name=name,
        images=images,
        labels=labels,
        class_names=tuple(builder.info.features[label_key].names),
        origin=origins(splits, sizes),
    )


def load_split(
    name: str,
    split: str,
    *,
    data_dir: str | None = None,
    download: bool = False,
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Loads one split, or a part of it, as TFDS itself writes it.

    Args:
        split: such as "test", "train[:5000]" or "train[10%:20%]".
    Returns: images uint8 [N, H, W, C], labels int64 [N], class names.
    Raises: InputError as load, or if there is no such split.
    """
    with _quiet():
        builder, label_key = _prepared(name, data_dir, download)
        try:
            size = builder.info.splits[split].num_examples
        # A wrong name is a KeyError, a wrong range another one.
        except Exception as error:
            raise InputError(
                f"TFDS data set {name!r} has no split {split!r}: it has "
                f"{', '.join(builder.info.splits)}, and parts such as "
                "train[:5000]"
            ) from error
        if size < 1:
            raise InputError(f"{split!r} of {name!r} has no records")
        images, labels = _read(name, builder, [split])
    return images, labels, tuple(builder.info.features[label_key].names)


def _load_side(source, **place):
    text = str(source)
    parts = TFDS.fullmatch(text)
    if parts is None:
        raise InputError(
            f"{text} is not tfds:NAME:SPLIT, such as tfds:cifar10:test or "
            "tfds:cifar10:train[:5000]"
        )
    images, labels, names = load_split(parts["name"], parts["split"], **place)
    return Side.of(text, images, labels, class_names=names, taken="images")


def check(name, *, data_dir, download):
    """Checks that TFDS is there, and prepared a data set: by its folder."""
    parts = TFDS.fullmatch(str(name))
    name = parts["name"] if parts else str(name)
    data_dir = pathlib.Path(_data_dir(data_dir) or DATA_DIR).expanduser()
    # Else TFDS knows more places, or names of communities.
    known = "tensorflow_datasets" not in sys.modules and NAME.match(name)
    there = sorted(path.name for path in data_dir.glob("[a-z]*/"))
    word = known[0] if known else name
    near = difflib.get_close_matches(word, [*there, "digits"], n=1)
    if near != ["digits"]:
        _require_packages(name)
    if download or not known or (data_dir / known[0]).is_dir():
        return
    guess = f" (did you mean {near[0]}?)" if near else ""
    raise InputError(
        f"data set {name!r} is not prepared in {data_dir}{guess}: give the "
        "--data_dir that has it, or --download"
    )


def _data_dir(data_dir):
    return data_dir or os.environ.get("TFDS_DATA_DIR") or None


def _is_name(name):
    return not (os.path.isabs(name) or name.startswith((".", "~")))


def _prepared(name, data_dir, download):
    """Returns a builder whose files are there, and its label feature."""
    data_dir = _data_dir(data_dir)
    data_dir = data_dir and os.path.expanduser(data_dir)
    builder = _builder(name, data_dir)
    _, label_key = _keys(name, builder.info)
    if not builder.is_prepared():
        _prepare(name, builder, download)
    return builder, label_key


def _builder(name, data_dir):
    """Finds the data set's builder; touches neither data nor network."""
    _require_packages(name)
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        raise InputError(
            f"there is no data set {name!r}{_hint(name)}: give digits, a "
            "name from tensorflow.org/datasets, an .npz file, or ./folder"
        ) from error
    # Wrong configs, versions and keyword arguments raise what they like.
    except Exception as error:
        raise InputError(
            f"TFDS cannot open {name!r}{_hint(name)}: {_first_line(error)}"
        ) from error


def _require_packages(name):
    for module in MODULES:
        extras.require(module, f"the TFDS data set {name!r}")


def _hint(name):
    import tensorflow_datasets as tfds

    known = [*tfds.list_builders(with_community_datasets=False), "digits"]
    written = name.lower().replace("-", "_")
    near = [k for k in difflib.get_close_matches(written, known) if k != name]
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def _keys(name, info):
    """Names the image and the label feature; checks what they are."""
    import tensorflow_datasets as tfds

    keys = info.supervised_keys or ()
    features = [info.features[key] for key in keys if key in info.features]
    kinds = [tfds.features.Image, tfds.features.ClassLabel]
    if len(features) != 2 or not all(map(isinstance, features, kinds)):
        raise InputError(
            f"TFDS data set {name!r} is not made of images with one class "
            f"label each, but of {sorted(info.features)}"
        )
    return keys


def _prepare(name, builder, download):
    """Downloads and prepares a data set that is not there, if allowed."""
    if not download:
        raise InputError(
            f"data set {name!r} is not prepared in {builder.data_dir}: give "
            f"the {option('data_dir')} that has it, or "
            f"{option('download', True)}"
        )
    _require_network(name, builder)
    try:
        builder.download_and_prepare()
    # Downloads, archives, disks and each builder's code fail in many ways.
    except Exception as error:
        raise InputError(
            f"could not download and prepare {name!r} in "
            f"{builder.data_dir}: {_first_line(error)}"
        ) from error


def _require_network(name, builder):
    """Fails soon without a network, where TFDS would try for minutes."""
    import requests

    url = next(iter(builder.url_infos or ()), None)
    by_hand = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    if not url or by_hand or _is_downloaded(url, builder.data_dir_root):
        return
    try:
        requests.head(url, timeout=NETWORK_SECONDS)
    except (requests.ConnectionError, requests.Timeout) as error:
        host = urllib.parse.urlparse(url).hostname
        raise InputError(
            f"cannot reach {host} to download {name!r}: check the network, "
            f"or give the {option('data_dir')} that has it prepared"
        ) from error


def _is_downloaded(url, data_dir):
    # TFDS keeps archives beside a note of where each came from.
    notes = pathlib.Path(data_dir, "downloads").glob("*.INFO")
    return any(url in note.read_text() for note in notes)


def _splits(name, builder, pool):
    """Maps each part of the pool, train first, to the name of its split."""
    available = builder.info.splits
    test = "test" if "test" in available else "validation"
    splits = {"train": "train", "test": test}
    splits = {part: s for part, s in splits.items() if s in available}
    return {part: splits[part] for part in choose_parts(name, splits, pool)}


def _read(name, builder, splits):
    """Reads whole splits: images uint8 [N, H, W, C], labels int64 [N]."""
    import tensorflow as tf

    total = sum(builder.info.splits[split].num_examples for split in splits)
    images, labels, row = None, np.empty(total, np.int64), 0
    bar = terminal.bar(desc=f"reading {name}", total=total, leave=False)
    try:
        with bar:
            for image_batch, label_batch in _batches(builder, splits):
                stop = row + len(label_batch)
                if images is None:
                    shape = total, *image_batch.shape[1:]
                    images = np.empty(shape, image_batch.dtype)
                images[row:stop] = image_batch
                labels[row:stop] = label_batch
                row = stop
                bar.update(len(label_batch))
    except (tf.errors.OpError, OSError) as error:
        raise InputError(_reason(name, builder, error)) from error
    return images, labels


def _batches(builder, splits):
    """Yields (images, labels) of up to BATCH records, in stored order."""
    import tensorflow_datasets as tfds

    for split in splits:
        records = builder.as_dataset(
            split=split,
            as_supervised=True,
            shuffle_files=False,
            # The cache would hold a second copy of the data in memory.
            read_config=tfds.ReadConfig(try_autocache=False),
        )
        yield from records.batch(BATCH).prefetch(2).as_numpy_iterator()


def _reason(name, builder, error):
    if "Cannot batch tensors with different shapes" in str(error):
        return (
            f"the images of {name!r} differ in size: resize them to one "
            "size and give them as an .npz file or a folder"
        )
    return (
        f"the prepared files in {builder.data_dir} are damaged "
        f"({_first_line(error)}): delete them and prepare them again with "
        f"{option('download', True)}"
    )


def _first_line(error):
    # TensorFlow wraps its reason: {{node ...}} reason [Op:...] name:
    text = re.sub(r"{{.*?}}|\[Op:.*", "", str(error)).strip()
    return text.splitlines()[0] if text else type(error).__name__


@contextlib.contextmanager
def _quiet():
    """Silences TFDS's warnings, which are about its own bookkeeping."""
    from absl import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


LOADER = Loader(
    is_dataset=_is_name,
    load_dataset=load,
    is_side=lambda source: is_path(source) and str(source).startswith("tfds:"),
    load_side=_load_side,
    check=check,
    is_published=True,
)
