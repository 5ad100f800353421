"""Tables, figures and page of the reproduction, from made results."""

import dataclasses
import itertools
import pathlib
import re
import shutil

import numpy as np
import reproduction_results as made
import tensorflow as tf
from absl.testing import parameterized
from matplotlib.backends.backend_agg import FigureCanvasAgg
from scipy import stats

from paper import (
    axes,
    change_tables,
    equal_accuracy,
    findings,
    headline,
    ledger,
    measures,
    page_parts,
    paper_comparison,
    plans,
    reproduction_figures,
    reproduction_files,
    rounded_outputs,
    workflow,
)
from qmia_tf.attacks import margin
from qmia_tf.auditing import audit_result
from qmia_tf.errors import InputError
from qmia_tf.report.figures import panels
from qmia_tf.report.run_list import Run
from qmia_tf.statistics.auc import auc
from qmia_tf.statistics.intervals import Estimate

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = (ROOT / "docs" / "findings.md", ROOT / "docs" / "reproduction.md")
MODELS = ["full precision", "w=4, a=4"]


def without_likelihood(finished):
    """The same runs, audited before that attack was there."""
    stripped = []
    for entry in finished:
        audit = entry.run.audit
        targets = [
            dataclasses.replace(
                target,
                attacks=[x for x in target.attacks if x.name != "likelihood"],
            )
            for target in audit.targets
        ]
        points = [
            dataclasses.replace(point, leaks=less(point.leaks))
            for point in entry.sweep.points
        ]
        held = entry.comparison and dataclasses.replace(
            entry.comparison,
            trained=less_of(entry.comparison.trained),
            matches=[less_of(match) for match in entry.comparison.matches],
        )
        stripped.append(
            dataclasses.replace(
                entry,
                run=Run(dataclasses.replace(audit, targets=targets)),
                sweep=dataclasses.replace(entry.sweep, points=points),
                comparison=held,
            )
        )
    return stripped


def third(job):
    return dataclasses.replace(job, seed=2)


def less(leaks):
    return {name: x for name, x in leaks.items() if name != "likelihood"}


def less_of(match):
    return dataclasses.replace(match, leak=less(match.leak))


class TablesTest(made.Results):
    def test_order(self):
        order = [(x.job.model, x.job.seed) for x in self.finished]
        models = [("w32a32", 0), ("w32a32", 1), ("w4a4", 0), ("w4a4", 1)]
        self.assertEqual(order, models)

    def test_table_1_is_the_mean_over_seeds_beside_the_paper(self):
        row = made.rows_of(paper_comparison.table_1(self.finished))[0]
        values = [self.right("w32a32", seed, False) for seed in (0, 1)]
        self.assertAlmostEqual(float(row["accuracy"]), np.mean(values))
        low, high = stats.t.interval(
            0.95, 1, np.mean(values), stats.sem(values)
        )
        self.assertAllClose(
            [float(row["accuracy_low"]), float(row["accuracy_high"])],
            np.clip([low, high], 0, 1),
        )
        gaps = [
            0.5 + (self.right("w32a32", s, True) - value) / 2
            for s, value in enumerate(values)
        ]
        self.assertAlmostEqual(float(row["gap"]), np.mean(gaps))
        printed = row["paper_accuracy"], row["paper_gap"], row["seeds"]
        self.assertEqual(printed, ("75.68", "62.15", "2"))

    def test_what_is_missing_is_said(self):
        notes = " ".join(paper_comparison.table_1(self.finished).notes)
        self.assertIn("Not run: CIFAR-10, plain: w=16, a=4; w=16, a=16.", notes)
        self.assertIn("Not run: Fashion-MNIST: every model.", notes)

    def test_of_the_open_choices_only_what_is_asked_for_is_missing(self):
        full = next(x for x in self.finished if x.job.model == plans.FULL)
        chosen = [
            dataclasses.replace(
                full, job=dataclasses.replace(full.job, regime=regime)
            )
            for regime in ("augmented-adam", "augmented-cifar-width16")
        ]
        notes = " ".join(paper_comparison.table_1(chosen).notes)
        self.assertNotIn("augmented-adam", notes)
        self.assertIn("augmented-cifar-width16: w=4, a=4.", notes)

    def test_table_2_at_the_papers_recall(self):
        row = made.rows_of(paper_comparison.table_2(self.finished))[1]
        self.assertEqual(float(row["recall"]), 1.0)
        self.assertEqual(row["paper_precision"], "54.0")
        precision, f1 = [], []
        for seed in (0, 1):
            outputs = made.answers("w4a4", seed)
            scores = outputs.probabilities.max(axis=1)
            called = scores >= scores[outputs.members].min()
            precision.append(made.share(outputs.members[called]))
            f1.append(2 * precision[-1] / (precision[-1] + 1))
        self.assertAlmostEqual(float(row["precision"]), np.mean(precision))
        self.assertAlmostEqual(float(row["f1"]), np.mean(f1))

    def test_changes_are_paired_by_seed(self):
        (row,) = made.rows_of(change_tables.changes(self.finished))
        after, before = (
            np.array([self.right(model, seed, False) for seed in (0, 1)])
            for model in ("w4a4", "w32a32")
        )
        interval = stats.ttest_rel(after, before).confidence_interval(0.95)
        names = ("accuracy_change", "accuracy_change_low")
        values = [float(row[name]) for name in names]
        self.assertAllClose(values, [np.mean(after - before), interval.low])
        self.assertEqual(row["interval"], "seeds")

    def test_one_seed_has_intervals_over_records(self):
        alone = [entry for entry in self.finished if entry.job.seed == 0]
        (row,) = made.rows_of(change_tables.changes(alone))
        self.assertEqual(row["interval"], "records")
        (by_seed,) = made.rows_of(change_tables.changes_by_seed(alone))
        for key in ("gap_change_low", "margin_auc_change_high"):
            self.assertNotEmpty(row[key])
            self.assertEqual(row[key], by_seed[key])

    def test_strongest_is_compared_where_both_had_the_same_attacks(self):
        alone = [entry for entry in self.finished if entry.job.seed == 0]
        full, ours = alone
        (row,) = change_tables.changes(alone).rows
        self.assertIsNotNone(row[-1])
        target = full.run.target("keras")
        older = dataclasses.replace(
            target, attacks=[x for x in target.attacks if x.name != "margin"]
        )
        audit = dataclasses.replace(full.run.audit, targets=[older])
        before = dataclasses.replace(full, run=Run(audit))
        (row,) = change_tables.changes([before, ours]).rows
        self.assertIsNone(row[-1])
        # What both were audited for is still compared.
        keys = [x.key for x in change_tables.changes(alone).columns]
        self.assertIsNotNone(row[keys.index("gap_change")])

    def test_matched_says_the_way(self):
        row = made.rows_of(equal_accuracy.matched(self.finished))[0]
        held = next(x.comparison for x in self.finished if x.comparison)
        self.assertEqual(row["way"], held.match.way)
        self.assertEqual(
            float(row["margin_change"]),
            held.match.leak["margin"].difference.value,
        )

    def test_files_and_controls(self):
        rows = made.rows_of(equal_accuracy.files(self.finished))
        self.assertEqual([x["file"] for x in rows][::2], ["int8_ptq", "int8"])
        self.assertEqual({x["labels_differ"] for x in rows}, {"0"})
        # The synthetic file answers as its model does.
        self.assertEqual(float(rows[0]["strongest_change"]), 0.0)
        paths = reproduction_files.same_paths(self.results)
        table = change_tables.controls(self.finished, paths)
        self.assertEqual(table.rows[0][2], "full precision, int8_ptq")
        self.assertIn("of 10 weights all are equal", table.notes[-1])

    def test_artefacts_are_held_against_their_model(self):
        (run, *_) = self.finished
        exact = made.answers("w32a32", 0)
        areas = [
            auc(margin.margins(x), exact.members).value
            for x in (rounded_outputs.round_probabilities(exact), exact)
        ]
        match = run.artefacts["keras_rounded"]
        change = match.leak["margin"].difference
        self.assertAlmostEqual(change.value, areas[0] - areas[1])
        self.assertBetween(change.value, change.low, change.high)
        self.assertEqual((match.way, match.outside), ("artefact", None))
        # In the controls of one seed, and beside the deployed file.
        apart = {"int8_ptq": match}
        turned = dataclasses.replace(run, artefacts=apart)
        (row,) = made.rows_of(change_tables.controls([turned], {}))
        self.assertEqual(float(row["margin_auc_change"]), change.value)
        self.assertEqual(float(row["margin_auc_change_low"]), change.low)
        (row,) = made.rows_of(equal_accuracy.files([turned]))
        self.assertEqual(float(row["margin_change"]), change.value)
        # A comparison with another run has nothing to do with it.
        other = self.finished[2]
        target = run.run.target("int8_ptq")
        changes = measures.changes_over_records(turned, target, other)
        self.assertNotEqual(changes["margin_auc"], change)
        # No AUC is without an interval, joined as Newcombe joins two shares.
        theirs = other.run.target("keras")
        for key in ("confidence_auc", "margin_auc", "likelihood_auc"):
            ours, full = (measures.measure(x, key) for x in (target, theirs))
            self.assertAlmostEqual(changes[key].value, ours.value - full.value)
            below = (ours.value - ours.low) ** 2 + (full.high - full.value) ** 2
            low = changes[key].value - below**0.5
            self.assertAlmostEqual(changes[key].low, max(low, -1.0))


class ArithmeticTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        # Worked out apart from the code: P of the printed F1, accuracy of
        # P and R, and the gap attack at 100 % member accuracy.
        ("Fashion-MNIST", "full precision", 51.03, 56.96, 57.04, "no"),
        ("Fashion-MNIST", "w=16, a=4", 50.96, 53.62, 55.46, "no"),
        ("Fashion-MNIST", "w=16, a=16", 53.88, 56.96, 56.21, "yes"),
        ("CIFAR-10", "full precision", 63.00, 70.63, 62.16, "yes"),
        ("CIFAR-10", "w=4, a=4", 53.99, 57.41, 57.38, "yes"),
    )
    def test_row(self, dataset, model, precision, accuracy, gap, follows):
        rows = made.rows_of(paper_comparison.arithmetic())
        (row,) = [
            x for x in rows if (x["dataset"], x["model"]) == (dataset, model)
        ]
        self.assertAllClose(
            [
                float(row["implied_precision"]),
                float(row["attack_accuracy"]),
                float(row["gap_ceiling"]),
            ],
            [precision, accuracy, gap],
            atol=0.011,
        )
        self.assertEqual(row["follows"], follows)

    @parameterized.parameters(
        (-0.02, -0.03, -0.01, "less"),
        (0.02, 0.01, 0.03, "more"),
        (-0.02, -0.05, 0.01, "too close to call"),
        (0.0, 0.0, 0.0, "the same"),
        (-0.0002, -0.0004, -0.0001, "the same"),
        (-0.0004, -0.0006, -0.0001, "less"),
        (-0.02, None, None, "no interval"),
    )
    def test_says(self, value, low, high, expected):
        self.assertEqual(
            findings.direction(Estimate(value, low, high)), expected
        )


class FiguresTest(made.Results):
    def test_data_are_the_audits(self):
        drawn = {x.name: x for x in reproduction_figures.figures(self.finished)}
        self.assertEqual(
            set(drawn),
            {
                "threshold_cifar10_plain",
                "epochs_cifar10_plain",
                "seeds_cifar10",
            },
        )
        rows = made.rows_of(drawn["threshold_cifar10_plain"].data)
        audit = audit_result.load(self.results / "cifar10/plain/w4a4-seed0")
        curve = audit.targets[0].attack("confidence").curve
        shown = [
            float(x["threshold"])
            for x in rows
            if x["model"] != rows[0]["model"]
        ]
        self.assertEqual(shown, curve.threshold)
        epochs = made.rows_of(drawn["epochs_cifar10_plain"].data)
        self.assertEqual([x["epoch"] for x in epochs], ["3", "6"] * 4)
        self.assertLen(made.rows_of(drawn["seeds_cifar10"].data), 8)
        # An open choice has figures of its own, but no seeds.
        full = self.finished[0]
        job = dataclasses.replace(full.job, regime="augmented-adam")
        more = [*self.finished, dataclasses.replace(full, job=job)]
        drawn = {x.name: x for x in reproduction_figures.figures(more)}
        self.assertIn("epochs_cifar10_augmented-adam", drawn)
        self.assertLen(made.rows_of(drawn["seeds_cifar10"].data), 8)

    def test_headline(self):
        # A pair of an open choice is left out.
        pair = [
            dataclasses.replace(
                entry,
                job=dataclasses.replace(
                    entry.job, regime="augmented-cifar-width16"
                ),
            )
            for entry in self.finished
        ]
        table = headline.table([*self.finished, *pair])
        self.assertEqual(table.rows, headline.table(self.finished).rows)
        first, *_ = reproduction_files.figures([*self.finished, *pair])
        rows = made.rows_of(first.data)
        (panel,) = first.figure.axes
        drawn = [
            (x / 100, y)
            for line in panel.get_lines()
            # Not the one where guessing is.
            if line.get_transform() == panel.transData
            for x, y in zip(*line.get_data(), strict=True)
        ]
        expected = [
            (float(x["accuracy"]), float(x["likelihood_auc"])) for x in rows
        ]
        self.assertAllClose(sorted(drawn), sorted(expected))
        # Two epochs of full precision, then model and file of each run.
        self.assertLen(rows, 2 * 2 + 4 * 2)

        table = made.rows_of(headline.table(self.finished))
        changed = made.rows_of(change_tables.changes(self.finished))
        self.assertEqual([x["model"] for x in table], MODELS)
        key = "likelihood_auc"
        self.assertEqual(table[0][f"{key}_change"], "")
        self.assertEqual(table[1][f"{key}_change"], changed[0][f"{key}_change"])
        keras = [x for x in rows if x["model"] == MODELS[1]]
        keras = [float(x[key]) for x in keras if x["what"] == "keras"]
        self.assertAlmostEqual(float(table[1][key]), np.mean(keras))

    def test_runs_of_an_older_version_lack_the_likelihood(self):
        older = without_likelihood(self.finished)
        for runs, said in ((self.finished, False), (older, True)):
            notes = " ".join(headline.table(runs).notes)
            self.assertEqual("empty where the run was audited" in notes, said)
        first, *others = reproduction_files.figures(older)
        rows = made.rows_of(first.data)
        self.assertLen(rows, 2 * 2 + 4 * 2)
        self.assertNotIn("likelihood_auc", rows[0])
        self.assertNotEmpty(rows[0]["margin_auc"])
        for figure in others:
            self.assertNotIn("likelihood", figure.data.columns[-1].key)
        (matched, *_) = made.rows_of(equal_accuracy.matched(older))
        self.assertEqual(matched["likelihood_change"], "")
        self.assertNotEmpty(matched["margin_change"])
        for row in made.rows_of(headline.table(older)):
            self.assertEqual(row["likelihood_auc"], "")
        # One of them alone has an empty place; the others are drawn.
        mixed = [*older[:1], *self.finished[1:]]
        for figure in reproduction_files.figures(mixed):
            self.assertNotEmpty(figure.data.rows)

    def test_headline_leaves_out_what_compares_nothing(self):
        full = [x for x in self.finished if x.job.model == "w32a32"]
        self.assertEmpty(headline.table(full).rows)
        self.assertIsNone(headline.figure(full))

    def test_words_hold_numbers(self):
        for figure in reproduction_files.figures(self.finished):
            self.assertRegex(figure.alt, r"\d\.\d")


class AreaAxisTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        ends=[(0.50222, 0.50241), (0.511, 0.53), (0.49, 0.78)],
        axis=["xaxis", "yaxis"],
    )
    def test_chance_is_not_blown_up(self, ends, axis):
        figure = panels.paper(2.6, narrow=False)
        chosen, *_ = figure.subplots(1, 3)
        upright = axis == "xaxis"
        chosen.plot(*((ends, [1, 2]) if upright else ([1, 2], ends)))
        before = getattr(chosen, axis).get_view_interval()
        axes.auc_axis(getattr(chosen, axis))
        low, high = chosen.get_xlim() if upright else chosen.get_ylim()
        # What is wide enough stays as it is, all else about its middle.
        span = max(axes.MIN_AUC_RANGE, before[1] - before[0])
        self.assertAlmostEqual(high - low, span)
        self.assertAlmostEqual(low + high, sum(before))
        guessing = len(chosen.get_lines()) - 1
        self.assertEqual(guessing, int(low <= 0.5 <= high))
        self.assertEqual(guessing, int(ends[0] < 0.511))
        FigureCanvasAgg(figure).draw()
        boxes = [
            label.get_window_extent()
            for label in getattr(chosen, axis).get_ticklabels()
        ]
        self.assertGreater(len(boxes), 2)
        for one, other in itertools.pairwise(boxes):
            self.assertFalse(one.overlaps(other))

    def test_reach(self):
        self.assertIsNone(axes.error_bar(Estimate(0.5, None, None)))
        reach = axes.error_bar(Estimate(0.5, 0.4, 0.7))
        self.assertAllClose(reach, [[0.1], [0.2]])


class AnswersTest(made.Results):
    def test_counted(self):
        for question, lines in findings.answers(self.finished):
            with self.subTest(question):
                models = [line for line in lines if "counted" not in line]
                listed = [line for line in lines if line not in models]
                self.assertLen(listed, len(models) > 1)
        # One that is no match is in its line, but is not counted.
        held = [x for x in self.finished if x.comparison]
        apart = [
            dataclasses.replace(
                match, outside="above", leak=match.leak, way="nearest"
            )
            for match in held[0].comparison.matches
        ]
        changed = dataclasses.replace(held[0].comparison, matches=apart)
        runs = [dataclasses.replace(held[0], comparison=changed), held[1]]
        (_, lines) = findings.answers([*runs, *self.finished])[1]
        self.assertIn("no match", " ".join(lines))

    def test_says_how_many_intervals_miss_by_chance(self):
        (_, few), *_ = findings.answers(self.finished)
        self.assertNotIn("By chance", " ".join(few))
        # A line a model and as many intervals in each.
        one = next(x for x in self.finished if x.job.model == "w4a4")
        jobs = [
            dataclasses.replace(one.job, model=model)
            for model in plans.MODELS
            if model != plans.FULL
        ]
        runs = [dataclasses.replace(one, job=job) for job in jobs]
        full = next(x for x in self.finished if x.job == one.job.full)
        (_, lines), *_ = findings.answers([full, *runs])
        (said,) = [line for line in lines if "By chance" in line]
        intervals = sum(line.count("[") for line in lines)
        self.assertGreaterEqual(intervals, 20)
        wanted = f"about {round(intervals / 20)} of these {intervals} "
        self.assertIn(wanted, said)

    def test_three_seeds_are_one_line(self):
        table = [x for x in self.finished if x.job.model == "w4a4"]
        runs = [*table, dataclasses.replace(table[0], job=third(table[0].job))]
        (_, lines), (_, files) = findings.answers(runs)[1:]
        values = [
            x.comparison.match.leak["margin"].difference.value for x in runs
        ]
        low, high = stats.t.interval(
            0.95, 2, np.mean(values), stats.sem(values)
        )
        if any(x.comparison.match.outside for x in runs):
            self.fail("made without a match")
        (line,) = lines
        self.assertIn("w=4, a=4 (3 seeds): ", line)
        self.assertIn(
            f"margin {np.mean(values):+.3f} AUC [{low:+.3f}, {high:+.3f}]: ",
            line,
        )
        (line,) = files
        self.assertIn("(3 seeds)", line)
        self.assertIn("strongest +0.00 points [+0.0, +0.0]: the same", line)

    def test_report_has_them_on_top(self):
        folder = pathlib.Path(self.create_tempdir()) / "results"
        shutil.copytree(self.results, folder)
        written = reproduction_files.write(folder)
        place = folder / "cifar10" / "plain"
        self.assertIn(place / "report.html", written)
        page = (place / "report.html").read_text()
        for question, lines in findings.answers(self.finished):
            self.assertIn(f"<h2>{question}</h2>", page)
            # A page sets minus signs and spaces that do not break.
            self.assertIn(lines[0].split(":")[0], page)
            self.assertIn(question, (place / "report.txt").read_text())
        # Of the first seed alone; the answers are over all of them.
        self.assertIn("w4a4-seed0", page)
        self.assertNotIn("w4a4-seed1", page)

    def test_figures_are_drawn_where_what_they_show_has_changed(self):
        folder = pathlib.Path(self.create_tempdir()) / "results"
        shutil.copytree(self.results, folder)
        first = reproduction_files.write(folder, report=False)
        images = {path for path in first if path.suffix in (".svg", ".png")}
        self.assertNotEmpty(images)
        again = reproduction_files.write(folder, report=False)
        self.assertEqual(set(again), set(first) - images)
        # One shows something else; a file of another is gone.
        names = ("seeds_cifar10", "headline")
        seeds, headlines = (folder / "figures" / name for name in names)
        seeds.with_suffix(".csv").write_text("other")
        headlines.with_suffix(".svg").unlink()
        third = reproduction_files.write(folder, report=False)
        drawn = {path.name for path in set(third) - set(again)}
        self.assertEqual(
            drawn,
            {f"{name}.{kind}" for name in names for kind in ("svg", "png")},
        )


class LeftTest(made.Results):
    def test_what_has_no_results_is_listed(self):
        lines = ledger.open_runs(self.finished)
        # Two regimes of two data sets, and the three open choices.
        self.assertLen(lines, 2 * 2 + 3)
        (line,) = [x for x in lines if x.startswith("CIFAR-10, plain")]
        # Full precision and (4, 4) of seeds 0 and 1 are there.
        expected = [
            "seed 0: (w=16, a=4), (w=16, a=16), (w=2, a=2), (w=8, a=8), "
            "(w=32, a=32, clip)",
            "seed 1: (w=16, a=16)",
            "seed 2: (full precision), (w=4, a=4), (w=16, a=16)",
        ]
        self.assertEqual(line, f"CIFAR-10, plain: {'; '.join(expected)}.")


class PageTest(made.Results):
    def test_only_between_the_marks(self):
        text = "a\n<!-- made: x -->\nold\n<!-- end -->\nb\n"
        filled = page_parts.fill(text, {"x": "new\n"})
        self.assertEqual(filled, "a\n<!-- made: x -->\nnew\n<!-- end -->\nb\n")
        self.assertEqual(page_parts.fill(filled, {"x": "new"}), filled)
        with self.assertRaisesRegex(InputError, "the page asks for 'x'"):
            page_parts.fill(text, {"y": ""})

    def test_made_again_it_is_the_same(self):
        folder = pathlib.Path(self.create_tempdir())
        results = folder / "results"
        shutil.copytree(self.results, results)
        page = folder / "docs" / "page.md"
        page.parent.mkdir()
        page.write_text("".join(path.read_text() for path in PAGES))
        written = workflow.reproduce(
            only_report=True, results=results, pages=[page]
        )
        before = {path: path.read_bytes() for path in written}
        for path in written:
            if path != page:
                path.unlink()
        workflow.reproduce(only_report=True, results=results, pages=[page])
        for path, content in before.items():
            self.assertEqual(path.read_bytes(), content, msg=str(path))
        text = page.read_text()
        self.assertIn("4 runs with 2 seeds; 0.3 hours", text)
        self.assertIn("(../results/figures/headline.svg)", text)
        self.assertIn(
            "(figures/threshold_cifar10_plain.svg)",
            (results / "figures.md").read_text(),
        )
        index = (results / "README.md").read_text()
        for linked in re.findall(r"\]\(([\w/]+\.md)\)", index):
            self.assertIn(results / linked, written)
        self.assertNotRegex(text, r"<!-- made: [\w-]+ -->\n<!-- end -->")

    def test_without_results(self):
        with self.assertRaisesRegex(InputError, "holds no audited run"):
            workflow.reproduce(only_report=True, results=self.create_tempdir())


if __name__ == "__main__":
    tf.test.main()
