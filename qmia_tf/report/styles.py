"""What a run looks like in every figure: its name, colour and dashes."""

import itertools

from qmia_tf.auditing.findings import TargetAudit
from qmia_tf.report.compared import Run

# Okabe and Ito's palette, told apart with any colour vision; without yellow,
# which is too faint for a line. Full precision is drawn in black.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
GREY = "0.35"
# Which file stands for what is deployed: the first of these that a run has.
DEPLOYED = ("int8", "int8_io", "int8_ptq", "tfmot_int8")


def model_name(run: Run, listed: list[Run]) -> str:
    """The model, and the run too where several have the same model."""
    alike = [other for other in listed if other.model == run.model]
    return run.model if len(alike) == 1 else f"{run.model} ({run.name})"


def deployed(run: Run) -> TargetAudit | None:
    """The integer file that stands for what is deployed, if there is one."""
    found = (run.target(name) for name in DEPLOYED)
    return next((target for target in found if target is not None), None)


def line_styles(listed: list[Run]) -> list[dict]:
    """Black for the first full-precision run, a colour and dash for others."""
    black = next((run for run in listed if run.full_precision), None)
    # A solid line is black's, if there is black.
    dashes = DASHES if black is None else DASHES[1:] + DASHES[:1]
    others = itertools.count()
    styles = []
    for run in listed:
        if run is black:
            styles.append({"color": "black", "linestyle": "-"})
            continue
        place = next(others)
        styles.append(
            {
                "color": COLORS[place % len(COLORS)],
                "linestyle": dashes[place % len(dashes)],
            }
        )
    return styles
