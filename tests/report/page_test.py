"""report.html without a browser: what it says, holds and must not hold."""

import base64
import collections
import dataclasses
import html.parser
import re
import urllib.parse
from unittest import mock

import synthetic_audits
import tensorflow as tf
from absl.testing import parameterized
from report_runs import FULL, Reports
from synthetic_audits import changed

from qmia_tf import registry
from qmia_tf.auditing import leak_comparison, leak_test, verdict
from qmia_tf.report import (
    figure_set,
    figures,
    run_list,
    run_summary,
)
from qmia_tf.report.html import filters, page, render, summary_section
from qmia_tf.report.tables import Column
from qmia_tf.statistics.intervals import Estimate

VOID = {"meta", "link", "img", "br"}
KINDS = ("overview", "threshold", "risk")
EVIL = "<script>alert('1')&amp;\"</script>"


class Reader(html.parser.HTMLParser):
    """Elements with their attributes, in order; complains of bad nesting."""

    def __init__(self, page):
        super().__init__()
        self.open, self.elements, self.text = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise ValueError(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)


class PageTest(Reports):
    """One page of three runs on two data sets, one with a hostile name."""

    page = None

    def setUp(self):
        super().setUp()
        if PageTest.page is None:
            folders = [
                self.run_of("full", FULL, targets=("keras", "float32")),
                self.run_of("w4a4", (4, 4), targets=("keras", "int8")),
                self.run_of("other", FULL, dataset=EVIL),
            ]
            report = run_summary.collect(folders)
            first = dataclasses.replace(report.runs[0].audit, name=EVIL)
            runs = [run_list.Run(first), *report.runs[1:]]
            report = dataclasses.replace(
                report, runs=runs, warnings=[f"{EVIL} warns"]
            )
            # All of them are drawn where a browser looks at them.
            few = {kind: figures.FIGURES[kind] for kind in KINDS}
            few = registry.Registry("figure", few)
            with mock.patch.object(figure_set, "FIGURES", few):
                pictures = figure_set.draw(report.runs, formats=["html"])
            PageTest.page = render(report, pictures)
            PageTest.report_, PageTest.pictures = report, pictures
            PageTest.read = Reader(PageTest.page)

    def attributes(self, name):
        return [x[name] for _, x in self.read.elements if name in x]

    def test_is_whole(self):
        self.assertEmpty(self.read.open)
        self.assertStartsWith(self.page, "<!DOCTYPE html>")
        text = " ".join(self.read.text)
        for section in ("paper", "threshold", "artefacts", "limits"):
            self.assertIn(section, self.attributes("id"))
        self.assertIn("Read the numbers with care", text)
        self.assertIn("How everything was computed", text)

    def test_ids_are_unique_and_every_link_leads_somewhere(self):
        ids = self.attributes("id")
        twice = [x for x, n in collections.Counter(ids).items() if n > 1]
        self.assertEmpty(twice)
        used = [x for x in self.attributes("href") if x.startswith("#")]
        used += self.attributes("xlink:href")
        used += [f"#{x}" for x in re.findall(r"url\(#([^)]*)\)", self.page)]
        self.assertNotEmpty(used)
        self.assertEmpty(
            {x for x in used if x.startswith("#")} - {f"#{x}" for x in ids}
        )

    def test_asks_for_nothing_and_runs_nothing(self):
        tags = {tag for tag, _ in self.read.elements}
        self.assertEmpty(tags & {"script", "iframe", "object", "form"})
        for tag, attributes in self.read.elements:
            self.assertEmpty([x for x in attributes if x.startswith("on")])
            for name in ("src", "href", "xlink:href"):
                place = attributes.get(name, "#")
                self.assertStartsWith(place, ("#", "data:"), tag)
        style = re.search(r"<style>(.*?)</style>", self.page, re.DOTALL)[1]
        self.assertNotIn("url(", style)
        self.assertNotIn("@import", style)

    def test_names_are_escaped(self):
        self.assertNotIn("<script", self.page)
        self.assertIn(f"{EVIL} warns", "".join(self.read.text))

    def test_every_figure_has_its_words_and_both_drawings(self):
        held = [x for _, x in self.read.elements if x.get("role") == "img"]
        shown = [x for x in self.pictures if x.kind != page.RISK]
        self.assertNotEmpty(shown)
        self.assertCountEqual(
            [x["aria-label"] for x in held], [x.alt for x in shown]
        )
        svgs = [x for tag, x in self.read.elements if tag == "svg"]
        for kind in ("wide", "narrow"):
            matching = [x for x in svgs if x["class"] == kind]
            self.assertLen(matching, len(shown))
        self.assertEqual({x["aria-hidden"] for x in svgs}, {"true"})

    def test_colours_are_variables_that_are_defined_twice(self):
        body = self.page[self.page.index("<body>") :]
        self.assertIsNone(re.search(r"#[0-9a-f]{6}\b(?!\w)[;\"]", body))
        used = set(re.findall(r"var\(--c-(\w+)\)", body))
        self.assertNotEmpty(used)
        for name in used:
            self.assertLen(re.findall(rf"--c-{name}: #", self.page), 2)

    def test_tables_can_be_copied(self):
        stored = {f"{x.name}.csv": x for x in self.report_.stored}
        given = {
            x["download"]: x["href"]
            for _, x in self.read.elements
            if "download" in x
        }
        self.assertContainsSubset(["table1.csv", "attacks.csv"], given)
        head, _, data = given["table1.csv"].partition(",")
        self.assertEqual(head, "data:text/csv;charset=utf-8")
        lines = urllib.parse.unquote(data).splitlines()
        table = stored["table1.csv"]
        self.assertLen(lines, 1 + len(table.rows))
        self.assertStartsWith(lines[0], "dataset,model,run,test_accuracy,")
        scopes = self.attributes("scope")
        self.assertEqual(set(scopes), {"col", "row", "rowgroup"})

    def test_same_audits_same_page(self):
        self.assertTrue(render(self.report_, self.pictures) == self.page)


class FiltersTest(parameterized.TestCase):
    @parameterized.parameters(
        ("a" * 64, "text", ("a" * 64, "", "hash")),
        ("int8 >= 2", "text", ("int8 ≥ 2", "", "text")),
        ("50.00 [25.0, 75.0]", "percent", ("50.00", "[25.0, 75.0]", "number")),
        ("-", "percent", ("-", "", "number")),
    )
    def test_cells(self, text, kind, want):
        self.assertEqual(filters.cell(text, Column("x", "x", kind)), want)

    @parameterized.parameters(
        ("+2 points [-2, +5] at 1 %", "+2\xa0points\xa0[−2,\xa0+5] at 1\xa0%"),
        ("int8-ptq w-4 1e-05", "int8-ptq w-4 1e-05"),
    )
    def test_prose(self, text, want):
        self.assertEqual(filters.prose(text), want)


class SummaryTest(parameterized.TestCase, tf.test.TestCase):
    def said(self, *targets, **fields):
        result = synthetic_audits.result(*targets, **fields)
        return summary_section.summary([run_list.Run(result)], "scans")

    def said_of(self, kind, **leak):
        """The summary of one artefact whose audit said this."""
        target = synthetic_audits.target("int8")
        target = synthetic_audits.with_leak(target, verdict=kind, **leak)
        (said,) = self.said(target)
        return said

    @parameterized.parameters(
        ("small leak", "Small leak: int8 gives away a little of who was among"),
        ("clear leak", "Clear leak: int8 gives away something of who was"),
        ("severe leak", "Severe leak: int8 gives away much of who was among"),
    )
    def test_leaks(self, kind, want):
        said = self.said_of(kind, auc=Estimate(0.71, 0.66, 0.76))
        self.assertStartsWith(said, want)
        self.assertIn("has an AUC of 0.71 [0.66, 0.76], where", said)
        self.assertNotIn("would have been found", said)

    def test_no_leak(self):
        said = self.said_of(
            "no leak found",
            p_value=0.31,
            detectable=leak_test.Detectable(0.612, 0.6, 0.8, "margin"),
        )
        self.assertStartsWith(
            said,
            "No leak found: no attack shows that int8 tells who was among the "
            "scans training records. The strongest attack (",
        )
        self.assertEndsWith(
            said,
            "p 0.31, adjusted for all 8 attacks; an AUC of 0.612 would have "
            "been found in 80 of 100 such audits.",
        )

    def test_cannot_say(self):
        self.assertEqual(
            self.said_of("cannot say", reasons=["a check failed", "too few"]),
            "Cannot say whether int8 tells who was among the scans training "
            "records: a check failed; too few.",
        )

    def test_audits_without_a_leak_test(self):
        target = synthetic_audits.target(records=400, gain=(4.0, 2.5))
        old = changed(target, leak=None)
        self.assertEqual(
            self.said(old),
            ["No verdict on keras: its audit has no test over all attacks."],
        )
        self.assertRegex(
            self.said(old, target)[0],
            r"\? Clear leak: .* \(AUC .*\]\); no verdict: ",
        )

    @parameterized.parameters(
        (
            {"a": (0.05, 0.15), "b": (-0.15, -0.05), "c": (-0.05, 0.05)},
            "a gives away more; b gives away less; the others are not shown to "
            "differ.",
        ),
        (
            {"a": (0.05, 0.15), "b": (0.05, 0.15)},
            "each of a, b gives away more.",
        ),
        (
            {"a": (-0.05, 0.05)},
            "no other artefact is shown to give away more or less.",
        ),
    )
    def test_against_the_first(self, ends, want):
        first = synthetic_audits.target("keras")
        comparison = leak_comparison.LeakComparison(
            attack="margin",
            candidates=["margin"],
            first="keras",
            first_auc=0.6,
            differences=[
                leak_comparison.Difference(name, 0.6, Estimate(0, *x), 0.01)
                for name, x in ends.items()
            ],
        )
        others = (changed(first, target=name) for name in ends)
        _, said = self.said(first, *others, comparison=comparison)
        self.assertEqual(said, f"Compared with keras, {want}")


class ChangesTest(Reports):
    def test_leak_and_change(self):
        report = run_summary.collect(
            [
                self.run_of("full", FULL, gain=(5.0, 2.0)),
                self.run_of("w4a4", (4, 4), targets=("keras", "int8")),
            ]
        )
        first, second = summary_section.summary(report.runs, "CIFAR-10")
        targets = [x for run in report.runs for x in run.audit.targets]
        self.assertStartsWith(
            first, "Who was among the CIFAR-10 training records? "
        )
        verdicts = [target.leak.verdict for target in targets]
        for kind in set(verdicts):
            count = verdicts.count(kind)
            who = f"{count} of 3 artefacts" if count > 1 else r"\w.* as \w"
            self.assertRegex(first.lower(), f"{kind}: {who}")
        # The severest stands first.
        worst = max(verdicts, key=verdict.VERDICTS.index)
        self.assertIn(f"? {worst.capitalize()}: ", first)
        self.assertRegex(second, r"changes by \S+ points \[.*w=4, a=4 as int8")
        self.assertNotIn("full precision as", second)


class RecordsTest(Reports):
    def test_pictures_and_what_they_show(self):
        report = run_summary.collect([self.run_of("full", FULL)])
        (run,) = report.runs
        (target,) = run.audit.targets
        picture = base64.b64encode(b"png").decode()
        member = changed(
            target.risky_members[0],
            record_id=7,
            label=1,
            predicted=2,
            probability=Estimate(0.9, 0.6, 1.0),
            picture=picture,
        )
        audit = changed(run.audit, targets__keras__risky_members=[member])
        report = dataclasses.replace(report, runs=[run_list.Run(audit)])
        read = Reader(render(report, []))
        (image,) = [x for tag, x in read.elements if tag == "img"]
        self.assertEqual(image["src"], f"data:image/png;base64,{picture}")
        self.assertIn("Record 7", image["alt"])
        text = " ".join(" ".join(read.text).split())
        self.assertIn("class 1, named class 2", text)
        self.assertIn("the interval of 1 lies above 1/2", text)
        self.assertIn("keep this page as private as the data", text)


if __name__ == "__main__":
    tf.test.main()
