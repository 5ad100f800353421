"""Logits: turned into probabilities, and told from them."""

import numpy as np

from qmia_tf.errors import InputError

# By how much float32 probabilities may miss a sum of one.
SUM_TOLERANCE = 1e-3
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


def look_like_probabilities(rows, *, step=0.0):
    """Says whether rows could all be the output of a softmax.

    Args:
        rows: floats [N, C], finite.
        step: distance of neighbouring numbers, 0 for floats. Each class may
            be off by half of it, so that rows of an int8 softmax miss one
            by up to C/512.
    Returns: bool; True if no number is negative and all rows sum to one.
    """
    sums = rows.sum(axis=1, dtype=np.float64)
    tolerance = SUM_TOLERANCE + rows.shape[1] * step / 2
    return bool(rows.min() >= 0 and np.all(np.abs(sums - 1) <= tolerance))


def check_kind(answers, *, name, step, as_logits):
    """Refuses logits that are taken for probabilities, and the reverse.

    Rows with a value that is not finite are left to outputs.validate.

    Args:
        answers: float32 [N, C], what a model answered.
        name: the target's, for the message.
        step: distance of neighbouring answers, 0 for floats.
        as_logits: whether they are taken for logits.
    Raises: InputError that says what to do.
    """
    sums = answers.sum(axis=1, dtype=np.float64)
    if not np.isfinite(sums).all():
        return
    is_softmax = look_like_probabilities(answers, step=step)
    if not as_logits and not is_softmax:
        raise InputError(
            f"target {name!r} does not answer probabilities (row 0 sums to "
            f"{sums[0]:.4g}, its least is {answers[0].min():.4g}): if these "
            "are logits, ask with --logits (TFLiteTarget(logits=True))"
        )
    if as_logits and is_softmax and step <= COARSEST_SOFTMAX:
        raise InputError(
            f"target {name!r} answers probabilities, not logits: leave out "
            "--logits (logits=True)"
        )
