"""The figures: what is drawn of which runs, and the files."""

from xml.etree import ElementTree

import synthetic_outputs
import tensorflow as tf
from report_runs import FULL, Reports

from qmia_tf.auditing import audit, findings
from qmia_tf.report import compared, make_report, styles, thresholds, tradeoff


class FilesTest(Reports):
    def test_png_and_svg_for_each_data_set(self):
        folders = [
            self.run_of("full", FULL, targets=("keras", "float32", "int8")),
            self.run_of("w4a4", (4, 4)),
            self.run_of("digits", (4, 4), dataset="digits"),
        ]
        out = self.root / "report"
        written = make_report(folders, out)
        drawn = [x for x in written if x.suffix in (".png", ".svg")]
        self.assertEqual(
            sorted(path.name for path in drawn),
            [
                f"{name}_{data}.{kind}"
                for name in ("threshold", "tradeoff")
                for data in ("cifar10", "digits")
                for kind in ("png", "svg")
            ],
        )
        for path in drawn:
            data = path.read_bytes()
            if path.suffix == ".png":
                self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
            else:
                ElementTree.fromstring(data)
        before = {path: path.read_bytes() for path in written}
        make_report(folders, out)
        for path, data in before.items():
            self.assertTrue(path.read_bytes() == data, path.name)


class ThresholdTest(Reports):
    def drawn(self, *folders):
        """The runs, and the labelled lines of the figure by label."""
        ordered = compared.in_order([findings.load(x) for x in folders])
        figure = thresholds.threshold_figure(ordered, "CIFAR-10")
        (legend,) = figure.legends
        self.assertIn("CIFAR-10", legend.get_title().get_text())
        lines = {
            line.get_label(): line
            for line in figure.axes[0].get_lines()
            if not line.get_label().startswith("_")
        }
        self.assertEqual(
            [text.get_text() for text in legend.get_texts()], list(lines)
        )
        return ordered, lines

    def test_curves(self):
        ordered, lines = self.drawn(
            self.run_of("full", FULL),
            self.run_of("w4a4", (4, 4)),
            self.run_of("again", (4, 4)),
        )
        labels = list(lines)
        self.assertStartsWith(labels[0], "full precision: peak ")
        self.assertStartsWith(labels[1], "w=4, a=4 (again): peak ")
        self.assertLen({line.get_color() for line in lines.values()}, 3)
        attack = ordered[0].target("keras").attack("confidence")
        drawn = lines[labels[0]]
        self.assertAllClose(
            drawn.get_xdata()[1:-2], attack.curve.threshold[::-1]
        )
        best = attack.point("peak_accuracy").balanced_accuracy.value
        self.assertAlmostEqual(drawn.get_ydata().max(), 100 * best)
        self.assertAllEqual(drawn.get_ydata()[[0, -1]], [50, 50])

    def test_deployed_file_is_dashed_beside_its_model(self):
        files = ("keras", "float32", "int8_io", "int8", "int8.reference")
        _, lines = self.drawn(
            self.run_of("full", FULL, targets=("keras", "int8_ptq")),
            self.run_of("w4a4", (4, 4), targets=files),
            self.run_of("w2a2", (2, 2)),
        )
        names = [label.partition(": ")[0] for label in lines]
        self.assertEqual(
            names,
            [
                "full precision",
                "w=2, a=2",
                "w=4, a=4",
                "full precision, int8_ptq",
                "w=4, a=4, int8",
            ],
        )
        full, _, w4, ptq, int8 = lines.values()
        self.assertEqual(full.get_color(), ptq.get_color())
        self.assertEqual(w4.get_color(), int8.get_color())
        self.assertEqual(
            [line.get_linestyle() for line in lines.values()],
            ["-", "-", "-", "--", "--"],
        )

    def test_many_models_are_told_apart_by_dashes(self):
        folders = [
            self.run_of(f"w{bits}", (bits, 4), targets=("keras", "int8"))
            for bits in range(1, 8)
        ]
        _, lines = self.drawn(*folders)
        self.assertLen(lines, 7)
        looks = {
            (line.get_color(), str(line._unscaled_dash_pattern))
            for line in lines.values()
        }
        self.assertLen(looks, 7)

    def test_without_a_keras_target(self):
        _, lines = self.drawn(self.run_of("w4", (4, 4), targets=("int8",)))
        (label,) = lines
        self.assertStartsWith(label, "w=4, a=4: peak")


class TradeoffTest(Reports):
    def test_one_point_an_artefact_with_its_size(self):
        folder = self.run_of("full", FULL)
        for n, (name, kernels) in enumerate(
            (("int8", "default"), ("int8.reference", "reference"))
        ):
            made = synthetic_outputs.outputs(
                60,
                60,
                seed=n + 1,
                gain=(4.0, 2.0),
                target=name,
                kernel_set=kernels,
                size_bytes=750_000,
            )
            made.save(folder / "outputs" / f"{name}.npz")
        audit.audit_run(folder)
        ordered = compared.in_order([findings.load(folder)])
        figure = tradeoff.tradeoff_figure(ordered, "CIFAR-10")
        shown = [ordered[0].target(name) for name in ("keras", "int8")]
        for axes, name in zip(figure.axes, ("gap", "confidence"), strict=True):
            points = {
                (line.get_xdata()[0], line.get_ydata()[0])
                for line in axes.get_lines()
                if len(line.get_xdata()) == 1
                and line.get_marker() not in ("", "None")
            }
            wanted = set()
            for target in shown:
                attack = target.attack(name)
                point = attack.held_out and attack.held_out.point
                rate = (point or attack.point("fixed")).balanced_accuracy
                x = 100 * target.accuracy_nonmembers.value
                wanted.add((x, 100 * rate.value))
            self.assertEqual(points, wanted)
            texts = [text.get_text() for text in axes.texts]
            self.assertEqual(texts, ["2.50", "0.75"])
        (legend,) = figure.legends
        self.assertEqual(
            [text.get_text() for text in legend.get_texts()],
            ["full precision", "keras", "int8"],
        )

    def test_labels_do_not_overlap(self):
        taken = []
        for step in range(6):
            corner, box = tradeoff._free_corner((3.0 * step, 0.0), 4, taken)
            self.assertIn(corner, tradeoff.CORNERS)
            for other in taken:
                self.assertFalse(tradeoff._overlap(box, other))
            taken.append(box)
        self.assertTrue(tradeoff._overlap((0, 0, 2, 2), (1, 1, 3, 3)))
        self.assertFalse(tradeoff._overlap((0, 0, 2, 2), (2, 0, 3, 2)))


class StylesTest(Reports):
    def test_deployed(self):
        for files, name in (
            (("keras", "int8", "int8_io"), "int8"),
            (("keras", "int8_ptq", "tfmot_int8"), "int8_ptq"),
            (("keras", "float32"), None),
        ):
            folder = self.run_of(f"run_{name}", (4, 4), targets=files)
            run = compared.Run(findings.load(folder))
            target = styles.deployed(run)
            self.assertEqual(target and target.target, name)


if __name__ == "__main__":
    tf.test.main()
