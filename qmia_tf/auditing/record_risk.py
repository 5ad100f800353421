"""The risk of the single record: one target's outputs -> N probabilities."""

import dataclasses

import numpy as np
from scipy import stats

from qmia_tf.attacks import ATTACKS, PLAIN
from qmia_tf.auditing.auxiliary import Beside, gather
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs
from qmia_tf.statistics.intervals import LEVEL
from qmia_tf.statistics.risk import Risk, membership_probability

REFERENCES = "references"
# What has degrees, and was not taught by members of one of the halves.
SCORES = {
    attack.name: attack
    for attack in ATTACKS
    if set(attack.needs) <= {*PLAIN, REFERENCES}
    and attack.threshold is None
    and not attack.learns
}


@dataclasses.dataclass(frozen=True, eq=False)
class Exposures:
    """How exposed each record is by one score of one target.

    Attributes:
        run: name of the run.
        outputs: what the target answered about N records, in record order.
        excluded: records of which the score says nothing, left out.
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

    def most_exposed(self) -> np.ndarray:
        """Row numbers [N] by falling probability, then score, then id."""
        ids = self.outputs.record_ids
        return np.lexsort((ids, -self.scores, -self.risk.value))

    def most_exposed_members(self, top) -> np.ndarray:
        """Row numbers of the `top` most exposed members, or of all if fewer."""
        order = self.most_exposed()
        return order[self.outputs.members[order]][:top]


def measure(
    answers: Outputs,
    *,
    score="margin",
    references=(),
    seed=0,
    run="",
    level=LEVEL,
) -> Exposures:
    """Scores every record and calibrates its score.

    Args:
        answers: what a target answered.
        score: key of SCORES.
        references: outputs of reference models, for the scores that need
            them; see beside.Beside.
        seed: int, of the two halves.
        run: name of the run.
        level: coverage of each interval, in 0..1.
    Raises: InputError if there is no such score, it needs reference models
        and there are none, or it says something of fewer than two members or
        nonmembers.
    """
    if score not in SCORES:
        raise InputError(
            f"no score {score!r}: choose one of {', '.join(SCORES)}"
        )
    inputs = gather(answers, Beside(references=references), seed=seed)
    if SCORES[score].lacks(inputs):
        raise InputError(
            f"score {score!r} needs reference models: train some with "
            "scripts/train_references.py, or choose another score"
        )
    scores = SCORES[score].scores(inputs)
    has_score = ~np.isnan(scores)
    answers, scores = inputs.outputs.take(has_score), scores[has_score]
    members = answers.members
    return Exposures(
        run=run,
        outputs=answers,
        excluded=int(np.sum(~has_score)),
        score=score,
        scores=scores,
        ranks=stats.rankdata(scores),
        risk=membership_probability(scores, members, seed=seed, level=level),
        level=level,
    )


def check_comparable(after: Exposures, before: Exposures):
    """Checks that two targets were asked about the same records.

    Args:
        after: such as of the quantized model.
        before: such as of the full-precision model.
    Raises: InputError that says what differs.
    """
    ours, theirs = after.outputs, before.outputs
    prints = [answers.info.get("fingerprint") for answers in (ours, theirs)]
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
            f"{theirs.target} do not compare, they were asked about other "
            f"{differ}: choose runs of the same data and split"
        )


def images_of(exposures: Exposures, rows, dataset) -> np.ndarray:
    """Looks up the images of some records.

    Args:
        exposures: Exposures.
        rows: int [K], row numbers.
        dataset: the run's datasets.Dataset.
    Returns: uint8 [K, H, W, C].
    Raises: InputError if it is another data set.
    """
    answers = exposures.outputs.take(rows)
    expected = answers.info.get("fingerprint")
    got = dataset.fingerprint()
    inside = np.all(answers.record_ids < dataset.labels.size)
    if (expected and expected != got) or not (
        inside
        and np.array_equal(dataset.labels[answers.record_ids], answers.labels)
    ):
        raise InputError(
            f"{dataset.name} is not the data that {exposures.run}/"
            f"{answers.target} was asked about (fingerprints {got} and "
            f"{expected}): use the run's data, or --images=false"
        )
    return dataset.images[answers.record_ids]
