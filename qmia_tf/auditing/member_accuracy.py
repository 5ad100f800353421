"""Members that a model serves clearly worse than nonmembers: a mistake.

Training makes a model better on its members, or leaves it as good. What is
clearly worse was swapped, or prepared another way than for the training.
"""

import math

from scipy import stats

from qmia_tf.auditing.target_result import TargetAudit

# How often equal sides look like that by chance, at most: half of it by the
# accuracy, half by the confidence in the true class.
LEVEL = 1e-3
# From here on a model is taken for more accurate on its members.
BETTER = 0.05
CONFIDENCE = "true_confidence"


def sentence(targets: list[TargetAudit]) -> str:
    """Says of which targets this is so, and what may be the cause.

    Returns: a sentence without its full stop; empty if there is none.
    """
    signs = {target.target: sign(target) for target in targets}
    signs = {name: text for name, text in signs.items() if text}
    if not signs:
        return ""
    texts = "; ".join(f"{name} {text}" for name, text in signs.items())
    return (
        f"members are served clearly worse than nonmembers: {texts}. Training "
        "does not do that: are the two sides swapped, or the members "
        "prepared another way than for the training? Else the nonmembers are "
        "easier records, and the audit measures that too"
    )


def sign(target: TargetAudit) -> str:
    """Says how members are served worse; empty if chance may explain it."""
    members, nonmembers = target.members, target.nonmembers
    rates = target.accuracy_members.value, target.accuracy_nonmembers.value
    right = round(rates[0] * members), round(rates[1] * nonmembers)
    if fisher(*right, members, nonmembers) <= LEVEL / 2:
        one, other = (f"{100 * rate:.1f} %" for rate in rates)
        return f"is right on {one} of the members and {other} of the nonmembers"
    # An accuracy that says the opposite outweighs a lower confidence.
    if fisher(*right[::-1], nonmembers, members) <= BETTER:
        return ""
    named = {attack.name: attack for attack in target.attacks}
    if CONFIDENCE not in named:
        return ""
    confidence = named[CONFIDENCE]
    auc = confidence.auc.value
    if rank_sum(auc, confidence.members, confidence.nonmembers) <= LEVEL / 2:
        return (
            "gives the true class less confidence for members than for "
            f"nonmembers (AUC {auc:.3f})"
        )
    return ""


def fisher(
    first: int, second: int, first_total: int, second_total: int
) -> float:
    """The p-value of so low a first rate, where both are the same.

    P(X <= first), X hypergeometric: `first_total` of all records are drawn,
    of which first + second are right.

    Source: Fisher, J. R. Stat. Soc. 98 (1935) 39, one-sided.
    """
    total = first_total + second_total
    return float(stats.hypergeom.cdf(first, total, first + second, first_total))


def rank_sum(auc: float, members: int, nonmembers: int) -> float:
    """The p-value of so low an AUC, where both sides are the same.

    AUC is normal with mean 1/2 and variance (m + n + 1)/(12 m n); ties make
    the variance smaller, and this test careful.

    Source: Mann and Whitney, Ann. Math. Stat. 18 (1947) 50, one-sided.
    """
    deviation = math.sqrt(
        (members + nonmembers + 1) / (12 * members * nonmembers)
    )
    return float(stats.norm.cdf((auc - 0.5) / deviation))
