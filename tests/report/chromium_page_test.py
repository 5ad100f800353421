"""report.html in a browser: at a desk, on a phone, in the dark, on paper.

Screenshots stay in QMIA_SCREENSHOTS, if that is set.
"""

import os
import pathlib
import unittest

import chromium
import numpy as np
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized
from report_runs import FULL, Reports

from qmia_tf.auditing import audit
from qmia_tf.report import make_report

# Of a figure's pixels, so many at least differ from its background.
DRAWN = 0.005
VISIBLE = """
return [...document.querySelectorAll(".drawing")].map(
  held => [...held.querySelectorAll("svg")].map(svg => {
    const box = svg.getBoundingClientRect();
    return {kind: svg.getAttribute("class"), x: box.x + scrollX,
            y: box.y + scrollY, width: box.width, height: box.height};
  }).filter(box => box.width > 0));
"""
# Where the rows of the first screen's table end.
FIRST_SCREEN = """
return document.querySelector(".models").getBoundingClientRect().bottom;
"""
# What can be reached with a keyboard and has no name.
NAMELESS = """
return [...document.querySelectorAll("a, summary, [tabindex]")]
  .filter(e => !e.textContent.trim()).map(e => e.outerHTML);
"""
OPEN = "document.querySelectorAll('details').forEach(e => { e.open = true; })"


@unittest.skipUnless(chromium.BROWSER and chromium.DRIVER, chromium.MISSING)
class ChromiumTest(Reports):
    def page(self):
        """The page of three models and eight artefacts, with pictures."""
        files = ("keras", "float32", "int8")
        folders = [
            self.run_of("full", FULL, targets=(*files[:2], "int8_ptq")),
            self.run_of("w4a4", (4, 4), targets=files, gain=(4.2, 2.8)),
            self.run_of("a_run_with_a_rather_long_name", (2, 2), gain=(3, 2)),
        ]
        extra = synthetic_outputs.outputs(
            60, 60, gain=(3, 2), target="int8_io", size_bytes=700_000
        )
        extra.save(folders[2] / "outputs" / "int8_io.npz")
        noise = np.random.default_rng(0).integers(
            0, 256, (1000, 8, 8, 3), dtype=np.uint8
        )
        for folder in folders:
            audit.audit_outputs(
                folder,
                records=audit.RecordFacts(
                    pictures=lambda ids: noise[ids % 1000]
                ),
            )
        written = make_report(
            folders, self.root / "report", formats=["html", "csv"]
        )
        return written[1]

    def test_as_a_person_sees_it(self):
        page = self.page()
        self.assertLess(page.stat().st_size, 3_000_000)
        kept = pathlib.Path(
            os.environ.get("QMIA_SCREENSHOTS", self.root / "screenshots")
        )
        with chromium.opened(page) as driver:
            for size, dark in (
                ("desktop", False),
                ("phone", False),
                ("phone", True),
            ):
                name = f"{size}-{'dark' if dark else 'light'}"
                with self.subTest(name):
                    chromium.show(driver, size=size, dark=dark)
                    shown = chromium.screenshot(driver, kept / f"{name}.png")
                    self.looks_right(driver, shown, size=size, dark=dark)
            with self.subTest("on paper"):
                self.assertBetween(chromium.pages(driver), 2, 5)
                chromium.show(driver, dark=True, media="print")
                shown = chromium.screenshot(driver, kept / "print.png")
                self.assertAllEqual(shown[-1, -1], [255, 255, 255])
                self.drawings(driver, shown, "narrow")
            with self.subTest("the first screen"):
                chromium.show(driver, size="desktop")
                bottom = driver.execute_script(FIRST_SCREEN)
                self.assertLess(bottom, chromium.SIZES["desktop"][1])
            with self.subTest("with a keyboard"):
                self.assertEqual(driver.execute_script(NAMELESS), [])
            with self.subTest("everything open"):
                chromium.show(driver, size="phone")
                driver.execute_script(OPEN)
                self.is_laid_out(driver, "phone")
                chromium.show(driver, size="desktop")
                self.is_laid_out(driver, "desktop")
            self.assertEqual(driver.get_log("browser"), [])

    def looks_right(self, driver, shown, *, size, dark):
        self.assertEqual(shown.shape[1], chromium.SIZES[size][0])
        self.assertEqual(shown[-1, -1].max() < 50, dark)
        self.is_laid_out(driver, size)
        kind = "narrow" if size == "phone" else "wide"
        self.drawings(driver, shown, kind)

    def is_laid_out(self, driver, size):
        layout = driver.execute_script(chromium.LAYOUT)
        self.assertGreater(layout["boxes"], 300)
        self.assertEqual(layout["overlaps"], [])
        self.assertEqual(layout["outside"], [])
        self.assertEqual(driver.execute_script(chromium.WIDE), [])
        self.assertEqual(layout["width"], chromium.SIZES[size][0])

    def drawings(self, driver, shown, kind):
        """One of each figure's two drawings shows, and shows something."""
        figures = driver.execute_script(VISIBLE)
        self.assertGreaterEqual(len(figures), 7)
        for (box,) in figures:
            self.assertEqual(box["kind"], kind)
            self.assertGreater(box["width"], 280)
            left, top = round(box["x"]), round(box["y"])
            part = shown[top:, left:][
                : round(box["height"]), : round(box["width"])
            ].astype(int)
            background = shown[-1, -1].astype(int)
            differs = np.abs(part - background).max(-1) > 40
            self.assertGreater(differs.mean(), DRAWN)
            # Something of it lies in every quarter of its height.
            for quarter in np.array_split(differs, 4):
                self.assertTrue(quarter.any())


@unittest.skipUnless(chromium.BROWSER and chromium.DRIVER, chromium.MISSING)
class LayoutTest(parameterized.TestCase, tf.test.TestCase):
    """The script that judges pages finds what is wrong with a bad one."""

    def test_finds_overlaps_and_what_sticks_out(self):
        page = pathlib.Path(self.create_tempdir()) / "bad.html"
        page.write_text(
            "<!DOCTYPE html><p style='position:absolute;top:50px'>under</p>"
            "<p style='position:absolute;top:54px'>over</p>"
            "<p style='position:absolute;top:200px;white-space:nowrap;"
            f"left:1200px'>{'far ' * 40}</p>"
            "<p style='position:absolute;top:300px'>alone</p>"
        )
        with chromium.opened(page) as driver:
            layout = driver.execute_script(chromium.LAYOUT)
        self.assertEqual(layout["overlaps"], [["under", "over"]])
        self.assertLen(layout["outside"], 1)
        self.assertGreater(layout["width"], 1280)


if __name__ == "__main__":
    tf.test.main()
