"""Records of one's own: the members, or the nonmembers, from one source.

x.npz                     images or x [N, ...], labels or y [N]; class_names
images.npy:labels.npy     the same in two files
folder/CLASS/1.png        class folders, see data.loaders.image_folder
tfds:NAME:SPLIT[RANGE]    such as tfds:cifar10:train[:5000]
(values, labels)          arrays, from Python

Labels are as data.labels reads them.
"""

import dataclasses
import pathlib
import re

import numpy as np

from qmia_tf import files
from qmia_tf.data import labels as own_labels
from qmia_tf.data.loaders import image_folder, tfds
from qmia_tf.errors import InputError

VALUES, LABELS = ("images", "x"), ("labels", "y")
FORMATS = (
    "an .npz file of images|x and labels|y, images.npy:labels.npy, a folder "
    "of class folders, tfds:NAME:SPLIT, or a .csv or .npz file of outputs"
)
PUBLISHED = "tfds:"
TFDS = re.compile(r"tfds:(?P<name>[^\[\]]+):(?P<split>[^:\[\]]+(\[.*\])?)")


@dataclasses.dataclass(frozen=True, eq=False)
class Side:
    """The members, or the nonmembers.

    Attributes:
        source: where they come from, for messages.
        values: array [N, ...] of numbers.
        labels: int64 [N], 0 or more.
        class_names: what the labels stand for; None if only numbers are
            known.
        ordered: whether the source fixes the order of the classes. Class
            folders do not: only the model's maker knows.
        taken: what was read, in a few words.
    """

    source: str
    values: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...] | None
    ordered: bool
    taken: str

    @property
    def name(self) -> str:
        """The source in a word: a TFDS name, or a file's without ending."""
        parts = TFDS.fullmatch(self.source)
        first = self.source.partition(".npy:")[0]
        return parts["name"] if parts else pathlib.Path(first).stem


def load(source, *, data_dir=None, download=False) -> Side:
    """Reads the records of one side.

    Args:
        source: as this module says.
        data_dir: where TFDS keeps prepared data sets; None as datasets.load.
        download: whether TFDS may download and prepare what is missing.
    Raises: InputError if it is none of these formats, or cannot be used.
    """
    if not isinstance(source, (str, pathlib.Path)):
        return _of_arrays(source)
    text = str(source)
    path = pathlib.Path(text).expanduser()
    if is_published(text):
        return _of_tfds(text, data_dir, download)
    if path.suffix == ".npz":
        return _of_npz(path)
    if text.endswith(".npy"):
        return _of_npy(text)
    if path.is_dir():
        dataset = image_folder.load(text, path, "all")
        return _side(
            text,
            dataset.images,
            dataset.labels,
            class_names=dataset.class_names,
            ordered=False,
            taken=f"images of {dataset.classes} class folders",
        )
    problem = "is none of" if path.exists() else "is not there; give"
    raise InputError(f"{text} {problem} {FORMATS}")


def values_of(source, *, data_dir=None, download=False) -> np.ndarray:
    """Reads records whose labels do not matter, and may be missing.

    Args:
        source: as of load; also an array, an .npz without labels, or one
            .npy file.
        data_dir: as of load.
        download: as of load.
    Raises: InputError as load.
    """
    if hasattr(source, "__array__"):
        return _checked_values("arrays", np.asarray(source))
    text = str(source)
    if isinstance(source, (str, pathlib.Path)) and text.endswith(".npz"):
        arrays = files.read_npz(pathlib.Path(text).expanduser())
        name = _one_of(VALUES, arrays, text, "no records")
        return _checked_values(text, arrays[name])
    if isinstance(source, (str, pathlib.Path)) and text.endswith(".npy"):
        if ".npy:" not in text:
            return _checked_values(text, _read_npy(text))
    return load(source, data_dir=data_dir, download=download).values


def is_published(source) -> bool:
    """Whether everybody can have the records of a path: those of TFDS."""
    return str(source).startswith(PUBLISHED)


def _of_arrays(pair):
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise InputError(
            "members and nonmembers are paths or pairs (values, labels), got "
            f"{type(pair).__name__}"
        )
    values, labels = pair
    return _side("arrays", np.asarray(values), labels, taken="values, labels")


def _of_tfds(text, data_dir, download):
    parts = TFDS.fullmatch(text)
    if parts is None:
        raise InputError(
            f"{text} is not tfds:NAME:SPLIT, such as tfds:cifar10:test or "
            "tfds:cifar10:train[:5000]"
        )
    images, labels, names = tfds.load_split(
        parts["name"], parts["split"], data_dir=data_dir, download=download
    )
    return _side(text, images, labels, class_names=names, taken="images")


def _of_npz(path):
    arrays = files.read_npz(path)
    values = _one_of(VALUES, arrays, path, "no records")
    labels = _one_of(LABELS, arrays, path, "the labels are missing")
    names = arrays.get("class_names")
    if names is not None and (names.ndim != 1 or names.dtype.kind != "U"):
        raise InputError(f"{path}: class_names must be a list of text")
    return _side(
        str(path),
        arrays[values],
        arrays[labels],
        class_names=None if names is None else tuple(names.tolist()),
        taken=f"records {values!r}, labels {labels!r}",
    )


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


def _of_npy(text):
    values, separator, labels = text.rpartition(".npy:")
    if not separator:
        raise InputError(
            f"{text}: the labels are missing: give images.npy:labels.npy"
        )
    arrays = [_read_npy(path) for path in (f"{values}.npy", labels)]
    return _side(text, *arrays, taken="records and labels")


def _read_npy(path):
    try:
        array = np.load(pathlib.Path(path).expanduser(), allow_pickle=False)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    # NumPy raises several kinds for what is damaged or pickled.
    except Exception as error:
        raise InputError(
            f"{path} is damaged or not an .npy file of numbers ({error})"
        ) from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path} is not an .npy file: save it with np.save")
    return array


def _side(source, values, labels, *, class_names=None, ordered=True, taken):
    values = _checked_values(source, values)
    class_labels = own_labels.read(labels, source)
    labels = class_labels.numbers
    if class_labels.names is not None:
        class_names, ordered = class_labels.names, False
    if class_labels.taken:
        taken = f"{taken}; labels are {class_labels.taken}"
    if len(labels) != len(values):
        raise InputError(
            f"{source}: {len(values)} records but {len(labels)} labels"
        )
    wrong = labels < 0
    if class_names is not None:
        wrong |= labels >= len(class_names)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        allowed = "0 or more" if class_names is None else "a class_names' index"
        raise InputError(
            f"{source}: label {labels[row]} of record {row} is not {allowed}"
        )
    shape = "x".join(map(str, values.shape[1:]))
    taken = f"{len(values)} x {shape} {values.dtype} ({taken})"
    return Side(source, values, labels, class_names, ordered, taken)


def _checked_values(source, values):
    if values.dtype.kind not in "uifb" or values.ndim < 2 or not values.size:
        raise InputError(
            f"{source}: records are {values.dtype} {list(values.shape)}, not "
            "numbers [N, features] or [N, height, width, channels]"
        )
    if values.dtype.kind == "f":
        finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
        if not finite.all():
            raise InputError(
                f"{source}: record {int(np.argmin(finite))} has a value that "
                "is not finite"
            )
    # Gray images without an axis of channels.
    if values.dtype == np.uint8 and values.ndim == 3:
        values = values[..., np.newaxis]
    return values
