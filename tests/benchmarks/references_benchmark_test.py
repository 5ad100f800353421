"""The parts of the reference benchmarks that can be wrong without training."""

import json
import pathlib
import sys
from unittest import mock

import numpy as np
from absl.testing import absltest
from sklearn import metrics

from qmia_tf import outputs
from qmia_tf.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parents[2]
with mock.patch.object(sys, "path", [str(ROOT / "benchmarks"), *sys.path]):
    import few_references
    import few_references_table
    import references

RECORDS, CLASSES = 400, 3


def save_references(run, count, *, lift, seed=0):
    """Models that are surer of their members by `lift`, in pairs."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, RECORDS)
    hardness = rng.normal(0, 3, RECORDS)
    splits = np.random.default_rng(9)
    for number in range(count):
        if number % 2 == 0:
            first = splits.permutation(RECORDS) < RECORDS // 2
        members = first if number % 2 == 0 else ~first
        logits = rng.normal(0, 0.5, (RECORDS, CLASSES))
        logits[np.arange(RECORDS), labels] += hardness + lift * members
        path = run / "references" / f"r{number:02d}" / "outputs" / "keras.npz"
        # Members first, as queries leave them.
        order = np.argsort(~members, kind="stable")
        outputs.Outputs.from_logits(
            logits[order],
            labels=labels[order],
            members=members[order],
            record_ids=order,
            info={"target": "keras"},
        ).save(path)


class FewReferencesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)

    def test_references_are_of_other_pairs(self):
        self.assertEqual(few_references.behind(0, 4, 8), [2, 3, 4, 5])
        self.assertEqual(few_references.behind(4, 6, 8), [6, 7, 0, 1, 2, 3])
        with self.assertRaisesRegex(InputError, "take 10 models, and there"):
            few_references.behind(0, 8, 8)

    def test_each_record_trained_half_of_the_references(self):
        save_references(self.dir, 8, lift=1.0)
        models = few_references.Models.load(self.dir, 8)
        inputs = few_references.inputs_of(models, 2, models, 4)
        inside = inputs.references.inside.sum(axis=0)
        np.testing.assert_array_equal(inside, np.full(RECORDS, 2))
        np.testing.assert_array_equal(inputs.outputs.members, models.members[2])
        sklearns = metrics.accuracy_score(
            models.outputs[3].labels, models.outputs[3].predicted
        )
        by_side = few_references.accuracies(models)
        both = by_side["members"][3] + by_side["nonmembers"][3]
        np.testing.assert_allclose(both / 2, sklearns)

    def test_finds_a_leak_that_the_margin_hardly_shows(self):
        for name, lift in (("float", 2.0), ("w4a4", 1.0)):
            save_references(self.dir / name, 8, lift=lift)
        one, other = (
            few_references.Models.load(self.dir / name, 8)
            for name in ("float", "w4a4")
        )
        rows = {
            "float": few_references.measure(one, one, [2, 6]),
            "w4a4": few_references.measure(other, other, [2, 6]),
        }
        areas = {
            (run, row["attack"], row["references"]): np.mean(row["auc"])
            for run, some in rows.items()
            for row in some
        }
        alone = areas["float", "margin", 0]
        for attack in few_references.reference_attacks():
            many = areas["float", attack, 6]
            self.assertGreater(many, alone + 0.05, attack)
            self.assertGreater(many, areas["w4a4", attack, 6], attack)
        [row] = [r for r in rows["float"] if r["attack"] == "margin"]
        np.testing.assert_allclose(
            row["auc"][1],
            metrics.roc_auc_score(one.members[2], one.margins(1.0)[2]),
        )
        changes = few_references_table.changes(
            {"rows": rows}, "w4a4", "float", references=6, metric="auc"
        )
        before, after, change = changes["lira_online"]
        np.testing.assert_allclose(after.value - before.value, change.value)
        self.assertLess(change.high, 0)
        text = few_references_table.text({"rows": rows})
        self.assertIn("| references | 2 | 6 |", text)

    def test_references_without_their_other_half(self):
        save_references(self.dir, 3, lift=1.0)
        last = self.dir / "references" / "r02"
        last.rename(last.with_name("r01_5"))
        (self.dir / "references" / "r00").rename(self.dir / "r00")
        with self.assertRaisesRegex(InputError, "are not pairs"):
            few_references.Models.load(self.dir, 2)


class PagesTest(absltest.TestCase):
    def test_tables_are_those_of_the_stored_numbers(self):
        result = json.loads(few_references_table.STORED.read_text())
        marks = 0
        for page in few_references_table.PAGES:
            text = page.read_text()
            marks += len(few_references_table.PART.findall(text))
            self.assertEqual(
                few_references_table.fill(text, result),
                text,
                "it is old: run python benchmarks/few_references_table.py",
            )
        self.assertEqual(marks, 4)


class ReferencesTest(absltest.TestCase):
    def test_ratios_are_of_the_same_turn(self):
        seconds = {
            references.PLAIN: [10.0, 20.0, 40.0],
            "XLA": [5.0, 20.0, 8.0],
        }
        row = references.summary("XLA", seconds, 4)
        self.assertEqual(row["ratios"], [2.0, 1.0, 5.0])
        self.assertEqual(row["ratio"], 2.0)
        self.assertEqual(row["models_an_hour"], 1800.0)
        rows = {way: references.summary(way, seconds, 4) for way in seconds}
        self.assertIn("1.00..5.00", references.table(rows))


if __name__ == "__main__":
    absltest.main()
