"""Draws what attacks find with few reference models, for attacks.md.

    python docs/figures/reference_counts.py

Reads benchmarks/few_references.json.
"""

import json

import drawing
import numpy as np

STORED = drawing.FOLDER.parents[1] / "benchmarks" / "few_references.json"
# Colour and marker of a family; offline attacks are dashed.
LOOKS = {
    "difficulty": (drawing.GREY, "x"),
    "lira": (drawing.BLUE, "o"),
    "rmia": (drawing.ORANGE, "s"),
    "base": (drawing.GREEN, "^"),
    "bavaria": ("#cc79a7", "D"),
}
TITLES = {"w32a32": "full precision", "w4a4": "(4, 4)"}
METRIC = "tpr_at_0.001"


def reference_counts(rows_of):
    """TPR at 0.1 % FPR over the number of references, a panel a network.

    Args:
        rows_of: network -> rows, of benchmarks/few_references.json.
    """
    figure, axes = drawing.new(columns=2, height=3.2)
    for panel, (name, title) in zip(axes, TITLES.items(), strict=True):
        rows = rows_of[name]
        counts = sorted({row["references"] for row in rows})[1:]
        for attack in dict.fromkeys(
            row["attack"] for row in rows if row["references"]
        ):
            own = [row for row in rows if row["attack"] == attack]
            family, _, kind = attack.partition("_")
            color, marker = LOOKS[family]
            panel.plot(
                counts,
                [100 * np.mean(row[METRIC]) for row in own],
                "--" if kind == "offline" else "-",
                color=color,
                marker=marker,
                ms=4,
                lw=1.2,
                label=attack,
            )
        [alone] = [row for row in rows if row["attack"] == "margin"]
        panel.axhline(
            100 * np.mean(alone[METRIC]),
            color=drawing.INK,
            lw=0.8,
            label="margin, no references",
        )
        panel.set_xscale("log", base=2)
        panel.set_xticks(counts, [str(count) for count in counts])
        panel.set_xlabel("reference models")
        panel.set_title(title)
    axes[1].sharey(axes[0])
    axes[0].set_ylabel("TPR at 0.1 % FPR, %")
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside right center"
    )
    return figure


def main(folder=drawing.FOLDER):
    """Draws it; returns its path in a list."""
    rows_of = json.loads(STORED.read_text())["rows"]
    return [drawing.save(reference_counts(rows_of), "reference_counts", folder)]


if __name__ == "__main__":
    for path in main():
        print(path.name)
