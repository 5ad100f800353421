"""Logits: turned into probabilities, and told from them."""

import numpy as np

from qmia_tf.errors import InputError, option
from qmia_tf.outputs import kinds
from qmia_tf.outputs.kinds import ENOUGH, LOGITS, PROBABILITIES, SCORES

# A quantized softmax has steps of 1/256 or less.
COARSEST_SOFTMAX = 1 / 128


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turns logits [N, C] into float32 probabilities: exp(x - max) / sum.

    Computed in float64, so that machines whose exp differs in its last bit
    agree after the rounding.
    """
    logits = np.asarray(logits, np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def log_sums(logits: np.ndarray) -> np.ndarray:
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


def why_not(
    rows: np.ndarray,
    *,
    taken_for: str,
    step: float = 0.0,
    numbered: bool = True,
) -> str | None:
    """Says why outputs are not what they are taken for.

    Whether numbers are logits is decided only where there are ENOUGH rows:
    a few can have any sign and any sum. Numbers that are never negative but
    are in no other way like probabilities are taken for logits if somebody
    says so: a ReLU may stand at the end.

    Args:
        rows: floats [N, C], finite.
        taken_for: "probabilities" or "logits".
        step: distance of neighbouring outputs, 0 for floats.
        numbered: as of kinds.sentence.
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


def check_kind(
    outputs: np.ndarray, *, name: str, step: float, as_logits: bool
) -> None:
    """Refuses logits that a program takes for probabilities, or the reverse.

    As require_kind, for programs with a flag --logits; rows with a value that
    is not finite are left to outputs.validate.
    """
    if np.isfinite(outputs).all():
        require_kind(
            outputs,
            name=name,
            outputs=LOGITS if as_logits else PROBABILITIES,
            step=step,
            advice=(
                f"leave out {option('logits', True)}",
                f"query with {option('logits', True)}",
            ),
        )


def require_kind(
    rows: np.ndarray,
    *,
    name: str,
    outputs: str,
    step: float,
    advice: tuple[str, str] | None = None,
) -> None:
    """Refuses logits that are taken for probabilities, and the reverse.

    Args:
        rows: float32 [N, C], as a model gave them.
        outputs: "probabilities" or "logits", what they are taken for.
        step: distance of neighbouring outputs, 0 for floats.
        advice: how to take them for probabilities, and for logits.
    Raises: InputError that names the row, and says what to do.
    """
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise InputError(
            f"target {name!r} outputs {rows[row][:4]} for record {row}: "
            "numbers that are not finite cannot be audited"
        )
    why = why_not(rows, taken_for=outputs, step=step)
    if why is None:
        return
    advice = advice or (
        f"all rows sum to 1: give {option('outputs', PROBABILITIES)}",
        f"give {option('outputs', LOGITS)}",
    )
    kind = kinds.of(rows, step=step)
    if kind == PROBABILITIES:
        raise InputError(
            f"target {name!r} outputs probabilities, not logits: {advice[0]}"
        )
    if kind == LOGITS:
        why += f": if these are logits, {advice[1]}"
    elif kind == SCORES:
        why += f" ({advice[1]})"
    raise InputError(f"target {name!r} does not output {outputs}: {why}")
