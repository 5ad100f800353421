"""Tables and the figure of a comparison at equal accuracy."""

import pathlib

from matplotlib.figure import Figure

from qmia_tf import files, locks
from qmia_tf.auditing.accuracy_comparison import Comparison
from qmia_tf.auditing.accuracy_matching import NEAR
from qmia_tf.report.figures import save_figure
from qmia_tf.report.figures.styles import COLORS, DASHES, GREY
from qmia_tf.report.metrics import select
from qmia_tf.report.run_list import title
from qmia_tf.report.tables import Column, Table, as_csv, as_text
from qmia_tf.report.words import say

NAME = "matched"
SIZE = (12.0, 4.6)
SCORES = {
    "gap": "gap attack",
    "confidence": "largest confidence",
    "margin": "margin",
    "likelihood": "likelihood of the margin",
}
NOTES = [
    "Leak: AUC of the attack (gap attack: its balanced accuracy), quantized "
    "minus full precision, on the same records, with DeLong's 95 % interval.",
    "nearest: the epoch of full precision nearest in nonmember accuracy. "
    "interpolated: between the first two neighbouring epochs, up to the best "
    "one, that hold the accuracy between them.",
    "No match: full precision was never as accurate, up to its best epoch; "
    "the nearest one is a match all the same if the difference has an interval "
    f"that holds zero and lies within {100 * NEAR:.0f} point.",
    "likelihood of the margin: learned on one half of the records, judged on "
    "the other.",
    "Intervals are over records, for these models; other seeds give others.",
]


COLUMNS = (
    *(Column(name, name) for name in ("pair", "way", "outside", "match")),
    Column("full precision", "full_run"),
    Column("epoch", "epoch", "count"),
    Column("against epoch", "full_epochs"),
    Column("weight of the second", "weight", "number"),
    Column("crossings", "crossings", "count"),
    Column("right on nonmembers, points", "accuracy_change", "change"),
    *(Column(name, f"{key}_change", "signed") for key, name in SCORES.items()),
    *(
        Column(f"{name}, p", f"{key}_p_value", "measure")
        for key, name in SCORES.items()
    ),
)
EPOCH_COLUMNS = (
    Column("epoch", "epoch", "count"),
    Column("right on members (%)", "accuracy_members", "percent"),
    Column("right on nonmembers (%)", "accuracy_nonmembers", "percent"),
    *(Column(name, score, "area") for score, name in SCORES.items()),
)


def write(
    comparison: Comparison, out_dir: str | pathlib.Path
) -> list[pathlib.Path]:
    """Writes matched.json, .csv, .txt, matched_epochs.csv and the figure.

    Returns: the paths written, matched.txt first.
    Raises: InputError if the place is not writable.
    """
    out_dir = pathlib.Path(out_dir)
    matches = match_table(comparison)
    contents = {
        f"{NAME}.txt": _text(comparison, matches),
        f"{NAME}.csv": as_csv(matches),
        f"{NAME}_epochs.csv": as_csv(epoch_table(comparison)),
    }
    with locks.writing(out_dir / f"{NAME}.json"):
        for name, content in contents.items():
            files.write_bytes(out_dir / name, content.encode())
        comparison.save(out_dir / f"{NAME}.json")
        figures = save_figure(matched_figure(comparison), out_dir / NAME)
    return [out_dir / name for name in (*contents, f"{NAME}.json")] + figures


def match_table(comparison: Comparison) -> Table:
    """One row a model and way of matching, in full."""
    names = {curve.run: curve.model for curve in comparison.full}
    rows = []
    for model in comparison.compared:
        for match in model.matches:
            leaks = {score: match.leak.get(score) for score in SCORES}
            rows.append(
                {
                    "pair": f"{model.model} ({model.run}, epoch {model.epoch}) "
                    f"against {names[model.full]} ({model.full})",
                    "run": model.run,
                    "full_run": model.full,
                    "epoch": model.epoch,
                    "way": match.way,
                    "full_epochs": " and ".join(map(str, match.epochs)),
                    "weight": match.weight,
                    "outside": match.outside,
                    "match": "yes" if match.is_match else "no",
                    "crossings": match.crossings,
                    "accuracy_change": match.accuracy,
                    **{
                        f"{score}_change": leak and leak.difference
                        for score, leak in leaks.items()
                    },
                    **{
                        f"{score}_p_value": leak and leak.p_value
                        for score, leak in leaks.items()
                    },
                }
            )
    return select(
        NAME,
        f"{title(comparison.dataset)}: leak at equal nonmember accuracy",
        rows,
        columns=COLUMNS,
        notes=NOTES,
        grouped=1,
    )


def mean_table(comparison: Comparison) -> Table:
    """One row a model, way and attack: the mean over pairs of runs."""
    rows = (
        {
            "model": mean.model,
            "way": mean.way,
            "score": SCORES[mean.score],
            "pairs": mean.pairs,
            "mean_change": mean.difference,
        }
        for mean in comparison.means
    )
    return select(
        "means",
        "Over several seeds",
        rows,
        columns=(
            Column("way", "way"),
            Column("attack", "score"),
            Column("mean change of the leak", "mean_change", "signed"),
        ),
        notes=["Student's 95 % interval between the pairs of runs."],
    )


def epoch_table(comparison: Comparison) -> Table:
    """One row a run and epoch."""
    rows = (
        {
            "run": curve.run,
            "model": curve.model,
            "epoch": point.epoch,
            "accuracy_members": point.accuracy_members,
            "accuracy_nonmembers": point.accuracy_nonmembers,
            **{score: point.leaks.get(score) for score in SCORES},
        }
        for curve in (*comparison.full, *comparison.quantized)
        for point in curve.points
    )
    return select("epochs", "Epoch by epoch", rows, columns=EPOCH_COLUMNS)


def matched_figure(comparison: Comparison) -> Figure:
    """Draws leak against accuracy on nonmembers, one line a run.

    Epochs are points, the trained model a larger one; bars are 95 %
    intervals of the leak. Full precision is black, a model has one colour, a
    run one dash.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    panels = figure.subplots(1, len(SCORES), sharex=True)
    curves = [*comparison.full, *comparison.quantized]
    models = list(dict.fromkeys(curve.model for curve in comparison.quantized))
    for place, curve in enumerate(curves):
        black = place < len(comparison.full)
        shade = (
            COLORS[models.index(curve.model) % len(COLORS)]
            if not black
            else "black"
        )
        dash = DASHES[place % len(comparison.full) % len(DASHES)]
        for axes, score in zip(panels, SCORES, strict=True):
            _draw(axes, curve, score, color=shade, linestyle=dash)
    for axes, name in zip(panels, SCORES.values(), strict=True):
        axes.axhline(0.5, color=GREY, linewidth=0.8)
        axes.grid(color="0.9", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("right on nonmembers (%)")
        axes.set_ylabel(f"AUC, {name}")
    lines, names = panels[0].get_legend_handles_labels()
    figure.legend(
        lines,
        names,
        title=f"{title(comparison.dataset)}: leak at equal accuracy; points "
        "are epochs, the large one the trained model; bars: 95 % intervals",
        title_fontsize="large",
        alignment="left",
        loc="outside upper left",
        ncols=4,
        frameon=False,
    )
    return figure


def _draw(axes, curve, score, **style):
    points = [point for point in curve.points if score in point.leaks]
    x = [100 * point.accuracy_nonmembers.value for point in points]
    leaks = [point.leaks[score] for point in points]
    y = [leak.value for leak in leaks]
    name = f"{curve.model} ({curve.run})"
    axes.plot(
        x, y, marker=".", markersize=5, linewidth=1.2, label=name, **style
    )
    axes.plot(x[-1:], y[-1:], "o", markersize=8, color=style["color"])
    # Accuracy rises and falls, so a band would fold over itself.
    axes.vlines(
        x,
        [leak.low for leak in leaks],
        [leak.high for leak in leaks],
        color=style["color"],
        alpha=0.3,
        linewidth=1.2,
    )


def _text(comparison, matches):
    keys = ["way", "full_epochs", "match", "accuracy_change"]
    keys += [f"{score}_change" for score in SCORES]
    parts = [as_text(matches.pick(keys, notes=matches.notes))]
    if comparison.means:
        parts.append(as_text(mean_table(comparison)))
    lines = [f"warning: {note}" for note in comparison.notes]
    lines += [
        say("warnings", "unmatched", model)
        for model in comparison.compared
        if model.matches[0].outside
    ]
    return "\n\n\n".join([*parts, "\n".join(lines)]).rstrip() + "\n"
