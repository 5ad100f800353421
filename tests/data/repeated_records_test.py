"""Records that are there several times: found, and no others."""

import dataclasses

import numpy as np
import slow_tests
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.data import repeated_records
from qmia_tf.data.records import Records
from qmia_tf.outputs import Outputs

INT8 = 1 / 256


def repeated(outputs, members, nonmembers=1):
    """Each record so many times, in another order, under ids of its own."""
    times = np.where(outputs.members, members, nonmembers)
    rows = np.repeat(np.arange(times.size), times)
    return renumbered(outputs, np.random.default_rng(1).permutation(rows))


def renumbered(outputs, rows, first=0):
    """Chosen rows, under ids from `first` on."""
    ids = np.arange(first, first + len(rows))
    return dataclasses.replace(outputs.take(rows), record_ids=ids)


def with_rows(rows, labels=None):
    """Outputs of which the first half are members'."""
    count = len(rows)
    return Outputs(
        np.asarray(rows, np.float32),
        np.zeros(count, int) if labels is None else labels,
        np.arange(count) < count // 2,
        np.arange(count),
        {"target": "x"},
    )


def counts_of(*answered):
    return repeated_records.of_outputs(list(answered)).repeated


def shares(counts):
    """What of each side stays."""
    return (
        counts.distinct_members / counts.members,
        counts.distinct_nonmembers / counts.nonmembers,
    )


def of_records(values, labels, members, record_ids):
    return repeated_records.of_records(
        Records("x", values, labels, members, record_ids, fingerprint="")
    )


class OfRecordsTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        dtype=(np.uint8, np.float32, np.int64, bool), shape=((), (3,), (2, 2))
    )
    def test_is_a_comparison_of_all_pairs(self, dtype, shape):
        rng = np.random.default_rng(0)
        kinds = rng.integers(0, 3, (9, *shape)).astype(dtype)
        values = kinds[rng.integers(0, 9, 70)]
        labels, members = rng.integers(0, 2, 70), rng.random(70) < 0.4
        ids = rng.permutation(500)[:70]
        keys = [
            (values[row].tobytes(), labels[row], members[row])
            for row in range(70)
        ]
        distinct = of_records(values, labels, members, ids)
        firsts = [keys.index(key) for key in sorted(set(keys), key=keys.index)]
        self.assertAllEqual(distinct.record_ids, np.sort(ids[firsts]))
        counts = dataclasses.astuple(distinct.repeated)[:5]
        self.assertEqual(
            counts,
            (members.sum(), np.sum(members[firsts]), np.sum(~members),
             np.sum(~members[firsts]), "records"),
        )  # fmt: skip

    def test_seven_times(self):
        values = np.random.default_rng(0).normal(size=(600, 4))
        values = np.concatenate([np.repeat(values[:300], 7, 0), values[300:]])
        members = np.arange(2400) < 2100
        distinct = of_records(
            values, np.zeros(2400, int), members, np.arange(2400)
        )
        self.assertEqual(
            distinct.repeated.sentence,
            "300 distinct members of 2,100: copies of one record are counted "
            "once",
        )
        self.assertAllEqual(
            distinct.record_ids,
            np.concatenate([np.arange(0, 2100, 7), np.arange(2100, 2400)]),
        )

    def test_coarse_rows_of_distinct_records_are_none(self):
        """What a file says of them does not matter where they are at hand."""
        values = np.arange(400, dtype=np.uint8).astype(np.float32) * 3
        values = np.column_stack([values, np.arange(400)])
        distinct = of_records(
            values, np.zeros(400, int), np.arange(400) < 200, np.arange(400)
        )
        self.assertEqual(shares(distinct.repeated), (1.0, 1.0))
        self.assertEqual(distinct.repeated.sentence, "")

    def test_equal_records_of_other_labels_or_sides_are_two(self):
        values = np.zeros((4, 2))
        distinct = of_records(
            values,
            np.array([0, 1, 0, 1]),
            np.array([True, True, False, False]),
            np.arange(4),
        )
        self.assertEqual(shares(distinct.repeated), (1.0, 1.0))

    def test_takes_outputs(self):
        one = synthetic_outputs.outputs(20, 20)
        twice = repeated(one, 2, 1)
        values = twice.probabilities
        doubled = of_records(
            values, twice.labels, twice.members, twice.record_ids
        )
        taken = doubled.of(twice)
        self.assertEqual(taken.labels.size, 40)
        self.assertLen(np.unique(taken.probabilities, axis=0), 40)
        distinct = of_records(
            one.probabilities, one.labels, one.members, one.record_ids
        )
        self.assertIs(distinct.of(one), one)


class CopiesInOutputsTest(parameterized.TestCase, tf.test.TestCase):
    """Copies are found, and every record stays once."""

    @parameterized.product(
        times=((7, 7), (2, 2), (7, 1), (1, 2)),
        step=(0.0, INT8),
        records=(60, 300),
    )
    def test_of_every_record(self, times, step, records):
        one = synthetic_outputs.outputs(records, records, step=step)
        copied = repeated(one, *times)
        distinct = repeated_records.of_outputs([copied])
        # Coarse rows may be equal without being copies: up to one in 30.
        least = 1.0 if step == 0 else 29 / 30
        counts = distinct.repeated
        self.assertBetween(counts.distinct_members / records, least, 1)
        self.assertBetween(counts.distinct_nonmembers / records, least, 1)
        taken = distinct.of(copied)
        rows, counts = np.unique(
            np.column_stack([taken.probabilities, taken.labels, taken.members]),
            axis=0,
            return_counts=True,
        )
        self.assertLess(counts.max(), 3)
        self.assertGreater(len(rows), 0.95 * 2 * records)
        side = "members" if times[0] > 1 else "nonmembers"
        self.assertIn(f"distinct {side} of", distinct.repeated.sentence)
        self.assertIn("by equal rows of outputs", distinct.repeated.sentence)

    def test_of_some_records(self):
        """A rare class five times, as it is balanced by repetition."""
        one = synthetic_outputs.outputs(200, 200)
        rows = np.repeat(np.arange(400), np.where(one.labels == 2, 5, 1))
        copied = renumbered(one, rows)
        counts = counts_of(copied)
        self.assertEqual(
            (counts.distinct_members, counts.distinct_nonmembers), (200, 200)
        )

    def test_of_random_numbers(self):
        """Drawn with replacement, from float outputs."""
        one = synthetic_outputs.outputs(300, 300)
        rows = np.random.default_rng(0).integers(0, 600, 1500)
        copied = renumbered(one, rows)
        drawn = np.unique(rows)
        self.assertEqual(
            counts_of(copied).distinct_members, np.sum(one.members[drawn])
        )

    @parameterized.parameters(0.0, INT8)
    def test_of_few_records(self, step):
        """Three members a hundred times more each."""
        one = synthetic_outputs.outputs(
            200, 200, classes=10, gain=(2, 2), step=step
        )
        rows = np.concatenate(
            [np.arange(400), np.repeat(np.flatnonzero(one.members)[:3], 100)]
        )
        copied = renumbered(one, rows)
        distinct = repeated_records.of_outputs([copied])
        if step:
            # They may be equal by chance, and there is a doubt.
            self.assertEqual(distinct.repeated.distinct_members, 500)
            self.assertIn("give the records", distinct.repeated.sentence)
            kept = ~np.isin(np.arange(700), distinct.doubtful)
            self.assertEqual(np.sum(kept & copied.members), 200)
            self.assertEqual(np.sum(kept & ~copied.members), 200)
        else:
            self.assertEqual(distinct.repeated.distinct_members, 200)
            self.assertEqual(distinct.repeated.distinct_nonmembers, 200)
            self.assertEmpty(distinct.doubtful)

    def test_records_that_it_knows_nothing_of_stay(self):
        """Captured outputs may be about others."""
        distinct = repeated_records.of_outputs(
            [repeated(synthetic_outputs.outputs(100, 100), 3, 3)]
        )
        one = synthetic_outputs.outputs(30, 30, seed=4, target="board")
        other = renumbered(one, np.arange(60), first=5000)
        self.assertIs(distinct.of(other), other)

    def test_of_logits(self):
        rng = np.random.default_rng(0)
        logits = np.repeat(rng.normal(size=(120, 3)) * 40, 3, axis=0)
        copied = Outputs.from_logits(
            logits.astype(np.float32),
            labels=np.repeat(rng.integers(0, 3, 120), 3),
            members=np.arange(360) < 180,
            record_ids=np.arange(360),
            info={"target": "logits"},
        )
        self.assertEqual(shares(counts_of(copied)), (1 / 3, 1 / 3))

    def test_saturated_ones_too(self):
        """All members are sure; their numbers have a divisor."""
        one = synthetic_outputs.outputs(300, 300, gain=(40.0, 2.0), classes=8)
        counts = counts_of(repeated(one, 3, 3))
        self.assertEqual(
            (counts.distinct_members, counts.distinct_nonmembers), (300, 300)
        )

    def test_equal_in_one_target_and_not_in_the_other(self):
        """Then they are two records."""
        one = synthetic_outputs.outputs(100, 100)
        coarse = synthetic_outputs.outputs(100, 100, step=0.5, target="coarse")
        self.assertEqual(shares(counts_of(coarse, one)), (1.0, 1.0))
        both = repeated(one, 4, 4), repeated(coarse, 4, 4)
        self.assertEqual(shares(counts_of(*both)), (0.25, 0.25))
        # Of other records it says nothing.
        other = synthetic_outputs.outputs(50, 50, target="other", seed=5)
        self.assertEqual(shares(counts_of(both[0], other)), (0.25, 0.25))


def votes(rng):
    """Shares of the 100 trees of a forest, of no stated step."""
    first = rng.binomial(100, np.where(np.arange(900) < 450, 0.97, 0.7))
    return with_rows(np.column_stack([first, 100 - first]) / 100)


def leaves(rng):
    """Odd shares of a tree, but both sides have the same ones."""
    top = rng.random(12)[rng.integers(0, 12, 400)].astype(np.float32)
    return with_rows(np.column_stack([top, 1 - top]), rng.integers(0, 2, 400))


def int8_logits(rng):
    members, labels = np.arange(3000) < 1500, rng.integers(0, 2, 3000)
    logits = rng.normal(size=(3000, 2))
    logits[np.arange(3000), labels] += np.where(members, 5, 1)
    return Outputs.from_logits(
        (np.round(logits / 0.07) * 0.07).astype(np.float32),
        labels=labels,
        members=members,
        record_ids=np.arange(3000),
        info={"target": "logits"},
    )


EQUAL_ROWS = {
    "votes": votes,
    "leaves": leaves,
    "constant": lambda _: with_rows(np.full((80, 4), 0.25), np.arange(80) % 4),
    "int8_logits": int8_logits,
}


class NoCopiesInOutputsTest(parameterized.TestCase, tf.test.TestCase):
    """Distinct records are never taken for copies, however coarse."""

    @parameterized.product(
        classes=(2, 3, 10),
        step=(0.0, INT8, 1 / 16, 0.01),
        gain=((2, 2), (8, 2), (20, 3), (12, 6)),
    )
    def test_distinct(self, classes, step, gain):
        sizes = (40, 400, 4000) if slow_tests.SLOW else (60, 1000)
        for records in sizes:
            outputs = synthetic_outputs.outputs(
                records, records, classes=classes, step=step, gain=gain
            )
            counts = counts_of(outputs)
            self.assertEqual(shares(counts), (1.0, 1.0), msg=records)
            self.assertEqual(counts.by, "outputs")

    @parameterized.parameters("votes", "leaves", "constant", "int8_logits")
    def test_rows_that_are_equal_by_chance(self, kind):
        for seed in range(5):
            outputs = EQUAL_ROWS[kind](np.random.default_rng(seed))
            self.assertEqual(shares(counts_of(outputs)), (1.0, 1.0))

    @parameterized.parameters(1, 2, 3, 5)
    def test_few_records(self, records):
        for step in (0.0, INT8):
            outputs = synthetic_outputs.outputs(records, records, step=step)
            self.assertEqual(shares(counts_of(outputs)), (1.0, 1.0))

    def test_coarse_rows_are_said_to_be_unsure(self):
        outputs = synthetic_outputs.outputs(500, 500, classes=2, step=1 / 16)
        counts = counts_of(outputs)
        self.assertEqual(shares(counts), (1.0, 1.0))
        self.assertIn("give the records", counts.sentence)
        # Both sides have them: nothing speaks for copies.
        self.assertEmpty(repeated_records.of_outputs([outputs]).doubtful)
        fine = synthetic_outputs.outputs(500, 500, classes=2)
        self.assertEqual(counts_of(fine).sentence, "")


if __name__ == "__main__":
    tf.test.main()
