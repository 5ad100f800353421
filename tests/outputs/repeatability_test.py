"""Tests of asking twice: what is rounding, and what is not."""

import numpy as np
from absl.testing import absltest, parameterized

from qmia_tf.errors import InputError
from qmia_tf.outputs import repeatability


def softmax(z):
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


class Fake:
    """A target whose answers are spoiled by a function of (rows, target).

    Attributes:
        batches: the sizes it was asked in.
    """

    def __init__(self, spoil=None, *, step=0.0, classes=5):
        self.info = {"target": "fake", "probability_step": step}
        self.kernel = np.random.default_rng(0).normal(size=(7, classes))
        self.rng = np.random.default_rng(1)
        self.spoil = spoil or (lambda z, target: z)
        self.state, self.batches = 0.0, []

    def predict(self, values):
        self.batches.append(len(values))
        return softmax(self.spoil(values @ self.kernel, self))


def noise(z, target):
    return z + target.rng.normal(0, 0.5, z.shape)


def little_noise(z, target):
    return z + target.rng.normal(0, 0.01, z.shape)


def batch_norm(z, target):
    return (z - z.mean(axis=0)) / (z.std(axis=0) + 0.1)


def kept(z, target):
    for row in z:
        row[0] += target.state
        target.state = 0.5 * row[0]
    return z


def rounding(z, target):
    return z * (1 + target.rng.normal(0, 1e-5, z.shape))


class CompareTest(parameterized.TestCase):
    def assertAlike(self, rows, again, expected, **options):
        compared = repeatability.compare(rows, again, **options)
        self.assertEqual(compared.are_alike, expected, compared)

    def test_counts(self):
        rows = np.full((50, 2), 0.5, np.float32)
        again = rows.copy()
        again[[3, 8, 9]] += [[0.25, -0.25]]
        compared = repeatability.compare(rows, again)
        self.assertEqual(compared, repeatability.Repeats(50, 3, 0.25))
        self.assertFalse(compared.are_alike)

    @parameterized.parameters((1e-4, True), (3e-3, False))
    def test_probabilities_by_their_ratio(self, relative, expected):
        rows = softmax(np.random.default_rng(0).normal(0, 9, (40, 6)))
        self.assertAlike(rows, rows * (1 + relative), expected)

    @parameterized.parameters((1e-4, True), (3e-3, False))
    def test_logits_by_the_largest_of_the_row(self, relative, expected):
        rows = np.random.default_rng(0).normal(0, 40, (40, 6))
        rows[:, 0] = 0
        scale = np.abs(rows).max(axis=1, keepdims=True)
        self.assertAlike(rows, rows + relative * scale, expected)

    @parameterized.parameters((1, True), (2, False))
    def test_codes_by_their_step(self, steps, expected):
        rows = np.random.default_rng(0).integers(0, 250, (40, 6)) / 256
        self.assertAlike(rows, rows + steps / 256, expected, step=1 / 256)

    @parameterized.parameters((1e-3, True), (5e-2, False))
    def test_half_precision(self, size, expected):
        z = np.random.default_rng(0).normal(0, 3, (40, 6))
        rows = softmax(z).astype(np.float16)
        again = softmax(z * (1 + size)).astype(np.float16)
        self.assertAlike(rows, again, expected)

    @parameterized.parameters(
        (1, 0.01, True), (1, 0.3, False), (5, 0.01, False)
    )
    def test_a_rounding_that_turned_over(self, count, size, expected):
        rows = np.full((56, 2), 0.5, np.float32)
        again = rows.copy()
        again[:count] += [[size, -size]]
        self.assertAlike(rows, again, expected)

    def test_what_is_not_finite_is_left_to_others(self):
        rows = np.array([[np.nan, 1], [np.inf, 0]])
        self.assertAlike(rows, rows, True)


class RequireTest(parameterized.TestCase):
    def require(self, target, count=2000, *, first=100):
        values = np.random.default_rng(2).normal(size=(count, 7))
        rows = target.predict(values[:first])
        target.batches.clear()
        return repeatability.require(target, values, rows)

    def test_a_good_one(self):
        target = Fake()
        self.assertEqual(self.require(target), 0)
        # Six alone, and one whole batch.
        self.assertEqual(target.batches, [1] * 6 + [100])

    def test_rounding_passes(self):
        difference = self.require(Fake(rounding))
        self.assertBetween(difference, 1e-8, 1e-3)

    @parameterized.parameters(
        (noise, "a layer stays random .*Dropout"),
        (little_noise, "a layer stays random"),
        (kept, "or the model keeps a state from query to query"),
        (batch_norm, "depends on the other records of its batch, as behind a "
         "BatchNormalization in training mode"),
    )  # fmt: skip
    def test_others_stop(self, spoil, cause):
        for first, count in ((100, 2000), (100, 300), (40, 40)):
            with self.assertRaisesRegex(
                InputError,
                r"target 'fake' does not answer the same record alike: .* "
                rf"\d+ of \d+ records got other outputs, by up to 0\.\d+; "
                rf".*{cause}",
            ) as caught:
                self.require(Fake(spoil), count, first=first)
            self.assertNotIn("\n", str(caught.exception))

    @parameterized.parameters(
        (2000, 100, [1] * 6 + [100]),
        (5000, 250, [1] * 6 + [250]),
        (400, 100, [1] * 6 + [20]),
        (100, 100, [1] * 5 + [5]),
        (20, 20, [1, 1, 2]),
    )
    def test_costs_a_twentieth(self, count, first, expected):
        target = Fake()
        self.require(target, count, first=first)
        self.assertEqual(target.batches, expected)

    def test_batch_has_strangers(self):
        seen = []

        def spy(z, target):
            seen.append(z.copy())
            return z

        self.require(Fake(spy))
        first, mixed = seen[0], seen[-1]
        known = (mixed[:, None] == first[None]).all(axis=2).any(axis=1)
        self.assertEqual(known.sum(), 50)


if __name__ == "__main__":
    absltest.main()
