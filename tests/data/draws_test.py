"""Records drawn from both sides, every class with its share."""

import dataclasses

import folders
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.data import draws
from qmia_tf.data import split as splits
from qmia_tf.data.records import Records


def records_of(labels, fraction=0.5):
    split = splits.make_split(
        labels, seed=0, pool="all", fingerprint="d", member_fraction=fraction
    )
    ids = np.r_[split.members, split.nonmembers]
    return Records(
        name="r",
        values=ids[:, None],
        labels=labels[ids],
        members=np.isin(ids, split.members),
        record_ids=ids,
        fingerprint="d",
    )


class DrawTest(folders.Folder):
    @parameterized.parameters(8, 100, 101)
    def test_as_many_members_stratified_by_class(self, count):
        records = records_of(np.repeat([0, 1, 2, 3], [400, 200, 100, 100]))
        drawn = draws.draw(records, count, seed=0)
        self.assertLen(np.unique(drawn.record_ids), drawn.labels.size)
        for side in (drawn.members, ~drawn.members):
            chosen = drawn.labels[side]
            self.assertLen(chosen, count // 2)
            for label, share in ((0, 0.5), (1, 0.25), (2, 0.125), (3, 0.125)):
                self.assertLess(
                    abs(np.sum(chosen == label) - share * len(chosen)), 1
                )

    def test_everybody_if_there_are_fewer(self):
        records = records_of(np.arange(40) % 4, fraction=0.25)
        drawn = draws.draw(records, 30, seed=0)
        # All ten members, fifteen nonmembers.
        self.assertEqual(drawn.members.sum(), 10)
        self.assertLen(drawn.labels, 25)
        drawn = draws.draw(records, 2000, seed=0)
        self.assertAllEqual(drawn.in_record_order().record_ids, np.arange(40))

    def test_seed_decides(self):
        records = records_of(np.arange(400) % 4)
        first, again, other = (
            draws.draw(records, 50, seed=seed).record_ids for seed in (0, 0, 1)
        )
        self.assertAllEqual(first, again)
        self.assertNotAllEqual(first, other)

    @parameterized.parameters(
        (0, 0, "even number of 4 or more .* got 0"),
        (2, 0, "even number of 4 or more .* got 2"),
        (7, 0, "even number of 4 or more .* got 7"),
        (10, -1, "got 10 and -1"),
        (62, 0, "has 10 members, 31 of them cannot be drawn: ask for 20 rec"),
    )
    def test_exactly(self, count, seed, message):
        records = records_of(np.arange(40) % 4, fraction=0.25)
        drawn = draws.draw_exactly(records, 20, seed=3)
        self.assertAllEqual(
            drawn.record_ids, draws.draw(records, 20, seed=3).record_ids
        )
        self.assertRefused(
            message, draws.draw_exactly, records, count, seed=seed
        )
        swapped = dataclasses.replace(records, members=~records.members)
        self.assertRefused(
            "has 10 nonmembers, 11 of them",
            draws.draw_exactly,
            swapped,
            22,
            seed=0,
        )


if __name__ == "__main__":
    tf.test.main()
