"""What the templates make of tables, figures and sentences."""

import dataclasses
import re
import urllib.parse

from markupsafe import Markup

from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report.html import inline_svg
from qmia_tf.report.phrases import (
    TOGETHER,
    area,
    capital,
    figures,
    percent,
    points,
    share,
)
from qmia_tf.report.tables import Column, Table, as_csv, for_people
from qmia_tf.statistics.intervals import Estimate

# What a data URL may hold as it is; the rest is percent-encoded.
PLAIN = ",:;/!*()[]=+"
HASH = re.compile(r"[0-9a-f]{64}")
NEGATIVE = re.compile(r"(?<![\w.])-(?=\d)")


def prose(text: str) -> str:
    """Sets a sentence: numbers stay with their units, minus is no hyphen."""
    text = TOGETHER.sub("\N{NO-BREAK SPACE}", str(text))
    return signs(NEGATIVE.sub("\N{MINUS SIGN}", text))


def signs(text: str) -> str:
    """Sets mathematical signs."""
    text = text.replace("<=", "\N{LESS-THAN OR EQUAL TO}")
    return text.replace(">=", "\N{GREATER-THAN OR EQUAL TO}")


def cell(text: str, column: Column) -> tuple[str, str, str]:
    """The value of a cell, its interval in brackets, and its CSS class."""
    if column.kind == "text":
        text = signs(text)
        return text, "", "hash" if HASH.fullmatch(text) else "text"
    value, bracket, interval = text.partition(" [")
    return value, bracket.strip() + interval, "number"


def csv_url(table: Table) -> str:
    """A table as a CSV file in a data URL."""
    text = urllib.parse.quote(as_csv(table), safe=PLAIN)
    return f"data:text/csv;charset=utf-8,{text}"


def css_name(name: str) -> str:
    """A name that may be an id: a data set's may hold what none may."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)


def inline(svg: bytes, prefix: str, kind: str) -> Markup:
    """A drawing as part of the page; its ids begin with the prefix."""
    # Matplotlib wrote it; texts are paths and comments were taken out.
    return Markup(inline_svg.inline(svg, prefix=prefix, kind=kind))


def class_name(label: int, target: TargetAudit) -> str:
    """The name of a class, as the audit of a target knows it."""
    names = {x.label: x.name for x in target.per_class if x.name}
    return names.get(label, f"class {label}")


def tone(verdict: str) -> str:
    """The CSS class of a verdict."""
    return verdict.replace(" ", "-")


def along(auc: float | None) -> str:
    """Where an AUC lies between 0.5 and 1, in per cent; None is 0.5."""
    return f"{min(max(200 * ((auc or 0.5) - 0.5), 0), 100):.1f}%"


def difference(estimate: Estimate) -> str:
    """A difference of AUCs: -0.016 [-0.020, -0.012]."""
    return figures(estimate, 1, guess=0, least=3, sign=True)


def by_probability(target: TargetAudit) -> list[tuple]:
    """The members at risk in groups of the same probability, highest first."""
    groups = {}
    for record in target.risky_members:
        key = dataclasses.astuple(record.probability)
        groups.setdefault(key, []).append(record)
    return [(x[0].probability, x) for x in groups.values()]


FILTERS = {
    function.__name__: function
    for function in (
        *(prose, signs, cell, csv_url, css_name, inline, class_name),
        *(tone, along, difference, by_probability),
        *(area, capital, percent, points, share, for_people),
    )
}
