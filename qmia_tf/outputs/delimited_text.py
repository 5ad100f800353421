"""A table of text with any usual delimiter: its cells and their rows.

Commas, semicolons, tabs or bars; a comma as decimal sign where it is not the
delimiter. Rows are counted as a spreadsheet does: the first is row 1, an
empty line counts, and a line break within quotes does not.
"""

import csv
import dataclasses
import io
import itertools
import pathlib
import re

from qmia_tf import terminal
from qmia_tf.errors import InputError

DELIMITERS = (",", ";", "\t", "|")
# Rows that the delimiter is chosen by.
SAMPLE = 20
# What a spreadsheet may write before its first row.
SAID = re.compile(r"sep=(.)\r?\n")
DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?")


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """The cells of a file, without its empty rows.

    Attributes:
        cells: list of rows, each a list of text without blanks around it.
        rows: list of int, the number of each of them.
        delimiter: str, what parts two cells.
    """

    cells: list[list[str]]
    rows: list[int]
    delimiter: str

    def number(self, text) -> float | None:
        """Reads a cell as a number; None if it is none."""
        return _number(text, self.delimiter)


def read(path) -> Table:
    """Reads a table.

    Args:
        path: UTF-8 text, with or without a byte order mark.
    Raises: InputError if it is not text, or a row is longer or shorter than
        the first.
    """
    path = pathlib.Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
        said = SAID.match(text)
        if said:
            text = text[said.end() :]
        delimiter = said[1] if said else _delimiter(text)
        parsed = list(
            terminal.bar(
                _parsed(text, delimiter),
                desc=f"reading {path.name}",
                leave=False,
            )
        )
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a CSV file ({error})") from error
    for row, cells in parsed:
        if len(cells) != len(parsed[0][1]):
            raise InputError(
                f"{path}: row {row} has {len(cells)} cells, and there are "
                f"{len(parsed[0][1])} columns (parted by {delimiter!r})"
            )
    rows, cells = zip(*parsed, strict=True) if parsed else ((), ())
    return Table(list(cells), list(rows), delimiter)


def _parsed(text, delimiter):
    """Yields (row, cells) of the rows that are not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    for row, cells in enumerate(reader, 1):
        cells = [cell.strip() for cell in cells]
        if any(cells):
            yield row, cells


def _delimiter(text):
    """What makes rows of one length, with the most columns of numbers."""

    def judged(delimiter):
        rows = [cells for _, cells in sample(delimiter)]
        widths = {len(cells) for cells in rows}
        regular = len(widths) == 1 and widths != {1}
        numeric = sum(
            all(_number(cell, delimiter) is not None for cell in column)
            for column in zip(*rows[1:], strict=False)
        )
        return regular, numeric, max(widths, default=0)

    def sample(delimiter):
        return itertools.islice(_parsed(text, delimiter), SAMPLE)

    return max(DELIMITERS, key=judged)


def _number(text, delimiter):
    if delimiter != "," and DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return None
