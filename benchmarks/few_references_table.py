"""The tables of benchmarks/few_references.py."""

import json

import numpy as np

from qmia_tf import files
from qmia_tf.statistics import seed_means

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
    """A Markdown table for each run and metric, in per cent or hundredths.

    The largest mean of a column is bold.
    """
    return "\n\n".join(
        f"{run}: {title}\n\n{_one(rows, metric)}"
        for run, rows in result["rows"].items()
        for metric, title in METRICS.items()
    )


def _one(rows, metric):
    counts = sorted({row["references"] for row in rows})[1:]
    means = {
        (row["attack"], row["references"]): np.mean(row[metric]) for row in rows
    }
    best = {
        count: max(x for (_, k), x in means.items() if k == count)
        for count in counts
    }
    lines = [
        "| references | " + " | ".join(map(str, counts)) + " |",
        "|---" * (len(counts) + 1) + "|",
    ]
    for attack in dict.fromkeys(row["attack"] for row in rows):
        alone = means.get((attack, 0))
        cells = []
        for count in counts:
            value = means.get((attack, count), alone)
            cell = f"{value:.3f}" if metric == AUC else f"{value:.2%}"[:-1]
            cells.append(f"**{cell}**" if value == best[count] else cell)
        lines.append(f"| `{attack}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def changes(result, after, before, *, references, metric):
    """The paired change of each attack between two of the runs' rows.

    Args:
        after, before: keys of result["rows"].
        references: how many.
    Returns: attack -> seed_means' estimates (before, after, change).
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
