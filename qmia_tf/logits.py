"""Logits: turned into probabilities, and told from them."""

import numpy as np

from qmia_tf.errors import InputError
from qmia_tf.output_checks import SUM_TOLERANCE

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
    tolerance = SUM_TOLERANCE + answers.shape[1] * step / 2
    is_softmax = answers.min() >= 0 and np.all(np.abs(sums - 1) <= tolerance)
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
