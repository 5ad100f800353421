"""The verdicts on all artefacts in one picture, a panel a data set.

Not one of FIGURES, which show runs on one data set.
"""

import pathlib

from matplotlib.figure import Figure

from qmia_tf import plot_settings
from qmia_tf.auditing import audit_result, verdict
from qmia_tf.report.figures import panels
from qmia_tf.report.figures.figure import groups
from qmia_tf.report.figures.image_files import save_figure
from qmia_tf.report.figures.styles import COLORS, GREY
from qmia_tf.report.run_list import artefacts_of

LOOKS = {
    verdict.NO_LEAK: (COLORS[2], "o"),
    verdict.SMALL: (COLORS[5], "s"),
    verdict.CLEAR: (COLORS[5], "^"),
    verdict.SEVERE: (COLORS[1], "D"),
}
UNKNOWN = GREY, "x"
# Inches: a row; a panel's title and axis.
ROW, SPACE = 0.22, 0.5
# AUC.
ENDS = 0.4, 1.0


def save(run_dirs, path) -> pathlib.Path:
    """Draws audited runs, and writes path.png.

    Args:
        run_dirs: directories with audit.json.
        path: without .png.
    Returns: the path written.
    """
    figure = draw([audit_result.load(folder) for folder in run_dirs])
    return save_figure(figure, pathlib.Path(path), kinds=["png"])[0]


def draw(results) -> Figure:
    """Draws the AUC of the strongest attack on each artefact.

    With its interval, which holds for all attacks at once, and the verdict in
    words.

    Args:
        results: AuditResults.
    """
    runs_by_dataset = groups(results)
    rows = {
        runs[0].title: [
            (f"{run.model}, {target.target}", target.leak)
            for run in runs
            for target in artefacts_of(run.audit)
            if target.leak is not None
        ]
        for runs in runs_by_dataset.values()
    }
    height = sum(ROW * len(listed) + SPACE for listed in rows.values())
    with plot_settings.plain(panels.SETTINGS):
        figure = panels.paper(height, narrow=False)
        several = panels.grid_of(
            figure,
            len(rows),
            columns=1,
            height_ratios=[len(listed) for listed in rows.values()],
        )
        for axes, (title, listed) in zip(several, rows.items(), strict=True):
            _panel(axes, title, listed)
        axes.set_xlabel("AUC of the strongest attack; guessing has 0.5")
    return figure


def _panel(axes, title, listed):
    panels.tidy(axes, grid=None)
    panels.rails(axes, list(range(len(listed))), 0.6)
    panels.guess_line(axes, 0.5, upright=True)
    for row, (_, leak) in enumerate(listed):
        color, marker = LOOKS.get(leak.verdict, UNKNOWN)
        auc = leak.auc
        axes.plot([auc.low, auc.high], [row, row], color=color, linewidth=1.6)
        axes.plot(auc.value, row, marker, color=color, markersize=6)
        axes.text(
            1.01,
            row,
            leak.verdict,
            color=color,
            va="center",
            transform=axes.get_yaxis_transform(),
        )
    axes.set_title(title, loc="left")
    axes.set_yticks(range(len(listed)), [name for name, _ in listed])
    axes.set_ylim(len(listed) - 0.5, -0.5)
    axes.set_xlim(*ENDS)
