"""The one error that means: what you gave cannot be used."""

import contextlib
import contextvars
import shlex
from collections.abc import Iterator

# Whether who reads the messages gives options as flags of a program.
_AS_FLAGS = contextvars.ContextVar("options as flags", default=False)


class InputError(ValueError):
    """Something the user gave is wrong.

    The message says what was wrong, where, and what to do. Scripts print it
    on one line without a traceback and exit with status 2.
    """


class FileFailure(InputError):
    """A model file cannot be loaded: it is empty, cut off or damaged.

    Or it made its runtime crash, hang or overflow. Other targets of the same
    audit can still be queried.
    """


@contextlib.contextmanager
def options_as_flags() -> Iterator[None]:
    """Messages made inside name options as flags, as a program's user does."""
    token = _AS_FLAGS.set(True)
    try:
        yield
    finally:
        _AS_FLAGS.reset(token)


def option(name: str, *values: object, flag: str | None = None) -> str:
    """Names an option in a message, in the way that its reader gives it.

        option("input_range", (0, 1))    input_range=(0, 1) in Python
                                         --input_range=0..1 in a program

    Args:
        name: the parameter in Python.
        values: what to give: text, a number, True or False, (low, high), or
            a list of names. Several are alternatives.
        flag: its flag, if that has another name.
    """
    if not _AS_FLAGS.get():
        shown = [_in_python(value) for value in values]
        return f"{name}={_either(shown)}" if values else name
    flag = flag or name
    if values and isinstance(values[0], bool):
        return f"--{flag}" if values[0] else f"--no{flag}"
    shown = [_on_command_line(value) for value in values]
    return f"--{flag}={_either(shown)}" if values else f"--{flag}"


def _either(shown):
    *first, last = shown
    return f"{', '.join(first)} or {last}" if first else last


def _in_python(value):
    if isinstance(value, list):
        return f"[{', '.join(map(_in_python, value))}]"
    if isinstance(value, str) and '"' not in value:
        return f'"{value}"'
    return repr(value)


def _on_command_line(value):
    if isinstance(value, tuple):
        return "..".join(f"{end:g}" for end in value)
    if isinstance(value, list):
        value = ",".join(value)
    return shlex.quote(str(value))
