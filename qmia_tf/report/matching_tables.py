"""Tables and the figure of a comparison at equal accuracy."""

import pathlib

from matplotlib.figure import Figure

from qmia_tf import files
from qmia_tf.auditing.accuracy_comparison import Comparison
from qmia_tf.auditing.accuracy_matching import NEAR
from qmia_tf.report import tables
from qmia_tf.report.figures import save_figure
from qmia_tf.report.figures.styles import COLORS, DASHES, GREY
from qmia_tf.report.run_list import title
from qmia_tf.report.tables import Column, Table

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


def write(comparison: Comparison, out_dir) -> list[pathlib.Path]:
    """Writes matched.json, .csv, .txt, matched_epochs.csv and the figure.

    Args:
        comparison: a Comparison.
        out_dir: where to write; made if it is not there.
    Returns: the paths written, matched.txt first.
    Raises: InputError if the place is not writable.
    """
    out_dir = pathlib.Path(out_dir)
    matches = match_table(comparison)
    contents = {
        f"{NAME}.txt": _text(comparison, matches),
        f"{NAME}.csv": tables.as_csv(matches),
        f"{NAME}_epochs.csv": tables.as_csv(epoch_table(comparison)),
    }
    for name, content in contents.items():
        files.write_bytes(out_dir / name, content.encode())
    comparison.save(out_dir / f"{NAME}.json")
    written = [out_dir / name for name in (*contents, f"{NAME}.json")]
    return written + save_figure(matched_figure(comparison), out_dir / NAME)


def match_table(comparison: Comparison) -> Table:
    """One row a model and way of matching, in full."""
    columns = [
        Column("pair", "pair"),
        Column("run", "run"),
        Column("full precision", "full_run"),
        Column("epoch", "epoch", "count"),
        Column("way", "way"),
        Column("against epoch", "full_epochs"),
        Column("weight of the second", "weight", "number"),
        Column("outside", "outside"),
        Column("match", "match"),
        Column("crossings", "crossings", "count"),
        Column("right on nonmembers, points", "accuracy_change", "change"),
    ]
    for score, name in SCORES.items():
        columns.append(Column(name, f"{score}_change", "signed"))
    for score, name in SCORES.items():
        columns.append(Column(f"{name}, p", f"{score}_p_value", "measure"))
    names = {curve.run: curve.model for curve in comparison.full}
    rows = []
    for model in comparison.compared:
        pair = (
            f"{model.model} ({model.run}, epoch {model.epoch}) against "
            f"{names[model.full]} ({model.full})"
        )
        for match in model.matches:
            epochs = " and ".join(map(str, match.epochs))
            row = [pair, model.run, model.full, model.epoch, match.way, epochs]
            row += [match.weight, match.outside]
            row += ["yes" if match.is_match else "no", match.crossings]
            leaks = [match.leak.get(score) for score in SCORES]
            row.append(match.accuracy)
            row += [leak and leak.difference for leak in leaks]
            rows.append([*row, *(leak and leak.p_value for leak in leaks)])
    heading = f"{title(comparison.dataset)}: leak at equal nonmember accuracy"
    return Table(NAME, heading, columns, rows, NOTES, grouped=1)


def mean_table(comparison: Comparison) -> Table:
    """One row a model, way and attack: the mean over pairs of runs."""
    columns = [
        Column("model", "model"),
        Column("way", "way"),
        Column("attack", "score"),
        Column("pairs", "pairs", "count"),
        Column("mean change of the leak", "mean_change", "signed"),
    ]
    rows = [
        [x.model, x.way, SCORES[x.score], x.pairs, x.difference]
        for x in comparison.means
    ]
    notes = ["Student's 95 % interval between the pairs of runs."]
    return Table("means", "Over several seeds", columns, rows, notes)


def epoch_table(comparison: Comparison) -> Table:
    """One row a run and epoch."""
    columns = [
        Column("run", "run"),
        Column("model", "model"),
        Column("epoch", "epoch", "count"),
        Column("right on members (%)", "accuracy_members", "percent"),
        Column("right on nonmembers (%)", "accuracy_nonmembers", "percent"),
        *(Column(name, score, "area") for score, name in SCORES.items()),
    ]
    rows = []
    for curve in (*comparison.full, *comparison.quantized):
        for point in curve.points:
            row = [curve.run, curve.model, point.epoch]
            row += [point.accuracy_members, point.accuracy_nonmembers]
            rows.append([*row, *(point.leaks.get(score) for score in SCORES)])
    return Table("epochs", "Epoch by epoch", columns, rows, [])


def matched_figure(comparison: Comparison) -> Figure:
    """Draws leak against accuracy on nonmembers, one line a run.

    Epochs are points, the trained model a larger one; bars are 95 %
    intervals of the leak. Full precision is black, a model has one colour, a
    run one dash.

    Args:
        comparison: a Comparison.
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
    table = matches.pick(
        keys, name=NAME, title=matches.title, notes=matches.notes
    )
    parts = [tables.as_text(table)]
    if comparison.means:
        parts.append(tables.as_text(mean_table(comparison)))
    lines = [f"warning: {note}" for note in comparison.notes]
    for model in comparison.compared:
        nearest = model.matches[0]
        if nearest.outside:
            lines.append(
                f"warning: {model.run}, epoch {model.epoch}, is "
                + ("more" if nearest.outside == "above" else "less")
                + f" accurate than {model.full} at any of its kept epochs up "
                "to the best one: nothing is interpolated, and the nearest "
                + (
                    "epoch is a match, since no difference in accuracy is shown"
                    if nearest.is_match
                    else "epoch is no match"
                )
            )
    return "\n\n\n".join([*parts, "\n".join(lines)]).rstrip() + "\n"
