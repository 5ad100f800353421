"""history.csv: one row an epoch. The standard library and msgspec only."""

import csv
import io
import pathlib
import sys
from collections.abc import Iterable
from typing import Annotated, Literal, TypedDict

import msgspec

from qmia_tf import files, typed_json
from qmia_tf.errors import InputError

REMEDY = "restore the file, or delete it: training goes on without it"
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
# Of a loss that is no number there is no row.
Number = Annotated[float, msgspec.Meta(ge=0, le=1e300)]


class Epoch(TypedDict, total=False):
    """The cells of a row."""

    epoch: Annotated[int, msgspec.Meta(ge=1, le=10**6)]
    learning_rate: Number
    loss: Number
    train_accuracy: Number
    nonmember_accuracy: Number | Literal[""]
    nonmember_records: Count
    seconds: Number
    images_per_second: Number
    input_wait_share: Number
    peak_memory_mb: Number | Literal[""]


COLUMNS = tuple(Epoch.__annotations__)
# Those of every version.
FIRST_COLUMNS = COLUMNS[:-1]


def read(
    path: pathlib.Path, *, columns: Iterable[str] = FIRST_COLUMNS
) -> list[dict[str, str]]:
    """Reads the rows, as text; no rows if there is no file.

    Args:
        path: the file.
        columns: those that every row must have.
    Raises: InputError that names the row and the column of a damaged cell.
    """
    path = pathlib.Path(path)
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, restval=None, strict=True)
            rows = list(reader)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, csv.Error) as error:
        raise InputError(
            f"{path} is not a CSV file ({error}); {REMEDY}"
        ) from error
    for number, row in enumerate(rows, 1):
        source = f"{path}: row {number + 1}"
        missing = [name for name in columns if row.get(name) is None]
        if missing or None in row:
            what = f"{missing[0]} is missing" if missing else "too many cells"
            raise InputError(f"{source}: {what}; {REMEDY}")
        typed_json.check(Epoch, row, source=source, remedy=REMEDY, strict=False)
        if number > 1 and int(row["epoch"]) <= int(rows[number - 2]["epoch"]):
            raise InputError(
                f"{source}: epoch {row['epoch']} is not behind the row before; "
                f"{REMEDY}"
            )
    return rows


def write(rows: Iterable[dict], path: pathlib.Path) -> None:
    """Writes the rows, whole or not at all."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_bytes(path, text.getvalue().encode())


def peak_memory_mb() -> float | str:
    """The largest resident memory of this process so far; "" if unknown."""
    try:
        import resource
    except ImportError:
        return ""  # Windows.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6)
