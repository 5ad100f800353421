"""Records in one .npz file.

Of a data set:
    images       uint8 [N, H, W, C] or [N, H, W]
    labels       integers [N]
    test_images, test_labels    the same for test records, optional
    class_names  text [classes], optional (else "0", "1", ...)
Of one side: images or x [N, ...], labels or y, and perhaps class_names.
"""

import pathlib

from qmia_tf import files
from qmia_tf.data.dataset import Dataset, assemble, checked
from qmia_tf.data.loaders import Loader
from qmia_tf.data.sides import Side, checked_values
from qmia_tf.errors import InputError

# A label beyond is a mistake, and would cost a model as many outputs.
MAX_CLASSES = 100_000
KEYS = {
    "train": ("images", "labels"),
    "test": ("test_images", "test_labels"),
}
VALUES, LABELS = ("images", "x"), ("labels", "y")
NAMES = "class_names"


def _is_npz(source):
    return files.is_path(source) and pathlib.Path(source).suffix == ".npz"


def _read(source):
    return files.read_npz(pathlib.Path(source).expanduser())


def _check(source, **_):
    files.require_readable(pathlib.Path(source).expanduser())


def _load_dataset(name, *, pool, **_) -> Dataset:
    stored = _read(name)
    parts = {
        part: tuple(stored[key] for key in keys)
        for part, keys in KEYS.items()
        if all(key in stored for key in keys)
    }
    known = {key for part in parts for key in KEYS[part]} | {NAMES}
    path = pathlib.Path(name).expanduser()
    if not parts or set(stored) - known:
        raise InputError(
            f"{path} holds {sorted(stored)}: it must hold images and labels, "
            "and may hold test_images with test_labels, and class_names"
        )
    names = _class_names(path, stored)
    if names is None:
        # Counted over both parts, so that no pool changes the classes.
        classes = 0
        for part, (images, labels) in parts.items():
            checked(f"{path} ({part})", images, labels, MAX_CLASSES)
            classes = max(classes, int(labels.max()) + 1)
        names = tuple(map(str, range(classes)))
    return assemble(name, parts, names, pool=pool)


def _class_names(path, stored):
    names = stored.get(NAMES)
    if names is None:
        return None
    if names.ndim != 1 or names.dtype.kind != "U":
        raise InputError(
            f"{path}: class_names is {names.dtype} {list(names.shape)}, not "
            "a list of text: np.array(names, dtype=str)"
        )
    return tuple(names.tolist())


def _load_side(source, **_) -> Side:
    arrays = _read(source)
    values = _one_of(VALUES, arrays, source, "no records")
    labels = _one_of(LABELS, arrays, source, "the labels are missing")
    return Side.of(
        str(source),
        arrays[values],
        arrays[labels],
        class_names=_class_names(source, arrays),
        taken=f"records {values!r}, labels {labels!r}",
    )


def _load_values(source):
    arrays = _read(source)
    name = _one_of(VALUES, arrays, source, "no records")
    return checked_values(str(source), arrays[name])


def _one_of(names, arrays, path, lacking):
    present = [name for name in names if name in arrays]
    array_names = ", ".join(arrays) or "nothing"
    if len(present) > 1:
        raise InputError(
            f"{path} holds both {' and '.join(present)}: keep one of them"
        )
    if not present:
        raise InputError(
            f"{path}: {lacking}: it holds {array_names}, and should hold "
            f"{' or '.join(names)}{_how_to_go_on(arrays, names)}"
        )
    return present[0]


def _how_to_go_on(arrays, names):
    """What to do with a file of outputs, or of both sides as Keras has it."""
    sides = [[n for n in arrays if part in n] for part in ("train", "test")]
    if not all(len(side) == 2 for side in sides):
        outputs = "; of outputs: probabilities or logits"
        return outputs if names == VALUES else ""
    saved = []
    for side, pair in zip(("members", "nonmembers"), sides, strict=True):
        values, labels = sorted(pair, key=lambda n: -arrays[n].size)
        saved.append(
            f"np.savez('{side}.npz', x=a['{values}'], y=a['{labels}'])"
        )
    return f"; make two files of it: a = np.load(...); {'; '.join(saved)}"


LOADER = Loader(
    is_dataset=_is_npz,
    load_dataset=_load_dataset,
    is_side=_is_npz,
    load_side=_load_side,
    load_values=_load_values,
    check=_check,
)
