"""What numbers a model outputs: probabilities, logits, or neither.

Probabilities are never negative and sum to 1; logits do neither. Numbers of
which only one holds, or which always sum to something else, are none of both.
"""

import numpy as np

PROBABILITIES, LOGITS = "probabilities", "logits"
# What a file of outputs is read to besides its arrays.
CLASSES, ROWS = "class_names", "rows"
PERCENTAGES, SHARES, SIGMOIDS, SCORES, AFFINE, BROKEN = (
    "percentages",
    "shares",
    "sigmoids",
    "scores",
    "affine",
    "broken",
)
# By how much float32 probabilities may miss a sum of one.
SUM_TOLERANCE = 1e-3
# Half of the distance between 1 and the next number, and its NumPy type.
FLOAT16, BFLOAT16 = 2.0**-11, 2.0**-8
# The grids of 8-bit probabilities: codes over 256 by TFLite, 255 by others.
BYTES = (256, 255)
# Digits after the point that rounded probabilities may have.
MOST_DIGITS = 6
# So many rows of logits that none is negative, or all sum alike, are no chance.
ENOUGH = 20


def sum_tolerance(rows: np.ndarray, *, step: float = 0.0) -> float:
    """By how much the rows of a softmax may miss a sum of one.

    1e-3 + C step/2 + (4 + sqrt(C)) u, u = 2^-11 of float16 and 2^-8 of
    bfloat16: each number is rounded to a step, or by a share u of itself,
    and so are the terms of the sum that it was divided by.

    Args:
        rows: floats [N, C]; whether they are of 16 bits is seen by their
            values, so that it does not matter what they were stored as.
        step: distance of neighbouring numbers, 0 for floats.
    """
    classes = rows.shape[1]
    walk = (4 + np.sqrt(classes)) * _rounding(np.asarray(rows))
    return SUM_TOLERANCE + classes * step / 2 + walk


def look_like_probabilities(rows: np.ndarray, *, step: float = 0.0) -> bool:
    """Whether finite rows [N, C] could all be the output of a softmax.

    That is: no number is negative and all rows sum to one, see sum_tolerance.
    """
    return bool(_good(rows, step).all())


def of(rows: np.ndarray, *, step: float = 0.0) -> str:
    """Says what kind of numbers these are.

    Args:
        rows: floats [N, C], finite, N and C 1 or more.
        step: as of sum_tolerance.
    Returns: PROBABILITIES; PERCENTAGES, whose rows sum to 100; SHARES, to
        another number; SIGMOIDS in 0..1 and SCORES beyond it that sum to
        nothing in particular; AFFINE, negative as well, summing to 1;
        BROKEN, of which more than half of the rows are probabilities; LOGITS.
    """
    rows = np.asarray(rows)
    good = _good(rows, step)
    if good.all():
        return PROBABILITIES
    if good.mean() > 0.5:
        return BROKEN
    if rows.min() < 0:
        sums = rows.sum(axis=1, dtype=np.float64)
        alike = np.abs(sums - 1).max() <= SUM_TOLERANCE
        enough = len(rows) >= ENOUGH and rows.shape[1] > 2
        return AFFINE if alike and enough else LOGITS
    total, percent = _total(rows), rows / 100
    if rows.max() <= 100 and _good(percent, read_step(percent)).all():
        exact = total and np.ptp(rows.sum(axis=1)) <= SUM_TOLERANCE * total
        return SHARES if exact and round(total) != 100 else PERCENTAGES
    if total:
        whole = float(np.all(rows == np.round(rows)))
        if _good(rows / total, max(step, whole) / total).all():
            return SHARES
    return SIGMOIDS if rows.max() <= 1 else SCORES


def sentence(
    rows: np.ndarray, kind: str, *, step: float = 0.0, numbered: bool = True
) -> str:
    """Says in a part of a sentence what numbers are, and what can be done.

    Args:
        rows: floats [N, C].
        kind: what `of` says.
        step: as of sum_tolerance.
        numbered: whether to name a record by its place; not where a file
            counts in its own way.
    """
    rows = np.asarray(rows)
    if kind != PROBABILITIES and _is_one_number(rows):
        return _of_one_number(rows[:, 1])
    sums = rows.sum(axis=1, dtype=np.float64)
    good = _good(rows, step)
    row = int(np.argmin(good))
    here = f"those of record {row} sum to {sums[row]:.4g}"
    if not numbered:
        here = f"rows sum to {sums.min():.4g} .. {sums.max():.4g}"
    judged = rows[row] if kind == BROKEN else rows
    least = f"the least is {judged.min():.4g}"
    return {
        PROBABILITIES: "no number is negative and all rows sum to 1",
        PERCENTAGES: "all rows sum to 100: divide percentages by 100",
        SHARES: (
            f"no number is negative and all rows sum to {np.median(sums):.4g}:"
            " divide them by that"
        ),
        SIGMOIDS: (
            f"all lie in 0..1, but {here}, as independent sigmoids do "
            "(multi-label, several classes a record), which cannot be audited "
            "yet: probabilities of the classes that sum to 1 are needed"
        ),
        SCORES: (
            f"{here} and no number is negative, which is unusual of logits: "
            "divide each row by its sum, unless a softmax is to follow: then "
            "they are logits all the same"
        ),
        AFFINE: (
            f"all rows sum to 1, but {least}: scores of a regression are "
            "neither probabilities nor logits: give a function that turns "
            "them into probabilities"
        ),
        BROKEN: (
            f"{here}, {least}: {np.sum(~good)} of {len(rows)} records have "
            "such outputs, the others probabilities: query these again"
        ),
        LOGITS: f"{here}, {least}",
    }[kind]


def read_step(rows: np.ndarray) -> float:
    """Reads off the distance of numbers in 0..1 that were rounded.

    Returns: 1/256, 1/255, or 10^-1 .. 10^-6, the coarsest grid that holds
        all numbers; 0 if none does.
    """
    rows = np.asarray(rows)
    if rows.dtype.kind != "f" or not np.isfinite(rows).all():
        return 0.0
    eps, values = np.finfo(rows.dtype).eps, rows.astype(np.float64)
    decimals = [10.0**digits for digits in range(1, MOST_DIGITS + 1)]
    for levels in (*BYTES, *decimals):
        codes = values * levels
        own = 1e-3 if levels in BYTES else 1e-6
        slack = own + np.abs(codes) * eps
        # A grid so fine that the type holds it hardly is met by chance.
        if slack.max(initial=0) > 0.2:
            continue
        if np.all(np.abs(codes - np.round(codes)) <= slack):
            return 1 / levels
    return 0.0


def _good(rows, step):
    """Which rows could be the output of a softmax, bool [N]."""
    rows = np.asarray(rows)
    sums = rows.sum(axis=1, dtype=np.float64)
    tolerance = sum_tolerance(rows, step=step)
    return (rows.min(axis=1) >= 0) & (np.abs(sums - 1) <= tolerance)


def _rounding(rows):
    """By which share of themselves numbers are rounded, 0 if by hardly any.

    Codes of 8 bits are numbers of both 16-bit types as well, so only others
    tell; four of them by chance have 13 bits of zeros once in 2^52.
    """
    values = rows[np.isfinite(rows)].astype(np.float32)
    telling = values[(values * 256 % 1 != 0) & (np.abs(values) < 1)]
    if telling.size < 4:
        return 0.0
    if not np.any(telling.view(np.uint32) & 0xFFFF):
        return BFLOAT16
    return FLOAT16 if np.all(telling.astype(np.float16) == telling) else 0.0


def _total(rows):
    """What all rows sum to, alike; 0 if they do not, or are too few."""
    sums = rows.sum(axis=1, dtype=np.float64)
    total = float(np.median(sums))
    whole = np.all(rows == np.round(rows))
    slack = SUM_TOLERANCE * total + rows.shape[1] * 0.5 * float(whole)
    alike = np.abs(sums - total).max() <= slack and slack < total / 2
    return total if alike and len(rows) >= ENOUGH else 0.0


def _is_one_number(rows):
    """Whether two classes were made of one number: [1 - p, p] or [0, z]."""
    if rows.shape[1] != 2:
        return False
    first, second = np.asarray(rows, np.float32).T
    return bool(not first.any() or np.array_equal(first, 1 - second))


def _of_one_number(numbers):
    text = f"one number a record, {numbers.min():.4g} to {numbers.max():.4g}"
    if numbers.min() >= 0 and numbers.max() <= 1:
        return f"{text}, which is a probability of class 1 and no logit"
    if numbers.min() >= 0:
        return f"{text}, where a percentage has to be divided by 100"
    return f"{text}, which may be a logit"
