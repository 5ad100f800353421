"""The first screen for programs: summary.json, summary.md and junit.xml."""

import dataclasses
import json
import re
from xml.etree import ElementTree

import qmia_tf
from qmia_tf import typed_json
from qmia_tf.auditing import verdict as verdicts
from qmia_tf.report import gates, phrases
from qmia_tf.report.first_screen import RANK, Screen
from qmia_tf.report.table_formats import escaped

SCHEMA_VERSION = 1
# So that summary.md has at most 40 lines.
ROWS, LIMITS, CHECKS, STEPS = 6, 4, 4, 3
# XML has no place for these.
CONTROL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# What stands before the outcome of a limit, or of all.
MARKS = {gates.PASSED: "✅", gates.FAILED: "❌", gates.NOT_JUDGED: "⚠️"}


@dataclasses.dataclass(frozen=True)
class Summary:
    """What summary.json holds.

    Attributes:
        schema_version: 1.
        name: of the report.
        qmia_tf: version that wrote it.
        verdict: the severest of all.
        limits_passed: whether every limit passed; null without limits.
        data_sets: the answer on each.
    """

    schema_version: int
    name: str
    qmia_tf: str
    verdict: str
    limits_passed: bool | None
    data_sets: list[Screen]


def summarize(name: str, screens: list[Screen]) -> Summary:
    """Puts the screens of a report together."""
    outcomes = [limit.outcome for x in screens for limit in x.limits]
    return Summary(
        schema_version=SCHEMA_VERSION,
        name=name,
        qmia_tf=qmia_tf.__version__,
        verdict=max((x.verdict for x in screens), key=RANK.index),
        limits_passed=set(outcomes) == {gates.PASSED} if outcomes else None,
        data_sets=screens,
    )


def contents(name: str, screens: list[Screen]) -> dict[str, str]:
    """The files of a summary: name -> text."""
    summary = summarize(name, screens)
    return {
        "summary.json": json.dumps(typed_json.encode(summary), indent=2) + "\n",
        "summary.md": as_markdown(summary),
        "junit.xml": as_junit(summary),
    }


def as_markdown(summary: Summary) -> str:
    """The answer for a pull request, in at most 40 lines."""
    screen = max(summary.data_sets, key=lambda x: RANK.index(x.verdict))
    rows = sorted(screen.rows, key=lambda row: -(row.auc.value or 0))
    limits = sorted(
        (x for every in summary.data_sets for x in every.limits),
        key=lambda limit: limit.outcome == gates.PASSED,
    )
    where = f" on {screen.dataset}" if len(summary.data_sets) > 1 else ""
    lines = [
        f"## Privacy audit: {escaped(summary.name)}",
        "",
        f"**{phrases.capital(screen.verdict)}{escaped(where)}.** "
        + " ".join(map(escaped, screen.sentences)),
        "",
        "| model or file | verdict | AUC of the strongest attack | "
        "right on nonmembers |",
        "|---|---|--:|--:|",
        *(_row(row) for row in rows[:ROWS]),
        *_more(len(rows) - ROWS, "models and files"),
    ]
    for title, listed, most in (
        ("Limits", list(map(_limit, limits)), LIMITS),
        ("How far to trust this", [x.text for x in screen.checks], CHECKS),
        ("What to do next", screen.next_steps, STEPS),
    ):
        if listed:
            lines += ["", f"**{title}**", ""]
            lines += [f"- {escaped(text)}" for text in listed[:most]]
            lines += _more(len(listed) - most, "lines")
    return "\n".join(lines) + "\n"


def as_junit(summary: Summary) -> str:
    """One test case an artefact and limit, for dashboards of pipelines.

    What failed is a failure, what could not be judged an error. Without
    limits each artefact is a test case that was skipped.
    """
    suite = ElementTree.Element("testsuite", name=_text(summary.name))
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for run, name, outcome, message in _cases(summary):
        case = ElementTree.SubElement(
            suite, "testcase", classname=_text(run), name=_text(name), time="0"
        )
        counts["tests"] += 1
        kind = {
            gates.FAILED: "failure",
            gates.NOT_JUDGED: "error",
            None: "skipped",
        }.get(outcome)
        if kind is None:
            ElementTree.SubElement(case, "system-out").text = _text(message)
            continue
        counts["skipped" if kind == "skipped" else f"{kind}s"] += 1
        element = ElementTree.SubElement(case, kind, message=_text(message))
        if kind != "skipped":
            element.set("type", outcome)
    for element in (suite, root := ElementTree.Element("testsuites")):
        for key, count in counts.items():
            element.set(key, str(count))
    root.append(suite)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _cases(summary):
    """(run, name, outcome, message) of each test case."""
    limits = [x for screen in summary.data_sets for x in screen.limits]
    for limit in limits:
        name = f"{limit.target}: {limit.limit}"
        yield limit.run, name, limit.outcome, limit.measured
    if not limits:
        for row in (x for screen in summary.data_sets for x in screen.rows):
            message = f"no limit was given; {row.verdict}"
            yield row.run, row.file, None, message


def _row(row):
    cells = [row.name, row.verdict, phrases.area(row.auc)]
    if row.verdict in verdicts.LEAKS:
        cells[1] = f"{row.verdict} ({row.attack})"
    cells.append(phrases.share(row.accuracy_nonmembers.value))
    return f"| {' | '.join(map(escaped, cells))} |"


def _limit(limit):
    return (
        f"{MARKS[limit.outcome]} {limit.outcome}: {limit.target}, "
        f"{limit.limit}: {limit.measured}"
    )


def _more(count, what):
    return [f"\n{count} more {what} are on the page."] if count > 0 else []


def _text(text):
    return CONTROL.sub("�", str(text))
