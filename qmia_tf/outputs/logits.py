"""Logits: turned into probabilities, and told from them."""

import numpy as np

from qmia_tf.errors import InputError
from qmia_tf.outputs import kinds
from qmia_tf.outputs.kinds import (
    ENOUGH,
    LOGITS,
    PROBABILITIES,
    SCORES,
    look_like_probabilities,
)

# A quantized softmax has steps of 1/256 or less.
COARSEST_SOFTMAX = 1 / 128


def softmax(logits):
    """Turns logits into probabilities: exp(x - max) / sum.

    Computed in float64, so that machines whose exp differs in its last bit
    agree after the rounding.

    Args:
        logits: floats [N, C].
    Returns: float32 [N, C].
    """
    logits = np.asarray(logits, np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def log_sums(logits):
    """The logarithm of sum_i exp(x_i), also where exp would overflow.

    The terms are added from the smallest to the largest, so that rows with
    the same logits in another order stay equal to the last bit.

    Args:
        logits: float64 [N, C], finite or minus infinity, each row with a
            finite one.
    Returns: float64 [N].
    """
    largest = logits.max(axis=1)
    powers = np.sort(np.exp(logits - largest[:, None]), axis=1)
    # NumPy's order of adding depends on the layout.
    return largest + np.log(np.ascontiguousarray(powers).sum(axis=1))


def why_not(rows, *, taken_for, step=0.0, numbered=True) -> str | None:
    """Says why outputs are not what they are taken for.

    Whether numbers are logits is decided only where there are ENOUGH rows:
    a few can have any sign and any sum. Numbers that are never negative but
    are in no other way like probabilities are taken for logits if somebody
    says so: a ReLU may stand at the end.

    Args:
        rows: floats [N, C], finite.
        taken_for: "probabilities" or "logits".
        step: distance of neighbouring outputs, 0 for floats.
        numbered: as of output_kinds.sentence.
    Returns: part of a sentence; None if they may be that.
    """
    kind = kinds.of(rows, step=step)
    if taken_for == PROBABILITIES:
        if kind == PROBABILITIES:
            return None
    elif kind in (LOGITS, SCORES):
        return None
    elif len(rows) < ENOUGH:
        if kind != PROBABILITIES or step > COARSEST_SOFTMAX:
            return None
    return kinds.sentence(rows, kind, step=step, numbered=numbered)


def check_kind(outputs, *, name, step, as_logits):
    """Refuses logits that are taken for probabilities, and the reverse.

    Rows with a value that is not finite are left to outputs.validate.

    Args:
        outputs: float32 [N, C], what a model gave.
        name: the target's, for the message.
        step: distance of neighbouring outputs, 0 for floats.
        as_logits: whether they are taken for logits.
    Raises: InputError that says what to do.
    """
    if not np.isfinite(outputs).all():
        return
    taken_for = LOGITS if as_logits else PROBABILITIES
    why = why_not(outputs, taken_for=taken_for, step=step)
    if why is None:
        return
    if as_logits and look_like_probabilities(outputs, step=step):
        raise InputError(
            f"target {name!r} outputs probabilities, not logits: leave out "
            "--logits (logits=True)"
        )
    if kinds.of(outputs, step=step) == LOGITS:
        why += ": if these are logits, query with --logits (logits=True)"
    raise InputError(f"target {name!r} does not output {taken_for}: {why}")
