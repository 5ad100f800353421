"""The verdicts of several data sets: in one picture, and in one table."""

import copy
import json
import pathlib

import report_runs
import synthetic_audits
from absl.testing import absltest

from qmia_tf import typed_json
from qmia_tf.report import run_summary
from qmia_tf.report.figures import verdict_overview
from qmia_tf.report.run_list import Run


def audit(verdict, *, noise=None):
    """An audit of a network and its file, with a verdict on both."""
    config = copy.deepcopy(report_runs.configuration("digits", (4, 4)))
    if noise:
        config["dataset"]["label_noise"] = {"share": noise, "seed": 0}
    targets = [
        synthetic_audits.with_leak(
            synthetic_audits.target(name, seed=seed), verdict=verdict
        )
        for seed, name in enumerate(("keras", "int8"))
    ]
    return synthetic_audits.result(*targets, name="w4a4", config=config)


class VerdictOverviewTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.audits = [
            audit("no leak found"),
            audit("severe leak", noise=0.3),
        ]

    def test_wrong_labels_are_a_data_set_of_their_own(self):
        honest, memorizing = map(Run, self.audits)
        self.assertEqual((honest.dataset, honest.title), ("digits", "Digits"))
        self.assertEqual(memorizing.title, "Digits, wrong labels 30 %")
        self.assertEqual(memorizing.dataset, "digits, wrong labels 30 %")

    def test_a_panel_a_data_set_and_a_row_an_artefact(self):
        figure = verdict_overview.draw(self.audits)
        panels = figure.axes
        self.assertEqual(
            [axes.get_title(loc="left") for axes in panels],
            ["Digits", "Digits, wrong labels 30 %"],
        )
        for axes, result in zip(panels, self.audits, strict=True):
            names = [tick.get_text() for tick in axes.get_yticklabels()]
            self.assertEqual(names, ["w=4, a=4, keras", "w=4, a=4, int8"])
            said = [text.get_text() for text in axes.texts]
            self.assertEqual(
                said, [target.leak.verdict for target in result.targets]
            )
            drawn = [
                (float(line.get_xdata()[0]), int(line.get_ydata()[0]))
                for line in axes.get_lines()
                if line.get_marker() in ("o", "D")
            ]
            values = [
                (target.leak.auc.value, row)
                for row, target in enumerate(result.targets)
            ]
            self.assertEqual(drawn, values)

    def test_every_verdict_has_a_look(self):
        self.assertContainsSubset(
            verdict_overview.LOOKS,
            ["no leak found", "small leak", "clear leak", "severe leak"],
        )

    def test_the_table_and_the_picture_are_made_of_directories(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        paths = [folder / "honest", folder / "memorizing"]
        for path, result in zip(paths, self.audits, strict=True):
            path.mkdir()
            text = json.dumps(typed_json.encode(result))
            (path / "audit.json").write_text(text)
        lines = run_summary.verdict_table(paths).splitlines()
        self.assertLen(lines, 2 + 2 * 3)
        self.assertRegex(lines[0], "target .*members right %.*AUC +verdict$")
        self.assertEqual(lines[2], "Digits; w=4, a=4; w4a4")
        self.assertRegex(lines[3], r"^  keras .*0\.\d{3} \[.*no leak found$")
        self.assertRegex(lines[7], r"^  int8 .*severe leak$")
        written = verdict_overview.save(paths, folder / "verdicts")
        self.assertEqual(written.read_bytes()[:4], b"\x89PNG")


if __name__ == "__main__":
    absltest.main()
