"""Accuracies and AUC per class."""

import dataclasses

import numpy as np
import synthetic_outputs
import tensorflow as tf
from scipy import stats
from sklearn import metrics

from qmia_tf.auditing import audit, class_audits


class ClassAuditsTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.outputs = synthetic_outputs.outputs(90, 60, classes=4)
        self.scores = self.outputs.probabilities.max(axis=1)

    def test_each_class_alone(self):
        audits = class_audits.audit_classes(
            self.outputs, self.scores, names=("a", "b", "c", "d")
        )
        self.assertEqual(
            [class_audit.label for class_audit in audits], [0, 1, 2, 3]
        )
        self.assertEqual(
            [class_audit.name for class_audit in audits], list("abcd")
        )
        right = self.outputs.probabilities.argmax(axis=1) == self.outputs.labels
        for class_audit in audits:
            rows = self.outputs.labels == class_audit.label
            inside, outside = (
                rows & self.outputs.members,
                rows & ~self.outputs.members,
            )
            self.assertEqual(class_audit.members, inside.sum())
            self.assertEqual(class_audit.nonmembers, outside.sum())
            self.assertAlmostEqual(
                class_audit.accuracy_members.value, right[inside].mean()
            )
            exact = stats.binomtest(right[outside].sum(), outside.sum())
            low, high = exact.proportion_ci(method="exact")
            self.assertAllClose(
                dataclasses.astuple(class_audit.accuracy_nonmembers),
                (right[outside].mean(), low, high),
                atol=1e-12,
            )
            area = metrics.roc_auc_score(
                self.outputs.members[rows], self.scores[rows]
            )
            self.assertAlmostEqual(class_audit.auc.value, area)
            self.assertBetween(area, class_audit.auc.low, class_audit.auc.high)

    def test_a_class_without_one_side_is_absent(self):
        labels, members = self.outputs.labels, self.outputs.members
        kept = ~(((labels == 1) & members) | ((labels == 2) & ~members))
        audits = class_audits.audit_classes(
            self.outputs.take(kept), self.scores[kept]
        )
        self.assertEqual([class_audit.label for class_audit in audits], [0, 3])
        self.assertEqual(
            [class_audit.name for class_audit in audits], [None, None]
        )

    def test_one_record_a_side(self):
        labels, members = self.outputs.labels, self.outputs.members
        first = [
            np.flatnonzero((labels == 3) & kind)[0]
            for kind in (members, ~members)
        ]
        rows = np.concatenate([np.flatnonzero(labels != 3), first])
        audits = class_audits.audit_classes(
            self.outputs.take(rows), self.scores[rows]
        )
        self.assertEqual((audits[3].members, audits[3].nonmembers), (1, 1))
        self.assertIn(audits[3].auc.value, (0.0, 1.0))

    def test_more_classes_than_anybody_reads(self):
        most = class_audits.MOST_CLASSES
        for classes, listed in ((most, True), (most + 1, False)):
            outputs = synthetic_outputs.outputs(60, 60, classes=classes)
            audits = class_audits.audit_classes(
                outputs, outputs.probabilities.max(axis=1)
            )
            self.assertEqual(bool(audits), listed)

    def test_is_of_the_confidence_attack(self):
        target = audit.audit(self.outputs)
        self.assertEqual(
            target.per_class,
            class_audits.audit_classes(
                self.outputs.in_record_order(),
                self.outputs.in_record_order().probabilities.max(axis=1),
            ),
        )
        self.assertEqual(
            sum(class_audit.members for class_audit in target.per_class),
            target.members,
        )


if __name__ == "__main__":
    tf.test.main()
