"""What is said while something takes time, and when it is not.

Results are printed by whoever found them. What goes through here only tells
that work goes on: it is silent below absl's verbosity WARNING, which is
--verbosity=-2 of a script and absl.logging.set_verbosity(-2) in Python.
"""

import contextlib
import sys

from absl import logging

SECONDS = 2


def is_quiet():
    """Whether nobody wants to hear of progress."""
    return logging.get_verbosity() < logging.WARNING


def say(line):
    """Prints a line of progress at once, unless it is quiet.

    Args:
        line: str.
    """
    if not is_quiet():
        print(line, flush=True)


def bar(
    iterable=None,
    *,
    desc=None,
    total=None,
    initial=0,
    unit="it",
    delay=SECONDS,
    leave=True,
    shown=True,
):
    """Gives a bar on stderr, in terminals, unless it is quiet.

    Args:
        iterable: what is gone through; None if the caller counts.
        desc: str, what is done.
        total: int, how many there are, if iterable does not tell.
        initial: int, how many were done before.
        unit: str, what is counted.
        delay: seconds before which it does not show.
        leave: whether it stays when it is full.
        shown: False shows none.
    Returns: tqdm.tqdm.
    """
    import tqdm

    return tqdm.tqdm(
        iterable,
        desc=desc,
        total=total,
        initial=initial,
        unit=unit,
        delay=delay,
        leave=leave,
        mininterval=0.5,
        disable=None if shown and not is_quiet() else True,
    )


@contextlib.contextmanager
def working(what):
    """Shows on stderr, in terminals, what is done; gone when it is done.

    For what takes seconds and cannot be counted.

    Args:
        what: str.
    """
    shown = not is_quiet() and sys.stderr.isatty()
    if shown:
        print(f"{what} ...", end="\r", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if shown:
            blank = " " * (len(what) + 4)
            print(blank, end="\r", file=sys.stderr, flush=True)


def counted(count, noun) -> str:
    """Says how many there are: "1 member", "2 members"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Says how long something takes: "40 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
