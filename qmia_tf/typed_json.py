"""Declared types <-> JSON, checked field by field on the way in."""

import dataclasses
import json
import re
from typing import Annotated

import msgspec

from qmia_tf.errors import InputError

MISSING = re.compile(r"missing required field `(\w+)`")
PLACE = re.compile(r" - at `\$(.*)`$")
AUDIT_REMEDY = (
    "the file is damaged or not an audit: attack the run again with qmia attack"
)
# Text that can be shown on one line.
Line = Annotated[
    str, msgspec.Meta(pattern=r"\A[^\x00-\x1f\x7f]*\Z", max_length=4000)
]
KEY = re.compile(r"\.(\w+)|\[(\d+)\]|\[\.\.\.\]")


def encode(value):
    """Turns a dataclass into JSON types.

    Args:
        value: dataclass of dataclasses, dicts, lists, numbers, text, None.
    Returns: dict; NaN and infinities have become None.
    """
    text = msgspec.json.encode(value, enc_hook=lambda scalar: scalar.item())
    return json.loads(text)


def decode(
    kind: type,
    tree,
    *,
    source: str,
    remedy: str = AUDIT_REMEDY,
    later: tuple[str, ...] = (),
):
    """Builds a dataclass from JSON types by its field annotations.

    Fields that the dataclass does not have are ignored.

    Args:
        tree: as encode gives it.
        source: what the error message calls it.
        remedy: ends that message.
        later: fields with a default that files of the same version may lack.
    Raises: InputError naming the first field that is missing or not of its
        type.
    """
    value = check(kind, tree, source=source, remedy=remedy)
    what = _missing(dataclasses.asdict(value), tree, later)
    if what:
        raise InputError(f"{source}: {what}; {remedy}")
    return value


def check(kind, tree, *, source: str, remedy: str, strict: bool = True):
    """Returns JSON types as a declared type, or names the field that is none.

    Args:
        kind: any type that msgspec knows, such as a TypedDict.
        tree: JSON types.
        source: what the error message calls it.
        remedy: ends that message.
        strict: whether text is no number.
    Raises: InputError.
    """
    try:
        return msgspec.convert(tree, kind, strict=strict)
    except (msgspec.ValidationError, OverflowError) as error:
        what = _problem(str(error), tree)
    raise InputError(f"{source}: {what}; {remedy}")


def _missing(full, tree, later, where=""):
    """Names the first field that has a default and is not in the tree."""
    if isinstance(full, dict):
        for key, value in full.items():
            if key in later and key not in tree:
                continue
            place = f"{where}.{key}".lstrip(".")
            what = (
                _missing(value, tree[key], later, place)
                if key in tree
                else f"{place} is missing"
            )
            if what:
                return what
    elif isinstance(full, (list, tuple)) and tree and isinstance(tree[0], dict):
        for index, (value, item) in enumerate(zip(full, tree, strict=True)):
            what = _missing(value, item, later, f"{where}[{index}]")
            if what:
                return what
    return ""


def _problem(message, tree):
    """Names the field and what is wrong with it."""
    place = PLACE.search(message)
    where = place[1].lstrip(".") if place else ""
    missing = MISSING.search(message)
    if missing:
        return f"{where}.{missing[1]} is missing".lstrip(".")
    what = PLACE.sub("", message).replace("`", "")
    for name, index in KEY.findall(place[1] if place else ""):
        if not (name or index):
            # The key of a dict is not said.
            return f"{where} holds another type: {what}"
        tree = tree[name or int(index)]
    what = what[:1].lower() + what[1:]
    return f"{where or 'the file'} holds {_short(tree)!r} ({what})"


def _short(tree):
    """The begin of a value: the whole may be deep or long."""
    if isinstance(tree, (dict, list)):
        tree = f"{type(tree).__name__} of {len(tree)}"
    return str(tree)[:60]
