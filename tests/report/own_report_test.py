"""Reports on audits of somebody's own models, and of these beside ours."""

import dataclasses

import numpy as np
import synthetic_audits
import synthetic_outputs
import tensorflow as tf
from report_runs import FULL, Reports

from qmia_tf import files as stored_files
from qmia_tf.auditing import audit, audit_result
from qmia_tf.errors import InputError
from qmia_tf.report import figures, make_report, run_list, warnings
from qmia_tf.run_dir import RunDir

FILES = {
    "phone": {"kind": "tflite", "kernel_set": "default", "size_bytes": 70_000},
    "server": {"kind": "keras", "kernel_set": "keras", "size_bytes": 900_000},
    "service": {"kind": "callable", "kernel_set": "callable"},
}
# Called as the Keras model of our own runs is.
FILES["keras"] = FILES["server"]


class OwnReports(Reports):
    def own(
        self,
        name="scans",
        *,
        files=("phone", "server", "service"),
        dataset="scans",
    ):
        """A folder as an audit of one's own models leaves it."""
        folder = self.root / name
        config = {
            **synthetic_audits.OWN,
            "dataset": {"name": dataset, "fingerprint": "e" * 64},
            "models": list(files),
        }
        RunDir(folder).open(config)
        for place, file in enumerate(files):
            synthetic_outputs.outputs(
                80, 70, gain=(3.0 + place, 2.5), target=file, **FILES[file]
            ).save(folder / "outputs" / f"{file}.npz")
        audit.audit_outputs(folder)
        return folder


class TablesTest(OwnReports):
    def test_several_models(self):
        text = self.report(self.own(), formats=("csv", "png"))
        self.assertStartsWith(text, "In words: scans\n\nphone: ")
        self.assertIn("What they give away compared with phone", text)
        self.assertNotIn("paper", text)
        self.assertNotIn("warning", text)
        self.assertNotIn("Keras model", text)
        self.assertNotIn("full-precision", text)
        self.assertNotIn("None", text)
        # Data set, model and run share a name: it is said once.
        self.assertIn("\nscans\n", text)
        self.assertNotIn("scans; scans", text)
        for file in ("phone", "server", "service"):
            self.assertIn(f"\nscans; {file}\n", text)
        names = {path.name for path in (self.root / "report").iterdir()}
        self.assertContainsSubset(
            {"strongest.csv", "artefacts.csv", "threshold_scans.png"}, names
        )
        self.assertNotIn("table1.csv", names)
        rows = self.rows("strongest")
        self.assertEqual(
            [row["target"] for row in rows], ["phone", "server", "service"]
        )
        self.assertNotEmpty(self.rows("attacks"))

    def test_one_model_goes_by_its_file(self):
        text = self.report(self.own("first", files=["phone"]))
        self.assertStartsWith(text, "In words: first (phone)\n")
        self.assertIn("\nscans; phone; first\n", text)

    def test_a_model_called_keras_is_not_the_papers(self):
        text = self.report(self.own(files=["keras", "phone"]))
        self.assertNotIn("paper", text)
        self.assertIn("\nscans; phone\n", text)

    def test_beside_ours(self):
        full, quantized = (
            self.run_of("full", FULL, dataset="digits"),
            self.run_of("w4a4", (4, 4), dataset="digits"),
        )
        mine = self.own("mine", dataset="digits")
        text = self.report(full, quantized, mine)
        self.assertStartsWith(text, "In words\n\n")
        for name in ("full (full precision)", "w4a4 (w=4, a=4)", "mine"):
            self.assertIn(f"\n\n{name}\n  ", text)
        rows = self.rows("table1")
        self.assertEqual([row["run"] for row in rows], ["full", "w4a4"])
        attacks = text[text.index("Every attack on each model") :]
        for label in ("Digits; w=4, a=4; w4a4; keras", "Digits; mine; phone"):
            self.assertIn(f"\n{label}\n", attacks)
        # Other records, and that is all that is known of both.
        warned = [x for x in text.splitlines() if x.startswith("warning")]
        self.assertEqual(
            warned,
            [
                "warning: Digits: the runs do not share dataset.fingerprint "
                "dddddddddddd... / eeeeeeeeeeee... (full, w4a4 / mine)"
            ],
        )
        # Nobody's own model is a change against our full precision.
        changed = {
            row["run"]: row["gap_change"] for row in self.rows("artefacts")
        }
        self.assertEqual((changed["mine"], changed["full"]), ("", ""))
        self.assertNotEqual(changed["w4a4"], "")

    def test_of_two_audits_there_are_no_seeds(self):
        one = self.own("one", files=["phone"])
        two = self.own("two", files=["phone"])
        text = self.report(one, two)
        self.assertNotIn("Several seeds", text)
        self.assertNotIn("warning", text)

    def test_what_has_not_learned(self):
        folder = self.own(files=["phone"])
        synthetic_outputs.outputs(80, 70, gain=(0.0, 0.0), target="phone").save(
            folder / "outputs" / "phone.npz"
        )
        audit.audit_outputs(folder)
        (warned,) = self.warnings(folder)
        self.assertStartsWith(warned, "scans (phone): hardly better than")


class OwnRecordsTest(OwnReports):
    """Records that somebody brings have no name, and need none."""

    def folder(self, files=("phone", "server")):
        folder = self.own(files=files)
        path = folder / "config.json"
        config = stored_files.read_json(path)
        config["dataset"] |= {"members": "a.npz", "nonmembers": "b.npz"}
        stored_files.write_json(path, config)
        audit.audit_outputs(folder)
        return folder

    def test_no_file_of_records_is_a_title_or_a_name(self):
        paths = make_report(
            [self.folder()], self.root / "report", formats=["html", "svg"]
        )
        names = [path.name for path in paths]
        self.assertContainsSubset(["threshold.svg", "tradeoff.svg"], names)
        page = paths[1].read_text()
        # They are among the settings alone, which are folded.
        self.assertNotIn("a.npz", page[: page.index('id="numbers"')])
        self.assertIn("a.npz", page)
        self.assertIn("<h1>scans</h1>", page)
        # No target of these is a Keras model of ours.
        self.assertNotIn("Keras model", page)
        self.assertNotIn("rest with keras", page)

    def test_the_same_records_are_drawn_together(self):
        first = audit_result.load(self.folder())
        (name,) = figures.groups([first, dataclasses.replace(first, name="x")])
        self.assertRegex(name, "^records eeeeeeee$")
        (run,) = run_list.sort_runs([first])
        self.assertEqual(run.title, "your records")

    def test_a_name_that_a_person_gives(self):
        folder = self.folder()
        result = audit.audit_outputs(
            folder, config=audit.AuditConfig(name="The shipped model")
        )
        self.assertEqual(result.name, "The shipped model")
        (path, *_) = make_report([result], self.root / "a", formats=["md"])
        self.assertStartsWith(path.read_text(), "In words: The shipped model\n")
        paths = make_report(
            [result], self.root / "b", formats=["summary"], name="Other"
        )
        summary = stored_files.read_json(paths[1])
        self.assertEqual(summary["name"], "Other")
        for name in (3, "two\nlines"):
            with self.assertRaisesRegex(InputError, "name must be"):
                audit.AuditConfig(name=name)


class CurvesTest(OwnReports):
    def test_labels_alone_leave_no_empty_panel(self):
        """A score with two values has no threshold with few false alarms."""
        folder = self.own(files=["phone", "server"])
        synthetic_outputs.hard_labels(
            members=80, nonmembers=70, gain=(5.0, 2.5), target="phone"
        ).save(folder / "outputs" / "phone.npz")
        result = audit.audit_outputs(folder)
        roc = figures.FIGURES["roc"](result)
        (axes,) = roc.draw().axes
        self.assertEqual(axes.get_title(loc="left"), "server")
        self.assertIn("below 10 % FPR, so not drawn: phone.", roc.caption())
        alone = dataclasses.replace(result, targets=result.targets[:1])
        self.assertIsNone(figures.roc(alone))


class FiguresTest(OwnReports):
    def test_a_line_for_each_model(self):
        (run,) = run_list.sort_runs([audit_result.load(self.own())])
        by_model = run_list.split_by_model([run])
        self.assertEqual(
            [model_run.model for model_run in by_model],
            ["phone", "server", "service"],
        )
        self.assertLen({model_run.name for model_run in by_model}, 3)

    def test_variants_have_none(self):
        result = audit_result.load(self.own())
        phone = result.targets[0]
        other = dataclasses.replace(
            phone, target="phone.reference", kernel_set="reference"
        )
        result = dataclasses.replace(result, targets=[phone, other])
        by_model = run_list.split_by_model([run_list.Run(result)])
        self.assertEqual([x.audit.targets for x in by_model], [[phone]])

    def test_a_gap_attack_above_every_threshold_has_room(self):
        folder = self.own(files=["phone"])
        outputs = synthetic_outputs.outputs(80, 70, target="phone")
        # Right on all members, and as sure of all records.
        values = np.full_like(outputs.probabilities, 0.1)
        rows = np.arange(len(values))
        named = np.where(
            outputs.members, outputs.labels, (outputs.labels + 1) % 5
        )
        values[rows, named] = 0.6
        dataclasses.replace(outputs, probabilities=values).save(
            folder / "outputs" / "phone.npz"
        )
        audit.audit_outputs(folder)
        (run,) = run_list.sort_runs([audit_result.load(folder)])
        figure = figures.threshold([run])
        self.assertGreater(figure.axes[0].get_ylim()[1], 100)

    def test_ours_stay_one(self):
        runs_ = run_list.sort_runs(
            [
                audit_result.load(
                    self.run_of("a", FULL, targets=("keras", "int8"))
                )
            ]
        )
        self.assertEqual(run_list.split_by_model(runs_), runs_)


class SiblingTest(OwnReports):
    def test_ours_is_none_of_theirs(self):
        ordered = run_list.sort_runs(
            [
                audit_result.load(self.run_of("full", FULL, dataset="scans")),
                audit_result.load(self.own()),
            ]
        )
        (own,) = [run for run in ordered if not run.is_trained]
        self.assertIsNone(run_list.full_precision_sibling(own, ordered))
        self.assertEmpty(
            [x for x in warnings.warnings(ordered) if "less accurate" in x]
        )


if __name__ == "__main__":
    tf.test.main()
