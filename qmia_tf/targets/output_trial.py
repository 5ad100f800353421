"""Probabilities or logits, where a model does not say it: by its outputs."""

import numpy as np

from qmia_tf.data.records import Records
from qmia_tf.errors import InputError, option
from qmia_tf.outputs import kinds
from qmia_tf.outputs.kinds import LOGITS, PROBABILITIES
from qmia_tf.outputs.logits import require_kind
from qmia_tf.targets import Target
from qmia_tf.targets.trial_result import LEVEL, TrialResult, is_clearly_right

# Kinds whose trouble the check of probabilities says best.
NEITHER = (
    *(kinds.PERCENTAGES, kinds.SHARES, kinds.SIGMOIDS),
    *(kinds.AFFINE, kinds.BROKEN),
)


def settle(target: Target, rows: np.ndarray) -> bool:
    """Takes outputs for what they are: probabilities or logits.

    Rows in 0..1 that sum to one are probabilities, others with negative
    numbers logits. Of one number a record in 0..1 `confirm` decides.

    Args:
        rows: [N, C], of the first records.
    Returns: whether they say it; not where the model or the user does.
    Raises: InputError if they may be either.
    """
    if target.info["outputs"] is not None:
        return False
    if not np.isfinite(rows).all():
        # The check that follows says it.
        target.take_outputs(PROBABILITIES)
        return False
    step = target.info["probability_step"] or kinds.read_step(rows)
    kind = kinds.of(rows, step=step)
    if target.gives_one_number:
        kind = LOGITS if rows[:, 1].min() < 0 else PROBABILITIES
        if rows[:, 1].max() > 1 and kind == PROBABILITIES:
            kind = kinds.SCORES
    if kind in NEITHER:
        target.take_outputs(PROBABILITIES)
        return False
    if kind not in (PROBABILITIES, LOGITS):
        raise InputError(_question(target, rows, step))
    target.take_outputs(kind)
    return True


def evidence(rows: np.ndarray, info: dict) -> str:
    """Says why outputs of the first records are taken for what they are."""
    step = info["probability_step"] or kinds.read_step(rows)
    text = kinds.sentence(rows, info["outputs"], step=step)
    return f"{text} ({len(rows)} records)"


def require(rows: np.ndarray, info: dict) -> None:
    """Refuses outputs that are not what they are taken for.

    Raises: InputError as logits.require_kind.
    """
    # Floats may be rounded all the same.
    step = info["probability_step"] or kinds.read_step(rows)
    require_kind(rows, name=info["target"], outputs=info["outputs"], step=step)


def confirm(target: Target, members: Records) -> None:
    """Decides whether one number a record in 0..1 is a probability.

    As a logit it would name class 1 for every record.

    Args:
        members: some of them.
    Raises: InputError if the members do not say it clearly.
    """
    rows = target.predict(members.values)
    labels, sides = members.labels, members.members
    as_probability, as_logit = (
        TrialResult.of(numbers, labels, sides, outputs=kind, step=0.0)
        for kind, numbers in (
            (PROBABILITIES, rows),
            (LOGITS, np.stack([np.zeros(len(rows)), rows[:, 1]], axis=1)),
        )
    )
    if not is_clearly_right(as_probability, [as_logit], LEVEL):
        raise InputError(
            f"{_question(target, rows, 0.0)} (of {as_logit.count} members "
            f"{as_probability.members_right} are right if they are "
            f"probabilities, {as_logit.members_right} if logits)"
        )


def _question(target, rows, step):
    kind = kinds.of(rows, step=step)
    return (
        f"target {target.info['target']!r} {target.ending}, so whether it "
        "outputs probabilities or logits is not known, and its outputs do not "
        f"say it ({kinds.sentence(rows, kind, step=step)}): give "
        f"{option('outputs', LOGITS, PROBABILITIES)}"
    )
