"""Tries a model with its records turned into other ranges, before an audit.

A wrong range is seldom at chance: a network without batch norms is nearly as
often right about 255 times its pixels, only its probabilities are all 0 or 1.
So two exact paired tests compare a range with another on the same records:

right    b members are answered right with the other range only, c with the
         first only: McNemar's exact test, P[Bin(b + c, 1/2) >= b].
loss     the same with b and c the records of both sides whose loss
         -log p_y is more than 1 lower with one of them, provided that the
         members' mean loss is hardly higher with the other range, and that
         the first knows less than nothing (its mean loss is above log C) or
         is less often right about the members (p <= 0.05). A temperature
         alone does not pass: one that sharpens right answers improves no
         model that knows something, and one that dulls them raises the loss
         of the members towards log C, which training had brought down.
"""

import dataclasses
import time

import numpy as np
from scipy import stats

from qmia_tf.data.pixels import BYTES
from qmia_tf.data.value_ranges import CODES
from qmia_tf.errors import InputError
from qmia_tf.targets.model_target import LOGITS
from qmia_tf.targets.preprocessing import TO_GIVE, Preprocessing

# How often any of the tests may stop a rightly read model where the ranges
# answer equally well.
LEVEL = 0.001
NOMINAL = 0.05
MOST = 100
# So many are asked first, then as many again as long as time is left.
PROBE = 4
SECONDS, SHARE = 2.0, 0.05
# Losses are apart from there, in nats; the members' may rise by that part of
# log C.
APART, HARDLY = 1.0, 0.15
LEAST_PROBABILITY = 1e-12


@dataclasses.dataclass(frozen=True, eq=False)
class Answered:
    """How a model did about some records in one way.

    Attributes:
        right: bool [N].
        losses: float [N], -log of the true class's probability.
        members: bool [N].
        classes: int.
        guessed: int, how many members naming one class alone gets right.
    """

    right: np.ndarray
    losses: np.ndarray
    members: np.ndarray
    classes: int
    guessed: int = 0

    @classmethod
    def of(cls, rows, labels, members, *, outputs, step) -> "Answered":
        """Judges answers [N, C]; what is not finite is wrong."""
        rows = np.asarray(rows, np.float64)
        finite = np.isfinite(rows).all(axis=1)
        rows = np.where(finite[:, None], rows, 0.0)
        if outputs == LOGITS:
            rows = np.exp(rows - rows.max(axis=1, keepdims=True))
            rows /= rows.sum(axis=1, keepdims=True)
        least = max(step / 2, LEAST_PROBABILITY)
        own = rows[np.arange(len(labels)), labels]
        return cls(
            right=finite & (rows.argmax(axis=1) == labels),
            losses=-np.log(np.clip(np.where(finite, own, 0), least, 1)),
            members=members,
            classes=rows.shape[1],
            guessed=int(np.bincount(labels[members], minlength=1).max()),
        )

    @property
    def members_right(self) -> int:
        """How many members are answered right."""
        return int(self.right[self.members].sum())

    @property
    def knows_nothing(self) -> bool:
        """Whether naming every class alike would lose less."""
        return bool(self.losses.mean() > np.log(self.classes))

    def can_be_beaten(self, level) -> bool:
        """Whether any answers at all could be clearly better."""
        if not self.is_enough(level):
            return False
        wrong = self.members.sum() - self.members_right
        return self.knows_nothing or sign_test(wrong, 0) <= NOMINAL

    def is_enough(self, level) -> bool:
        """Whether so many records can show anything."""
        return sign_test(len(self.right), 0) <= level


def sign_test(more, fewer) -> float:
    """McNemar's exact test, one-sided: P[Bin(more + fewer, 1/2) >= more]."""
    return float(stats.binom.sf(more - 1, more + fewer, 0.5))


def is_clearly_better(other, first, level) -> bool:
    """Whether one way of asking is better than another on the same records.

    Args:
        other: Answered.
        first: Answered, to the same records.
        level: of each of the two tests.
    """
    members = first.members
    if other.members_right <= other.guessed:
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


def check(target, records, *, queries) -> None:
    """Stops where another range is clearly better, or a doubt remains.

    Args:
        target: ModelTarget with a Choice; without one there is nothing to try.
        records: data.records.Records.
        queries: int, how many an audit makes in all: the trial takes at most
            5 % of them, or two seconds.
    Raises: InputError that says what is better, or asks.
    """
    choice = target.choice
    if choice is None or not (choice.others or choice.doubt):
        return
    trial = _Trial(target, records, queries)
    first, by_way = trial.run()
    better = [
        (way, answered)
        for way, answered in by_way.items()
        if is_clearly_better(answered, first, trial.level)
    ]
    if better:
        way, answered = min(
            better,
            key=lambda pair: (-pair[1].members_right, pair[1].losses.mean()),
        )
        raise InputError(_better(target, choice, way, answered, first))
    if choice.doubt and not trial.confirms(first, by_way):
        raise InputError(choice.doubt + _tried(choice, first, by_way))


class _Trial:
    """Asks about the same records in every way."""

    def __init__(self, target, records, queries):
        self.target, self.free = target, int(SHARE * queries)
        self.asked, self.start = 0, time.perf_counter()
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
        """Gives what the chosen way and each other way answer."""
        first = self.judged(self.first())
        is_open = first.can_be_beaten(self.level)
        if self.target.choice.doubt:
            is_open = first.is_enough(self.level)
        by_way, count = {}, len(first.right)
        record_seconds = self.spent / count
        for way in self.others if is_open else ():
            if not self.has_time(count, record_seconds * count):
                break
            answers = self.ask(way, slice(0, count))
            if answers is not None:
                by_way[way] = self.judged(answers)
        return first, by_way

    @property
    def spent(self):
        """Seconds."""
        return time.perf_counter() - self.start

    def has_time(self, count, seconds):
        """Whether so many more may be asked, which takes so long."""
        is_free = self.asked + count <= self.free
        return is_free or self.spent + seconds <= SECONDS

    def first(self):
        """Asks in the chosen way about as many records as time allows."""
        ways = 1 + len(self.others)
        rows = self.ask(None, slice(0, max(PROBE, self.free // ways)))
        while len(rows) < len(self.order):
            # As many again, or as many as there is time left for.
            more = len(rows) * min(1.0, SECONDS / ways / self.spent - 1)
            if more < 1:
                break
            part = slice(len(rows), len(rows) + int(more))
            rows = np.concatenate([rows, self.ask(None, part)])
        return rows

    def ask(self, way, part):
        values = self.values[part]
        self.asked += len(values)
        try:
            return self.target.predict(values, way=way)
        # A function that was written for bytes may raise anything at floats:
        # then it cannot have been meant to be given them.
        except Exception:
            if way is None or self.target.info["kind"] != "callable":
                raise
            return None

    def judged(self, rows):
        return Answered.of(
            rows,
            self.labels[: len(rows)],
            self.members[: len(rows)],
            outputs=self.target.info["outputs"],
            step=self.target.info["probability_step"],
        )

    def confirms(self, first, by_way):
        """Whether the chosen way is clearly better than each other."""
        # What raised is not there, and what there was no time for.
        is_whole = len(by_way) == len(self.others)
        return is_whole and all(
            is_clearly_better(first, answered, self.level)
            for answered in by_way.values()
        )


def _score(answered, words):
    members = int(answered.members.sum())
    loss = answered.losses.mean()
    return (
        f"{words}, {answered.members_right} of {members} members are answered "
        f"right (mean loss of both sides {loss:.2f})"
    )


def _better(target, choice, way, answered, first):
    """Says which way is better, and what to do."""
    return (
        f"target {target.info['target']!r}: "
        f"{_score(first, choice.chosen.words)}; "
        f"{_score(answered, way.words)}: {_remedy(choice, way)} "
        "(--allow_chance goes on all the same)"
    )


def _remedy(choice, way: Preprocessing):
    chosen, advice = choice.chosen, []
    if chosen.is_codes and not way.is_codes:
        advice.append("give the records as float32, which are no codes")
    elif way.end != chosen.end:
        pair = way.start, way.end
        if pair in TO_GIVE:
            advice.append(TO_GIVE[pair])
        elif way.start == CODES:
            advice.append(f"add 128, give uint8 and --input_range={way.end}")
        elif way.start == BYTES and (choice.is_given or choice.can_be_given):
            advice.append(f"give --input_range={way.end}")
        else:
            advice.append(
                f"if the model was trained with {way.end}, give the records "
                "as floats in that range"
            )
    if way.reversed_axis != chosen.reversed_axis:
        advice.append("reverse the channels of the records (blue, green, red)")
    return " and ".join(advice)


def _tried(choice, first, by_way):
    """What was found of a doubt that remains."""
    if not by_way:
        return ""
    sentences = [_score(first, choice.chosen.words)]
    sentences += [
        _score(answered, way.words)
        for way, answered in by_way.items()
        if way.reversed_axis is None
    ]
    return f" ({'; '.join(sentences)})"
