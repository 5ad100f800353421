"""Declared types <-> JSON, checked field by field on the way in."""

import dataclasses
import json
import re

import msgspec

from qmia_tf.errors import InputError

MISSING = re.compile(r"missing required field `(\w+)`")
PLACE = re.compile(r" - at `\$(.*)`$")
KEY = re.compile(r"\.(\w+)|\[(\d+)\]|\[\.\.\.\]")


def encode(value):
    """Turns a dataclass into JSON types.

    Args:
        value: dataclass of dataclasses, dicts, lists, numbers, text, None.
    Returns: dict; NaN and infinities have become None.
    """
    text = msgspec.json.encode(value, enc_hook=lambda scalar: scalar.item())
    return json.loads(text)


def decode(kind: type, tree, *, source: str):
    """Builds a dataclass from JSON types by its field annotations.

    Fields that the dataclass does not have are ignored.

    Args:
        tree: as encode gives it.
        source: what the error message calls it.
    Raises: InputError naming the first field that is missing or not of its
        type.
    """
    try:
        value = msgspec.convert(tree, kind)
        what = _missing(dataclasses.asdict(value), tree)
    except (msgspec.ValidationError, OverflowError) as error:
        what = _problem(str(error), tree)
    if what:
        raise InputError(
            f"{source}: {what}; the file is damaged or not an audit: attack "
            "the run again with scripts/attack.py"
        )
    return value


def _missing(full, tree, where=""):
    """Names the first field that has a default and is not in the tree."""
    if isinstance(full, dict):
        for key, value in full.items():
            place = f"{where}.{key}".lstrip(".")
            what = (
                _missing(value, tree[key], place)
                if key in tree
                else f"{place} is missing"
            )
            if what:
                return what
    elif isinstance(full, (list, tuple)) and tree and isinstance(tree[0], dict):
        for index, (value, item) in enumerate(zip(full, tree, strict=True)):
            what = _missing(value, item, f"{where}[{index}]")
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
    for name, index in KEY.findall(place[1] if place else ""):
        if not (name or index):
            # The key of a dict is not said.
            return f"{where} holds another type: {PLACE.sub('', message)}"
        tree = tree[name or int(index)]
    return f"{where or 'the file'} holds {str(tree)[:60]!r}"
