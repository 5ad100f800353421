"""Several seeds: means and paired changes, against SciPy's t tests."""

import synthetic_outputs
import tensorflow as tf
from report_runs import FULL, Reports, configuration
from scipy import stats

from qmia_tf import files
from qmia_tf.auditing import audit, audit_result
from qmia_tf.report import run_summary
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
            (one,) = (
                x
                for x in audit_result.load(folder).targets
                if x.target == target
            )
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
        low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        # A share cannot leave 0..1, though Student's interval may.
        if not key.endswith("_change"):
            low, high = max(low, 0.0), min(high, 1.0)
        self.assertAlmostEqual(row[key], sum(values) / len(values))
        self.assertAlmostEqual(row[f"{key}_low"], low)
        self.assertAlmostEqual(row[f"{key}_high"], high)

    def assertChange(self, row, key, after, before):
        changes = [x - y for x, y in zip(after, before, strict=True)]
        self.assertMean(row, f"{key}_change", changes)

    def table(self, *folders):
        """Rows of the table of seeds, and the tables of a page."""
        report = run_summary.collect(folders)
        shown = [x for x in report.shown if x.name.startswith("seed")]
        for table in report.stored:
            if table.name == "seeds":
                return table.frame().to_dict("records"), shown
        return [], shown

    def test_means_and_paired_changes(self):
        full = self.several(FULL, (0, 1, 2))
        quantized = self.several((4, 4), (0, 1, 2))
        # In another order, so that pairs are found by their seeds.
        rows, shown = self.table(quantized[2], *full, *quantized[:2])
        first, second = rows
        self.assertEqual(
            [x["model"] for x in rows], ["full precision", "w=4, a=4"]
        )
        self.assertEqual((second["runs"], second["pairs"]), (3, 3))
        before, after = self.measures(full), self.measures(quantized)
        for key, values in after.items():
            self.assertMean(first, key, before[key])
            self.assertMean(second, key, values)
            self.assertChange(second, key, values, before[key])
            # Nothing to compare the full-precision model itself with.
            self.assertIsNone(first[f"{key}_change"])
        self.assertEqual(
            [table.title for table in shown],
            ["Several seeds", "Several seeds: change against full precision"],
        )

    def test_runs_that_were_computed_otherwise_are_one_group(self):
        folders = self.several((4, 4), (0, 1, 2))
        for threads, folder in enumerate(folders, start=1):
            config = files.read_json(folder / "config.json")
            config["tensorflow"] = {
                "onednn": threads > 1,
                "intra_op_threads": threads,
            }
            if threads == 1:
                # An older run.
                config.pop("quantizers", None)
            files.write_json(folder / "config.json", config)
            audit.audit_outputs(folder)
        ((row,), shown) = self.table(*folders)
        self.assertEqual(row["runs"], 3)
        # Without full precision nothing changes against it.
        self.assertLen(shown, 1)

    def test_pairs_are_of_one_seed_and_split(self):
        quantized = [self.seeded((4, 4), n, split=n) for n in range(3)]
        full = [
            self.seeded(FULL, 0, split=0),
            # The split alone, the seed alone, another recipe.
            self.seeded(FULL, 5, split=1),
            self.seeded(FULL, 2, split=6),
        ]
        other = self.seeded(FULL, 1, split=1, recipe__epochs=99)
        rows, _ = self.table(*quantized, *full, other)
        (row,) = (x for x in rows if x["model"] == "w=4, a=4")
        self.assertEqual((row["runs"], row["pairs"]), (3, 1))
        want = self.measures(quantized[:1])["gap"][0]
        want -= self.measures(full[:1])["gap"][0]
        self.assertAlmostEqual(row["gap_change"], want)
        # One pair has no interval between seeds.
        self.assertIsNone(row["gap_change_low"])

    def test_a_complement_is_another_split(self):
        quantized = self.several((4, 4), (0, 1))
        full = self.several(FULL, (0, 1), split__complement=True)
        rows, _ = self.table(*quantized, *full)
        self.assertEqual([row["pairs"] for row in rows], [None, None])

    def test_files_are_compared_with_the_keras_model(self):
        full = self.several(FULL, (0, 1), targets=("keras", "float32"))
        rows, _ = self.table(*full)
        self.assertEqual([x["target"] for x in rows], ["keras", "float32"])
        before = self.measures(full)["accuracy"]
        after = self.measures(full, "float32")["accuracy"]
        self.assertChange(rows[1], "accuracy", after, before)

    def test_what_makes_several_seeds(self):
        one = self.seeded((4, 4), 0, targets=("keras", "int8"))
        other = self.seeded((4, 4), 1)
        # Targets that every run has; the same run twice is one.
        ((row,), _) = self.table(one, one, other)
        self.assertEqual((row["target"], row["runs"]), ("keras", 2))
        for folders in (
            [one, one],
            [one, self.seeded((2, 2), 0)],
            [one, self.seeded((4, 4), 3, recipe__epochs=99)],
        ):
            self.assertEqual(self.table(*folders), ([], []))


if __name__ == "__main__":
    tf.test.main()
