"""What makes an Outputs one that can be audited."""

import math
import re

import numpy as np

from qmia_tf import files
from qmia_tf.errors import InputError
from qmia_tf.outputs import kinds
from qmia_tf.outputs.logits import softmax, why_not
from qmia_tf.terminal import counted

# What a softmax elsewhere may differ by: exp of a float16 delegate.
LOGITS_TOLERANCE = 1e-3
# Rows that miss a sum of one by less than this were rounded to some grid.
NEARLY = 0.25
# What a target's name, and so the name of its file, is written with.
NAME = "A-Za-z0-9._-"
INFO_TYPES = {
    "kind": str,
    "sha256": str,
    "size_bytes": int,
    "kernel_set": str,
    "outputs": str,
    "latency_threads": int,
    "onednn": bool,
    "fingerprint": str,
    "run": str,
}
# The kinds of each array, for people, and what it is stored as.
KINDS = {
    "probabilities": ("f", "floats", np.float32),
    "logits": ("f", "floats", np.float32),
    "labels": ("iu", "integers", np.int64),
    "members": ("b", "booleans", bool),
    "record_ids": ("iu", "integers", np.int64),
}


def safe_name(text: object, default: str) -> str:
    """Makes a target's name of any text; default if nothing of it can stay."""
    return as_name(str(text)).strip("._-") or default


def as_name(text: str) -> str:
    """Puts _ in the place of what a target's name cannot hold."""
    return re.sub(rf"[^{NAME}]+", "_", text)


def parse_info(text: object, source: object, remedy: str = "") -> dict:
    """Reads the JSON object that a file holds as info.

    Args:
        text: str, or an array of one.
        source: what the message calls the file by.
        remedy: ends the message.
    """
    try:
        info = files.parse_json(str(np.asarray(text)[()]))
    except ValueError as error:
        raise InputError(
            f"{source}: info is not JSON ({error}){remedy}"
        ) from error
    if not isinstance(info, dict):
        raise InputError(
            f"{source}: info must be a JSON object, got "
            f"{str(info)[:60]!r}{remedy}"
        )
    return info


def check_info(info: dict, source: str) -> None:
    """Raises InputError unless info holds values of the known types."""
    target = info.get("target")
    if not re.fullmatch(rf"[A-Za-z0-9][{NAME}]*", str(target or "")):
        raise InputError(
            f"{source}: info['target'] must be a name of letters, digits, "
            f"'.', '_' and '-', got {target!r}"
        )
    for key, kind in INFO_TYPES.items():
        value = info.get(key)
        if value is not None and type(value) is not kind:
            raise InputError(
                f"{source}: info[{key!r}] must be of type {kind.__name__}, "
                f"got {value!r}"
            )
    latency = info.get("latency_ms")
    if latency is not None and not (
        type(latency) in (int, float) and 0 <= latency < math.inf
    ):
        raise InputError(
            f"{source}: info['latency_ms'] must be a number of milliseconds, "
            f"got {latency!r}"
        )
    step = info.get("probability_step") or 0.0
    if not isinstance(step, (int, float)) or not 0 <= step < 1:
        raise InputError(
            f"{source}: info['probability_step'] must be in 0..1, got {step!r}"
        )


def check_shapes(outputs, source: str) -> None:
    """Raises InputError unless the arrays fit each other."""
    shape = outputs.probabilities.shape
    if len(shape) != 2 or shape[1] < 2:
        raise InputError(
            f"{source}: probabilities must be [records, classes] with two "
            f"classes or more, got shape {shape}"
        )
    for name in ("labels", "members", "record_ids"):
        got = getattr(outputs, name).shape
        if got != shape[:1]:
            raise InputError(
                f"{source}: {name} has shape {got}, but there are {shape[0]} "
                "rows of probabilities"
            )
    for name in ("probabilities", "labels", "members", "record_ids"):
        _check_kind(name, getattr(outputs, name), source)
    count = int(outputs.members.sum())
    if count == 0 or count == shape[0]:
        missing = "member" if count == 0 else "nonmember"
        raise InputError(
            f"{source}: {counted(shape[0], 'record')} and not one {missing}: "
            "an audit needs members and nonmembers"
        )


def _check_kind(name, array, source):
    kind, expected, _ = KINDS[name]
    if array.dtype.kind not in kind:
        raise InputError(
            f"{source}: {name} must be {expected}, got {array.dtype}"
        )


def as_stored(name: str, array: np.ndarray, source: object) -> np.ndarray:
    """Gives an array of a file the type that Outputs have.

    Raises: InputError if it is of another kind.
    """
    kind, _, dtype = KINDS[name]
    if name != "members":
        _check_kind(name, array, source)
        return array.astype(dtype)
    # Files hold 0 and 1 as well.
    is_bits = array.dtype.kind in "iu" and np.isin(array, (0, 1)).all()
    if array.dtype.kind not in kind and not is_bits:
        raise InputError(
            f"{source}: {name} must be booleans or 0 and 1, got {array.dtype}"
        )
    return array.astype(dtype)


def check_values(
    outputs, source: str, *, rows: np.ndarray | None = None
) -> None:
    """Raises InputError at the first row that cannot be outputs.

    Args:
        outputs: Outputs.
        source: what the message calls them by.
        rows: int [N], the numbers of the rows in a file; None counts from 0.
    """
    probabilities, labels = outputs.probabilities, outputs.labels
    step = outputs.probability_step
    smallest = probabilities.min(axis=1)
    sums = probabilities.sum(axis=1, dtype=np.float64)
    refuse = _refusing(outputs, source, rows)
    refuse(
        ~np.isfinite(sums),
        lambda row: f"a probability is not finite: {probabilities[row]}",
    )
    refuse(
        smallest < 0,
        lambda row: (
            f"a probability is negative: {smallest[row]:g}; "
            + _advice(probabilities, sums)
        ),
    )
    tolerance = kinds.sum_tolerance(probabilities, step=step)
    refuse(
        np.abs(sums - 1) > tolerance,
        lambda row: (
            f"the probabilities sum to {sums[row]:.6g}, not to 1 "
            f"within {tolerance:.4g}; {_advice(probabilities, sums)}"
        ),
    )
    refuse(
        (labels < 0) | (labels >= outputs.classes),
        lambda row: (
            f"label {labels[row]} is outside 0..{outputs.classes - 1}"
            + _from_one(outputs)
        ),
    )
    _, first = np.unique(outputs.record_ids, return_index=True)
    repeated = np.ones(len(labels), bool)
    repeated[first] = False
    refuse(repeated, lambda row: "the record is there twice")


def _from_one(outputs):
    """What the members say where labels may start at 1."""
    labels, classes = outputs.labels, outputs.classes
    if labels.min() != 1 or labels.max() != classes:
        return ""
    members = outputs.members
    named = outputs.predicted[members]
    as_they_are, moved = (
        int(np.sum(named == labels[members] - first)) for first in (0, 1)
    )
    return (
        f" (of {len(named)} members {as_they_are} are right as they are, "
        f"{moved} with labels - 1: write labels from 0 on)"
    )


def _advice(rows, sums):
    """What to do with rows, of finite numbers, that are no probabilities."""
    kind = kinds.of(rows)
    if kind == kinds.LOGITS:
        return "are these logits? Then give them as 'logits'"
    if rows.min() >= 0 and np.abs(sums - 1).max() < NEARLY:
        return "is info['probability_step'] of a quantized output missing?"
    return kinds.sentence(rows, kind, numbered=False)


def check_logits(outputs, source: str) -> None:
    """Raises InputError unless the logits are those of the probabilities.

    Their softmax may be LOGITS_TOLERANCE off, and two steps more where the
    probabilities are quantized: a kernel that rounds by a table may miss by
    one, and an int8 softmax ends a step below 1.
    """
    logits, probabilities = outputs.logits, outputs.probabilities
    if logits.dtype.kind != "f" or logits.shape != probabilities.shape:
        raise InputError(
            f"{source}: logits must be floats of the shape of the "
            f"probabilities, {probabilities.shape}, got {logits.dtype} "
            f"{logits.shape}"
        )
    refuse = _refusing(outputs, source)
    refuse(
        ~np.isfinite(logits).all(axis=1),
        lambda row: f"a logit is not finite: {logits[row]}",
    )
    check_not_probabilities(logits, source)
    off = np.abs(softmax(logits) - probabilities).max(axis=1)
    refuse(
        off > LOGITS_TOLERANCE + 2 * outputs.probability_step,
        lambda row: (
            f"the softmax of its logits is {off[row]:.4g} off its "
            "probabilities: are both of the same target? Give only one of them"
        ),
    )


def check_not_probabilities(logits: np.ndarray, source: str) -> None:
    """Raises InputError if finite logits [N, C] are none: a softmax's."""
    # Rows of 8 bits sum to one only roughly, but their grid gives them away.
    step = kinds.read_step(logits)
    why = why_not(logits, taken_for=kinds.LOGITS, step=step, numbered=False)
    if why is None:
        return
    if kinds.look_like_probabilities(logits, step=step):
        raise InputError(
            f"{source}: the logits are probabilities: no row has a negative "
            "number and all sum to 1; give them as 'probabilities', so that "
            "no second softmax is taken"
        )
    raise InputError(f"{source}: these are no logits: {why}")


def _refusing(outputs, source, numbers=None):
    def refuse(bad, message):
        rows = np.flatnonzero(bad)
        if rows.size:
            row = int(rows[0])
            number = row if numbers is None else numbers[row]
            raise InputError(
                f"{source}: row {number} (record {outputs.record_ids[row]}): "
                + message(row)
                + (f"; {rows.size} such rows" if rows.size > 1 else "")
            )

    return refuse
