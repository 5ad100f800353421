"""A CSV file of outputs: one row a record, under a line of names.

p0,p1,p2,label          probabilities of three classes; or z0,z1,z2: logits
0.7,0.2,0.1,0           label: the true class, 0..C-1
                        id, if there: distinct integers; other columns are
                        passed over
"""

import csv
import pathlib
import re

import numpy as np

from qmia_tf import messages
from qmia_tf.errors import InputError

KINDS = {"p": "probabilities", "z": "logits"}
LABEL, ID = "label", "id"
# Digits after the point that rounded probabilities may have.
MOST_DIGITS = 6


def read(path) -> dict[str, np.ndarray]:
    """Reads a CSV file of outputs.

    Args:
        path: the file, laid out as this module says.
    Returns: dict: probabilities or logits float64 [N, C], labels int64 [N],
        record_ids int64 [N] if there is an id, and of probabilities step,
        float: the distance of numbers that are rounded, 0 if they are not.
    Raises: InputError that names the column that is missing, or the row and
        the column of a bad cell. Row 1 is the line of names.
    """
    path = pathlib.Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _parsed(csv.reader(file), path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a CSV file ({error})") from error


def _parsed(reader, path):
    names = [name.strip() for name in next(reader, [])]
    letter, columns = _columns(names, path)
    wanted = [*columns, LABEL, *([ID] if ID in names else [])]
    places = [names.index(name) for name in wanted]
    rows = []
    bar = messages.bar(reader, desc=f"reading {path.name}", leave=False)
    for cells in bar:
        if not cells:
            continue
        if len(cells) != len(names):
            raise InputError(
                f"{path}: row {reader.line_num} has {len(cells)} cells, and "
                f"there are {len(names)} columns"
            )
        texts = [cells[place] for place in places]
        rows.append(_numbers(texts, wanted, path, reader.line_num))
    if not rows:
        raise InputError(f"{path} has no rows")
    table = np.array(rows, np.float64)
    answers = table[:, : len(columns)]
    found = {
        KINDS[letter]: answers,
        "labels": table[:, len(columns)].astype(np.int64),
    }
    if ID in names:
        found["record_ids"] = table[:, -1].astype(np.int64)
    if letter == "p":
        found["step"] = _step(answers)
    return found


def _columns(names, path):
    """Which columns hold outputs: their letter, and their names in order."""
    held = ",".join(names) or "nothing"
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: row 1 has column {twice[0]!r} twice")
    found = {
        letter: [int(n[1:]) for n in names if re.fullmatch(rf"{letter}\d+", n)]
        for letter in KINDS
    }
    letters = [letter for letter in KINDS if found[letter]]
    if len(letters) != 1:
        several = "both p and z columns" if letters else "no column p0"
        raise InputError(
            f"{path}: row 1 has {several}: name the columns p0,p1,.. "
            f"(probabilities) or z0,z1,.. (logits), and label; it is {held}"
        )
    (letter,) = letters
    count = max(2, max(found[letter]) + 1)
    wanted = [f"{letter}{place}" for place in range(count)]
    for name in (*wanted, LABEL):
        if name not in names:
            raise InputError(
                f"{path}: row 1 has no column {name!r}; it is {held}"
            )
    return letter, wanted


def _numbers(texts, names, path, row):
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        numbers = [np.nan if _is_bad(text) else 0.0 for text in texts]
    for number, text, name in zip(numbers, texts, names, strict=True):
        whole = name in (LABEL, ID)
        if not np.isfinite(number) or (
            whole and (number < 0 or number != int(number))
        ):
            raise InputError(
                f"{path}: row {row}, column {name!r} is {text!r}, not a "
                f"{'whole number, 0 or more' if whole else 'number'}"
            )
    return numbers


def _is_bad(text):
    try:
        float(text)
    except ValueError:
        return True
    return False


def _step(answers):
    """The distance of numbers that were rounded to so many digits, or 0."""
    steps = [1 / 256, 1 / 255]
    steps += [10.0**-digits for digits in range(1, MOST_DIGITS + 1)]
    for step in steps:
        codes = answers / step
        if np.abs(codes - np.round(codes)).max() < 1e-6:
            return step
    return 0.0
