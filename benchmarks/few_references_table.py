"""The tables of benchmarks/few_references.py, and where pages have them.

    python benchmarks/few_references_table.py

Puts the tables of few_references.json between their marks in docs/.
"""

import json
import pathlib
import re

import numpy as np

from qmia_tf import files
from qmia_tf.statistics import seed_means

ROOT = pathlib.Path(__file__).resolve().parents[1]
STORED = ROOT / "benchmarks" / "few_references.json"
PAGES = (ROOT / "docs/attacks.md", ROOT / "docs/reproduction.md")
# <!-- few: NAME --> ... <!-- end -->
PART = re.compile(r"(<!-- few: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
AT_LOW, AUC = "tpr_at_0.001", "auc"
METRICS = {
    AT_LOW: "TPR at 0.1 % FPR",
    "tpr_at_0.01": "TPR at 1 % FPR",
    AUC: "AUC",
}


def as_json(result) -> str:
    """JSON with five digits and a list of numbers on one line."""
    text = json.dumps(_rounded(result), indent=2)
    return files.NUMBERS.sub(lambda x: " ".join(x[0].split()), text) + "\n"


def _rounded(value):
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return value


def text(result) -> str:
    """Markdown of all that was measured."""
    return "\n\n".join(
        f"{run}: {title}\n\n{one(rows, [metric])}"
        for run, rows in result["rows"].items()
        for metric, title in METRICS.items()
    )


def one(rows, metrics) -> str:
    """A Markdown table: attacks by numbers of references, means over targets.

    The largest mean of a column is bold, of each metric.

    Args:
        rows: of one network.
        metrics: keys of METRICS; of several a cell has one after another.
    """
    counts = sorted({row["references"] for row in rows})[1:]
    means = {
        (row["attack"], row["references"], metric): np.mean(row[metric])
        for row in rows
        for metric in metrics
    }
    best = {
        (count, metric): max(
            x for (_, k, m), x in means.items() if (k, m) == (count, metric)
        )
        for count in counts
        for metric in metrics
    }
    lines = [
        "| references | " + " | ".join(map(str, counts)) + " |",
        "|---" * (len(counts) + 1) + "|",
    ]
    for attack in dict.fromkeys(row["attack"] for row in rows):
        cells = []
        for count in counts:
            values = {
                metric: means.get(
                    (attack, count, metric), means.get((attack, 0, metric))
                )
                for metric in metrics
            }
            cells.append(
                ", ".join(
                    _cell(metric, value, value == best[count, metric])
                    for metric, value in values.items()
                )
            )
        lines.append(f"| `{attack}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(metric, value, is_best):
    text = f"{value:.3f}" if metric == AUC else f"{100 * value:.1f}"
    return f"**{text}**" if is_best else text


def answers(result, metric) -> str:
    """A Markdown table of the runs at the largest number of references.

    Each cell is a mean over targets with its interval; of a change, over
    pairs of targets with the same members.
    """
    full, quantized, unmatched = result["rows"]
    count = max(row["references"] for row in result["rows"][full])
    matched = changes(result, quantized, full, references=count, metric=metric)
    other = changes(
        result, unmatched, quantized, references=count, metric=metric
    )
    lines = [
        f"| {METRICS[metric]} | {full} | {quantized} | change | {unmatched} "
        "| change |",
        "|---" * 6 + "|",
    ]
    for attack, (before, after, change) in matched.items():
        _, by_others, of_references = other[attack]
        cells = [
            _interval(metric, x)
            for x in (before, after, change, by_others, of_references)
        ]
        lines.append(f"| `{attack}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _interval(metric, estimate):
    numbers = [
        f"{x:.3f}" if metric == AUC else f"{100 * x:.1f}"
        for x in (estimate.value, estimate.low, estimate.high)
    ]
    # No minus before what is rounded to zero.
    numbers = [x.lstrip("-") if not float(x) else x for x in numbers]
    return "{} [{}, {}]".format(*numbers)


def changes(result, after, before, *, references, metric):
    """The paired change of each attack between two of the runs' rows.

    Args:
        after, before: keys of result["rows"].
        references: how many.
    Returns: attack -> seed_means' estimates (before, after, change).
    Raises: KeyError if there is no such run.
    """
    sides = [
        {
            row["attack"]: row[metric]
            for row in result["rows"][key]
            if row["references"] in (0, references)
        }
        for key in (before, after)
    ]
    return {
        attack: (
            seed_means.mean(sides[0][attack]),
            seed_means.mean(sides[1][attack]),
            seed_means.paired(sides[1][attack], sides[0][attack]),
        )
        for attack in sides[0]
    }


def fill(page, result) -> str:
    """Puts the tables between their marks in a page, Markdown."""
    full, quantized, _ = result["rows"]
    parts = {
        name: one(result["rows"][name], [AT_LOW, AUC])
        for name in (full, quantized)
    }
    parts["answer"] = answers(result, AT_LOW)
    parts["answer, AUC"] = answers(result, AUC)
    return PART.sub(
        lambda match: f"{match[1]}{parts[match[2]]}\n{match[3]}", page
    )


def main():
    """Fills the pages."""
    result = json.loads(STORED.read_text())
    for page in PAGES:
        page.write_text(fill(page.read_text(), result))


if __name__ == "__main__":
    main()
