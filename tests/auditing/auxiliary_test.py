"""Auxiliary knowledge, in the order of the records of a target's outputs."""

import dataclasses

import numpy as np
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.attacks import augmented_queries
from qmia_tf.attacks.margin import margins
from qmia_tf.auditing.auxiliary import (
    Auxiliary,
    make_attack_inputs,
    with_other_outputs,
)
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs

RECORDS = 40


def answers(target="keras", *, seed=0, members=None, records=None, **options):
    """Answers to records 3, 6, 9, ..., each target's in an order of its own.

    Args:
        members: bool [N], who trained it; the first half if None.
        records: int [M] of 0..N-1, those that were asked; all if None.
    """
    outputs = synthetic_outputs.outputs(
        RECORDS // 2, RECORDS // 2, seed=seed, target=target, **options
    )
    count = np.arange(RECORDS)
    outputs = dataclasses.replace(
        outputs,
        record_ids=3 * count + 3,
        labels=count % 5,
        members=count < RECORDS // 2 if members is None else members,
    )
    order = np.random.default_rng(seed + 1).permutation(RECORDS)
    if records is not None:
        order = order[np.isin(order, records)]
    return outputs.take(order)


def drawn_members(seed):
    rng = np.random.default_rng(seed)
    return rng.permutation(np.arange(RECORDS) < RECORDS // 2)


def by_record(outputs, values):
    return dict(zip(outputs.record_ids.tolist(), values, strict=True))


class MakeAttackInputsTest(parameterized.TestCase, tf.test.TestCase):
    def assertRefused(self, pattern, call, *args, **options):
        with self.assertRaisesRegex(InputError, pattern) as caught:
            call(*args, **options)
        self.assertNotIn("\n", str(caught.exception))

    def test_no_auxiliary_knowledge(self):
        inputs = make_attack_inputs(answers(), seed=4)
        ids = inputs.outputs.record_ids
        self.assertAllEqual(ids, np.sort(ids))
        self.assertEqual(inputs.seed, 4)
        self.assertEqual(inputs.calibration.sum(), RECORDS // 2)
        for name in (
            "augmented_labels",
            "noisy_labels",
            "references",
            "parent",
            "features",
        ):
            self.assertIsNone(getattr(inputs, name), name)

    def test_the_half_does_not_depend_on_the_order_of_the_file(self):
        given = answers()
        halves = [
            make_attack_inputs(
                given.take(np.random.default_rng(n).permutation(RECORDS))
            )
            for n in range(2)
        ]
        self.assertAllEqual(halves[0].calibration, halves[1].calibration)

    def test_parent_and_second_outputs_record_by_record(self):
        given, parent = answers(), answers("other", seed=5)
        inputs = make_attack_inputs(given, Auxiliary(parent=parent))
        want = by_record(parent, parent.probabilities)
        for other in (
            inputs.parent,
            with_other_outputs(inputs, parent).other_outputs[0],
        ):
            self.assertAllEqual(other.record_ids, inputs.outputs.record_ids)
            for record, row in by_record(other, other.probabilities).items():
                self.assertAllEqual(row, want[record])

    def test_second_outputs_that_were_queried_about_more(self):
        given = answers(records=np.arange(4, 36))
        inputs = with_other_outputs(
            make_attack_inputs(given), answers("other", seed=5)
        )
        self.assertAllEqual(
            inputs.other_outputs[0].record_ids, 3 * np.arange(4, 36) + 3
        )

    def test_features_are_those_of_the_records(self):
        # Features of every record of the data set, 0..R-1.
        features = np.arange(200.0)[:, None] * [1, 10]
        gathered = make_attack_inputs(
            answers(), Auxiliary(features=features)
        ).features
        ids = 3 * np.arange(RECORDS) + 3
        self.assertAllEqual(gathered, np.stack([ids, 10 * ids], axis=1))

    def test_copies_and_noise_record_by_record(self):
        asked = np.array([9, 3, 60])
        answered = [
            augmented_queries.AugmentedLabels(
                predicted=np.int16([[n, record % 7] for record in asked]),
                record_ids=asked,
                labels=np.zeros(3, np.int64),
                members=np.ones(3, bool),
                queries=("unchanged", "flip"),
                info={},
            )
            for n in (1, 2)
        ]
        inputs = make_attack_inputs(
            answers(),
            Auxiliary(augmented_labels=answered[0], noisy_labels=answered[1]),
        )
        for n, rows in ((1, inputs.augmented_labels), (2, inputs.noisy_labels)):
            for row, record in zip(
                rows, inputs.outputs.record_ids, strict=True
            ):
                known = record in asked
                self.assertAllEqual(row, [n, record % 7] if known else [-1, -1])

    def test_references_record_by_record(self):
        given = answers()
        referees = tuple(
            answers(f"r{n}", seed=n + 2, members=drawn_members(n))
            for n in range(3)
        )
        inputs = make_attack_inputs(given, Auxiliary(references=referees))
        for row, referee in enumerate(referees):
            want = by_record(referee, margins(referee))
            inside = by_record(referee, referee.members)
            for at, record in enumerate(inputs.outputs.record_ids.tolist()):
                self.assertNear(
                    inputs.references.margins[row, at], want[record], 1e-5
                )
                self.assertEqual(
                    inputs.references.inside[row, at], inside[record]
                )
        self.assertAllEqual(
            inputs.references.outside, ~inputs.references.inside
        )

    def test_reference_that_knows_some_records_only(self):
        part = answers(
            "r0", seed=2, members=drawn_members(0), records=np.arange(10, 50)
        )
        references = make_attack_inputs(
            answers(), Auxiliary(references=(part,))
        ).references
        known = np.arange(RECORDS) >= 10
        self.assertAllEqual(references.inside | references.outside, [known])
        self.assertAllEqual(
            references.inside[0, known], drawn_members(0)[known]
        )
        # Neither here nor there: it says nothing of the others.
        self.assertFalse(np.any(references.inside & references.outside))

    def test_reference_that_knows_none(self):
        other = answers("r0")
        other = dataclasses.replace(other, record_ids=other.record_ids + 1)
        self.assertRefused(
            "reference 'r0' was queried about none of the records of 'keras'",
            make_attack_inputs,
            answers(),
            Auxiliary(references=(other,)),
        )

    def test_reference_on_the_very_members(self):
        self.assertRefused(
            "reference 'r0' was trained on the very members of 'keras': give",
            make_attack_inputs,
            answers(),
            Auxiliary(references=(answers("r0", seed=2),)),
        )

    @parameterized.parameters("references", "parent")
    def test_other_labels_and_classes(self, name):
        members = drawn_members(0) if name == "references" else None
        other = answers("r0", seed=2, members=members)
        relabelled = dataclasses.replace(other, labels=(other.labels + 1) % 5)
        more = dataclasses.replace(
            other, probabilities=np.full((RECORDS, 6), 1 / 6, np.float32)
        )
        for changed, message in (
            (relabelled, r"'r0'.* has label 1 for record 3, not 0 \(40 such"),
            (more, "'r0'.* knows 6 classes, not 5"),
        ):
            given = (changed,) if name == "references" else changed
            self.assertRefused(
                message,
                make_attack_inputs,
                answers(),
                Auxiliary(**{name: given}),
            )

    def test_parent_of_other_records_or_members(self):
        for other, message in (
            (
                answers("parent", records=np.arange(8, RECORDS)),
                "'parent', audited with 'keras', has no output for 8 of its",
            ),
            (
                answers("parent", members=drawn_members(1)),
                "'parent', audited with 'keras', was trained on other members",
            ),
        ):
            self.assertRefused(
                message, make_attack_inputs, answers(), Auxiliary(parent=other)
            )
            self.assertRefused(
                message,
                with_other_outputs,
                make_attack_inputs(answers()),
                other,
            )

    def test_outputs_that_cannot_be_audited(self):
        given = answers()
        self.assertRefused(
            "1 member: .*two",
            make_attack_inputs,
            given.take(~given.members | (given.record_ids == 3)),
        )
        bad = dataclasses.replace(given, labels=given.labels + 9)
        self.assertRefused("outside 0..4", make_attack_inputs, bad)
        self.assertIsInstance(make_attack_inputs(given).outputs, Outputs)


if __name__ == "__main__":
    tf.test.main()
