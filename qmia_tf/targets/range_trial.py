"""Tries a model with its records turned into other ranges, before an audit.

A wrong range is seldom at chance: a network without batch norms is nearly as
often right about 255 times its pixels, only its probabilities are all 0 or 1.
So two exact paired tests compare a range with another on the same records:

right    b members are classified right with the other range only, c with the
         first only: McNemar's exact test, P[Bin(b + c, 1/2) >= b].
loss     the same with b and c the records of both sides whose loss
         -log p_y is more than 1 lower with one of them, provided that the
         members' mean loss is hardly higher with the other range, and that
         the first knows less than nothing (its mean loss is above log C) or
         is less often right about the members (p <= 0.05). A temperature
         alone does not pass: one that sharpens right outputs improves no
         model that knows something, and one that dulls them raises the loss
         of the members towards log C, which training had brought down.
"""

import dataclasses
import time

import numpy as np
from scipy import special, stats

from qmia_tf.data.pixels import BYTES
from qmia_tf.data.records import Records
from qmia_tf.data.value_ranges import CODES
from qmia_tf.errors import InputError
from qmia_tf.outputs.kinds import LOGITS
from qmia_tf.targets import Target
from qmia_tf.targets.preprocessing import TO_GIVE

# How often any of the tests may stop a rightly read model where the ranges
# do equally well.
LEVEL = 0.001
NOMINAL = 0.05
MOST = 100
# So many records are queried first, then as many again as long as time is left.
PROBE = 4
SECONDS, SHARE = 2.0, 0.05
# Losses are apart from there, in nats; the members' may rise by that part of
# log C.
APART, HARDLY = 1.0, 0.15
LEAST_PROBABILITY = 1e-12


@dataclasses.dataclass(frozen=True, eq=False)
class TrialResult:
    """How well a model did on some records, prepared in one way.

    Attributes:
        right: bool [N].
        losses: float [N], -log of the true class's probability.
        members: bool [N].
        guessed_right: how many members naming one class alone gets right.
    """

    right: np.ndarray
    losses: np.ndarray
    members: np.ndarray
    classes: int
    guessed_right: int = 0

    @classmethod
    def of(
        cls,
        rows: np.ndarray,
        labels: np.ndarray,
        members: np.ndarray,
        *,
        outputs: str,
        step: float,
    ) -> "TrialResult":
        """Scores outputs [N, C]; what is not finite is wrong."""
        rows = np.asarray(rows, np.float64)
        finite = np.isfinite(rows).all(axis=1)
        rows = np.where(finite[:, None], rows, 0.0)
        if outputs == LOGITS:
            rows = special.softmax(rows, axis=1)
        least = max(step / 2, LEAST_PROBABILITY)
        own = rows[np.arange(len(labels)), labels]
        return cls(
            right=finite & (rows.argmax(axis=1) == labels),
            losses=-np.log(np.clip(np.where(finite, own, 0), least, 1)),
            members=members,
            classes=rows.shape[1],
            guessed_right=int(np.bincount(labels[members], minlength=1).max()),
        )

    @property
    def members_right(self) -> int:
        """How many members are classified right."""
        return int(self.right[self.members].sum())

    @property
    def knows_nothing(self) -> bool:
        """Whether naming every class alike would lose less."""
        return bool(self.losses.mean() > np.log(self.classes))

    def can_be_beaten(self, level: float) -> bool:
        """Whether any outputs at all could be clearly better."""
        if not self.is_enough(level):
            return False
        wrong = self.members.sum() - self.members_right
        return self.knows_nothing or sign_test(wrong, 0) <= NOMINAL

    def is_enough(self, level: float) -> bool:
        """Whether so many records can show anything."""
        return sign_test(len(self.right), 0) <= level


def sign_test(more: int, fewer: int) -> float:
    """McNemar's exact test, one-sided: P[Bin(more + fewer, 1/2) >= more]."""
    return float(stats.binom.sf(more - 1, more + fewer, 0.5))


def is_clearly_better(
    other: TrialResult, first: TrialResult, level: float
) -> bool:
    """Whether one preprocessing is better than the first on the same records.

    Args:
        level: of each of the two tests.
    """
    members = first.members
    if other.members_right <= other.guessed_right:
        return False
    gained = (other.right & ~first.right)[members].sum()
    lost = (first.right & ~other.right)[members].sum()
    by_right = sign_test(gained, lost)
    if by_right <= level:
        return True
    if not (first.knows_nothing or by_right <= NOMINAL):
        return False
    gap = first.losses - other.losses
    allowed = HARDLY * np.log(first.classes)
    if lost > gained or gap[members].mean() < -allowed:
        return False
    return sign_test((gap > APART).sum(), (gap < -APART).sum()) <= level


def check(target: Target, records: Records, *, query_count: int) -> None:
    """Raises where another range is clearly better, or a doubt remains.

    Args:
        target: has a Choice; without one nothing is tried.
        query_count: how many an audit makes in all: the trial takes at most
            5 % of them, or two seconds.
    Raises: InputError that says what is better, or what is in doubt.
    """
    choice = target.choice
    if choice is None or not (choice.others or choice.doubt):
        return
    trial = _Trial(target, records, query_count)
    first, by_preprocessing = trial.run()
    better = [
        (preprocessing, result)
        for preprocessing, result in by_preprocessing.items()
        if is_clearly_better(result, first, trial.level)
    ]
    if better:
        preprocessing, result = min(
            better,
            key=lambda pair: (-pair[1].members_right, pair[1].losses.mean()),
        )
        raise InputError(
            f"target {target.info['target']!r}: "
            f"{_result_text(choice.chosen, first)}; "
            f"{_result_text(preprocessing, result)}: "
            f"{_remedy(choice, preprocessing)} "
            "(--allow_chance goes on all the same)"
        )
    if choice.doubt and not trial.confirms(first, by_preprocessing):
        raise InputError(
            choice.doubt + _results_text(choice, first, by_preprocessing)
        )


class _Trial:
    """Queries the same records, prepared in every way."""

    def __init__(self, target, records, query_count):
        self.target, self.free_queries = target, int(SHARE * query_count)
        self.queried, self.start = 0, time.perf_counter()
        self.others = target.choice.others
        # Two tests of each.
        self.level = LEVEL / max(1, 2 * len(self.others))
        rng = np.random.default_rng(0)
        sides = [
            rng.permutation(np.flatnonzero(side))[:MOST]
            for side in (records.members, ~records.members)
        ]
        # In turns, so that every beginning has as many of both.
        count = min(map(len, sides))
        turns = np.stack([side[:count] for side in sides], axis=1).reshape(-1)
        leftover = np.concatenate([side[count:] for side in sides])
        self.order = np.concatenate([turns, leftover])
        self.values = records.values[self.order]
        self.labels = records.labels[self.order]
        self.members = records.members[self.order]

    def run(self):
        """Results of the chosen preprocessing and of each other one."""
        first = self.evaluate(self.query_chosen())
        is_open = first.can_be_beaten(self.level)
        if self.target.choice.doubt:
            is_open = first.is_enough(self.level)
        by_preprocessing, count = {}, len(first.right)
        record_seconds = self.spent / count
        for preprocessing in self.others if is_open else ():
            if not self.has_time(count, record_seconds * count):
                break
            rows = self.query(preprocessing, slice(0, count))
            if rows is not None:
                by_preprocessing[preprocessing] = self.evaluate(rows)
        return first, by_preprocessing

    @property
    def spent(self):
        """Seconds."""
        return time.perf_counter() - self.start

    def has_time(self, count, seconds):
        """Whether so many more queries, which take so long, are allowed."""
        is_free = self.queried + count <= self.free_queries
        return is_free or self.spent + seconds <= SECONDS

    def query_chosen(self):
        """Queries as many records as time allows, prepared as chosen."""
        count = 1 + len(self.others)
        rows = self.query(
            None, slice(0, max(PROBE, self.free_queries // count))
        )
        while len(rows) < len(self.order):
            # As many again, or as many as there is time left for.
            more = len(rows) * min(1.0, SECONDS / count / self.spent - 1)
            if more < 1:
                break
            part = slice(len(rows), len(rows) + int(more))
            rows = np.concatenate([rows, self.query(None, part)])
        return rows

    def query(self, preprocessing, part):
        """Outputs for a part of the records; None of a function that fails."""
        values = self.values[part]
        self.queried += len(values)
        try:
            return self.target.predict(values, preprocessing=preprocessing)
        # A function that was written for bytes may raise anything at floats:
        # then it cannot have been meant to be given them.
        except Exception:
            if preprocessing is None or self.target.info["kind"] != "callable":
                raise
            return None

    def evaluate(self, rows):
        """Compares outputs with the labels."""
        return TrialResult.of(
            rows,
            self.labels[: len(rows)],
            self.members[: len(rows)],
            outputs=self.target.info["outputs"],
            step=self.target.info["probability_step"],
        )

    def confirms(self, first, by_preprocessing):
        """Whether the chosen one is clearly better than each other."""
        # What raised is not there, and what there was no time for.
        is_whole = len(by_preprocessing) == len(self.others)
        return is_whole and all(
            is_clearly_better(first, result, self.level)
            for result in by_preprocessing.values()
        )


def _result_text(preprocessing, result):
    return (
        f"{preprocessing.description}, {result.members_right} of "
        f"{result.members.sum()} members are classified right (mean loss of "
        f"both sides {result.losses.mean():.2f})"
    )


def _remedy(choice, preprocessing):
    chosen, advice = choice.chosen, []
    if chosen.is_codes and not preprocessing.is_codes:
        advice.append("give the records as float32, which are no codes")
    elif preprocessing.end != chosen.end:
        pair = preprocessing.start, preprocessing.end
        if pair in TO_GIVE:
            advice.append(TO_GIVE[pair])
        elif preprocessing.start == CODES:
            advice.append(
                f"add 128, give uint8 and --input_range={preprocessing.end}"
            )
        elif preprocessing.start == BYTES and (
            choice.is_from_user or choice.can_user_choose
        ):
            advice.append(f"give --input_range={preprocessing.end}")
        else:
            advice.append(
                f"if the model was trained with {preprocessing.end}, give the "
                "records as floats in that range"
            )
    if preprocessing.reversed_axis != chosen.reversed_axis:
        advice.append("reverse the channels of the records (blue, green, red)")
    return " and ".join(advice)


def _results_text(choice, first, by_preprocessing):
    """The results, where a doubt remains."""
    if not by_preprocessing:
        return ""
    sentences = [_result_text(choice.chosen, first)]
    sentences += [
        _result_text(preprocessing, result)
        for preprocessing, result in by_preprocessing.items()
        if preprocessing.reversed_axis is None
    ]
    return f" ({'; '.join(sentences)})"
