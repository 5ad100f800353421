"""The blind baseline: do members differ from nonmembers without the model?

They must differ in nothing but having been trained on. Where they come from
two sources (two cameras, two years, two ways to resize), a classifier that
never saw the model separates them, and so may every attack.
"""

import dataclasses

import numpy as np
from scipy import stats

from qmia_tf.attacks import regression
from qmia_tf.auditing.audit_result import BlindBaseline
from qmia_tf.data.record_features import image_features
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError
from qmia_tf.statistics import membership_permutations
from qmia_tf.statistics.auc import auc, auc_value
from qmia_tf.statistics.held_out_thresholds import calibration_half

IMAGES = "image statistics"
COMPONENTS = 50
# Records that principal components are found on, and the numbers of them.
FITTED, NUMBERS = 2000, 20_000_000
# Classes with a column of their own, the commonest first.
CLASSES = 100
# Of the one-sided test, shared between the classifier and the classes.
LEVEL = 0.025
# So many records must be exchangeable within their class.
EXCHANGED = 0.5
# From so many expected records on, a class's count is about normal (Cochran).
RARE = 5
# Else so many counts are drawn altogether, within bounds.
COUNTS, LEAST_DRAWS, MOST_DRAWS = 2_000_000, 500, 4_000
# Permutations: so many evaluated records altogether, within bounds.
BUDGET, FEWEST, MOST, BLOCK = 5_000_000, 200, 1_000, 50


def measure(
    records: Records, *, seed: int, features: np.ndarray | None = None
) -> BlindBaseline:
    """Classifies members by the records themselves and their labels.

    A linear classifier (ridge regression of the membership, which is Fisher's
    discriminant) is fitted on the calibration half and evaluated on the other.
    Where both sides hold each class equally often, what it learns of the
    classes in one half is wrong in the other, and its AUC is below 1/2 without
    any difference. So it is compared with what it reaches with memberships
    permuted within each class and half, fitted again each time. Whether the
    classes themselves are as frequent on both sides is a test of its own;
    each has half of the level. Where most records have a class that their
    half holds on one side only (two pictures of each person, say), the
    classifier does not see the classes, and memberships are permuted among
    all records of a half. Its features of images (uint8 [N, H, W, C]) are
    data.record_features.image_features; of anything else the numbers as they
    are, standardized, and where there are more than COMPONENTS of them their
    principal components. It is a simple one: a better one may find more.

    Args:
        seed: of the calibration half.
        features: of images, image_features of them if at hand.
    Raises: InputError if a number is not finite or records are too few;
        ValueError if the arrays do not fit each other.
    Source: ours; Das et al., arXiv:2406.16201, show on several data sets that
        attacks which never query the model beat published ones.
    """
    values, labels, members = records.values, records.labels, records.members
    if _are_images(values):
        if features is None:
            features = image_features(values)
        return measure_features(
            features, labels, members, seen=IMAGES, seed=seed
        )
    rows = values.reshape(len(values), -1)
    _check_finite(rows)
    seen = f"{rows.shape[1]} number" + ("s" if rows.shape[1] != 1 else "")
    if rows.shape[1] > COMPONENTS:
        half = calibration_half(members, seed=seed)
        rows = _components(rows, np.flatnonzero(half), seed)
        seen = f"{rows.shape[1]} principal components of {seen}"
    return measure_features(rows, labels, members, seen=seen, seed=seed)


def measure_features(
    features, labels, members, *, seen: str, seed: int
) -> BlindBaseline:
    """As measure, with features that are computed already.

    Args:
        features: float [N, F], finite.
        labels: int [N].
        members: bool [N].
        seen: what the features are, for people.
    """
    labels, members = np.asarray(labels), np.asarray(members)
    if not len(features) == len(labels) == len(members):
        raise ValueError(
            f"{len(features)} records, {len(labels)} labels and "
            f"{len(members)} memberships"
        )
    half = calibration_half(members, seed=seed)
    rows = np.column_stack([features, _one_hot(labels, half)])
    sees = f"{seen} and the label"
    strata = membership_permutations.strata_of(labels, half)
    layout = membership_permutations.Layout.of(members, strata)
    if np.mean(np.isin(layout.shares(), (0, 1))) > 1 - EXCHANGED:
        rows, sees = np.asarray(features, np.float64), seen
        layout = membership_permutations.Layout.of(members, half)
    learn = _Classifier.of(rows, half)
    scores = learn(members[None])[:, 0]
    area = auc(scores, members[~half])
    count = int(np.clip(BUDGET // scores.size, FEWEST, MOST))
    drawn = _null_areas(learn, layout, half, count, seed)
    reached = (1 + np.sum(drawn >= area.value - 1e-12)) / (1 + count)
    by_class = _class_p_value(labels, members, seed)
    return BlindBaseline(
        auc=area,
        distinguishable=bool(min(reached, by_class) <= LEVEL / 2),
        features=sees,
        members=int(np.sum(members & ~half)),
        nonmembers=int(np.sum(~members & ~half)),
        null_auc=float(drawn.mean()),
        p_value=float(reached),
        classes_p_value=by_class,
        permutations=count,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Classifier:
    """Ridge regression of membership on features: Fisher's discriminant.

    Everything but the memberships is the same in each permutation, so that
    fitting another time is one product of matrices.

    Attributes:
        evaluated: float64 [J, F], standardized rows of the evaluation half.
        weights: float64 [F, C], coefficients = weights @ memberships.
        half: bool [N].
    """

    evaluated: np.ndarray
    weights: np.ndarray
    half: np.ndarray

    @classmethod
    def of(cls, rows, half):
        scale = regression.scaling(rows[half])
        x = scale(rows[half])[:, 1:]
        gram = x.T @ x + regression.RIDGE * np.eye(x.shape[1])
        return cls(scale(rows[~half])[:, 1:], np.linalg.solve(gram, x.T), half)

    def __call__(self, members):
        """Fits to bool [B, N] memberships; scores float64 [J, B]."""
        targets = members[:, self.half].astype(np.float64)
        targets -= targets.mean(axis=1, keepdims=True)
        scores = self.evaluated @ (self.weights @ targets.T)
        # Equal rows must tie, in whatever order a product is summed up.
        return np.round(scores, 10)


def _null_areas(learn, layout, half, count, seed):
    """The AUC with permuted memberships, float64 [count]."""
    rng = np.random.default_rng(seed)
    areas = []
    for start in range(0, count, BLOCK):
        drawn = layout.draw(rng, min(BLOCK, count - start))
        areas.append(auc_value(learn(drawn), drawn[:, ~half].T))
    return np.concatenate(areas)


def _class_p_value(labels, members, seed):
    """Whether classes are as frequent on both sides: chi-squared test.

    Where a class is expected less than RARE times on a side, its statistic is
    not distributed like chi-squared: with 20 + 20,000 records and 100
    classes 16 % false alarms at 1.25 %. There it is compared with that of
    memberships permuted among all records.
    """
    classes, cells = np.unique(labels, return_inverse=True)
    if classes.size < 2:
        return 1.0
    inside, outside = (
        np.bincount(cells.reshape(-1)[x], minlength=classes.size)
        for x in (members, ~members)
    )
    totals = inside + outside
    expected = totals * (inside.sum() / totals.sum())
    if min(expected.min(), (totals - expected).min()) >= RARE:
        return float(
            stats.chi2_contingency(
                np.array([inside, outside]), correction=False
            ).pvalue
        )
    count = int(np.clip(COUNTS // classes.size, LEAST_DRAWS, MOST_DRAWS))
    rng = np.random.default_rng(seed)
    drawn = rng.multivariate_hypergeometric(
        totals, int(inside.sum()), count, method="marginals"
    )
    # Chi-squared is a multiple of this; rounded, as equal ones must tie.
    statistics, seen = (
        np.round(((x - expected) ** 2 / totals).sum(axis=-1), 9)
        for x in (drawn, inside)
    )
    return float((1 + np.sum(statistics >= seen)) / (1 + count))


def _are_images(values):
    # Of any number of channels; texture needs two rows and two columns.
    return (
        values.dtype == np.uint8
        and values.ndim == 4
        and min(values.shape[1:3]) > 1
    )


def _check_finite(rows):
    if rows.dtype.kind not in "fc":
        return
    for start in range(0, len(rows), FITTED):
        bad = ~np.isfinite(rows[start : start + FITTED]).all(axis=1)
        if bad.any():
            raise InputError(
                f"record {start + int(np.argmax(bad))} holds a number that "
                "is not finite: leave it out or fill it in"
            )


def _one_hot(labels, half):
    """Columns of the classes that are commonest in the calibration half."""
    classes, counts = np.unique(labels[half], return_counts=True)
    common = classes[np.argsort(-counts, kind="stable")[:CLASSES]]
    return (labels[:, None] == common).astype(np.float64)


def _components(rows, half, seed):
    """Projects on the directions in which the calibration half varies most.

    With X the standardized numbers of some records, X X' u = s^2 u gives the
    directions X' u/s; so nothing as large as D x D is made.
    """
    width = rows.shape[1]
    most = int(np.clip(NUMBERS // width, COMPONENTS + 1, FITTED))
    drawn = np.random.default_rng(seed).permutation(half)[:most]
    some = rows[np.sort(drawn)].astype(np.float32)
    scale = regression.scaling(some)
    means, spreads = (
        array.astype(np.float32) for array in (scale.means, scale.spreads)
    )
    some = (some - means) / spreads
    squares, vectors = np.linalg.eigh((some @ some.T).astype(np.float64))
    leading = np.argsort(-squares, kind="stable")[:COMPONENTS]
    leading = leading[squares[leading] > 1e-6 * max(squares.max(), 1e-30)]
    directions = (some.T @ vectors[:, leading]) / np.sqrt(squares[leading])
    parts = [
        ((rows[s : s + FITTED] - means) / spreads) @ directions
        for s in range(0, len(rows), FITTED)
    ]
    return np.concatenate(parts).astype(np.float64)
