"""report.html without a browser: what it says, holds and must not hold."""

import base64
import collections
import dataclasses
import html
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
from qmia_tf.report import (
    figure_set,
    figures,
    run_list,
    run_summary,
)
from qmia_tf.report.html import filters, page, render, terms
from qmia_tf.report.tables import Column
from qmia_tf.statistics.intervals import Estimate

VOID = {"meta", "link", "img", "br"}
KINDS = ("overview", "threshold")
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
        for section in ("answer", "threshold", "numbers", "words", "limits"):
            self.assertIn(section, self.attributes("id"))
        for heading in ("How far to trust this", "What to do next"):
            self.assertIn(heading, text)
        self.assertIn("table-table1", self.attributes("id"))

    def test_the_first_screen_comes_first(self):
        ids = [x for x in self.attributes("id") if not x.startswith("term")]
        self.assertEqual(ids[0], "answer")
        before = self.page[: self.page.index('<nav id="contents"')]
        self.assertNotIn("<svg", before)
        for screen in self.report_.screens:
            self.assertIn(screen.rows[0].attack, before)

    def test_every_table_is_folded(self):
        tags, depth = [], 0
        for tag in re.findall(r"</?(?:details|table)\b", self.page):
            depth += {"<details": 1, "</details": -1}.get(tag, 0)
            if tag == "<table":
                tags.append(depth)
        self.assertEqual(tags.count(0), len(self.report_.screens))
        self.assertLen(
            re.findall("<table", self.page),
            len(self.report_.screens)
            + len(re.findall('class="table"', self.page)),
        )

    def test_words_say_what_they_mean(self):
        links = [
            (x["href"][1:], x["title"])
            for tag, x in self.read.elements
            if tag == "a" and x.get("class") == "term"
        ]
        self.assertNotEmpty(links)
        self.assertLen({key for key, _ in links}, len(links))
        meanings = re.findall(
            r'<div id="(term-[^"]+)"><dt>[^<]+</dt><dd>([^<]+)</dd>', self.page
        )
        for key, title in links:
            self.assertIn(
                (key, filters.prose(title)),
                [(k, html.unescape(x)) for k, x in meanings],
            )
        hovers = [
            filters.prose(x["title"])
            for tag, x in self.read.elements
            if tag == "abbr"
        ]
        listed = {html.unescape(text) for _, text in meanings}
        hovers = {x for x in hovers if "minus that on" not in x}
        self.assertEqual(hovers - listed, set())

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
        shown = [x for x in self.pictures if x.kind != page.TOP]
        self.assertLen(shown, len(self.pictures) / 2)
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


class TermsTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        result = synthetic_audits.result(synthetic_audits.target(records=60))
        self.terms = terms.Terms([run_list.Run(result)])

    def test_the_first_of_each_word(self):
        marked = self.terms.hover("Members <b> and members: AUC, auc_above")
        self.assertEqual(marked.count("<abbr "), 2)
        self.assertIn(">Members</abbr> &lt;b&gt; and members: <abbr", marked)
        self.assertEndsWith(marked, ">AUC</abbr>, auc_above")

    def test_one_link_a_page(self):
        self.assertIn('href="#term-AUC"', self.terms.link("AUC"))
        self.assertEqual(self.terms.link("AUC"), "AUC")
        self.assertEqual([word for _, word, _ in self.terms.listed()], ["AUC"])

    def test_flags_are_code(self):
        self.assertEqual(
            self.terms.link("with --model=A,B: or --references. 5 - -2"),
            "with <code>--model=A,B</code>: or <code>--references</code>. "
            "5 - -2",
        )

    def test_attacks_say_what_they_need(self):
        marked = self.terms.hover("gap attack")
        self.assertIn("needs the classes that the target names.", marked)


class FiltersTest(parameterized.TestCase):
    @parameterized.parameters((0.5, "0.0%"), (0.75, "50.0%"), (1.0, "100.0%"))
    def test_along(self, auc, want):
        self.assertEqual(filters.along(auc), want)
        self.assertEqual(filters.along(0.4), "0.0%")

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
        self.assertIn("Keep this page as private as the data", text)

    def test_an_interval_that_records_share_is_said_once(self):
        report = run_summary.collect([self.run_of("full", FULL)])
        (run,) = report.runs
        (target,) = run.audit.targets
        first = target.risky_members[0]
        shared = Estimate(0.7, 0.6, 0.8)
        members = [changed(first, record_id=0, probability__value=0.9)]
        members += [
            changed(first, record_id=n, probability=shared)
            for n in range(1, 24)
        ]
        target = changed(target, risky_members=members)
        groups = filters.by_probability(target)
        self.assertEqual([len(records) for _, records in groups], [1, 23])
        self.assertEqual(groups[1][0], shared)
        audit = changed(run.audit, targets__keras__risky_members=members)
        report = dataclasses.replace(report, runs=[run_list.Run(audit)])
        said = render(report, [])
        self.assertEqual(said.count("P</abbr>"), 2)
        self.assertEqual(said.count('<p class="less">no. '), 24)


if __name__ == "__main__":
    tf.test.main()
