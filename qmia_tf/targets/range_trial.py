"""Tries a model with its records turned into other ranges, before an audit.

trial_result.py has the rules: when another range is clearly better, which
stops the audit, and when one is clearly right, which is then taken where
nobody says the range.
"""

import time

import numpy as np

from qmia_tf.data.pixels import BYTES, range_option
from qmia_tf.data.records import Records
from qmia_tf.data.value_ranges import CODES
from qmia_tf.errors import InputError, option
from qmia_tf.outputs.kinds import LOGITS
from qmia_tf.targets import Target, label_hints
from qmia_tf.targets.preprocessing import TO_GIVE
from qmia_tf.targets.trial_result import (
    LEVEL,
    TrialResult,
    is_clearly_better,
    is_clearly_right,
)

MOST = 100
# So many records are queried first, then as many again as long as time is left.
PROBE = 4
SECONDS, SHARE = 2.0, 0.05


def settle(
    target: Target, records: Records, *, query_count: int | None
) -> str | None:
    """Takes the range that the members say, where nobody says one.

    Args:
        target: has a Choice; without one nothing is tried.
        query_count: how many an audit makes in all: unless there is a
            question to answer the trial takes at most 5 % of them, or two
            seconds; None tries nothing else.
    Returns: the evidence, where the members had to say it.
    Raises: InputError if another range is clearly better than what is said,
        or a question remains.
    """
    choice = target.choice
    if choice is None or not (choice.others or choice.doubt):
        return None
    if query_count is None and not (choice.doubt and choice.is_open):
        return None
    trial = Trial(target, records, query_count or 0)
    first, by_preprocessing = trial.run()
    results = {choice.chosen: first, **by_preprocessing}
    evidence, name = None, target.info["target"]
    if choice.is_open:
        taken = trial.clearly_right(results)
        if taken is not None and (choice.doubt or taken != choice.chosen):
            evidence = _evidence(taken, results)
            target.take_range(taken)
            # The ranges are compared; the order of the channels is left.
            first, choice = results[taken], target.choice
            by_preprocessing = {
                key: result
                for key, result in by_preprocessing.items()
                if key.reversed_axis is not None
            }
    better = [
        (preprocessing, result)
        for preprocessing, result in by_preprocessing.items()
        if is_clearly_better(result, first, trial.level)
    ]
    if better and query_count is not None:
        preprocessing, result = min(
            better,
            key=lambda pair: (-pair[1].members_right, pair[1].losses.mean()),
        )
        raise InputError(
            f"target {name!r}: {_result_text(choice.chosen, first)}; "
            f"{_result_text(preprocessing, result)}: "
            f"{_remedy(choice, preprocessing)} "
            f"({option('allow_chance', True)} goes on all the same)"
        )
    is_answered = not choice.is_open and trial.confirms(first, by_preprocessing)
    if choice.doubt and not is_answered:
        hint = label_hints.of_results(results.values(), records)
        doubt = choice.doubt + _results_text(results)
        raise InputError("; ".join(filter(None, (doubt, hint))))
    return evidence


def some_members(records: Records, most: int = MOST) -> Records:
    """Draws members to try readings on, the same ones each time."""
    members = np.flatnonzero(records.members)
    drawn = np.random.default_rng(0).permutation(members)[:most]
    return records.take(drawn)


def result_of(target: Target, records: Records) -> TrialResult:
    """Scores what a target outputs for records, prepared as chosen."""
    return TrialResult.of(
        target.predict(records.values),
        records.labels,
        records.members,
        # Where it is not known yet, the class that is named is the same.
        outputs=target.info["outputs"] or LOGITS,
        step=target.info["probability_step"],
    )


def label_hint(target: Target, records: Records) -> str:
    """Says what other labels would explain what a model names; or nothing."""
    results = Trial(target, records, 0).plain().values()
    return label_hints.of_results(results, records)


class Trial:
    """Queries the same records, prepared in every way."""

    def __init__(self, target, records, query_count):
        self.target, self.free_queries = target, int(SHARE * query_count)
        self.queried, self.start = 0, time.perf_counter()
        # Whether no reading was left out for want of time.
        self.is_whole = False
        self.others = target.choice.others
        # Then the answer is worth its time.
        self.has_question = bool(target.choice.doubt)
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
        is_open = self.has_question or first.can_be_beaten(self.level)
        by_preprocessing, count = {}, len(first.right)
        self.is_whole = is_open
        record_seconds = self.spent / count
        for preprocessing in self.others if is_open else ():
            if not self.has_time(count, record_seconds * count):
                self.is_whole = False
                break
            rows = self.query(preprocessing, slice(0, count))
            if rows is not None:
                by_preprocessing[preprocessing] = self.evaluate(rows)
        return first, by_preprocessing

    def plain(self):
        """Results of every range, with the channels as they are."""
        self.has_question = True
        first, by_preprocessing = self.run()
        return _plain({self.target.choice.chosen: first, **by_preprocessing})

    @property
    def spent(self):
        """Seconds."""
        return time.perf_counter() - self.start

    def has_time(self, count, seconds):
        """Whether so many more queries, which take so long, are allowed."""
        is_free = self.queried + count <= self.free_queries
        is_free = is_free or self.has_question
        return is_free or self.spent + seconds <= SECONDS

    def query_chosen(self):
        """Queries as many records as time allows, prepared as chosen."""
        if self.has_question:
            return self.query(None, slice(None))
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
            # Where it is not known yet, the class that is named is the same.
            outputs=self.target.info["outputs"] or LOGITS,
            step=self.target.info["probability_step"],
        )

    def clearly_right(self, results):
        """The range that is clearly right, with the channels as they are."""
        results = _plain(results)
        for preprocessing, result in results.items() if self.is_whole else ():
            others = [x for key, x in results.items() if key != preprocessing]
            if is_clearly_right(result, others, self.level):
                return preprocessing
        return None

    def confirms(self, first, by_preprocessing):
        """Whether the chosen one is clearly better than each other."""
        # What raised is not there, and what there was no time for.
        is_whole = len(by_preprocessing) == len(self.others)
        return is_whole and all(
            is_clearly_better(first, result, self.level)
            for result in by_preprocessing.values()
        )


def _plain(results):
    """Those with the channels as they are."""
    return {
        preprocessing: result
        for preprocessing, result in results.items()
        if preprocessing.reversed_axis is None
    }


def _result_text(preprocessing, result):
    return (
        f"{preprocessing.description}, {result.members_right} of "
        f"{result.count} members are classified right (mean loss of both "
        f"sides {result.losses.mean():.2f})"
    )


def _evidence(taken, results):
    """Why a range was taken."""
    result = results[taken]
    others = [
        f"{key.end or 'as they are'} on {other.members_right}, "
        f"{other.losses.mean():.2f}"
        for key, other in _plain(results).items()
        if key != taken
    ]
    return (
        f"right on {result.members_right} of {result.count} members, mean loss "
        f"{result.losses.mean():.2f}; {'; '.join(others) or 'no other fits'}; "
        f"naming one class on {result.guessed_right} (exact paired tests, "
        f"level {LEVEL})"
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
                f"add 128, give uint8 and {range_option(preprocessing.end)}"
            )
        elif preprocessing.start == BYTES and (
            choice.is_from_user or choice.can_user_choose
        ):
            advice.append(f"give {range_option(preprocessing.end)}")
        else:
            advice.append(
                f"if the model was trained with {preprocessing.end}, give the "
                "records as floats in that range"
            )
    if preprocessing.reversed_axis != chosen.reversed_axis:
        advice.append("reverse the channels of the records (blue, green, red)")
    return " and ".join(advice)


def _results_text(results):
    """The results, where a question remains."""
    sentences = [
        f"{key.end or 'as they are'} on {result.members_right}, "
        f"{result.losses.mean():.2f}"
        for key, result in _plain(results).items()
    ]
    first = next(iter(results.values()))
    return (
        f" (right of {first.count} members, and mean loss: "
        f"{'; '.join(sentences)}; naming one class on {first.guessed_right}: "
        "none is clearly right)"
    )
