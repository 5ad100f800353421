"""What a report can be written as."""

from collections.abc import Sequence

from qmia_tf.errors import InputError

FORMATS = (
    *("html", "summary", "png", "svg"),
    *("csv", "latex", "md", "json", "parquet"),
)
DEFAULT = ("html", "summary", "png", "svg", "csv", "latex")


def check(formats: Sequence[str]) -> None:
    """Raises InputError if a format is not of FORMATS."""
    for format_name in formats:
        if format_name not in FORMATS:
            raise InputError(
                f"no report format is called {format_name!r}: choose of "
                f"{','.join(FORMATS)}"
            )
