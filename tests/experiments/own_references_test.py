"""Reference models of one's own network, made by a function."""

import dataclasses
import pathlib

import numpy as np
from absl.testing import absltest, parameterized

import qmia_tf
from qmia_tf import outputs
from qmia_tf.errors import InputError

CLASSES, SIDE, FEATURES = 3, 60, 4


def task(*, seed=0):
    """Rows about three means; a third of the labels are redrawn."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, 2 * SIDE)
    values = 2 * np.eye(CLASSES, FEATURES)[labels]
    values = values + rng.normal(0, 0.5, (2 * SIDE, FEATURES))
    wrong = rng.random(2 * SIDE) < 1 / 3
    labels = np.where(wrong, rng.integers(0, CLASSES, 2 * SIDE), labels)
    return (values[:SIDE], labels[:SIDE]), (values[SIDE:], labels[SIDE:])


def nearest(values, labels):
    """A function that remembers: the labels of what is near."""

    def answer(records):
        apart = ((records[:, None] - values[None]) ** 2).sum(axis=2)
        weights = np.exp(-4 * apart) + 1e-9
        rows = weights @ np.eye(CLASSES)[labels]
        return rows / rows.sum(axis=1, keepdims=True)

    return answer


class ReferencesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.sides = task()
        self.trained, self.lines = [], []

    def train(self, values, labels, seed):
        self.trained.append((values, labels, seed))
        return nearest(values, labels)

    def make(self, build=None, *, sides=None, count=4, **options):
        return qmia_tf.references(
            build or self.train,
            *(sides or self.sides),
            out=self.dir / "refs",
            count=count,
            progress=self.lines.append,
            **options,
        )

    def audit(self, paths, sides=None):
        return qmia_tf.audit(
            nearest(*self.sides[0]),
            *(sides or self.sides),
            references=paths,
            progress=None,
        )

    def test_halves_seeds_and_outputs(self):
        paths = self.make()
        self.assertEqual(
            [path.name for path in paths],
            ["r00.npz", "r01.npz", "r02.npz", "r03.npz"],
        )
        every = np.concatenate([values for values, _ in self.sides])
        loaded = [outputs.load(path) for path in paths]
        for reference, (values, labels, seed) in zip(
            loaded, self.trained, strict=True
        ):
            inside = reference.members
            np.testing.assert_array_equal(values, every[inside])
            np.testing.assert_array_equal(labels, reference.labels[inside])
            np.testing.assert_allclose(
                reference.probabilities,
                nearest(values, labels)(every),
                atol=1e-6,
            )
            self.assertEqual(seed, reference.info["reference_seed"])
            # Each class has its share in each half.
            for label in range(CLASSES):
                own = inside[reference.labels == label]
                self.assertAlmostEqual(own.mean(), 0.5, delta=0.51 / own.size)
        trained = np.sum([reference.members for reference in loaded], axis=0)
        np.testing.assert_array_equal(trained, 2)
        self.assertTrue(np.any(loaded[0].members != loaded[2].members))
        self.assertLen({seed for _, _, seed in self.trained}, 4)
        self.assertRegex(self.lines[-1], r"^reference 4 of 4: \d+ s, right on ")

    def test_an_audit_takes_them(self):
        paths = self.make(count=16)
        result = self.audit(paths)
        self.assertEqual(result.references, [path.stem for path in paths])
        # A table of neighbours remembers; the gap alone shows less.
        (target,) = result.targets
        self.assertGreater(target.attack("lira_online").auc.value, 0.75)
        self.assertGreater(
            target.attack("lira_online").auc.value,
            target.attack("gap").auc.value,
        )
        self.assertIsNotNone(target.attack("rmia_online").auc)

    def test_goes_on_where_it_was(self):
        self.make(count=2)
        first = [path.read_bytes() for path in self.make(count=2)]
        self.assertLen(self.trained, 2)

        def stop(values, labels, seed):
            if len(self.trained) == 3:
                raise KeyboardInterrupt
            return self.train(values, labels, seed)

        with self.assertRaises(KeyboardInterrupt):
            self.make(stop, count=6)
        paths = self.make(count=6)
        self.assertLen(self.trained, 6)
        again = [path.read_bytes() for path in paths[:2]]
        self.assertEqual(again, first)
        seeds = [seed for _, _, seed in self.trained]
        self.assertLen(set(seeds), 6)

    def test_others_are_refused(self):
        paths = self.make(count=2)
        others = task(seed=1)
        for options, changes in (
            ({"sides": others}, r"fingerprint: \w{12} -> \w{12}"),
            ({"seed": 5}, r"seed: \d+ -> \d+"),
        ):
            with self.assertRaisesRegex(
                InputError,
                rf"r00.npz is another reference model \({changes}.*\): choose "
                "another out, or delete it",
            ):
                self.make(count=2, **options)
        path = paths[0]
        stored = outputs.load(path)
        swapped = stored.members.copy()
        swapped[[np.argmax(swapped), np.argmin(swapped)]] = False, True
        for members, changes in (
            (swapped, "training records: 2 others"),
            (swapped & stored.members, r"training records: \d+ -> \d+"),
        ):
            dataclasses.replace(stored, members=members).save(path)
            with self.assertRaisesRegex(InputError, rf"model \({changes}\)"):
                self.make(count=2)
        with self.assertRaisesRegex(InputError, "r00.npz was made for other"):
            self.audit(paths, sides=others)

    @parameterized.parameters(
        ({"count": 3}, "come in pairs: count must be 2, 4, ..., got 3"),
        ({"count": 0}, "come in pairs"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"outputs": "scores"}, "outputs must be one of"),
        ({"data_format": "x"}, "data_format must be one of auto, channels"),
    )
    def test_bad_options(self, options, pattern):
        with self.assertRaisesRegex(InputError, pattern):
            self.make(**options)
        self.assertEmpty(self.trained)

    def test_a_model_at_chance_is_refused(self):
        def untrained(values, labels, seed):
            rows = np.random.default_rng(seed).dirichlet(np.ones(CLASSES), 2000)
            return lambda records: rows[
                (np.abs(records[:, 0]) * 1e6).astype(int) % 2000
            ]

        with self.assertRaisesRegex(InputError, "'r00' is right on .* chance"):
            self.make(untrained)
        self.assertEmpty(list((self.dir / "refs").glob("*.npz")))
        self.assertLen(self.make(untrained, allow_chance=True), 4)

    def test_labels_are_those_of_the_outputs(self):
        moved = [(values, labels + 1) for values, labels in self.sides]
        self.make(sides=moved, count=2, first_label=1)
        self.assertEqual({0, 1, 2}, set(self.trained[0][1].tolist()))

    def test_sides_of_other_sizes_are_warned_of(self):
        (values, labels), others = self.sides
        self.make(sides=((values, labels), (others[0][:30], others[1][:30])),
                  count=2)  # fmt: skip
        (line,) = [x for x in self.lines if "warning" in x]
        self.assertRegex(line, "trained on 45 records, .* on 60 members")


if __name__ == "__main__":
    absltest.main()
