"""A CSV file of outputs: one row a record, under a line of names.

p0,p1,p2,label          probabilities of three classes; or z0,z1,z2: logits;
0.7,0.2,0.1,0           p1,p2,p3 do as well
                        label: the true class, 0..C-1
                        id, if there: distinct integers; other columns are
                        passed over

cat,dog,label           columns that are named by classes, and a label that
0.7,0.3,cat             is one of them, or its place: 0..C-1

0.7,0.2,0.1,0           no names: probabilities and then the label, or the
                        label first, where only one of them can be meant

See outputs.delimited_text for delimiters and decimal commas.
"""

import dataclasses
import pathlib
import re

import numpy as np

from qmia_tf.errors import InputError
from qmia_tf.outputs import delimited_text, kinds

KINDS = {"p": kinds.PROBABILITIES, "z": kinds.LOGITS}
LABEL, ID = "label", "id"
# What a file is read to besides the arrays of outputs.
CLASSES, ROWS = "class_names", "rows"
BOOLEANS = ("false", "true")
# What else files hold beside the outputs of classes, none of which are called
# so; numbers of these would pass for one more logit.
NO_CLASSES = frozenset(
    "accuracy confidence correct difficulty entropy epoch fold gap idx index "
    "is_member loss losses margin max member members membership nll pred "
    "predicted prediction predictions probability record record_id row score "
    "seed split step target true_label truth uncertainty weight y y_pred "
    "y_true".split()
)
NAME_THEM = (
    "name the columns p0,p1,.. (probabilities) or z0,z1,.. (logits), and label"
)


@dataclasses.dataclass(frozen=True)
class _Layout:
    """Where what is: places of columns, and what their names say."""

    columns: list[int]
    names: list[str]
    label: int
    kind: str | None = None
    id: int | None = None
    # The number of the first class, in the names of the columns.
    base: int = 0
    class_names: tuple[str, ...] | None = None


def read(path) -> dict[str, np.ndarray]:
    """Reads a CSV file of outputs.

    Args:
        path: the file, laid out as this module says.
    Returns: dict: probabilities or logits float64 [N, C], labels int64 [N],
        record_ids int64 [N] if there is an id, class_names, a tuple, if the
        columns are named by them, rows int64 [N], the row in the file, and
        of probabilities step, float: the distance of numbers that are
        rounded, 0 if they are not.
    Raises: InputError that names the column that is missing, or the row and
        the column of a bad cell. Row 1 is the line of names.
    """
    path = pathlib.Path(path)
    table = delimited_text.read(path)
    names = table.cells[0] if table.cells else []
    if names and all(table.number(name) is not None for name in names):
        return _unnamed(table, path)
    layout = _numbered(names, path) or _by_class(table, names, path)
    if len(table.cells) < 2:
        raise InputError(f"{path} has no rows")
    columns = _numbers(table, layout.columns, layout.names, path)
    arrays = {ROWS: np.array(table.rows[1:], np.int64)}
    kind = layout.kind or _kind(columns, table, layout, path)
    arrays[kind] = columns
    arrays["labels"] = _labels(table, layout, path)
    if layout.id is not None:
        arrays["record_ids"] = _whole(table, layout.id, ID, path)
    if layout.class_names is not None:
        arrays[CLASSES] = layout.class_names
    return _with_step(arrays)


def _numbered(names, path):
    """The layout of columns that a letter and a number name, if there are."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"{path}: row 1 has column {repeated[0]!r} twice")
    column_numbers = {
        letter: [int(n[1:]) for n in names if re.fullmatch(rf"{letter}\d+", n)]
        for letter in KINDS
    }
    letters = [letter for letter in KINDS if column_numbers[letter]]
    if not letters:
        return None
    if len(letters) > 1:
        raise InputError(
            f"{path}: row 1 has both p and z columns: {NAME_THEM}; it is "
            f"{','.join(names)}"
        )
    (letter,) = letters
    numbers = sorted(column_numbers[letter])
    base = int(numbers == list(range(1, len(numbers) + 1)) and numbers != [1])
    count = max(2, max(numbers) + 1 - base)
    column_names = [f"{letter}{place + base}" for place in range(count)]
    for name in (*column_names, LABEL):
        if name not in names:
            raise InputError(
                f"{path}: row 1 has no column {name!r}; it is {','.join(names)}"
            )
    return _Layout(
        columns=[names.index(name) for name in column_names],
        names=column_names,
        label=names.index(LABEL),
        kind=KINDS[letter],
        id=names.index(ID) if ID in names else None,
        base=base,
    )


def _by_class(table, names, path):
    """The layout of columns of numbers that classes name."""
    header = ",".join(names) or "nothing"
    columns = [
        place
        for place, name in enumerate(names)
        # pandas leaves the column of an index without a name.
        if name not in (LABEL, ID, "")
        and all(table.number(row[place]) is not None for row in table.cells[1:])
    ]
    named = tuple(names[place] for place in columns)
    # Of class_10 and class_2 the place in the line says less than the number.
    has_numbers = any(re.search(r"\d$", name) for name in named)
    if LABEL not in names or len(columns) < 2 or has_numbers:
        raise InputError(
            f"{path}: row 1 has no column p0: {NAME_THEM}; it is {header}"
        )
    return _Layout(
        columns=columns,
        names=list(named),
        label=names.index(LABEL),
        id=names.index(ID) if ID in names else None,
        class_names=named,
    )


def _kind(columns, table, layout, path):
    """What columns hold that only classes name."""
    step = kinds.read_step(columns)
    kind = kinds.of(columns, step=step)
    if kind == kinds.LOGITS:
        labels = {row[layout.label] for row in table.cells[1:]}
        _require_classes(columns, layout, labels, path)
    if kind in KINDS.values():
        return kind
    raise InputError(
        f"{path}: the columns {', '.join(layout.names)} are neither "
        "probabilities nor logits: "
        f"{kinds.sentence(columns, kind, step=step, numbered=False)}; "
        f"or {NAME_THEM}"
    )


def _require_classes(columns, layout, labels, path):
    """Refuses a column beside logits that is hardly one of a class.

    Args:
        columns: float64 [N, columns].
        layout: _Layout.
        labels: the texts of the labels; a column that they name is a class.
        path: the file's, for messages.
    """
    is_whole = (columns == np.round(columns)).all(axis=0)
    counts = is_whole & (np.ptp(columns, axis=0) > 0)
    is_strange = counts & (len(columns) >= kinds.ENOUGH)
    is_strange &= not is_whole.all()
    for name, strange in zip(layout.names, is_strange, strict=True):
        if name in labels or not (strange or name.lower() in NO_CLASSES):
            continue
        raise InputError(
            f"{path}: column {name!r} would be taken for the logits of a "
            f"class, beside {', '.join(n for n in layout.names if n != name)}, "
            f"and does not look like them: leave it out, or {NAME_THEM}"
        )


def _labels(table, layout, path):
    texts = [row[layout.label] for row in table.cells[1:]]
    known = layout.class_names or ()
    if any(text in known for text in texts):
        for row, text in zip(table.rows[1:], texts, strict=True):
            if text not in known:
                raise InputError(
                    f"{path}: row {row}, column {LABEL!r} is {text!r}, which "
                    f"is none of the columns {', '.join(known)}"
                )
        return np.array([known.index(text) for text in texts])
    if all(text.lower() in BOOLEANS for text in texts):
        return np.array([BOOLEANS.index(text.lower()) for text in texts])
    labels = _whole(table, layout.label, LABEL, path)
    classes = len(layout.columns)
    if not layout.base or 0 in labels:
        return labels
    if labels.max() != classes:
        raise InputError(
            f"{path}: the columns are {layout.names[0]} to {layout.names[-1]}, "
            f"and no label is 0 or {classes}, so whether labels count from 0 "
            "or from 1 is not known: name the columns from 0 on and let "
            "labels count from 0"
        )
    return labels - 1


def _whole(table, place, name, path):
    (column,) = _numbers(table, [place], [name], path, whole=True).T
    return column.astype(np.int64)


def _numbers(table, places, names, path, *, whole=False, start=1):
    """The cells of some columns as numbers, float64 [N, columns]."""
    numbers = np.empty((len(table.cells) - start, len(places)))
    for index, cells in enumerate(table.cells[start:]):
        for place, column in enumerate(places):
            number = table.number(cells[column])
            good = number is not None and np.isfinite(number)
            if not good or (whole and (number < 0 or number != int(number))):
                raise InputError(
                    f"{path}: row {table.rows[index + start]}, column "
                    f"{names[place]!r} is {cells[column]!r}, not a "
                    f"{'whole number, 0 or more' if whole else 'number'}"
                )
            numbers[index, place] = number
    return numbers


def _unnamed(table, path):
    """Reads a file without names: probabilities, and a label at one end."""
    width = len(table.cells[0])
    names = [f"column {place + 1}" for place in range(width)]
    every = _numbers(table, range(width), names, path, start=0)
    possible = []
    for label in (width - 1, 0) if width > 2 else ():
        rows, labels = np.delete(every, label, axis=1), every[:, label]
        step = kinds.read_step(rows)
        whole = np.all((labels == np.round(labels)) & (labels >= 0))
        if (
            whole
            and labels.max() < width - 1
            and kinds.look_like_probabilities(rows, step=step)
        ):
            possible.append((rows, labels.astype(np.int64)))
    if len(possible) != 1:
        raise InputError(
            f"{path}: row 1 has numbers instead of names, and what the columns "
            f"hold is not certain: {NAME_THEM}"
        )
    rows, labels = possible[0]
    arrays = {kinds.PROBABILITIES: rows, "labels": labels}
    return _with_step({**arrays, ROWS: np.array(table.rows, np.int64)})


def _with_step(arrays):
    rows = arrays.get(kinds.PROBABILITIES)
    if rows is None:
        return arrays
    return {**arrays, "step": kinds.read_step(rows)}
