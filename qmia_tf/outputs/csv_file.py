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

Delimiters are commas, semicolons, tabs or bars; a comma is the decimal sign
where it is not the delimiter. Rows are counted as a spreadsheet does: the
first is row 1, an empty line counts, and a line break within quotes does not.
"""

import csv
import dataclasses
import io
import itertools
import pathlib
import re

import numpy as np
import pandas as pd

from qmia_tf import terminal
from qmia_tf.errors import InputError
from qmia_tf.outputs import kinds
from qmia_tf.outputs.kinds import CLASSES, ROWS

KINDS = {"p": kinds.PROBABILITIES, "z": kinds.LOGITS}
LABEL, ID = "label", "id"
BOOLEANS = ("false", "true")
DELIMITERS = (",", ";", "\t", "|")
# float64 holds every whole number up to here.
WHOLE = 2**53
# Characters of a cell that a message shows.
SHOWN = 60
# Rows that the delimiter is chosen by.
SAMPLE = 20
# What a spreadsheet may write before its first row.
SAID = re.compile(r"sep=(.)\r?\n")
DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?")
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


@dataclasses.dataclass(frozen=True, eq=False)
class _Table:
    """The cells of a file without its empty rows.

    Attributes:
        path: for messages.
        cells: text; the index is the number of each row.
        values: the same as numbers: NaN of what is none, infinity of what is
            not finite.
    """

    path: pathlib.Path
    cells: pd.DataFrame
    values: pd.DataFrame

    def under(self, names, *, skip=0) -> "_Table":
        """Names the columns; leaves out so many of the first rows."""
        return _Table(
            self.path,
            self.cells.iloc[skip:].set_axis(names, axis=1),
            self.values.iloc[skip:].set_axis(names, axis=1),
        )

    def numbers(self, columns, *, whole=False) -> np.ndarray:
        """The numbers of some columns, float64 [N, columns].

        Raises: InputError at the first cell that is none, or not whole.
        """
        # The order of sums, and so their last bit, depends on the layout.
        values = np.ascontiguousarray(self.values[columns], np.float64)
        bad = ~np.isfinite(values)
        if whole:
            bad |= (values < 0) | (values != np.round(values))
            bad |= values > WHOLE
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise InputError(
                f"{self.path}: row {self.cells.index[row]}, column "
                f"{_short(columns[column])!r} is "
                f"{_short(self.cells[columns[column]].iloc[row])!r}, not a "
                f"{'whole number, 0 or more' if whole else 'number'}"
            )
        return values

    def whole(self, column) -> np.ndarray:
        """The whole numbers of a column, int64 [N]."""
        return self.numbers([column], whole=True)[:, 0].astype(np.int64)


def read(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads UTF-8 text that is laid out as this module says.

    Returns: probabilities or logits float64 [N, C], labels int64 [N],
        record_ids int64 [N] if there is an id, class_names, a tuple, if the
        columns are named by them, and rows int64 [N], the row in the file.
    Raises: InputError if it is not text, that names the column that is
        missing, or the row and the column of a bad cell.
    """
    table = _table(pathlib.Path(path))
    rows, width = table.cells.shape
    if rows and table.values.iloc[0].notna().all():
        return _unnamed(table.under([f"column {n + 1}" for n in range(width)]))
    names = table.cells.iloc[0].tolist() if rows else []
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(
            f"{path}: row 1 has column {_short(repeated[0])!r} twice"
        )
    table = table.under(names, skip=1)
    # Columns that classes name say neither what they hold nor a first number.
    columns, kind, base = _numbered(names, path) or (_by_class(table), None, 0)
    if rows < 2:
        raise InputError(f"{path} has no rows")
    outputs = table.numbers(columns)
    class_names = () if kind else tuple(columns)
    arrays = {
        kind or _kind(outputs, table, columns): outputs,
        "labels": _labels(table, columns, class_names, base),
        ROWS: table.cells.index.to_numpy(np.int64),
    }
    if ID in names:
        arrays["record_ids"] = table.whole(ID)
    if class_names:
        arrays[CLASSES] = class_names
    return arrays


def _table(path):
    try:
        text = path.read_bytes().decode("utf-8-sig")
        said = SAID.match(text)
        if said:
            text = text[said.end() :]
        delimiter = said[1] if said else _delimiter(text)
        # pandas' own reader fills up short rows, and numbers none.
        rows = dict(
            terminal.bar(
                _rows(text, delimiter), desc=f"reading {path.name}", leave=False
            )
        )
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    # A delimiter that csv does not take makes it raise TypeError.
    except (ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{path} is not a CSV file ({error})") from error
    width = len(next(iter(rows.values()), ()))
    for row, cells in rows.items():
        if len(cells) != width:
            raise InputError(
                f"{path}: row {row} has {len(cells)} cells, and there are "
                f"{width} columns (parted by {delimiter!r})"
            )
    cells = pd.DataFrame(list(rows.values()), index=list(rows), dtype=object)
    values = cells.map(lambda cell: _number(cell, delimiter)).astype(float)
    return _Table(path, cells, values)


def _rows(text, delimiter):
    """Yields (row, cells) of the rows that are not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    for row, cells in enumerate(reader, 1):
        cells = [cell.strip() for cell in cells]
        if any(cells):
            yield row, cells


def _delimiter(text):
    """What makes rows of one length, with the most columns of numbers."""

    def suitability(delimiter):
        sample = itertools.islice(_rows(text, delimiter), SAMPLE)
        rows = [cells for _, cells in sample]
        widths = {len(cells) for cells in rows}
        numeric = sum(
            not any(np.isnan(_number(cell, delimiter)) for cell in column)
            for column in zip(*rows[1:], strict=False)
        )
        regular = len(widths) == 1 and widths != {1}
        return regular, numeric, max(widths, default=0)

    return max(DELIMITERS, key=suitability)


def _number(text, delimiter):
    if delimiter != "," and DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    try:
        number = float(text)
    except ValueError:
        return np.nan
    return number if np.isfinite(number) else np.inf


def _numbered(names, path):
    """Columns that a letter and a number name, if there are.

    Returns: the columns, what they hold, and the number of the first class.
    """
    matches = [
        m for n in names if (m := re.fullmatch(r"([pz])([0-9]{1,18})", n))
    ]
    letters = {match[1] for match in matches}
    if not letters:
        return None
    if len(letters) > 1:
        raise InputError(
            f"{path}: row 1 has both p and z columns: {NAME_THEM}; it is "
            f"{_joined(names)}"
        )
    (letter,) = letters
    numbers = sorted(int(match[2]) for match in matches)
    base = int(numbers == list(range(1, len(numbers) + 1)) and numbers != [1])
    # With one more than there are, the first that is missing is among them.
    count = min(max(2, numbers[-1] + 1 - base), max(2, len(numbers) + 1))
    columns = [f"{letter}{place + base}" for place in range(count)]
    for name in (*columns, LABEL):
        if name not in names:
            raise InputError(
                f"{path}: row 1 has no column {name!r}; it is {_joined(names)}"
            )
    return columns, KINDS[letter], base


def _by_class(table):
    """Columns of numbers that classes name."""
    names = table.cells.columns.tolist()
    are_numbers = table.values.notna().all()
    # pandas leaves the column of an index without a name.
    columns = [n for n in names if n not in (LABEL, ID, "") and are_numbers[n]]
    # Of class_10 and class_2 the place in the line says less than the number.
    has_numbers = any(re.search(r"\d$", name) for name in columns)
    if LABEL not in names or len(columns) < 2 or has_numbers:
        raise InputError(
            f"{table.path}: row 1 has no column p0: {NAME_THEM}; it is "
            f"{_joined(names) or 'nothing'}"
        )
    return columns


def _kind(outputs, table, columns):
    """What columns hold that only classes name."""
    step = kinds.read_step(outputs)
    kind = kinds.of(outputs, step=step)
    if kind == kinds.LOGITS:
        _require_classes(outputs, table, columns)
    if kind in KINDS.values():
        return kind
    raise InputError(
        f"{table.path}: the columns {_joined(columns, ', ')} are neither "
        "probabilities nor logits: "
        f"{kinds.sentence(outputs, kind, step=step, numbered=False)}; "
        f"or {NAME_THEM}"
    )


def _require_classes(outputs, table, columns):
    """Refuses a column beside logits that is hardly one of a class.

    One that a label names is a class.
    """
    labels = set(table.cells[LABEL])
    is_whole = (outputs == np.round(outputs)).all(axis=0)
    counts = is_whole & (np.ptp(outputs, axis=0) > 0)
    is_strange = counts & (len(outputs) >= kinds.ENOUGH)
    is_strange &= not is_whole.all()
    for name, strange in zip(columns, is_strange, strict=True):
        if name in labels or not (strange or name.lower() in NO_CLASSES):
            continue
        others = _joined([n for n in columns if n != name], ", ")
        raise InputError(
            f"{table.path}: column {_short(name)!r} would be taken for the "
            f"logits of a class, beside {others}, and does not look like "
            f"them: leave it out, or {NAME_THEM}"
        )


def _labels(table, columns, class_names, base):
    texts = table.cells[LABEL]
    if texts.isin(class_names).any():
        strange = texts[~texts.isin(class_names)]
        if len(strange):
            raise InputError(
                f"{table.path}: row {strange.index[0]}, column {LABEL!r} is "
                f"{_short(strange.iloc[0])!r}, which is none of the columns "
                f"{_joined(class_names, ', ')}"
            )
        return pd.Index(class_names).get_indexer(texts)
    if texts.str.lower().isin(BOOLEANS).all():
        return (texts.str.lower() == BOOLEANS[1]).to_numpy(np.int64)
    labels = table.whole(LABEL)
    if not base or 0 in labels:
        return labels
    if labels.max() != len(columns):
        raise InputError(
            f"{table.path}: the columns are {columns[0]} to {columns[-1]}, and "
            f"no label is 0 or {len(columns)}, so whether labels count from 0 "
            "or from 1 is not known: name the columns from 0 on and let "
            "labels count from 0"
        )
    return labels - 1


def _unnamed(table):
    """Reads a file without names: probabilities, and a label at one end."""
    numbers = table.numbers(table.cells.columns.tolist())
    width = numbers.shape[1]
    possible = []
    for label in (width - 1, 0) if width > 2 else ():
        rows, labels = np.delete(numbers, label, axis=1), numbers[:, label]
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
            f"{table.path}: row 1 has numbers instead of names, and what the "
            f"columns hold is not certain: {NAME_THEM}"
        )
    rows, labels = possible[0]
    return {
        kinds.PROBABILITIES: rows,
        "labels": labels,
        ROWS: table.cells.index.to_numpy(np.int64),
    }


def _short(text):
    """A cell, or the begin of a long one."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}.."


def _joined(names, between=","):
    """Names of columns on one line that is not too long."""
    text = " ".join(between.join(map(_short, names)).split())
    return text if len(text) <= 5 * SHOWN else f"{text[: 5 * SHOWN]}.."
