"""The numbers of attacks on one model's outputs and on its classes."""

import dataclasses

import numpy as np
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized
from scipy import special
from sklearn import metrics

from qmia_tf.attacks import confidence, entropy, gap, label_only, margin
from qmia_tf.attacks import losses as loss
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.attacks.entropy import modified_entropies
from qmia_tf.attacks.losses import losses
from qmia_tf.attacks.tfprivacy import module_loader
from qmia_tf.outputs import Outputs
from qmia_tf.outputs.logits import softmax
from qmia_tf.statistics.auc import auc
from qmia_tf.statistics.sweep import sweep

STEP = 1 / 256


def facts_of(labels, **info):
    return {
        "labels": np.array(labels),
        "members": np.arange(len(labels)) % 2 == 0,
        "record_ids": np.arange(len(labels)),
        "info": {"target": "t", **info},
    }


def outputs_of(rows, labels, step=0.0):
    facts = facts_of(labels, probability_step=step)
    return Outputs(probabilities=np.array(rows, np.float32), **facts)


def logits_of(rows, labels):
    return Outputs.from_logits(np.array(rows, np.float32), **facts_of(labels))


def bare(outputs):
    """The same without logits."""
    return dataclasses.replace(outputs, logits=None)


def random_logits(count=200, classes=7, *, size=6.0, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, classes)) * size
    return logits_of(rows, rng.integers(0, classes, count))


class GapTest(parameterized.TestCase, tf.test.TestCase):
    def test_scores(self):
        outputs = outputs_of(
            [[0.7, 0.3], [0.2, 0.8], [0.5, 0.5], [0.5, 0.5]], [0, 0, 0, 1]
        )
        self.assertAllEqual(gap.scores(outputs), [1, 0, 1, 0])

    @parameterized.parameters((80, 80), (90, 30))
    def test_is_yeoms_formula_and_scikit_learns_numbers(self, inside, outside):
        outputs = synthetic_outputs.outputs(inside, outside)
        right = np.argmax(outputs.probabilities, axis=1) == outputs.labels
        train, test = (
            right[outputs.members].mean(),
            right[~outputs.members].mean(),
        )
        swept = sweep(gap.scores(outputs), outputs.members)
        row = list(swept.thresholds).index(gap.THRESHOLD)
        self.assertAlmostEqual(
            swept.balanced_accuracy[row], 0.5 + (train - test) / 2
        )
        for name in ("precision", "recall", "f1"):
            want = getattr(metrics, f"{name}_score")(outputs.members, right)
            self.assertAlmostEqual(getattr(swept, name)[row], want)
        if inside == outside:
            self.assertAlmostEqual(swept.precision[row], train / (train + test))
        area = auc(gap.scores(outputs), outputs.members).value
        self.assertAlmostEqual(area, 0.5 + (train - test) / 2)


class ConfidenceTest(tf.test.TestCase):
    def test_scores(self):
        outputs = outputs_of([[0.75, 0.25], [0.125, 0.875]], [1, 1])
        self.assertAllEqual(confidence.scores(outputs), [0.75, 0.875])
        true_class = confidence.true_class_scores(outputs)
        self.assertAllEqual(true_class, [0.25, 0.875])

    def test_a_quantized_output_has_few_scores(self):
        outputs = synthetic_outputs.outputs(400, 400, step=STEP)
        for scores in (confidence.scores, confidence.true_class_scores):
            levels = scores(outputs) * 256
            self.assertAllEqual(levels, np.round(levels))


class LossesTest(parameterized.TestCase, tf.test.TestCase):
    def test_from_logits(self):
        outputs = random_logits()
        logs = special.log_softmax(outputs.logits.astype(np.float64), axis=1)
        want = -logs[np.arange(200), outputs.labels]
        # scipy subtracts two numbers of about 10: 1e-15 each.
        self.assertAllClose(losses(outputs), want, rtol=1e-7, atol=1e-14)

    def test_logits_tell_how_sure_is_surer_than_float32_can(self):
        outputs = logits_of([[m, -m] for m in (10, 20, 40, 80)], [0] * 4)
        self.assertAllEqual(outputs.probabilities[1:, 0], [1, 1, 1])
        # log(1 + x) is x to 16 digits, but for the first.
        want = np.exp(-2.0 * np.array([10, 20, 40, 80]))
        self.assertAllClose(losses(outputs)[1:], want[1:], rtol=1e-15, atol=0)
        self.assertAllGreater(np.diff(loss.scores(outputs)), 0)

    @parameterized.parameters(0.0, STEP)
    def test_the_far_tail_keeps_its_order(self, step):
        """No clip at 1e-8: 0 is worse than whatever the output can hold."""
        least = step or 1e-40
        rows = [[1 - p, p] for p in (0.5, 2 * least, least, 0.0)]
        outputs = outputs_of(rows, [1, 1, 1, 1], step)
        for values in (losses(outputs), modified_entropies(outputs)):
            self.assertAllGreater(np.diff(values), 0)
            self.assertTrue(np.isfinite(values).all())

    @parameterized.parameters(1.0, 6.0, 30.0)
    def test_modified_entropies_from_logits(self, size):
        outputs = random_logits(size=size)
        want = []
        for row, label in zip(outputs.logits, outputs.labels, strict=True):
            # 64 bits of mantissa, and 1 - p as the sum of the others.
            powers = np.exp(row.astype(np.longdouble) - row.max())
            p = powers / powers.sum()
            rest = [np.delete(p, i).sum() for i in range(p.size)]
            terms = [
                -rest[i] * np.log(p[i]) if i == label else -p[i] * np.log(r)
                for i, r in enumerate(rest)
            ]
            want.append(float(sum(terms)))
        self.assertAllClose(modified_entropies(outputs), want, rtol=1e-12)


class EntropyTest(parameterized.TestCase, tf.test.TestCase):
    def test_from_logits(self):
        outputs = random_logits()
        p = special.softmax(outputs.logits.astype(np.float64), axis=1)
        self.assertAllClose(
            entropy.scores(outputs), -special.entr(p).sum(axis=1), atol=1e-14
        )

    def test_zero_counts_nothing(self):
        outputs = outputs_of([[1, 0, 0], [0.5, 0.5, 0]], [0, 0], STEP)
        self.assertAllClose(entropy.scores(outputs), [0, -np.log(2)])


class MarginTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(1.0, 30.0, 1e4)
    def test_from_logits(self, size):
        outputs = random_logits(size=size)
        want = [
            row[label] - special.logsumexp(np.delete(row, label))
            for row, label in zip(
                outputs.logits.astype(np.float64), outputs.labels, strict=True
            )
        ]
        self.assertAllClose(margin.margins(outputs), want, rtol=1e-13)

    def test_from_probabilities_as_from_logits(self):
        outputs = random_logits(size=3.0)
        # 7 float32 roundings of numbers whose logarithm is taken.
        self.assertAllClose(
            margin.margins(bare(outputs)), margin.margins(outputs), atol=1e-6
        )

    def test_the_others_are_added_not_one_minus_p(self):
        rows = [[1.0, 2.0**-40, 2.0**-40], [1.0, 2.0**-60, 0.0], [1, 0, 0]]
        margins = margin.margins(outputs_of(rows, [0, 0, 0]))
        self.assertAllClose(margins, np.array([39, 60, 150]) * np.log(2))
        margins = margin.margins(outputs_of([[0.0, 1, 0]], [0]))
        self.assertAllClose(margins, [-150 * np.log(2)])

    @parameterized.parameters(10, 100)
    def test_quantized_margins_are_what_p_allows(self, classes):
        outputs = synthetic_outputs.outputs(
            400, 400, classes=classes, step=STEP, gain=(9.0, -3.0)
        )
        margins = margin.margins(outputs)
        codes = np.round(outputs.probabilities.astype(np.float64) * 256)
        code = codes[np.arange(800), outputs.labels]
        half = np.clip(code, 0.5, 255.5)
        self.assertTrue((code == 255).any() and (code == 0).any())
        for row in range(800):
            # In halves of a step, the others can only be 256 - code +- 1/2.
            others = np.clip(
                codes[row].sum() - code[row],
                255.5 - code[row],
                256.5 - code[row],
            )
            want = np.log(half[row] / np.clip(others, 0.5, 255.5))
            self.assertAlmostEqual(margins[row], want, places=12)
        self.assertLessEqual(np.abs(margins).max(), np.log(511))

    def test_quantized_margins_are_near_the_true_ones(self):
        """Adding up 100 classes' roundings would be off by 0.3 and more."""
        options = {"classes": 100, "gain": (9.0, 7.0)}
        exact = margin.margins(synthetic_outputs.outputs(400, 400, **options))
        outputs = synthetic_outputs.outputs(400, 400, step=STEP, **options)
        middle = np.abs(exact) < 3
        self.assertGreater(middle.sum(), 300)
        off = np.abs(margin.margins(outputs) - exact)[middle]
        # Half a step at the true class, another at the others.
        bound = 2.2 * np.sqrt(3) * margin.rounding(outputs)[middle]
        self.assertAllLessEqual(off - bound, 0)

    def test_rounding_is_the_deviation_within_a_step(self):
        codes = np.array([20, 64, 128, 200, 240])
        rows = np.column_stack([codes, 256 - codes]) / 256
        deviations = margin.rounding(outputs_of(rows, [0] * 5, STEP))
        spread = (np.arange(2001) - 1000) / 2000
        for code, value in zip(codes, deviations, strict=True):
            want = special.logit((code + spread) / 256).std()
            self.assertAllClose(value, want, rtol=2e-3)

    def test_rounding_at_the_ends_and_without_steps(self):
        rows = [[0, 1], [255 / 256, 0]]
        outputs = outputs_of(rows, [0, 0], STEP)
        ends = STEP / np.sqrt(12) / np.array([511 / 512**2, 255 / 256**2])
        self.assertAllClose(margin.rounding(outputs), ends)
        self.assertAllEqual(margin.rounding(outputs_of(rows, [0, 0])), [0, 0])
        self.assertAllEqual(margin.rounding(random_logits(3)), [0, 0, 0])


class ThreeScalesTest(parameterized.TestCase, tf.test.TestCase):
    """The true class's probability, loss and margin: one order or not."""

    scores = (confidence.true_class_scores, loss.scores, margin.margins)

    def test_one_order_where_probabilities_are_exact(self):
        rng = np.random.default_rng(4)
        # Rows of multiples of 2^-20 that sum to exactly 1, as float32 too.
        cuts = np.sort(rng.integers(1, 2**20, (300, 4)), axis=1)
        ends = np.zeros((300, 1), int), np.full((300, 1), 2**20)
        rows = np.diff(np.hstack([ends[0], cuts, ends[1]]), axis=1) / 2**20
        outputs = outputs_of(rows, rng.integers(0, 5, 300)).validate()
        first, *others = (
            np.unique(score(outputs), return_inverse=True)[1]
            for score in self.scores
        )
        for ranks in others:
            self.assertAllEqual(ranks, first)

    def test_only_the_margin_tells_saturated_records_apart(self):
        gains = np.arange(18.0, 60.0, 2.0)
        outputs = logits_of(
            np.column_stack([gains, 0 * gains]), np.zeros(gains.size, int)
        )
        for score in self.scores[:2]:
            self.assertLen(set(score(bare(outputs))), 1)
        for given in (bare(outputs), outputs):
            self.assertAllGreater(np.diff(margin.margins(given)), 0)
        # With logits the loss does not saturate either.
        self.assertAllGreater(np.diff(loss.scores(outputs)), 0)

    def test_classes_of_very_different_size_are_added_in_one_order(self):
        """Their sum in float64 is not exact, so the order shows."""
        rng = np.random.default_rng(5)
        p = np.exp(rng.normal(size=(300, 60)) * 15)
        p /= p.sum(axis=1)[:, None]
        labels, order = rng.integers(0, 60, 300), rng.permutation(60)
        outputs = outputs_of(p, labels)
        turned = outputs_of(p[:, order], np.argsort(order)[labels])
        for score in (
            *self.scores,
            confidence.scores,
            entropy.scores,
            entropy.modified_scores,
        ):
            off = int(np.sum(score(turned) != score(outputs)))
            self.assertEqual(off, 0, f"{score}: {off} of 300 differ")


class FixturesTest(parameterized.TestCase, tf.test.TestCase):
    """Values of tensorflow-privacy's own tests."""

    @parameterized.parameters(
        ([[-0.3, 1.5, 0.2], [2, 3, 0.5]], [1, 0], [0.36313551, 1.37153903]),
        ([[2, 0.3, 0.2], [0.3, -0.5, 0.2]], [0, 2], [0.29860897, 0.95618669]),
    )
    def test_losses(self, rows, labels, want):
        outputs = logits_of(rows, labels)
        for given in (outputs, bare(outputs)):
            # Eight digits are given; logits and probabilities are float32.
            self.assertAllClose(losses(given), want, atol=3e-7)

    def test_margins(self):
        outputs = logits_of([[1, 2, -3], [-1, 1, 0]], [1, 2])
        want = [0.98185009, -1.12692802]
        self.assertAllClose(margin.margins(outputs), want, atol=5e-9)
        self.assertAllClose(margin.margins(bare(outputs)), want, atol=5e-7)

    def test_modified_entropies(self):
        theirs = module_loader.load().data_structures.AttackInputData
        outputs = random_logits(size=2.0)
        logits = outputs.logits.astype(np.float64)
        want = theirs._get_entropy(logits, outputs.labels)
        # Its softmax and logarithms are float64; both subtract from 1.
        self.assertAllClose(modified_entropies(outputs), want, rtol=1e-9)

    def test_fixed_entropies(self):
        """Sure and right is 0; sure and wrong is twice the log of nothing."""
        outputs = outputs_of([[1, 0, 0], [0, 1, 0]], [0, 2])
        want = 150 * np.log(2) + 25 * np.log(2)
        self.assertAllClose(modified_entropies(outputs), [0, want])


class QuantizedTest(parameterized.TestCase, tf.test.TestCase):
    """8-bit probabilities are never taken for logits."""

    @parameterized.parameters(10, 100)
    def test_no_score_takes_a_second_softmax(self, classes):
        """It would press them together: every score tells the difference."""
        outputs = synthetic_outputs.outputs(120, 90, step=STEP, classes=classes)
        again = dataclasses.replace(
            outputs, probabilities=softmax(outputs.probabilities)
        )
        place = np.arange(210), outputs.labels
        p = outputs.probabilities[place].astype(np.float64)
        seen = p > 0
        self.assertAllClose(losses(outputs)[seen], -np.log(p[seen]), rtol=1e-15)
        for score in (
            *ThreeScalesTest.scores,
            confidence.scores,
            entropy.scores,
            entropy.modified_scores,
        ):
            spread = np.ptp(score(outputs))
            self.assertGreater(spread, 1.5 * np.ptp(score(again)), score)


class LabelOnlyTest(tf.test.TestCase):
    def inputs(self, **answers):
        outputs = outputs_of([[0.7, 0.3], [0.2, 0.8], [0.4, 0.6]], [0, 0, 1])
        return AttackInputs(outputs, np.ones(3, bool), **answers)

    def test_augmentations(self):
        labels = np.array([[0, 0, 1, 0], [1, 1, 0, 2], [-1, -1, -1, -1]])
        given = self.inputs(augmented_labels=labels)
        self.assertAllEqual(
            label_only.correct_augmentations(given), [3.0, 1.0, np.nan]
        )
        self.assertAllEqual(
            label_only.agreeing_augmentations(given), [2.0, 1.0, np.nan]
        )

    def test_the_unchanged_query_alone_is_the_gap_attack(self):
        outputs = self.inputs().outputs
        given = self.inputs(augmented_labels=outputs.predicted[:, None])
        self.assertAllEqual(
            label_only.correct_augmentations(given), gap.scores(outputs)
        )
        self.assertAllEqual(label_only.agreeing_augmentations(given), [0] * 3)

    def test_noise(self):
        noisy = np.array([[1, 0, 1], [0, 0, 0], [-1, -1, -1]])
        scores = label_only.noise_robustness(self.inputs(noisy_labels=noisy))
        self.assertAllEqual(scores, [0.5, 1.0, np.nan])
        alone = self.inputs(noisy_labels=np.zeros((3, 1)))
        with self.assertRaisesRegex(ValueError, "original alone"):
            label_only.noise_robustness(alone)


if __name__ == "__main__":
    tf.test.main()
