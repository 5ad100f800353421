"""Data sets from one .npz file.

images       uint8 [N, H, W, C] or [N, H, W]
labels       integers [N]
test_images, test_labels    the same for test records, optional
class_names  text [classes], optional (else "0", "1", ...)
"""

from qmia_tf import files
from qmia_tf.data.dataset import assemble, checked
from qmia_tf.errors import InputError

# A label beyond is a mistake, and would cost a model as many outputs.
MAX_CLASSES = 100_000
KEYS = {
    "train": ("images", "labels"),
    "test": ("test_images", "test_labels"),
}


def load(name, path, pool):
    """Loads a data set from an .npz file.

    Args:
        name: str, the data set's name.
        path: the .npz file, laid out as this module says.
        pool: "train", "test" or "all".
    Returns: Dataset.
    Raises: InputError if the file is damaged, holds pickled objects, lacks
        an array, or its arrays cannot be used.
    """
    stored = files.read_npz(path)
    parts = {
        part: tuple(stored[key] for key in keys)
        for part, keys in KEYS.items()
        if all(key in stored for key in keys)
    }
    known = {key for part in parts for key in KEYS[part]} | {"class_names"}
    unknown = sorted(set(stored) - known)
    if not parts or unknown:
        raise InputError(
            f"{path} holds {sorted(stored)}: it must hold images and labels, "
            "and may hold test_images with test_labels, and class_names"
        )
    return assemble(name, parts, _class_names(path, stored, parts), pool=pool)


def _class_names(path, stored, parts):
    if "class_names" in stored:
        return _given_names(path, stored["class_names"])
    # Counted over both parts, so that no pool changes the classes.
    classes = 0
    for part, (images, labels) in parts.items():
        checked(f"{path} ({part})", images, labels, MAX_CLASSES)
        classes = max(classes, int(labels.max()) + 1)
    return tuple(str(label) for label in range(classes))


def _given_names(path, names):
    if names.ndim != 1 or names.dtype.kind != "U":
        raise InputError(
            f"{path}: class_names is {names.dtype} {list(names.shape)}, not "
            "a list of text: np.array(names, dtype=str)"
        )
    return tuple(names.tolist())
