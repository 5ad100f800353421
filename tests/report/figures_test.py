"""The figures: what is drawn of which runs, in which colours, and the files."""

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
from synthetic_audits import changed

from qmia_tf.errors import InputError
from qmia_tf.report import figures
from qmia_tf.report.figures import (
    image_files,
    leak_measure,
    panels,
    point_letters,
    series,
    styles,
)
from qmia_tf.report.figures.styles import COLORS, FAINT, GREY, INK

NAMES = figures.FIGURES.names()
PALETTE = {color.lower() for color in (INK, GREY, FAINT, *COLORS)}


def caption(name, results):
    return figures.FIGURES[name](results).caption()


def alt(name, results):
    return figures.FIGURES[name](results).alt()


def texts(artist):
    """Every text of a figure."""
    found = artist.findobj(matplotlib.text.Text)
    return [text.get_text() for text in found if text.get_text()]


def legend_texts(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def points(axes, marker):
    """(x, y) of each marker of a kind in a panel."""
    return {
        (float(x), float(y))
        for line in axes.get_lines()
        if line.get_marker() == marker
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }


class FiguresContractTest(parameterized.TestCase, tf.test.TestCase):
    """What holds for every kind of figure."""

    @parameterized.product(name=NAMES, narrow=[False, True])
    def test_readable(self, name, narrow):
        for count in (1, 8) if narrow else (8,):
            figure = figures.draw(
                name, figure_audits.runs(count), narrow=narrow
            )
            if figure is None:
                self.assertEqual((name, count), ("bits", 1))
                continue
            width = panels.NARROW if narrow else panels.WIDE
            self.assertEqual(figure.get_size_inches()[0], width)
            self.assertEqual(figure_texts.faults(figure), [], count)

    @parameterized.product(name=NAMES, files=[("keras", "int8"), None])
    def test_words_and_data(self, name, files):
        runs = figure_audits.runs(3)
        if files is None:
            runs = figure_audits.runs(1, files=figure_audits.FILES)
        figure = figures.FIGURES[name](runs)
        self.assertRegex(figure.alt(), r"\d.*\.$")
        self.assertNotIn("figure of", figure.alt().lower())
        self.assertLessEqual(len(figure.alt().split()), 40)
        self.assertEndsWith(figure.caption(), ".")
        table = figure.data()
        self.assertEqual(table.name, f"figure_{name}")
        self.assertNotEmpty(table.rows)
        self.assertEqual({len(x) for x in table.rows}, {len(table.columns)})

    @parameterized.parameters(*NAMES)
    def test_only_the_palette(self, name):
        figure = figures.draw(name, figure_audits.runs(2))
        svg = image_files.image_bytes(figure, "svg").decode()
        ElementTree.fromstring(svg)
        self.assertLessEqual(set(re.findall(r"#[0-9a-f]{6}\b", svg)), PALETTE)
        ground = re.search(r'patch_1">.*?</g>', svg, re.S)
        self.assertIn("fill: none", ground[0])

    @parameterized.parameters(*NAMES)
    def test_nothing_to_draw(self, name):
        bare = synthetic_audits.target(records=60)
        bare = changed(bare, per_class=[], leak=None, risky_members=[])
        for attack in bare.attacks:
            bare = changed(
                bare,
                **{
                    f"attacks__{attack.name}__{part}": None
                    for part in ("histogram", "roc")
                },
            )
        result = synthetic_audits.result(bare)
        drawn = figures.draw(name, result) is not None
        self.assertEqual(drawn, name in ("overview", "threshold"))
        self.assertNotEmpty(alt(name, result))
        self.assertNotEmpty(caption(name, result))

    @parameterized.parameters((0.1, 205_928), (0.0, 205_928), (None, 100_000))
    def test_files_of_one_size_are_drawn_without_warnings(self, latency, size):
        same = [
            synthetic_audits.target(
                name,
                records=20,
                kind="tflite",
                kernel_set="default",
                latency_ms=latency,
                size_bytes=size,
            )
            for name in ("int8", "other")
        ]
        result = synthetic_audits.result(*same)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for name in NAMES:
                figure = figures.draw(name, result)
                if figure is not None:
                    figure.savefig(io.BytesIO(), format="svg")
        figure = figures.cost(result)
        shown = [size / 1e6, *([latency] if latency else [])]
        self.assertLen(figure.axes, len(shown))
        for axes, value in zip(figure.axes, shown, strict=True):
            self.assertAllClose(axes.get_xlim(), [value / 3, value * 3])
            self.assertNotEmpty(axes.get_xticks())

    def test_one_point_is_no_figure(self):
        alone = synthetic_audits.result(
            synthetic_audits.target("int8", records=20, size_bytes=1000)
        )
        for name in ("tradeoff", "cost"):
            self.assertIsNone(figures.draw(name, alone))

    def test_users_settings_change_nothing(self):
        def saved():
            figure = figures.tradeoff(figure_audits.runs(3))
            return image_files.image_bytes(figure, "svg")

        before = saved()
        with matplotlib.rc_context({"font.size": 20, "axes.labelcolor": "red"}):
            self.assertTrue(saved() == before)

    def test_equal_figures_are_equal_files(self):
        stem = pathlib.Path(self.create_tempdir()) / "roc_x"
        contents = []
        for _ in range(2):
            figure = figures.roc(figure_audits.runs(1))
            paths = figures.save_figure(figure, stem)
            names = [path.name for path in paths]
            self.assertEqual(names, ["roc_x.png", "roc_x.svg"])
            contents.append([path.read_bytes() for path in paths])
        self.assertTrue(contents[0] == contents[1])
        self.assertEqual(image_files.file_name("roc", "a/b"), "roc_a_b")


class SelectionTest(tf.test.TestCase):
    def test_one_result_or_several(self):
        one = figure_audits.audit_of(0, (4, 4))
        other = figure_audits.audit_of(1, figure_audits.FULL)
        runs = figure_audits.runs(3)[::-1]
        for results, want in (
            (one, ["w=4, a=4"]),
            ([one, other], ["full precision", "w=4, a=4"]),
            # Runs keep their order.
            (runs, [run.model for run in runs]),
        ):
            axes = figures.classes(results).axes
            self.assertEqual([x.get_title(loc="left") for x in axes], want)
        with self.assertRaisesRegex(InputError, "no audit to draw"):
            figures.roc([])
        with self.assertRaises(AttributeError):
            _ = figures.rocs
        with self.assertRaisesRegex(InputError, "did you mean 'roc'"):
            figures.draw("rocs", one)

    def test_one_data_set_at_a_time(self):
        runs = [
            *figure_audits.runs(2),
            *figure_audits.runs(1, dataset="digits"),
        ]
        with self.assertRaisesRegex(InputError, "got cifar10, digits"):
            figures.overview(runs)
        sizes = {name: len(x) for name, x in figures.groups(runs).items()}
        self.assertEqual(sizes, {"cifar10": 2, "digits": 1})

    def test_models_of_ones_own_are_a_run_each(self):
        result = synthetic_audits.result(
            synthetic_audits.target("a.keras", kind="keras"),
            synthetic_audits.target("b.tflite", seed=1, kind="tflite"),
        )
        self.assertLen(figures.groups(result)["scans"], 2)
        self.assertIn("b.tflite", texts(figures.overview(result)))
        for narrow in (False, True):
            figure = figures.tradeoff(result, narrow=narrow)
            self.assertEqual(figure_texts.faults(figure), [])

    def test_all_files_while_there_is_room(self):
        few = figure_audits.runs(1, files=figure_audits.FILES)
        artefacts = series.artefacts(few)
        self.assertEqual([x.file for x in artefacts], list(figure_audits.FILES))
        self.assertLen({x.marker for x in artefacts}, len(artefacts))
        self.assertNotIn("deployed", caption("overview", few))
        many = figure_audits.runs(2, files=figure_audits.FILES)
        artefacts = series.artefacts(many)
        self.assertEqual([x.file for x in artefacts], ["keras", "int8"] * 2)
        self.assertEqual([x.first for x in artefacts], [True, False] * 2)
        self.assertIn(
            "and the file that is deployed", caption("overview", many)
        )

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
        cut = panels.fit("a_name_that_is_much_too_long", 1.0)
        self.assertBetween(panels.width_of(cut), 0.8, 1.0)
        self.assertEqual(panels.fit("short", 1.0), "short")

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
        self.gaps = [
            target.attack("gap").point("fixed").balanced_accuracy.value
            for target in self.keras
        ]
        self.common = self.common_attack()
        self.leaks = [target.leak.auc for target in self.keras]
        self.leak_values = [leak.value for leak in self.leaks]

    def common_attack(self):
        """The attack with the highest AUC on average, by lower ends."""
        lows = {}
        for run in self.runs:
            for target in run.audit.targets:
                for tested in target.leak.attacks:
                    lows.setdefault(tested.attack, []).append(tested.auc.low)
        shared = {k: np.mean(v) for k, v in lows.items() if len(v) == 6}
        self.assertGreater(len(shared), 5)
        return max(shared, key=shared.get)

    def test_overview(self):
        gained, right, size = figures.overview(self.runs).axes
        self.assertCountEqual(
            [x for x, _ in points(gained, "o")], self.leak_values
        )
        self.assertAllClose(
            sorted(x for x, _ in points(right, "o")),
            sorted(100 * x.accuracy_nonmembers.value for x in self.keras),
        )
        sizes = [x.get_text() for x in size.texts]
        self.assertEqual(sizes, ["3.00", "0.80"] * 3)
        bars = [x for x in gained.collections if len(x.get_paths()) == 1]
        ends = {tuple(x.get_segments()[0][:, 0].round(9)) for x in bars}
        leak = self.leaks[0]
        self.assertIn((round(leak.low, 9), round(leak.high, 9)), ends)

    def test_the_leak_is_that_of_the_verdict(self):
        table = figures.FIGURES["overview"](self.runs).data()
        self.assertLen(table.rows, 6)
        self.assertEqual(
            table.column("auc"),
            [x.leak.auc for run in self.runs for x in run.audit.targets],
        )
        strongest = self.keras[0].attack(self.keras[0].leak.strongest)
        self.assertEqual(table.column("attack")[0], strongest.title)
        self.assertIn("strongest attack on each", caption("bits", self.runs))
        self.assertEqual(
            legend_texts(figures.overview(self.runs)),
            ["strongest attack", "gap attack", "guessing"],
        )

    def test_no_strongest_attack_is_below_the_gap_attack(self):
        """The gap attack is one of those that the strongest is chosen from."""
        for run in [*self.runs, *figure_audits.runs(8)]:
            for target in run.audit.targets:
                gap = target.leak.attack("gap").auc
                self.assertAlmostEqual(
                    gap.value, leak_measure.gap(target).value
                )
                self.assertLessEqual(gap.low, target.leak.auc.low)

    def test_without_a_leak_test_the_leak_is_held_out(self):
        old = changed(self.keras[0], leak=None)
        table = figures.FIGURES["overview"](synthetic_audits.result(old)).data()
        self.assertEqual(table.column("auc"), [old.strongest.auc])

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
        marks = [y for _, y in points(stretched, "<")]
        self.assertIn(100 * self.gaps[0], marks)

    def test_threshold_of_many_models(self):
        many = figure_audits.runs(8)
        whole, _ = figures.threshold(many).axes
        lines = [x for x in whole.get_lines() if len(x.get_xdata()) > 2]
        self.assertLen(lines, 8)
        self.assertIn("deployed files are left out", caption("threshold", many))

    def test_a_gap_attack_above_every_threshold_has_room(self):
        (gap,) = self.keras[0].attack("gap").points
        gap = changed(gap, balanced_accuracy__value=1.0)
        target = changed(self.keras[0], attacks__gap__points=[gap])
        figure = figures.threshold(synthetic_audits.result(target))
        self.assertGreater(figure.axes[0].get_ylim()[1], 100)

    def test_roc(self):
        figure = figures.roc(self.runs)
        band = self.keras[1].attack(self.common).roc
        panel = figure.axes[1]
        drawn = [x.get_ydata() for x in panel.get_lines()]
        same = (len(y) == len(band.tpr) for y in drawn)
        self.assertTrue(
            any(
                np.allclose(y, band.tpr)
                for y, is_curve in zip(drawn, same, strict=True)
                if is_curve
            )
        )
        filled = panel.collections[0].get_paths()[0].vertices[:, 1]
        self.assertAllClose(filled.max(), max(band.high))
        self.assertAllClose(filled.min(), min(band.low))
        self.assertEqual((panel.get_xscale(), panel.get_yscale()), ("log",) * 2)

    def test_histograms(self):
        figure = figures.histograms(self.runs)
        self.assertLen(figure.axes, 6)
        histogram = self.keras[0].attack("margin").histogram
        inside, outside = (
            np.array(counts) / sum(counts)
            for counts in (histogram.members, histogram.nonmembers)
        )
        heights = [x.get_data().values for x in figure.axes[0].patches]
        self.assertAllClose(heights[0], 100 * inside)
        self.assertAllClose(heights[-1], 100 * outside)
        shared = 100 * np.minimum(inside, outside).sum()
        self.assertIn(
            f"full precision, {shared:.0f} %", alt("histograms", self.runs)
        )

    def test_bits(self):
        (axes,) = figures.bits(self.runs).axes
        names = [x.get_text() for x in axes.get_xticklabels()]
        self.assertEqual(names, ["16×4", "16×16", "full"])
        order = [self.leak_values[n] for n in (1, 2, 0)]
        self.assertAllClose([y for _, y in sorted(points(axes, "o"))], order)

    def test_tradeoff_and_cost(self):
        gap, leak = figures.tradeoff(self.runs).axes
        right = [100 * x.accuracy_nonmembers.value for x in self.keras]
        self.assertEqual(
            points(gap, "o"), set(zip(right, self.gaps, strict=True))
        )
        self.assertEqual([x.get_text() for x in leak.texts], ["A", "B", "C"])
        for axes, x in zip(
            figures.cost(self.runs).axes, (3.0, 1.5), strict=True
        ):
            self.assertEqual(
                points(axes, "o"), {(x, y) for y in self.leak_values}
            )
        self.assertIn(
            "Intervals are in the table on top", caption("cost", self.runs)
        )

    def test_parity(self):
        lines = {
            x.get_marker(): x.get_ydata()
            for x in figures.parity(self.runs).axes[0].get_lines()
        }
        self.assertAllEqual(lines["^"], np.zeros(9))
        self.assertAllClose(lines["o"], 7 * np.arange(9) / 40_960)
        said = alt("parity", self.runs)
        self.assertIn("trained model 252 of 368,640", said)
        self.assertIn("default kernels 0 of 368,640", said)

    def test_classes(self):
        (axes, *_) = figures.classes(self.runs).axes
        per_class = self.keras[0].per_class
        self.assertEqual(
            points(axes, "o"),
            {(x.auc.value, float(x.label)) for x in per_class},
        )
        names = [x.get_text() for x in axes.get_yticklabels()]
        self.assertEqual(names, list(figure_audits.NAMES))

    def test_many_classes_are_cut_to_those_at_highest_risk(self):
        first = self.keras[0].per_class[0]
        many = [
            changed(first, label=n, name=None, auc__value=0.4 + 0.005 * n)
            for n in range(50)
        ]
        target = changed(self.keras[0], per_class=many)
        result = synthetic_audits.result(target)
        (axes,) = figures.classes(result).axes
        names = [x.get_text() for x in axes.get_yticklabels()]
        self.assertEqual(names, [str(n) for n in range(30, 50)])
        self.assertIn("20 classes with the highest", caption("classes", result))
        self.assertLen(figures.FIGURES["classes"](result).data().rows, 50)


class FormsTest(tf.test.TestCase):
    def test_each_form_where_its_auc_is_in_its_colour(self):
        (run,) = figure_audits.runs(1)
        figure = figures.draw("forms", run)
        shown = [x for x in run.audit.targets if x.forms]
        self.assertLen(figure.axes, len(shown))
        for axes, target in zip(figure.axes, shown, strict=True):
            aucs = [
                (x.auc.value, float(row)) for row, x in enumerate(target.forms)
            ]
            for marker, places in (("o", aucs[:4]), ("s", aucs[4:5])):
                self.assertEqual(points(axes, marker), set(places))
            self.assertEqual(points(axes, "D"), set(aucs[5:]))

    def test_without_other_forms_there_is_none(self):
        bare = synthetic_audits.result(synthetic_audits.target(records=60))
        self.assertIsNone(figures.draw("forms", bare))


if __name__ == "__main__":
    tf.test.main()
