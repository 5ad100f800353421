"""What is said while something takes time, and when it is not.

Lines go to the logger "qmia_tf", whose handler writes them to stdout. It is
the one switch: `logging.getLogger("qmia_tf").setLevel("WARNING")`, --quiet of
a program, leaves out lines and bars, and keeps warnings. What takes longer
than SECONDS says so on stderr: with a bar in terminals and notebooks, and
elsewhere with a line now and then. The variable QMIA_PROGRESS_SECONDS replaces
SECONDS, where a log or a test must hold nothing of it.
"""

import contextlib
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator

SECONDS = 2
# Between lines: soon at first, then seldom.
FIRST_SECONDS, MOST_SECONDS, GROWTH = 5, 30, 3
# Whose streams show a bar, and are no terminals.
NOTEBOOKS = ("ipykernel", "google")


class _Stdout(logging.Handler):
    """Writes lines to what sys.stdout is at that time."""

    def emit(self, record):
        # What cannot be written is an error, as of print.
        sys.stdout.write(f"{record.getMessage()}\n")
        sys.stdout.flush()


def logger() -> logging.Logger:
    """The logger "qmia_tf"; it gets its handler and level if it has none."""
    log = logging.getLogger("qmia_tf")
    if not log.handlers:
        log.addHandler(_Stdout())
        log.propagate = False
    if log.level == logging.NOTSET:
        log.setLevel(logging.INFO)
    return log


def is_quiet() -> bool:
    """Whether nobody wants to hear of progress."""
    return not logger().isEnabledFor(logging.INFO)


def be_quiet() -> None:
    """Leaves out lines and bars of progress from here on, not warnings."""
    logger().setLevel(logging.WARNING)


def say(line: str) -> None:
    """Says a line of progress at once; one that begins "warning" always."""
    is_warning = line.startswith("warning")
    logger().log(logging.WARNING if is_warning else logging.INFO, "%s", line)


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
    """Gives a bar on stderr, or lines where there is no bar.

    Args:
        iterable: what is gone through; None if the caller counts.
        desc: str, what is done.
        total: int, how many there are, if iterable does not tell.
        initial: int, how many were done before.
        unit: str, what is counted.
        delay: seconds before a bar shows; lines wait at least SECONDS.
        leave: whether a bar stays when it is full.
        shown: False shows none.
    Returns: tqdm.tqdm, or Lines, which is called alike.
    """
    shown = shown and not is_quiet()
    if shown and not _shows_bars():
        return Lines(
            iterable, desc=desc or "", total=total, initial=initial, unit=unit
        )
    import tqdm

    return tqdm.tqdm(
        iterable,
        desc=desc,
        total=total,
        initial=initial,
        unit=unit,
        delay=delay,
        leave=leave,
        mininterval=0.5 if sys.stderr.isatty() else 1,
        disable=not shown,
    )


class Lines:
    """Says now and then, on lines of stderr, how far something is.

    Args:
        as of bar.
    """

    def __init__(self, iterable, *, desc, total, initial, unit):
        if total is None and hasattr(iterable, "__len__"):
            total = len(iterable)
        self._iterable, self._desc = iterable, desc
        self._units = f"{unit[:-1]}ies" if unit[-1:] == "y" else f"{unit}s"
        self._total, self._count, self._first = total, initial, initial
        self._postfix = ""
        self._start = time.monotonic()
        self._pace = _Pace(self._start)

    def __iter__(self):
        for item in self._iterable:
            yield item
            self.update()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def update(self, count: int = 1) -> None:
        """Counts on, and says so if it is time."""
        self._count += count
        now = time.monotonic()
        if self._count != self._total and self._pace.is_time(now):
            _write(sys.stderr, self._line(now - self._start))

    def set_postfix_str(self, text: str) -> None:
        """What the next line ends in."""
        self._postfix = text

    def external_write_mode(self):
        """Lines and other output do not disturb each other."""
        return contextlib.nullcontext()

    def _line(self, seconds):
        parts = [f"{self._count:,} {self._units}"]
        if self._total:
            share = self._count / self._total
            left = seconds * (self._total - self._count)
            left /= max(1, self._count - self._first)
            parts = [
                f"{share:.0%} ({self._count:,} of {self._total:,} "
                f"{self._units})",
                f"about {left:.0f} s left",
            ]
        if self._postfix:
            parts.append(self._postfix)
        return f"{self._desc}: {', '.join(parts)}".removeprefix(": ")


class _Pace:
    """When it is time for another line: soon at first, then seldom."""

    def __init__(self, now):
        self._wait = FIRST_SECONDS
        self._next = now + _patience()

    def is_time(self, now):
        if now < self._next:
            return False
        self._next = now + self._wait
        self._wait = min(MOST_SECONDS, self._wait * GROWTH)
        return True


class Status:
    """Shows on stderr how far something is, as often as it is told.

    In terminals and notebooks on one line that is written over, elsewhere on
    a new line now and then.
    """

    def __init__(self):
        self._pace = _Pace(time.monotonic())
        self._length = 0

    def show(self, text: str) -> None:
        """Shows a line instead of the last one."""
        if is_quiet():
            return
        if _shows_bars():
            room = shutil.get_terminal_size().columns - 1
            self._write_over(text[:room])
        elif self._pace.is_time(time.monotonic()):
            _write(sys.stderr, text)

    def clear(self) -> None:
        """Makes room for other lines."""
        if self._length:
            self._write_over("", end="\r")

    def _write_over(self, text, end=""):
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"\r{text.ljust(self._length)}{end}")
            sys.stderr.flush()
        self._length = len(text)


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """Shows on stderr what is done, of what takes seconds and has no count.

    In terminals at once, gone when it is done. Elsewhere a line if it takes
    longer than SECONDS, then one every MOST_SECONDS.

    Args:
        what: str.
    """
    if is_quiet():
        yield
    elif sys.stderr.isatty():
        sys.stderr.write(f"{what} ...\r")
        sys.stderr.flush()
        try:
            yield
        finally:
            sys.stderr.write(" " * (len(what) + 4) + "\r")
            sys.stderr.flush()
    else:
        with _lines_meanwhile(what):
            yield


@contextlib.contextmanager
def _lines_meanwhile(what):
    done, start = threading.Event(), time.monotonic()
    # Its own way to stderr: meanwhile it may be turned away.
    stderr = _stderr_copy()

    def speak():
        wait, so_far = _patience(), ""
        while not done.wait(wait):
            _write(stderr, f"{what} ...{so_far}")
            wait = MOST_SECONDS
            seconds = time.monotonic() - start + wait
            so_far = f" ({seconds:.0f} s so far)"

    thread = threading.Thread(target=speak, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        if isinstance(stderr, int):
            os.close(stderr)


def _shows_bars():
    """Whether stderr is a terminal or a notebook's."""
    place = type(sys.stderr).__module__.partition(".")[0]
    return sys.stderr.isatty() or place in NOTEBOOKS


def _patience():
    """Seconds before lines begin."""
    try:
        return float(os.environ["QMIA_PROGRESS_SECONDS"])
    except (KeyError, ValueError):
        return SECONDS


def _stderr_copy():
    """A copy of stderr's file descriptor, or sys.stderr if it has none."""
    if _shows_bars():
        return sys.stderr
    try:
        return os.dup(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return sys.stderr


def _write(stderr, line):
    """Writes a line; where it cannot, nothing that matters is lost."""
    with contextlib.suppress(OSError, ValueError):
        if isinstance(stderr, int):
            os.write(stderr, f"{line}\n".encode())
        else:
            stderr.write(f"{line}\n")
            stderr.flush()


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
