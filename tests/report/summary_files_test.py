"""summary.json, summary.md and junit.xml say what the page says."""

import dataclasses
import json
from xml.etree import ElementTree

import synthetic_audits
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import typed_json
from qmia_tf.auditing import verdict
from qmia_tf.auditing.audit_result import GateResult
from qmia_tf.report import first_screen, run_list, summary_files

EVIL = "a|b\x00<script>&\"'\n# no"
OUTCOMES = ("failed", "passed", "not judged")
# What the format of JUnit's files knows, as dashboards read it.
ATTRIBUTES = {
    "testsuites": {"tests", "failures", "errors", "skipped"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped"},
    "testcase": {"classname", "name", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
    "system-out": set(),
}
INSIDE = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "error", "skipped", "system-out"},
}


def files_of(*, targets=3, gates=(), name="scans"):
    """The files, and the screens that they are made of."""
    audited = [
        synthetic_audits.target(f"file{n}", seed=n) for n in range(targets)
    ]
    result = synthetic_audits.result(*audited, gates=list(gates))
    screens = first_screen.screens([run_list.Run(result)])
    return summary_files.contents(name, screens), screens


def gates_of(count, outcomes=OUTCOMES):
    return [
        GateResult(f"file{n % 3}", f"AUC <= 0.{n}", outcome, f"AUC {n}")
        for n, outcome in zip(range(count), outcomes * count, strict=False)
    ]


class SummaryTest(parameterized.TestCase, tf.test.TestCase):
    def test_json_is_what_its_types_say(self):
        files, screens = files_of(gates=gates_of(3))
        stored = json.loads(files["summary.json"])
        summary = typed_json.decode(
            summary_files.Summary, stored, source="summary.json"
        )
        self.assertEqual(summary.data_sets, screens)
        self.assertEqual(summary.verdict, screens[0].verdict)
        self.assertIs(summary.limits_passed, False)
        self.assertIn(stored["verdict"], first_screen.RANK)

    @parameterized.parameters(
        ((), None), (("passed",), True), (("passed", "not judged"), False)
    )
    def test_whether_limits_passed(self, outcomes, want):
        files, _ = files_of(gates=gates_of(len(outcomes), outcomes))
        self.assertIs(json.loads(files["summary.json"])["limits_passed"], want)

    def test_every_field_is_explained(self):
        for kind in (
            summary_files.Summary,
            first_screen.Screen,
            first_screen.Row,
            first_screen.Limit,
        ):
            for field in dataclasses.fields(kind):
                self.assertIn(f"        {field.name}: ", kind.__doc__)


class MarkdownTest(parameterized.TestCase, tf.test.TestCase):
    def test_says_the_answer(self):
        files, (screen,) = files_of(targets=1)
        text = files["summary.md"]
        self.assertStartsWith(text, "## Privacy audit: scans\n\n**")
        self.assertIn(screen.sentences[0], text)
        self.assertIn(screen.next_steps[0], text)

    @parameterized.parameters(1, 3, 12)
    def test_at_most_40_lines(self, targets):
        for name in ("scans", EVIL):
            files, _ = files_of(targets=targets, gates=gates_of(36), name=name)
            self.assertLessEqual(len(files["summary.md"].splitlines()), 40)

    def test_what_failed_stands_first(self):
        files, _ = files_of(gates=gates_of(2, ("passed", "failed")))
        text = files["summary.md"]
        self.assertLess(text.index("failed: "), text.index("passed: "))

    def test_names_are_escaped(self):
        files, _ = files_of(name=EVIL)
        (line, *_) = files["summary.md"].splitlines()
        self.assertIn(r"a\|b", line)
        self.assertNotIn("\n# no", files["summary.md"])


class JunitTest(parameterized.TestCase, tf.test.TestCase):
    def read(self, text):
        root = ElementTree.fromstring(text)
        self.assertEqual(root.tag, "testsuites")
        for element in root.iter():
            self.assertEqual(set(element.attrib), ATTRIBUTES[element.tag])
            inside = {child.tag for child in element}
            self.assertLessEqual(inside, INSIDE.get(element.tag, set()))
        cases = list(root.iter("testcase"))
        for element in (root, *root.iter("testsuite")):
            self.assertEqual(int(element.get("tests")), len(cases))
            for key, tag in (
                ("failures", "failure"),
                ("errors", "error"),
                ("skipped", "skipped"),
            ):
                count = len(list(root.iter(tag)))
                self.assertEqual(int(element.get(key)), count)
        return cases

    def test_a_case_an_artefact_and_limit(self):
        gates = gates_of(3)
        files, _ = files_of(gates=gates)
        cases = self.read(files["junit.xml"])
        self.assertEqual(
            [case.get("name") for case in cases],
            [f"{x.target}: {x.limit}" for x in gates],
        )
        self.assertEqual(
            [case[0].tag for case in cases], ["failure", "system-out", "error"]
        )
        self.assertEqual(cases[0][0].get("message"), gates[0].measured)
        self.assertEqual(cases[1][0].text, gates[1].measured)

    def test_without_limits_nothing_fails(self):
        files, _ = files_of()
        cases = self.read(files["junit.xml"])
        self.assertLen(cases, 3)
        for case in cases:
            self.assertIn("no limit was given", case[0].get("message"))
        self.assertEqual({case[0].tag for case in cases}, {"skipped"})

    def test_any_name_is_well_formed(self):
        gates = [GateResult(EVIL, EVIL, "failed", EVIL)]
        files, _ = files_of(gates=gates, name=EVIL)
        (case,) = self.read(files["junit.xml"])
        self.assertIn("a|b�<script>", case.get("name"))


class VerdictTest(tf.test.TestCase):
    def test_every_verdict_has_its_place(self):
        self.assertContainsSubset(verdict.VERDICTS, first_screen.RANK)
        self.assertLess(
            first_screen.RANK.index(verdict.NO_LEAK),
            first_screen.RANK.index(verdict.CANNOT_SAY),
        )


if __name__ == "__main__":
    tf.test.main()
