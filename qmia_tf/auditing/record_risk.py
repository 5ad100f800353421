"""Record risk: the outputs of one target -> N probabilities."""

import dataclasses
from collections.abc import Collection

import numpy as np
from scipy import stats

from qmia_tf.attacks import ATTACKS, PLAIN
from qmia_tf.auditing.auxiliary import Auxiliary, make_attack_inputs
from qmia_tf.data.dataset import Dataset
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs
from qmia_tf.outputs.unread_outputs import UnreadOutputs
from qmia_tf.statistics import auc, loss_traces
from qmia_tf.statistics.intervals import LEVEL, Estimate
from qmia_tf.statistics.risk import Risk, membership_probability

REFERENCES = "references"
# LT-IQR. It takes the losses of every epoch: the trainer's own view.
LOSS_TRACE = "loss_trace"
# Scores with more than two values that learn from no memberships.
SCORES = {
    attack.name: attack
    for attack in ATTACKS
    if set(attack.needs) <= {*PLAIN, REFERENCES}
    and attack.threshold is None
    and not attack.learns
}


@dataclasses.dataclass(frozen=True, eq=False)
class RecordRisks:
    """The membership risk of each record, by one score of one target.

    Attributes:
        run: name of the run.
        outputs: of the target for N records, in record order.
        excluded: how many records have no such score and are left out.
        score: name of the score.
        scores: float64 [N], higher = more member-like.
        ranks: float64 [N], 1..N, N for the highest score; equal scores share
            the middle of their ranks.
        risk: Risk, P(member | score) where half of all records are members,
            each half of the records calibrated on the other half.
        level: coverage of each of its intervals.
    """

    run: str
    outputs: Outputs
    excluded: int
    score: str
    scores: np.ndarray
    ranks: np.ndarray
    risk: Risk
    level: float

    @property
    def is_of_trainer(self) -> bool:
        """Whether only who trained the model can compute the score."""
        return self.score == LOSS_TRACE

    @property
    def auc(self) -> Estimate:
        """How well the score tells members from nonmembers."""
        return auc.auc(self.scores, self.outputs.members)

    def by_risk(self) -> np.ndarray:
        """Row numbers [N], highest risk first: by probability, score, id."""
        ids = self.outputs.record_ids
        return np.lexsort((ids, -self.scores, -self.risk.value))

    def riskiest_members(self, top) -> np.ndarray:
        """Row numbers of the `top` members at highest risk, or of all."""
        order = self.by_risk()
        return order[self.outputs.members[order]][:top]


def measure(
    outputs: Outputs,
    *,
    score: str = "margin",
    references: Collection[Outputs | UnreadOutputs] = (),
    losses: np.ndarray | None = None,
    seed: int = 0,
    run: str = "",
    level: float = LEVEL,
) -> RecordRisks:
    """Scores every record and calibrates its score.

    Args:
        score: key of SCORES, or LOSS_TRACE.
        losses: float [E, N], of the records in record order after each of E
            epochs, for LOSS_TRACE.
        references: of reference models, for the scores that need them.
        seed: of the two halves.
        level: coverage of each interval.
    Raises: InputError if there is no such score, it needs reference models and
        there are none, or fewer than two members or nonmembers have it.
    """
    if score not in (*SCORES, LOSS_TRACE):
        raise InputError(
            f"no score {score!r}: choose one of "
            f"{', '.join((*SCORES, LOSS_TRACE))}"
        )
    inputs = make_attack_inputs(
        outputs, Auxiliary(references=tuple(references)), seed=seed
    )
    if score == LOSS_TRACE:
        scores = _loss_trace_scores(losses)
    elif SCORES[score].missing(inputs):
        raise InputError(
            f"score {score!r} needs reference models: train some with "
            "qmia references, or choose another score"
        )
    else:
        scores = SCORES[score].scores(inputs)
    has_score = ~np.isnan(scores)
    outputs, scores = inputs.outputs.take(has_score), scores[has_score]
    members = outputs.members
    return RecordRisks(
        run=run,
        outputs=outputs,
        excluded=int(np.sum(~has_score)),
        score=score,
        scores=scores,
        ranks=stats.rankdata(scores),
        risk=membership_probability(scores, members, seed=seed, level=level),
        level=level,
    )


def _loss_trace_scores(losses):
    if losses is None or len(losses) < loss_traces.FEWEST:
        count = 0 if losses is None else len(losses)
        raise InputError(
            f"score {LOSS_TRACE!r} needs the losses of {loss_traces.FEWEST} "
            f"epochs or more, and there are {count}: train with qmia train "
            "--keep_every=1 in another --run_dir, or choose another score"
        )
    return loss_traces.interquartile_range(losses)


def check_comparable(after: RecordRisks, before: RecordRisks):
    """Checks that two targets were queried about the same records.

    Raises: InputError that says what differs.
    """
    ours, theirs = after.outputs, before.outputs
    prints = [outputs.info.get("fingerprint") for outputs in (ours, theirs)]
    differ = None
    if None not in prints and prints[0] != prints[1]:
        differ = f"data (fingerprints {prints[0]} and {prints[1]})"
    elif not np.array_equal(ours.record_ids, theirs.record_ids):
        differ = f"records ({ours.labels.size} and {theirs.labels.size})"
    elif not np.array_equal(ours.members, theirs.members):
        differ = "members: the runs' splits differ"
    elif not np.array_equal(ours.labels, theirs.labels):
        differ = "labels"
    if differ:
        raise InputError(
            f"{after.run}/{ours.target} and the baseline {before.run}/"
            f"{theirs.target} do not compare, they were queried about other "
            f"{differ}: choose runs of the same data and split"
        )


def images_of(
    risks: RecordRisks, rows: np.ndarray, dataset: Dataset
) -> np.ndarray:
    """Looks up the images of some records.

    Returns: uint8 [K, H, W, C] of K row numbers.
    Raises: InputError if it is another data set.
    """
    outputs = risks.outputs.take(rows)
    expected = outputs.info.get("fingerprint")
    got = dataset.fingerprint()
    inside = np.all(outputs.record_ids < dataset.labels.size)
    if (expected and expected != got) or not (
        inside
        and np.array_equal(dataset.labels[outputs.record_ids], outputs.labels)
    ):
        raise InputError(
            f"{dataset.name} is not the data that {risks.run}/"
            f"{outputs.target} was queried about (fingerprints {got} and "
            f"{expected}): use the run's data, or --images=false"
        )
    return dataset.images[outputs.record_ids]
