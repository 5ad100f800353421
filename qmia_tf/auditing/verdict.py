"""The verdict of an audit: one of five answers, by stated rules."""

import dataclasses
from collections.abc import Collection

from qmia_tf.auditing.leak_test import TESTED, LeakTest

CANNOT_SAY = "cannot say"
NO_LEAK = "no leak found"
SMALL = "small leak"
CLEAR = "clear leak"
SEVERE = "severe leak"
VERDICTS = (CANNOT_SAY, NO_LEAK, SMALL, CLEAR, SEVERE)
LEAKS = (SMALL, CLEAR, SEVERE)

# Fewer distinct members or nonmembers than this say hardly anything: of an
# AUC of .80 the interval is .34 wide with 20 a side, .45 with 10.
FEWEST = 20
# From these lower ends on. An AUC of .55 means: shown a member and a
# nonmember, the attacker picks the member in 55 of 100 cases; with .70 in 70.
CLEAR_AUC, SEVERE_AUC = 0.55, 0.70
# How many times more members than nonmembers are called, at 1 % or 0.1 %.
CLEAR_RATIO, SEVERE_RATIO = 2.0, 10.0
# A model this little of the way from guessing to perfect has not learned.
LEARNED = 0.1


def decide(
    test: LeakTest,
    *,
    members: int,
    nonmembers: int,
    failed: Collection[str] = (),
    weak: str = "",
) -> LeakTest:
    """Decides on the verdict, with the reasons.

    1. "cannot say" with fewer than 20 members or nonmembers, or if a check
       failed: then the numbers measure something else than the leak.
    2. "no leak found" if no adjusted p-value is at or below the level. Of a
       model that has not learned, and where no leak whatever would have been
       found: "cannot say".
    3. "severe leak" if the AUC is surely .70 or more, or the true-positive
       rate at 1 % or 0.1 % false positives surely 10 times the
       false-positive rate.
    4. "clear leak" likewise from .55 and 2 times on.
    5. "small leak" otherwise.

    "Surely" is the lower end of an interval that holds for all attacks at
    once.

    Args:
        members: how many are distinct.
        failed: sentences, the checks that failed.
        weak: that the model has not learned, or empty.
    """
    verdict, reasons = _answer(test, members, nonmembers, list(failed), weak)
    return dataclasses.replace(test, verdict=verdict, reasons=reasons)


def not_learned(target) -> str:
    """Says that a model is hardly better than guessing; empty if it is."""
    right, chance = target.accuracy_nonmembers.value, 1 / target.classes
    if right >= chance + LEARNED * (1 - chance):
        return ""
    return (
        f"the model is right on {100 * right:.1f} % of the nonmembers, where "
        f"guessing is on {100 * chance:.3g} %: one that has not learned says "
        "nothing about privacy"
    )


def _answer(test, members, nonmembers, failed, weak):
    if min(members, nonmembers) < FEWEST:
        failed = [
            f"{members} members and {nonmembers} nonmembers are too few: "
            f"{FEWEST} of each are needed",
            *failed,
        ]
    if failed:
        return CANNOT_SAY, failed
    if not test.attacks:
        return CANNOT_SAY, [
            "no attack distinguishes any records that the test may exchange"
        ]
    if test.p_value > test.level:
        if weak:
            return CANNOT_SAY, [weak]
        if test.detectable is None or test.detectable.auc >= 1:
            return CANNOT_SAY, [
                "the test would hardly have found a leak of any size: too few "
                "records may be exchanged"
            ]
        return NO_LEAK, [
            f"the most that any attack shows has an adjusted p-value of "
            f"{test.p_value:.2g}, above {test.level:g}"
        ]
    reasons = {
        SEVERE: _reasons(test, SEVERE_AUC, SEVERE_RATIO),
        CLEAR: _reasons(test, CLEAR_AUC, CLEAR_RATIO),
    }
    for answer, sentences in reasons.items():
        if sentences:
            return answer, sentences
    return SMALL, [
        f"an adjusted p-value of {test.p_value:.2g}, but neither an AUC surely "
        f"{CLEAR_AUC:g} or more nor a true-positive rate surely "
        f"{CLEAR_RATIO:g} times the false-positive rate"
    ]


def _reasons(test, area, ratio):
    reasons = []
    if test.auc.low >= area:
        reasons.append(f"the AUC is surely {area:g} or more")
    for low_rate in test.tpr_at_fpr:
        if low_rate.rate not in TESTED or low_rate.attack is None:
            continue
        if low_rate.tpr.low >= ratio * low_rate.rate:
            reasons.append(
                f"at {100 * low_rate.rate:g} % false positives, surely "
                f"{ratio:g} times as many members are found as by guessing"
            )
    return reasons
