"""The figures: what is drawn of which runs, in which colours, and the files."""

import csv
import dataclasses
import io
import pathlib
import re
import warnings
from xml.etree import ElementTree

import figure_audits
import figure_texts
import matplotlib
import numpy as np
import synthetic_audits
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.errors import InputError
from qmia_tf.report import figures, run_list, tables
from qmia_tf.report.figures import (
    image_files,
    panels,
    point_letters,
    series,
    styles,
)
from qmia_tf.report.figures.styles import COLORS, FAINT, GREY, INK
from qmia_tf.statistics.intervals import Estimate

CASES = {
    "1": lambda: figure_audits.runs(1),
    "3": lambda: figure_audits.runs(3),
    "8": lambda: figure_audits.runs(8),
    "8 files": lambda: figure_audits.runs(1, files=figure_audits.FILES),
}


def texts(figure):
    """Every text of a figure."""
    artists = figure.findobj(matplotlib.text.Text)
    return [text.get_text() for text in artists if text.get_text()]


def points(axes, marker):
    """(x, y) of each marker of a kind in a panel."""
    return {
        (float(x), float(y))
        for line in axes.get_lines()
        if line.get_marker() == marker
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }


class EveryFigureTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(name=figures.FIGURES.names(), narrow=[False, True])
    def test_readable(self, name, narrow):
        for case in ("1", "8") if narrow else ("8",):
            figure = figures.draw(name, CASES[case](), narrow=narrow)
            if figure is None:
                self.assertEqual((name, case), ("bits", "1"))
                continue
            width = panels.NARROW if narrow else panels.WIDE
            self.assertEqual(figure.get_size_inches()[0], width)
            self.assertEqual(figure_texts.faults(figure), [], case)

    @parameterized.parameters("3", "8 files")
    def test_words_and_data(self, case):
        for kind in figures.FIGURES:
            drawing = kind(CASES[case]())
            alt, caption = drawing.alt(), drawing.caption()
            self.assertRegex(alt, r"\d.*\.$")
            self.assertNotIn("figure of", alt.lower())
            self.assertEndsWith(caption.strip(), ".")
            table = drawing.data()
            self.assertNotEmpty(table.rows)
            head, *rows = csv.reader(io.StringIO(tables.as_csv(table)))
            self.assertEqual({len(row) for row in rows}, {len(head)})
            self.assertLessEqual(len(re.findall(r"[.]\s", alt)), 3)

    def test_nothing_to_draw(self):
        old = synthetic_audits.target(records=60)
        attacks = [
            dataclasses.replace(x, histogram=None, roc=None)
            for x in old.attacks
        ]
        old = dataclasses.replace(
            old,
            attacks=attacks,
            per_class=[],
            leak=None,
            risky_members=[],
        )
        result = synthetic_audits.result(old)
        drawn = {
            name
            for name, drawing in figures.FIGURES.items()
            if drawing(result).draw() is not None
        }
        self.assertEqual(drawn, {"overview", "threshold", "tradeoff"})
        for kind in figures.FIGURES:
            self.assertNotEmpty(kind(result).alt())
            self.assertNotEmpty(kind(result).caption())

    @parameterized.parameters(
        (0.1003, 205_928), (1.0, 1_000_000), (0.0, 205_928), (None, 100_000)
    )
    def test_a_single_file_is_drawn_without_warnings(self, latency, size):
        alone = synthetic_audits.target(
            "int8",
            records=20,
            kind="tflite",
            kernel_set="default",
            latency_ms=latency,
            size_bytes=size,
        )
        result = synthetic_audits.result(alone)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for kind in figures.FIGURES:
                figure = kind(result).draw()
                if figure is not None:
                    figure.savefig(io.BytesIO(), format="svg")
        figure = figures.cost(result)
        shown = [size / 1e6, *([latency] if latency else [])]
        self.assertLen(figure.axes, len(shown))
        for axes, value in zip(figure.axes, shown, strict=True):
            low, high = axes.get_xlim()
            self.assertAllClose([low, high], [value / 3, value * 3])
            self.assertNotEmpty(axes.get_xticks())

    def test_only_the_palette(self):
        allowed = {color.lower() for color in (INK, GREY, FAINT, *COLORS)}
        for kind in figures.FIGURES:
            figure = kind(figure_audits.runs(2)).draw()
            file = io.StringIO()
            figure.savefig(
                file, format="svg", facecolor=image_files.FACES["svg"]
            )
            ElementTree.fromstring(file.getvalue())
            colours = set(re.findall(r"#[0-9a-f]{6}\b", file.getvalue()))
            self.assertLessEqual(colours, allowed, kind.name)
            ground = re.search(r'patch_1">.*?</g>', file.getvalue(), re.S)
            self.assertIn("fill: none", ground[0])

    def test_users_settings_change_nothing(self):
        def saved():
            file = io.BytesIO()
            figure = figures.tradeoff(figure_audits.runs(3))
            with matplotlib.rc_context(image_files.STEADY):
                figure.savefig(file, format="svg", metadata={"Date": None})
            return file.getvalue()

        before = saved()
        with matplotlib.rc_context({"font.size": 20, "axes.labelcolor": "red"}):
            self.assertTrue(saved() == before)


class GivenTest(tf.test.TestCase):
    def test_one_result_or_several(self):
        one = figure_audits.audit_of(0, (4, 4))
        other = figure_audits.audit_of(1, figure_audits.FULL)
        (panel,) = figures.classes(one).axes
        self.assertEqual(panel.get_title(loc="left"), "w=4, a=4")
        titles = [
            axes.get_title(loc="left")
            for axes in figures.classes([one, other]).axes
        ]
        self.assertEqual(titles, ["full precision", "w=4, a=4"])
        with self.assertRaisesRegex(InputError, "no audit to draw"):
            figures.roc([])

    def test_one_data_set_at_a_time(self):
        runs = [
            *figure_audits.runs(2),
            *figure_audits.runs(1, dataset="digits"),
        ]
        with self.assertRaisesRegex(InputError, "got cifar10, digits"):
            figures.overview(runs)
        grouped = figures.groups(runs)
        self.assertEqual(
            {name: len(listed) for name, listed in grouped.items()},
            {"cifar10": 2, "digits": 1},
        )

    def test_models_of_ones_own_are_a_run_each(self):
        result = synthetic_audits.result(
            synthetic_audits.target("a.keras", kind="keras"),
            synthetic_audits.target("b.tflite", seed=1, kind="tflite"),
        )
        self.assertLen(figures.groups(result)["scans"], 2)
        shown = texts(figures.overview(result))
        self.assertIn("b.tflite", shown)
        for narrow in (False, True):
            figure = figures.tradeoff(result, narrow=narrow)
            self.assertEqual(figure_texts.faults(figure), [])


class FilesTest(tf.test.TestCase):
    def test_equal_figures_are_equal_files(self):
        stem = pathlib.Path(self.create_tempdir()) / "roc_x"
        written = []
        for _ in range(2):
            figure = figures.roc(figure_audits.runs(1))
            paths = figures.save_figure(figure, stem)
            self.assertEqual(
                [path.name for path in paths], ["roc_x.png", "roc_x.svg"]
            )
            written.append([path.read_bytes() for path in paths])
        self.assertTrue(written[0] == written[1])

    def test_a_name_for_each_data_set(self):
        self.assertEqual(image_files.file_name("roc", "a/b"), "roc_a_b")


class SelectionTest(tf.test.TestCase):
    def test_all_files_while_there_is_room(self):
        few = figure_audits.runs(1, files=figure_audits.FILES)
        artefacts = series.artefacts(few)
        self.assertEqual([x.file for x in artefacts], list(figure_audits.FILES))
        self.assertLen({x.marker for x in artefacts}, len(artefacts))
        self.assertNotIn("deployed", figures.FIGURES["overview"](few).caption())
        many = figure_audits.runs(2, files=figure_audits.FILES)
        artefacts = series.artefacts(many)
        self.assertEqual([x.file for x in artefacts], ["keras", "int8"] * 2)
        self.assertEqual([x.first for x in artefacts], [True, False] * 2)
        caption = figures.FIGURES["overview"](many).caption()
        self.assertIn("and the file that is deployed", caption)

    def test_deployed(self):
        for names, wanted in (
            (("keras", "int8", "int8_io"), "int8"),
            (("keras", "int8_ptq", "tfmot_int8"), "int8_ptq"),
            (("keras", "float32"), None),
        ):
            (run,) = figure_audits.runs(1, files=names)
            target = styles.deployed(run)
            self.assertEqual(target and target.target, wanted)

    def test_lines_are_told_apart(self):
        looks = styles.line_styles(figure_audits.runs(8))
        self.assertLen({(x["color"], str(x["linestyle"])) for x in looks}, 8)
        self.assertEqual(looks[0], {"color": styles.INK, "linestyle": "-"})

    def test_short_names(self):
        self.assertEqual(styles.short("abcdefgh", 8), "abcdefgh")
        self.assertEqual(styles.short("abcdefgh", 5), "ab…gh")
        name = "a_name_that_is_much_too_long"
        cut = panels.fit(name, 1.0)
        self.assertLess(panels.width_of(cut), 1.0)
        self.assertGreater(panels.width_of(cut), 0.8)
        self.assertEqual(panels.fit("short", 1.0), "short")


class KeysTest(tf.test.TestCase):
    def test_letters_do_not_overlap(self):
        taken, inside = [], (-200.0, -200.0, 200.0, 200.0)
        for step in range(6):
            _, box = point_letters.free_place((3.0 * step, 0.0), taken, inside)
            for other in taken:
                self.assertFalse(point_letters.overlap(box, other))
            taken.append(box)
        _, box = point_letters.free_place((198.0, 198.0), [], inside)
        self.assertLess(max(box), 200)
        self.assertTrue(point_letters.overlap((0, 0, 2, 2), (1, 1, 3, 3)))
        self.assertFalse(point_letters.overlap((0, 0, 2, 2), (2, 0, 3, 2)))


class NumbersTest(tf.test.TestCase):
    """What stands where, against the audits' own numbers."""

    def setUp(self):
        super().setUp()
        self.runs = figure_audits.runs(3)
        self.keras = [run.target("keras") for run in self.runs]

    def common(self):
        """The attack with the highest AUC on average, by lower ends."""
        lows = {}
        for run in self.runs:
            for target in run.audit.targets:
                for tested in target.leak.attacks:
                    lows.setdefault(tested.attack, []).append(tested.auc.low)
        shared = {k: np.mean(v) for k, v in lows.items() if len(v) == 6}
        self.assertGreater(len(shared), 5)
        return max(shared, key=shared.get)

    def points_of(self, target):
        return target.attack(self.common()).held_out.point.balanced_accuracy

    def strongest(self):
        return [100 * self.points_of(target).value for target in self.keras]

    def test_overview(self):
        figure = figures.overview(self.runs)
        gained, right, size = figure.axes
        self.assertEqual(
            sorted(x for x, _ in points(gained, "o")), sorted(self.strongest())
        )
        self.assertAllClose(
            sorted(x for x, _ in points(right, "o")),
            sorted(100 * x.accuracy_nonmembers.value for x in self.keras),
        )
        self.assertEqual(
            [x.get_text() for x in size.texts], ["3.00", "0.80"] * 3
        )
        bars = [x for x in gained.collections if len(x.get_paths()) == 1]
        ends = {tuple(x.get_segments()[0][:, 0].round(9)) for x in bars}
        point = self.points_of(self.keras[0])
        self.assertIn(
            (round(100 * point.low, 9), round(100 * point.high, 9)), ends
        )

    def test_overview_names_its_attack(self):
        data = figures.FIGURES["overview"](self.runs).data()
        self.assertLen(data.rows, 6)
        keys = [column.key for column in data.columns]
        gained = data.rows[0][keys.index("balanced_accuracy")]
        self.assertEqual(gained.value * 100, self.strongest()[0])
        title = self.keras[0].attack(self.common()).title
        self.assertEqual(
            {row[keys.index("attack")] for row in data.rows}, {title}
        )
        caption = figures.FIGURES["overview"](self.runs).caption()
        self.assertIn(f"one attack for all ({title})", caption)
        (legend,) = figures.overview(self.runs).legends
        self.assertEqual(
            [x.get_text() for x in legend.get_texts()],
            [title, "gap attack", "guessing"],
        )

    def with_gap_in_front(self):
        """The same runs; the gap attack has the highest AUCs."""
        runs = []
        for run in self.runs:
            targets = []
            for target in run.audit.targets:
                high = Estimate(0.99, 0.98, 1.0)
                attacks = [
                    dataclasses.replace(tested, auc=high)
                    if tested.attack == "gap"
                    else tested
                    for tested in target.leak.attacks
                ]
                leak = dataclasses.replace(target.leak, attacks=attacks)
                targets.append(dataclasses.replace(target, leak=leak))
            audit = dataclasses.replace(run.audit, targets=targets)
            runs.append(run_list.Run(audit))
        return runs

    def test_the_gap_attack_is_drawn_once(self):
        shown = self.with_gap_in_front()
        wanted = sorted(
            100 * target.attack("gap").point("fixed").balanced_accuracy.value
            for target in self.keras
        )
        figure = figures.overview(shown)
        gained = figure.axes[0]
        self.assertEqual(sorted(x for x, _ in points(gained, "o")), wanted)
        self.assertEmpty(points(gained, "|"))
        self.assertNotEmpty(points(figures.overview(self.runs).axes[0], "|"))
        bits = figures.bits(shown)
        self.assertEmpty(points(bits.axes[0], "_"))
        for drawn in (figure, bits):
            (legend,) = drawn.legends
            names = [x.get_text() for x in legend.get_texts()]
            self.assertEqual(names.count("gap attack"), drawn is figure)
        self.assertLen(figures.tradeoff(shown).axes, 1)
        for name in ("overview", "bits", "tradeoff"):
            caption = figures.FIGURES[name](shown).caption()
            self.assertIn("one attack for all (gap attack)", caption)
            self.assertNotIn("threshold", caption)
            self.assertNotIn("Grey stroke", caption)

    def test_threshold(self):
        whole, stretched = figures.threshold(self.runs).axes
        attack = self.keras[0].attack("confidence")
        line = whole.get_lines()[1]
        self.assertAllClose(
            line.get_xdata()[1:-2], attack.curve.threshold[::-1]
        )
        tpr = np.array(attack.curve.true_positives[::-1]) / attack.members
        fpr = np.array(attack.curve.false_positives[::-1]) / attack.nonmembers
        self.assertAllClose(line.get_ydata()[1:-2], 50 + 50 * (tpr - fpr))
        self.assertAllEqual(line.get_ydata()[[0, -1]], [50, 50])
        gap = self.keras[0].attack("gap").point("fixed").balanced_accuracy
        marks = [y for _, y in points(stretched, "<")]
        self.assertIn(100 * gap.value, marks)

    def test_threshold_of_many_models(self):
        whole, _ = figures.threshold(figure_audits.runs(8)).axes
        lines = [x for x in whole.get_lines() if len(x.get_xdata()) > 2]
        self.assertLen(lines, 8)
        many = figures.FIGURES["threshold"](figure_audits.runs(8))
        caption = many.caption()
        self.assertIn("deployed files are left out", caption)

    def test_a_gap_attack_above_every_threshold_has_room(self):
        gap = self.keras[0].attack("gap")
        point = gap.point("fixed")
        full = dataclasses.replace(point.balanced_accuracy, value=1.0)
        point = dataclasses.replace(point, balanced_accuracy=full)
        attacks = [dataclasses.replace(gap, points=[point])]
        attacks += [x for x in self.keras[0].attacks if x.name != "gap"]
        target = dataclasses.replace(self.keras[0], attacks=attacks)
        figure = figures.threshold(synthetic_audits.result(target))
        self.assertGreater(figure.axes[0].get_ylim()[1], 100)

    def test_roc(self):
        figure = figures.roc(self.runs)
        name = self.common()
        band = self.keras[1].attack(name).roc
        panel = figure.axes[1]
        drawn = [x.get_ydata() for x in panel.get_lines()]
        self.assertTrue(
            any(
                len(y) == len(band.tpr) and np.allclose(y, band.tpr)
                for y in drawn
            )
        )
        filled = panel.collections[0].get_paths()[0].vertices[:, 1]
        self.assertAllClose(filled.max(), max(band.high))
        self.assertAllClose(filled.min(), min(band.low))
        self.assertEqual(panel.get_xscale(), "log")
        self.assertEqual(panel.get_yscale(), "log")

    def test_histograms(self):
        figure = figures.histograms(self.runs)
        self.assertLen(figure.axes, 6)
        histogram = self.keras[0].attack("margin").histogram
        heights = [x.get_data().values for x in figure.axes[0].patches]
        total = sum(histogram.members)
        self.assertAllClose(
            heights[0], 100 * np.array(histogram.members) / total
        )
        outside = np.array(histogram.nonmembers)
        self.assertAllClose(heights[-1], 100 * outside / outside.sum())
        alt = figures.FIGURES["histograms"](self.runs).alt()
        inside = np.array(histogram.members) / total
        shared = np.minimum(inside, outside / outside.sum()).sum()
        self.assertIn(f"full precision: {100 * shared:.0f} %", alt)

    def test_bits(self):
        (axes,) = figures.bits(self.runs).axes
        names = [x.get_text() for x in axes.get_xticklabels()]
        self.assertEqual(names, ["16×4", "16×16", "full"])
        marks = sorted(points(axes, "o"))
        order = [self.strongest()[n] for n in (1, 2, 0)]
        self.assertAllClose([y for _, y in marks], order)

    def test_tradeoff_and_cost(self):
        gap, leak = figures.tradeoff(self.runs).axes
        wanted = {
            (
                100 * target.accuracy_nonmembers.value,
                100
                * target.attack("gap").point("fixed").balanced_accuracy.value,
            )
            for target in self.keras
        }
        self.assertEqual(points(gap, "o"), wanted)
        self.assertEqual([x.get_text() for x in leak.texts], ["A", "B", "C"])
        size, latency = figures.cost(self.runs).axes
        self.assertEqual(
            points(size, "o"), {(3.0, y) for y in self.strongest()}
        )
        self.assertEqual(
            points(latency, "o"), {(1.5, y) for y in self.strongest()}
        )
        caption = figures.FIGURES["cost"](self.runs).caption()
        self.assertIn("Intervals are in the first figure", caption)

    def test_parity(self):
        figure = figures.parity(self.runs)
        lines = {
            x.get_marker(): x.get_ydata() for x in figure.axes[0].get_lines()
        }
        self.assertAllEqual(lines["^"], np.zeros(9))
        self.assertAllClose(lines["o"], 7 * np.arange(9) / 40_960)
        alt = figures.FIGURES["parity"](self.runs).alt()
        self.assertIn("trained model 252 of 368,640", alt)
        self.assertIn("default kernels 0 of 368,640", alt)

    def test_classes(self):
        figure = figures.classes(self.runs)
        per_class = self.keras[0].per_class
        self.assertEqual(
            points(figure.axes[0], "o"),
            {(x.auc.value, float(x.label)) for x in per_class},
        )
        names = [x.get_text() for x in figure.axes[0].get_yticklabels()]
        self.assertEqual(names, list(figure_audits.NAMES))

    def test_many_classes_are_cut_to_the_most_exposed(self):
        first = self.keras[0].per_class[0]
        many = [
            dataclasses.replace(
                first,
                label=n,
                name=None,
                auc=dataclasses.replace(first.auc, value=0.4 + 0.005 * n),
            )
            for n in range(50)
        ]
        target = dataclasses.replace(self.keras[0], per_class=many)
        result = synthetic_audits.result(target)
        names = [
            x.get_text()
            for x in figures.classes(result).axes[0].get_yticklabels()
        ]
        self.assertEqual(names, [str(n) for n in range(30, 50)])
        drawing = figures.FIGURES["classes"](result)
        self.assertIn("20 classes with the highest", drawing.caption())
        self.assertLen(drawing.data().rows, 50)

    def test_exposed(self):
        (run,) = figure_audits.runs(1)
        figure = figures.exposed(run)
        shown = [x for x in figure.axes if x.images]
        self.assertLen(shown, 24)
        self.assertEqual(shown[1].get_xlabel(), "automobile\n89 %")
        colors = {x.xaxis.label.get_color() for x in shown}
        self.assertEqual(colors, {styles.INK, styles.COLORS[1]})
        pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3))
        drawn = np.asarray(shown[0].images[0].get_array())[..., :3]
        self.assertAllClose(255 * drawn, pixels, atol=0.51)


class CompareTest(tf.test.TestCase):
    def test_runs_keep_their_order(self):
        runs = figure_audits.runs(3)[::-1]
        self.assertIsInstance(runs[0], run_list.Run)
        titles = [
            axes.get_title(loc="left") for axes in figures.classes(runs).axes
        ]
        self.assertEqual(titles, [run.model for run in runs])


if __name__ == "__main__":
    tf.test.main()
