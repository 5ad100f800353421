"""Accuracies and AUC class by class."""

import dataclasses

import numpy as np
import synthetic_outputs
import tensorflow as tf
from scipy import stats
from sklearn import metrics

from qmia_tf.auditing import audit, per_class


class ClassAuditsTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.made = synthetic_outputs.outputs(90, 60, classes=4)
        self.scores = self.made.probabilities.max(axis=1)

    def test_each_class_alone(self):
        found = per_class.audit_classes(
            self.made, self.scores, names=("a", "b", "c", "d")
        )
        self.assertEqual([each.label for each in found], [0, 1, 2, 3])
        self.assertEqual([each.name for each in found], list("abcd"))
        right = self.made.probabilities.argmax(axis=1) == self.made.labels
        for each in found:
            rows = self.made.labels == each.label
            inside, outside = (
                rows & self.made.members,
                rows & ~self.made.members,
            )
            self.assertEqual(each.members, inside.sum())
            self.assertEqual(each.nonmembers, outside.sum())
            self.assertAlmostEqual(
                each.accuracy_members.value, right[inside].mean()
            )
            exact = stats.binomtest(right[outside].sum(), outside.sum())
            low, high = exact.proportion_ci(method="exact")
            self.assertAllClose(
                dataclasses.astuple(each.accuracy_nonmembers),
                (right[outside].mean(), low, high),
                atol=1e-12,
            )
            area = metrics.roc_auc_score(
                self.made.members[rows], self.scores[rows]
            )
            self.assertAlmostEqual(each.auc.value, area)
            self.assertBetween(area, each.auc.low, each.auc.high)

    def test_a_class_without_one_side_is_absent(self):
        labels, members = self.made.labels, self.made.members
        kept = ~(((labels == 1) & members) | ((labels == 2) & ~members))
        found = per_class.audit_classes(self.made.take(kept), self.scores[kept])
        self.assertEqual([each.label for each in found], [0, 3])
        self.assertEqual([each.name for each in found], [None, None])

    def test_one_record_a_side(self):
        labels, members = self.made.labels, self.made.members
        first = [
            np.flatnonzero((labels == 3) & kind)[0]
            for kind in (members, ~members)
        ]
        rows = np.concatenate([np.flatnonzero(labels != 3), first])
        found = per_class.audit_classes(self.made.take(rows), self.scores[rows])
        self.assertEqual((found[3].members, found[3].nonmembers), (1, 1))
        self.assertIn(found[3].auc.value, (0.0, 1.0))

    def test_more_classes_than_anybody_reads(self):
        most = per_class.MOST_CLASSES
        for classes, listed in ((most, True), (most + 1, False)):
            made = synthetic_outputs.outputs(60, 60, classes=classes)
            found = per_class.audit_classes(
                made, made.probabilities.max(axis=1)
            )
            self.assertEqual(bool(found), listed)

    def test_is_of_the_confidence_attack(self):
        found = audit.audit(self.made)
        self.assertEqual(
            found.per_class,
            per_class.audit_classes(
                self.made.in_record_order(),
                self.made.in_record_order().probabilities.max(axis=1),
            ),
        )
        self.assertEqual(
            sum(each.members for each in found.per_class), found.members
        )


if __name__ == "__main__":
    tf.test.main()
