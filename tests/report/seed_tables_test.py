"""Several seeds: means and paired changes, against SciPy's t tests."""

import synthetic_outputs
import tensorflow as tf
from report_runs import FULL, Reports, configuration
from scipy import stats

from qmia_tf import files
from qmia_tf.auditing import audit, audit_result
from qmia_tf.report import run_list, seed_tables
from qmia_tf.run_dir import RunDir


class SeedTest(Reports):
    def seeded(self, bits, seed, *, split=0, targets=("keras",), **changes):
        """An audited run whose outputs follow from its seeds."""
        folder = self.root / f"w{bits[0]}a{bits[1]}_{seed}_{split}"
        config = configuration("cifar10", bits, split__seed=split, **changes)
        RunDir(folder).open({**config, "seed": seed})
        for number, target in enumerate(targets):
            synthetic_outputs.outputs(
                seed=bits[0] + 100 * seed + 1000 * split + 7 * number,
                target=target,
                gain=(4.0, 3.0),
            ).save(folder / "outputs" / f"{target}.npz")
        audit.audit_outputs(folder)
        return folder

    def several(self, bits, seeds, **options):
        return [self.seeded(bits, seed, **options) for seed in seeds]

    def measures(self, folders, target="keras"):
        """Each measure of the table, one value a run, from the audits."""
        values = {}
        for folder in folders:
            one = {x.target: x for x in audit_result.load(folder).targets}[
                target
            ]
            gap = one.attack("gap").point("fixed")
            held_out = one.attack("confidence").held_out.point
            for key, value in (
                ("accuracy", one.accuracy_nonmembers.value),
                ("gap", gap.balanced_accuracy.value),
                ("confidence", held_out.balanced_accuracy.value),
                ("confidence_auc", one.attack("confidence").auc.value),
                ("margin_auc", one.attack("margin").auc.value),
            ):
                values.setdefault(key, []).append(value)
        return values

    def assertMean(self, row, key, values):
        interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        self.assertAlmostEqual(float(row[key]), sum(values) / len(values))
        # A share cannot leave 0..1, though Student's interval may.
        low, high = interval
        if not key.endswith("_change"):
            low, high = max(low, 0.0), min(high, 1.0)
        self.assertAlmostEqual(float(row[f"{key}_low"]), low)
        self.assertAlmostEqual(float(row[f"{key}_high"]), high)

    def table(self, *folders):
        ordered = run_list.sort_runs([audit_result.load(x) for x in folders])
        return [x.stored for x in seed_tables.seed_tables(ordered)]

    def test_means_and_paired_changes(self):
        full = self.several(FULL, (0, 1, 2))
        quantized = self.several((4, 4), (0, 1, 2))
        # In another order, so that pairs are found by their seeds.
        text = self.report(quantized[2], *full, *quantized[:2])
        rows = {row["model"]: row for row in self.rows("seeds")}
        self.assertEqual(list(rows), ["full precision", "w=4, a=4"])
        row = rows["w=4, a=4"]
        self.assertEqual((row["runs"], row["pairs"]), ("3", "3"))
        before, after = self.measures(full), self.measures(quantized)
        for key, values in after.items():
            self.assertMean(row, key, values)
            changes = [
                one - other
                for one, other in zip(values, before[key], strict=True)
            ]
            self.assertMean(row, f"{key}_change", changes)
        for key, values in before.items():
            self.assertMean(rows["full precision"], key, values)
            # Nothing to compare the full-precision model itself with.
            self.assertEqual(rows["full precision"][f"{key}_change"], "")
        self.assertIn("Several seeds\n", text)
        self.assertIn("Several seeds: change against full precision", text)
        widths = [
            len(line)
            for line in text[text.index("Several seeds\n") :].splitlines()
            if line.startswith("  ")
        ]
        self.assertLessEqual(max(widths), 110)
        for name in ("seeds", "seed_changes"):
            latex = (self.root / "report" / f"{name}.tex").read_text()
            self.assertIn(rf"\label{{tab:{name}}}", latex)

    def test_runs_that_were_computed_otherwise_are_one_group(self):
        folders = self.several((4, 4), (0, 1, 2))
        for threads, folder in enumerate(folders, start=1):
            config = files.read_json(folder / "config.json")
            config["tensorflow"] = {
                "onednn": threads > 1,
                "intra_op_threads": threads,
            }
            files.write_json(folder / "config.json", config)
            audit.audit_outputs(folder)
        (table,) = self.table(*folders)
        (row,) = table.rows
        keys = [column.key for column in table.columns]
        self.assertEqual(row[keys.index("runs")], 3)

    def test_pairs_are_of_one_seed_and_split(self):
        quantized = [self.seeded((4, 4), n, split=n) for n in range(3)]
        full = [
            self.seeded(FULL, 0, split=0),
            # The split alone, the seed alone, another recipe.
            self.seeded(FULL, 5, split=1),
            self.seeded(FULL, 2, split=6),
        ]
        other = self.seeded(FULL, 1, split=1, recipe__epochs=99)
        (table,) = self.table(*quantized, *full, other)
        keys = [column.key for column in table.columns]
        rows = {row[1]: dict(zip(keys, row, strict=True)) for row in table.rows}
        row = rows["w=4, a=4"]
        self.assertEqual((row["runs"], row["pairs"]), (3, 1))
        want = self.measures(quantized[:1])["gap"][0]
        want -= self.measures(full[:1])["gap"][0]
        self.assertAlmostEqual(row["gap_change"].value, want)
        # One pair has no interval between seeds.
        self.assertIsNone(row["gap_change"].low)

    def test_a_complement_is_another_split(self):
        quantized = self.several((4, 4), (0, 1))
        full = self.several(FULL, (0, 1), split__complement=True)
        (table,) = self.table(*quantized, *full)
        pairs = [column.key for column in table.columns].index("pairs")
        self.assertEqual([row[pairs] for row in table.rows], [None, None])

    def test_files_are_compared_with_the_keras_model(self):
        full = self.several(FULL, (0, 1), targets=("keras", "float32"))
        text = self.report(*full)
        rows = {row["target"]: row for row in self.rows("seeds")}
        self.assertEqual(list(rows), ["keras", "float32"])
        before = self.measures(full)["accuracy"]
        after = self.measures(full, "float32")["accuracy"]
        self.assertMean(
            rows["float32"],
            "accuracy_change",
            [x - y for x, y in zip(after, before, strict=True)],
        )
        self.assertIn("float32", text)

    def test_only_targets_that_every_run_has(self):
        one = self.seeded((4, 4), 0, targets=("keras", "int8"))
        other = self.seeded((4, 4), 1)
        (table,) = self.table(one, other)
        self.assertEqual([row[2] for row in table.rows], ["keras"])

    def test_no_table_without_several_seeds(self):
        one, other = self.seeded((4, 4), 0), self.seeded((2, 2), 0)
        self.assertEqual(self.table(one, other), [])
        other = self.seeded((4, 4), 3, recipe__epochs=99)
        self.assertEqual(self.table(one, other), [])
        text = self.report(one)
        self.assertNotIn("Several seeds", text)
        self.assertFalse((self.root / "report/seeds.csv").exists())

    def test_the_same_run_twice_is_one(self):
        one, other = self.several((4, 4), (0, 1))
        (table,) = self.table(one, one, other)
        self.assertEqual([row[3] for row in table.rows], [2])
        self.assertEqual(self.table(one, one), [])


if __name__ == "__main__":
    tf.test.main()
