"""Dataclasses <-> JSON, checked field by field on the way in."""

import dataclasses
import functools
import math
import types
import typing

from qmia_tf.errors import InputError


def encode(record):
    """Turns a dataclass into JSON types.

    Args:
        record: dataclass of dataclasses, dicts, lists, numbers, text, None.
    Returns: dict; NaN and infinities have become None.
    """
    return _finite(dataclasses.asdict(record))


def decode(kind, value, *, source):
    """Builds a dataclass from JSON types by its field annotations.

    Fields that the dataclass does not have are ignored.

    Args:
        kind: the dataclass.
        value: dict, as encode gave it.
        source: str that the error message calls the value by.
    Raises: InputError naming the first field that is missing or not of its
        type.
    """
    return _decode(kind, value, source, "")


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _decode(kind, value, source, where):
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return _decode(arguments[0], value, source, where)
    if dataclasses.is_dataclass(kind):
        return _decode_fields(kind, value, source, where)
    if origin is list and isinstance(value, list):
        return [
            _decode(arguments[0], item, source, f"{where}[{index}]")
            for index, item in enumerate(value)
        ]
    if origin is dict and isinstance(value, dict):
        return {
            key: _decode(arguments[1], item, source, f"{where}.{key}")
            for key, item in value.items()
        }
    if kind is float and type(value) in (int, float):
        return float(value)
    if kind is not float and type(value) is kind:
        return value
    raise _damaged(source, where, f"holds {str(value)[:60]!r}")


@functools.cache
def _hints(kind):
    return typing.get_type_hints(kind)


def _decode_fields(kind, value, source, where):
    if not isinstance(value, dict):
        raise _damaged(source, where, f"holds {str(value)[:60]!r}")
    hints = _hints(kind)
    fields = {}
    for field in dataclasses.fields(kind):
        name = f"{where}.{field.name}".lstrip(".")
        if field.name not in value:
            raise _damaged(source, name, "is missing")
        fields[field.name] = _decode(
            hints[field.name], value[field.name], source, name
        )
    return kind(**fields)


def _damaged(source, where, what):
    return InputError(
        f"{source}: {where or 'the file'} {what}; the file is damaged or not "
        "an audit: attack the run again with scripts/attack.py"
    )
