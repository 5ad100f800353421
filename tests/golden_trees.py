"""Compares JSON trees of audits value by value, and texts by their numbers.

Where a field is renamed, moved, removed or added, or a word that is a value
gets another name, one entry of NAMES says so, and nothing else of the golden
tests is touched.
"""

import collections
import dataclasses
import functools
import math
import re


@dataclasses.dataclass(frozen=True)
class Names:
    """What the stored trees call otherwise than the program does now.

    A pattern is a dotted key of a JSON file, with [] for each place in a list;
    * stands for any beginning, middle or end. It names all that lies below.

    Attributes:
        renamed: stored pattern -> new key. A name alone renames in place:
            "targets[].leak": "verdict", "*.low": "lower". A dotted key with
            as many [] moves: "control": "checks.blind_baseline". None: gone.
        added: patterns of fields that the stored trees lack.
        words: stored -> new, of texts that are values, such as an attack's
            name.
        ignored: stored patterns of what differs by machine and version.
        sentences: stored patterns of text for people, of which the numbers
            alone are compared.
    """

    renamed: dict[str, str | None] = dataclasses.field(default_factory=dict)
    added: tuple[str, ...] = ()
    words: dict[str, str] = dataclasses.field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()


NAMES = Names(
    added=(
        *("targets[].holder", "targets[].forms", "targets[].loss_tnr"),
        *("targets[].references", "targets[].known_bits", "joint_of_all"),
    ),
    ignored=(
        "schema_version",
        "versions",
        "*.latency_ms",
        "*.latency_threads",
    ),
    sentences=(
        "*.reasons",
        "*.features",
        "*.reason",
        "*.sentence",
        "*.summary",
        "*.title",
        "targets[].parity.verdict",
        "*.warning",
        "gates[].measured",
        "gates[].limit",
    ),
)
# Not bit for bit: NumPy's exp and log and the sums of BLAS differ in the last
# bits by processor. A difference of nearly equal numbers is only as precise
# as they are, so that near 0 an absolute limit has to do.
RELATIVE, ABSOLUTE = 1e-9, 1e-12
SHOWN = 20
# Not the digits of a name such as w4a4.
NUMBER = re.compile(r"(?<![\w.])[-+\u2212]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?(?!\w)")


def differences(stored, current, *, names=NAMES) -> list[str]:
    """Lists what differs between two JSON trees.

    Args:
        stored: JSON types, the golden tree.
        current: JSON types, what the program makes now.
        names: Names.
    Returns: list of "path: stored -> current", in the stored order.
    """
    is_ignored = functools.cache(functools.partial(_is_any, names.ignored))
    is_sentence = functools.cache(functools.partial(_is_any, names.sentences))
    is_added = functools.cache(functools.partial(_is_any, names.added))
    new_key = functools.cache(functools.partial(_new_key, names.renamed))
    kept, ignored, sentences = [], set(), set()
    for path, value in _leaves(stored):
        new_path = _new_path(path, new_key)
        if new_path is None:
            continue
        if is_ignored(_keys(path)):
            ignored.add(_keys(new_path))
            continue
        if is_sentence(_keys(path)):
            sentences.add(new_path)
        if isinstance(value, str):
            value = names.words.get(value, value)
        kept.append((new_path, value))
    compared = [
        (path, value)
        for path, value in _leaves(current)
        if not (
            _keys(path) in ignored
            or is_ignored(_keys(path))
            or is_added(_keys(path))
        )
    ]
    return list(_of_trees(_tree(kept), _tree(compared), (), sentences))


def number_differences(stored, current) -> list[str]:
    """Lists the numbers that two texts do not hold equally often.

    Args:
        stored: str, the golden text.
        current: str.
    Returns: list of str; the order and the words of a text may change.
    """
    old = collections.Counter(numbers(stored))
    new = collections.Counter(numbers(current))
    return [
        f"{number}: {old[number]} times -> {new[number]} times"
        for number in dict.fromkeys([*old, *new])
        if old[number] != new[number]
    ]


def numbers(text) -> list[str]:
    """Gives the numbers of a text as they are printed."""
    return NUMBER.findall(text)


def message(lines) -> str:
    """Says how much differs, and what first.

    Args:
        lines: list of str, as differences gives them.
    """
    first = [f"{len(lines)} differences, stored -> current:", *lines[:SHOWN]]
    if len(lines) > SHOWN:
        first.append(f"and {len(lines) - SHOWN} more")
    return "\n".join(first)


def _leaves(tree, path=()):
    """Yields (path, value); an empty dict or list is a value."""
    if isinstance(tree, (dict, list)) and tree:
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, value in items:
            yield from _leaves(value, (*path, key))
    else:
        yield path, tree


def _tree(leaves):
    """Builds dicts of leaves; a list becomes a dict with keys 0, 1, ..."""
    root = {}
    for path, value in leaves:
        if not path:
            return value
        place = root
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = value
    return root


def _of_trees(old, new, path, sentences):
    """Yields the differences of two values."""
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _of_dicts(old, new, path, sentences)
        return
    texts = isinstance(old, str) and isinstance(new, str)
    if texts and path in sentences:
        old_numbers, new_numbers = numbers(old), numbers(new)
        same = old_numbers == new_numbers
    else:
        same = _equal(old, new)
    if not same:
        yield f"{_dotted(path)}: {_shown(old)} -> {_shown(new)}"


def _of_dicts(old, new, path, sentences):
    keys = [*old, *(key for key in new if key not in old)]
    if _is_list(old) and _is_list(new) and len(old) != len(new):
        yield f"{_dotted(path)}: {_shown(old)} -> {_shown(new)}"
        keys = [key for key in old if key in new]
    for key in keys:
        place = (*path, key)
        if key not in new:
            yield f"{_dotted(place)}: {_shown(old[key])} -> (absent)"
        elif key not in old:
            yield f"{_dotted(place)}: (absent) -> {_shown(new[key])}"
        else:
            yield from _of_trees(old[key], new[key], place, sentences)


def _is_list(tree):
    return bool(tree) and all(isinstance(key, int) for key in tree)


def _equal(old, new):
    if _is_number(old) and _is_number(new):
        return math.isclose(old, new, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return type(old) is type(new) and old == new


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _new_path(path, new_key):
    """The path under the new names; None if the field is gone."""
    keys, new_path = _keys(path), ()
    for end in range(1, len(path) + 1):
        new_path = (*new_path, path[end - 1])
        is_renamed, new = new_key(keys[:end])
        if not is_renamed:
            continue
        if new is None:
            return None
        if "." in new or "[]" in new:
            new_path = _placed(new, path[:end])
        else:
            new_path = (*new_path[:-1], new)
    return new_path


def _new_key(renamed, keys):
    """Whether a field is renamed, and what its new key is."""
    for pattern, new in renamed.items():
        if _is(pattern, keys):
            return True, new
    return False, None


def _placed(pattern, path):
    """The pattern as a path, with the places in lists of another path."""
    places = [key for key in path if isinstance(key, int)]
    if pattern.count("[]") != len(places):
        raise ValueError(f"{pattern} must have [] {len(places)} times")
    places = iter(places)
    keys = pattern.replace("[]", ".[]").split(".")
    return tuple(next(places) if key == "[]" else key for key in keys)


def _keys(path):
    """The path with [] for each place in a list."""
    return tuple("[]" if isinstance(key, int) else key for key in path)


def _is_any(patterns, keys):
    """Whether a field, or what holds it, is named by a pattern."""
    return any(
        _is(pattern, keys[:end])
        for end in range(1, len(keys) + 1)
        for pattern in patterns
    )


def _is(pattern, keys):
    dotted = ".".join(keys).replace(".[]", "[]")
    words = ".*".join(map(re.escape, pattern.split("*")))
    return re.fullmatch(words, dotted) is not None


def _dotted(path):
    keys = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return "".join(keys).removeprefix(".") or "(all)"


def _shown(value):
    if isinstance(value, dict) and _is_list(value):
        return f"{len(value)} items"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
