"""Record risk: measured, written, shown, and the script."""

import csv
import dataclasses
import json

import numpy as np
import script_calls
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized
from matplotlib import image as reading
from scipy import stats

from qmia_tf import files, outputs
from qmia_tf.attacks import confidence, margin
from qmia_tf.auditing import record_risk
from qmia_tf.data import loaders
from qmia_tf.errors import InputError
from qmia_tf.experiments import run
from qmia_tf.report import risk_files, risk_page
from qmia_tf.statistics.risk import membership_probability


def measured(score="margin", run="w4a4", **options):
    return record_risk.measure(
        synthetic_outputs.outputs(80, 70, **options), score=score, run=run
    )


class MeasureTest(parameterized.TestCase, tf.test.TestCase):
    def test_records_in_order_with_scores_ranks_and_risks(self):
        answers = synthetic_outputs.outputs(80, 70, gain=(4.0, 1.0))
        risks = record_risk.measure(answers, score="margin", seed=5, run="mine")
        self.assertAllEqual(
            risks.outputs.record_ids, np.sort(answers.record_ids)
        )
        scores = margin.margins(risks.outputs)
        self.assertAllEqual(risks.scores, scores)
        self.assertAllEqual(risks.ranks, stats.rankdata(scores))
        risk = membership_probability(scores, risks.outputs.members, seed=5)
        self.assertAllEqual(risks.risk.value, risk.value)
        self.assertAllEqual(risks.risk.low, risk.low)
        self.assertEqual((risks.run, risks.level), ("mine", 0.95))

    def test_the_order_of_the_records_does_not_matter(self):
        answers = synthetic_outputs.outputs(80, 70)
        shuffled = answers.take(np.random.default_rng(0).permutation(150))
        one, other = record_risk.measure(answers), record_risk.measure(shuffled)
        self.assertAllEqual(one.risk.value, other.risk.value)
        self.assertAllEqual(one.by_risk(), other.by_risk())

    def test_by_risk(self):
        risks = measured(gain=(5.0, 1.0), step=1 / 16)
        order = risks.by_risk()
        keys = list(
            zip(
                -risks.risk.value[order],
                -risks.scores[order],
                risks.outputs.record_ids[order],
                strict=True,
            )
        )
        self.assertEqual(keys, sorted(keys))
        self.assertLen(set(order.tolist()), 150)
        rows = risks.riskiest_members(7)
        self.assertAllEqual(
            rows, [row for row in order if risks.outputs.members[row]][:7]
        )

    def test_scores_by_name(self):
        risks = measured("confidence")
        self.assertAllEqual(risks.scores, confidence.scores(risks.outputs))
        self.assertContainsSubset(
            {"margin", "confidence", "modified_entropy"},
            set(record_risk.SCORES),
        )
        self.assertNoCommonElements(
            {"gap", "quantile", "likelihood", "noise_robustness"},
            record_risk.SCORES,
        )
        with self.assertRaisesRegex(InputError, "no score 'mood': choose one"):
            measured("mood")

    def test_loss_traces(self):
        answers = synthetic_outputs.outputs(80, 70)
        members = answers.in_record_order().members
        # Losses of members fall, those of nonmembers stay.
        start = np.random.default_rng(0).uniform(1, 2, 150)
        losses = start * np.linspace(1, np.where(members, 0.2, 0.9), 9)
        risks = record_risk.measure(answers, score="loss_trace", losses=losses)
        # From the third to the seventh of nine even steps is half of the way.
        half = start * np.where(members, 0.8, 0.1) / 2
        self.assertAllClose(risks.scores, half, rtol=1e-12)
        self.assertTrue(risks.is_of_trainer)
        self.assertEqual(risks.auc.value, 1.0)
        page = risk_page.as_page(risks, risks.riskiest_members(3))
        text = " ".join(page.split())
        self.assertIn("it is no attack of somebody who queries", text)
        self.assertIn("AUC of 1.000 [", text)
        other = record_risk.measure(answers)
        self.assertFalse(other.is_of_trainer)
        self.assertNotIn(
            "LT-IQR", risk_page.as_page(other, other.riskiest_members(3))
        )
        for few in (None, losses[:3]):
            with self.assertRaisesRegex(
                InputError,
                r"'loss_trace' needs the losses of 4 epochs or more, and there "
                r"are \d: train with qmia train --keep_every=1",
            ):
                record_risk.measure(answers, score="loss_trace", losses=few)

    def test_scores_against_reference_models(self):
        answers = synthetic_outputs.outputs(60, 60)
        with self.assertRaisesRegex(InputError, "qmia references"):
            record_risk.measure(answers, score="difficulty")
        other = synthetic_outputs.outputs(60, 60, gain=(2.0, 1.0))
        # It was asked about all records but one, and trained on every second.
        every = np.arange(120)
        other = dataclasses.replace(
            other,
            record_ids=answers.record_ids,
            labels=answers.labels,
            members=every % 2 == 0,
        ).take(every > 0)
        risks = record_risk.measure(
            answers, score="difficulty", references=(other,)
        )
        outside = np.flatnonzero((every % 2 == 1))
        self.assertEqual(risks.excluded, 60)
        self.assertAllEqual(
            risks.outputs.record_ids, np.sort(answers.record_ids[outside])
        )
        taken = answers.take(outside).in_record_order()
        theirs = other.take(~other.members).in_record_order()
        self.assertAllClose(
            risks.scores, margin.margins(taken) - margin.margins(theirs)
        )

    def test_too_few_records(self):
        with self.assertRaisesRegex(InputError, "1 member: .* two"):
            record_risk.measure(synthetic_outputs.outputs(1, 9))

    def test_what_does_not_compare(self):
        answers = synthetic_outputs.outputs(80, 70, fingerprint="a" * 64)
        other = synthetic_outputs.outputs(80, 70, fingerprint="b" * 64)
        swapped = answers.members.copy()
        swapped[:] = np.roll(swapped, 1)
        labels = (answers.labels + 1) % answers.classes
        ids = answers.record_ids
        arrays = {
            "probabilities": answers.probabilities,
            "labels": answers.labels,
            "members": answers.members,
            "record_ids": ids,
            "info": {"target": "keras"},
        }

        def altered(**changes):
            return record_risk.measure(
                outputs.Outputs(**{**arrays, **changes}), run="full"
            )

        ours = record_risk.measure(answers, run="w4a4")
        record_risk.check_comparable(ours, altered())
        for theirs, pattern in (
            (record_risk.measure(other), r"data \(fingerprints a+ and b+\)"),
            (altered(record_ids=ids + 1), r"records \(150 and 150\)"),
            (
                record_risk.measure(answers.take(slice(0, 99))),
                r"records \(150 and 99\)",
            ),
            (altered(members=swapped), "members: the runs' splits differ"),
            (altered(labels=labels), "other labels: choose runs of the same"),
        ):
            with self.assertRaisesRegex(InputError, pattern):
                record_risk.check_comparable(ours, theirs)
            with self.assertRaisesRegex(InputError, pattern):
                risk_files.write_risks(
                    ours, self.create_tempdir().full_path, before=theirs
                )

    def test_images_are_the_records_own(self):
        digits = loaders.load("digits")
        ids = np.random.default_rng(0).permutation(1797)[:150]
        answers = synthetic_outputs.outputs(80, 70, classes=10)
        arrays = {
            "probabilities": answers.probabilities,
            "members": answers.members,
            "info": {"target": "keras"},
        }
        risks = record_risk.measure(
            outputs.Outputs(labels=digits.labels[ids], record_ids=ids, **arrays)
        )
        rows = [3, 0, 77]
        self.assertAllEqual(
            record_risk.images_of(risks, rows, digits),
            digits.images[np.sort(ids)[rows]],
        )
        for labels, numbers in (
            (answers.labels, ids),
            (digits.labels[ids], ids + 1797),
        ):
            risks = record_risk.measure(
                outputs.Outputs(labels=labels, record_ids=numbers, **arrays)
            )
            with self.assertRaisesRegex(InputError, "digits is not the data"):
                record_risk.images_of(risks, np.arange(150), digits)


class WrittenTest(parameterized.TestCase, tf.test.TestCase):
    def test_table_of_all_records(self):
        risks = measured(gain=(5.0, 1.0))
        before = measured(gain=(6.0, 1.0), run="full")
        rows = list(csv.DictReader(risk_page.as_csv(risks, before).split("\n")))
        order = risks.by_risk()
        self.assertLen(rows, 150)
        for row, place in zip(rows, order, strict=True):
            answers = risks.outputs
            self.assertEqual(int(row["record_id"]), answers.record_ids[place])
            self.assertEqual(int(row["member"]), answers.members[place])
            self.assertEqual(float(row["score"]), risks.scores[place])
            self.assertEqual(
                float(row["rank_change"]),
                float(row["rank"]) - float(row["baseline_rank"]),
            )
            self.assertAlmostEqual(
                float(row["probability_change"]),
                100
                * (
                    float(row["probability"])
                    - float(row["baseline_probability"])
                ),
                places=3,
            )
            self.assertEqual(float(row["baseline_score"]), before.scores[place])
            self.assertBetween(
                float(row["probability"]), float(row["low"]), float(row["high"])
            )
        alone = risk_page.as_csv(risks).split("\n")[0]
        self.assertEqual(
            alone,
            "record_id,label,member,predicted,score,rank,probability,low,high",
        )

    def test_page(self):
        risks = measured(gain=(9.0, 0.0))
        before = measured(gain=(3.0, 2.0), run="full")
        rows = risks.riskiest_members(6)
        page = risk_page.as_page(risks, rows, before)
        text = " ".join(page.split())
        low = risks.risk.low > 0.5
        members = risks.outputs.members
        self.assertIn(f"Of 80 members {np.sum(low & members)}", text)
        self.assertIn(f"of 70 nonmembers {np.sum(low & ~members)}, have", text)
        self.assertGreater(np.sum(low & members), 20)
        self.assertNotIn("no single record is shown", text)
        self.assertIn("calibrated on the other half of the records", text)
        self.assertIn("All listed here are members", text)
        self.assertIn("keep them as private as the data", text)
        same = np.intersect1d(
            risks.riskiest_members(4),
            before.riskiest_members(4),
        )
        self.assertIn(
            f"the 4 members at highest risk of each {same.size} are the same",
            text,
        )
        listed = [x for x in page.splitlines() if x.startswith("| ")][2:]
        self.assertLen(listed, 6)
        for line, row in zip(listed, rows, strict=True):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            self.assertEqual(int(cells[0]), risks.outputs.record_ids[row])
            self.assertStartsWith(cells[5], f"{risks.risk.value[row]:.2f} [")
            self.assertAlmostEqual(
                float(cells[8]),
                100 * (risks.risk.value[row] - before.risk.value[row]),
                delta=0.051,
            )

    def test_page_without_a_leak(self):
        risks = measured(gain=(0.0, 0.0), seed=3)
        flat = measured(gain=(0.0, 0.0), seed=3)
        flat.ranks[:] = 75.5
        page = risk_page.as_page(risks, [0], flat)
        text = " ".join(page.split())
        self.assertIn("So no single record is shown to be at risk", text)
        self.assertIn("one of them gives all records the same score", text)

    @parameterized.parameters(
        (1, (8, 8, 1)), (3, (5, 9, 3)), (9, (8, 8, 1)), (200, (4, 4, 3))
    )
    def test_contact_sheet(self, top, shape):
        risks = measured(gain=(3.0, 0.0))
        rows = risks.riskiest_members(top)
        self.assertLen(rows, min(top, 80))
        images = np.random.default_rng(0).integers(
            0, 256, (len(rows), *shape), np.uint8
        )
        names = [f"a class with a long name {n}" for n in range(5)]
        figure = risk_files.contact_sheet(
            risks, rows, images, names, before=risks
        )
        drawn = [axes for axes in figure.axes if axes.images]
        self.assertLen(drawn, len(rows))
        for axes, row, image in zip(drawn, rows, images, strict=True):
            self.assertAllEqual(axes.images[0].get_array(), image.squeeze())
            label, predicted, interval, baseline = (
                axes.get_xlabel().splitlines()
            )
            self.assertStartsWith(label, "label a class w")
            self.assertStartsWith(predicted, "predicted a class w")
            risk = risks.risk
            self.assertEqual(
                interval,
                f"{risk.value[row]:.2f} "
                f"[{risk.low[row]:.2f}, {risk.high[row]:.2f}]",
            )
            self.assertEqual(baseline, f"baseline {risk.value[row]:.2f}")

    def test_a_wrong_prediction_is_seen(self):
        risks = measured(gain=(1.0, 0.0))
        answers = risks.outputs
        right = answers.predicted == answers.labels
        rows = [np.argmax(right), np.argmin(right)]
        images = np.zeros((2, 4, 4, 1), np.uint8)
        figure = risk_files.contact_sheet(risks, rows, images, list("abcde"))
        colors = [axes.xaxis.label.get_color() for axes in figure.axes]
        self.assertEqual(colors[0], "black")
        self.assertNotEqual(colors[1], "black")
        said = figure.axes[1].get_xlabel().splitlines()
        names = "abcde"
        self.assertEqual(said[0], f"label {names[answers.labels[rows[1]]]}")
        self.assertEqual(
            said[1], f"predicted {names[answers.predicted[rows[1]]]}"
        )


class ScriptTest(script_calls.Folder):
    def queried_run(self, name="run", **options):
        """A run of the digits whose few weights were asked."""
        self.run_dir = self.finished_run(name, **options)
        run.query_run(self.run_dir, loaders.load("digits"))
        return self.run_dir

    def call(self, *arguments):
        return script_calls.call(
            "risk",
            f"--run_dir={self.run_dir}",
            f"--out={self.dir / 'out'}",
            *arguments,
        )

    def refuse(self, pattern, *arguments):
        status, out, errors = self.call(*arguments)
        self.assertEqual((status, out), (2, ""), errors)
        self.assertOneLine(errors, pattern)
        self.assertFalse((self.dir / "out").exists())

    def test_everything(self):
        full = self.queried_run("full", seed=5)
        self.queried_run("w4a4")
        status, out, errors = self.call(
            f"--baseline={full}", "--top=10", "--score=confidence"
        )
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("Members at highest risk: w4a4, target keras", out)
        self.assertIn("records.csv, risk.md, risk.png are in", out)
        folder = self.dir / "out"
        self.assertCountEqual(
            [path.name for path in folder.iterdir()],
            ["records.csv", "risk.md", "risk.png"],
        )
        with open(folder / "records.csv") as file:
            rows = list(csv.DictReader(file))
        self.assertLen(rows, 1797)
        answers = outputs.load(self.run_dir / "outputs" / "keras.npz")
        surest = answers.probabilities.max(axis=1)
        by_id = dict(
            zip(answers.record_ids.tolist(), surest.tolist(), strict=True)
        )
        for row in rows[::100]:
            self.assertAlmostEqual(
                float(row["score"]), by_id[int(row["record_id"])]
            )
        picture = reading.imread(folder / "risk.png")
        self.assertGreater(picture.shape[1], 900)
        self.assertGreater(picture.std(), 0.05)

    def test_without_images_no_data_is_needed(self):
        self.queried_run()
        path = self.run_dir / "config.json"
        config = files.read_json(path)
        config["dataset"]["name"] = "/no/such/data.npz"
        path.write_text(json.dumps(config))
        status, out, errors = self.call("--noimages", "--top=3")
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("records.csv, risk.md are in", out)
        self.assertFalse((self.dir / "out" / "risk.png").exists())
        status, out, errors = self.call()
        self.assertEqual((status, out), (2, ""))
        self.assertOneLine(errors, "/no/such/data.npz")

    @parameterized.parameters(
        (["--out="], "--out is missing"),
        (["--run_dir="], "--run_dir is missing"),
        (["--run_dir=/no/such"], "/no/such is not a run directory"),
        (["--top=0"], r"--top=0: 0 is not an integer in the range \[1, 200\]"),
        (["--top=201"], r"--top=201: 201 is not an integer in the range"),
        (["--seed=-1"], "--seed=-1: -1 is not a non-negative integer"),
        (["--score=mood"], "no score 'mood': choose one of .*margin"),
        (["--target=int8"], "no outputs of 'int8', but of keras: qmia att"),
        (["--baseline=/no/such"], "/no/such is not a run directory"),
    )
    def test_bad_flags(self, arguments, pattern):
        self.finished_run()
        synthetic_outputs.outputs(60, 60).save(
            self.run_dir / "outputs" / "keras.npz"
        )
        self.refuse(pattern, *arguments)

    def test_run_that_was_not_asked(self):
        self.finished_run()
        self.refuse("holds no outputs of 'keras', but of no target")

    def test_outputs_about_other_data(self):
        self.finished_run()
        place = self.run_dir / "outputs" / "keras.npz"
        synthetic_outputs.outputs(60, 60, fingerprint="f" * 64).save(place)
        self.refuse("outputs are about data with fingerprint f+, the run is")
        # Outputs that do not say so are found out by their labels.
        synthetic_outputs.outputs(60, 60).save(place)
        status, out, errors = self.call()
        self.assertEqual((status, out), (2, ""))
        self.assertOneLine(errors, "digits is not the data .*--images=false")


if __name__ == "__main__":
    tf.test.main()
