"""A file of outputs, .npz or CSV, of which much may be missing.

An .npz file may hold
    probabilities, logits   floats [N, C], one of them or both
    labels or y             the true classes [N], see data.labels
    class_names             text [C], of the columns, for labels that are names
    members                 booleans [N], who trained the model
    record_ids              integers [N], distinct
    info                    JSON, see outputs.Outputs
and outputs.csv_file says what a CSV file may.
"""

import dataclasses
import pathlib
from pathlib import Path

import numpy as np

from qmia_tf import files, outputs
from qmia_tf.data import labels as own_labels
from qmia_tf.data.loaders.npz import LABELS
from qmia_tf.errors import InputError
from qmia_tf.outputs import ANSWERS, Outputs, kinds, validation
from qmia_tf.outputs.kinds import CLASSES, ROWS
from qmia_tf.outputs.logits import softmax

SAVED = "saved"
ONE_NUMBER = (
    ": of one number a record give those of both classes, [1 - p, p] of a "
    "probability and [0, z] of a logit"
)


@dataclasses.dataclass(frozen=True, eq=False)
class OutputFile:
    """What one file of outputs holds.

    Attributes:
        path: the file.
        arrays: probabilities, logits or both; labels, members and record_ids
            if they are there.
        info: as of Outputs; its step is read off if the file does not say it.
        class_names: of the columns, None if they are numbered.
        rows: int [N], the numbers of the rows in a CSV file; else None.
    """

    path: Path
    arrays: dict[str, np.ndarray]
    info: dict
    class_names: tuple[str, ...] | None
    rows: np.ndarray | None

    @classmethod
    def read(cls, path: Path, *, name: str | None = None) -> "OutputFile":
        """Reads a file; name is the target's if the file does not say it."""
        path = pathlib.Path(path)
        is_csv = path.suffix == ".csv"
        arrays = _read_csv(path) if is_csv else _read_npz(path)
        class_names, rows = arrays.pop(CLASSES, None), arrays.pop(ROWS, None)
        info = validation.parse_info(arrays.pop("info", "{}"), path)
        info.setdefault(
            "target", validation.safe_name(name or path.stem, SAVED)
        )
        if "probability_step" not in info:
            step = 0.0
            if kinds.LOGITS not in arrays:
                step = kinds.read_step(arrays[kinds.PROBABILITIES])
            info["probability_step"] = step
        validation.check_info(info, str(path))
        return cls(path, arrays, info, class_names, rows)

    @property
    def answers(self) -> dict[str, np.ndarray]:
        """The probabilities, the logits, or both, by name."""
        return {n: self.arrays[n] for n in ANSWERS if n in self.arrays}

    def __len__(self) -> int:
        return len(next(iter(self.answers.values())))

    def require_labels(self) -> None:
        """Refuses a file without labels."""
        if "labels" not in self.arrays:
            raise InputError(
                f"{self.path}: the labels are missing: add an array labels"
            )

    def ordered(self, names: tuple[str, ...]) -> "OutputFile":
        """Gives columns that classes name another order, and labels too."""
        place = [self.class_names.index(name) for name in names]
        changed = {name: rows[:, place] for name, rows in self.answers.items()}
        changed["labels"] = np.argsort(place)[self.arrays["labels"]]
        arrays = {**self.arrays, **changed}
        return dataclasses.replace(self, arrays=arrays, class_names=names)

    def check_rows(self) -> None:
        """Refuses a row that cannot be outputs, by its number in the file."""
        # Whether logits are some is seen by all rows together.
        shares = self.arrays.get(kinds.PROBABILITIES)
        if shares is None:
            shares = softmax(self.arrays[kinds.LOGITS])
        count = np.arange(len(self))
        file_outputs = Outputs(
            probabilities=shares.astype(np.float32),
            labels=self.arrays["labels"],
            members=np.ones(len(self), bool),
            record_ids=self.arrays.get("record_ids", count),
            info=self.info,
        )
        validation.check_values(file_outputs, str(self.path), rows=self.rows)

    def outputs(self, **missing: np.ndarray) -> Outputs:
        """Makes outputs; `missing` are arrays that the file may lack."""
        arrays = {**missing, **self.arrays}
        if self.rows is not None:
            dataclasses.replace(self, arrays=arrays).check_rows()
        return outputs.from_arrays(arrays, self.info, self.path)


def _read_csv(path):
    from qmia_tf.outputs import csv_file

    return csv_file.read(path)


def _read_npz(path):
    """The arrays that are there; labels under that name, as numbers."""
    stored = files.read_npz(path)
    answers = [name for name in ANSWERS if name in stored]
    if not answers:
        raise InputError(
            f"{path} holds {', '.join(stored) or 'nothing'}: a file of "
            "outputs holds probabilities or logits [records, classes], and "
            "labels or y"
        )
    for name in LABELS:
        if name in stored:
            stored["labels"] = _class_numbers(stored, name, path)
            break
    known = (*ANSWERS, *outputs.ARRAYS)
    arrays = {name: stored[name] for name in known if name in stored}
    rows = len(np.atleast_1d(arrays[answers[0]]))
    for name, array in arrays.items():
        shown = f"{path}: {name} are {array.dtype}"
        is_one = array.shape[1:] in ((), (1,))
        if name in answers and (
            is_one or array.ndim != 2 or array.dtype.kind != "f"
        ):
            raise InputError(
                f"{shown} {list(array.shape)}, not floats [records, classes]"
                + (ONE_NUMBER if is_one else "")
            )
        if name != "info" and array.shape[:1] != (rows,):
            raise InputError(
                f"{path}: {name} has shape {list(array.shape)}, but there "
                f"are {rows} rows of outputs"
            )
        if name == "record_ids" and array.dtype.kind not in "iu":
            raise InputError(f"{shown}, not integers")
    return arrays


def _class_numbers(stored, name, path):
    """The labels as numbers of columns."""
    labels = own_labels.read(stored[name], f"{path}, {name}")
    if labels.names is None:
        return labels.numbers
    columns = stored.get(CLASSES, np.array([], str)).tolist()
    strange = [label for label in labels.names if label not in columns]
    if strange:
        raise InputError(
            f"{path}: {name} has a class {strange[0]!r}, and which column that "
            f"is is not known: add an array {CLASSES} [classes] that names "
            "the columns in order"
        )
    places = np.array([columns.index(label) for label in labels.names])
    return places[labels.numbers]
