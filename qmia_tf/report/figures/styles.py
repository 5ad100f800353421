"""Colours, dashes and markers of every figure."""

import itertools

from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.outputs import KERAS
from qmia_tf.report.run_list import Run
from qmia_tf.run_dir import TRAINED

# Okabe and Ito's palette, told apart with any colour vision; without yellow,
# which is too faint for a line. Full precision is drawn in black. Nothing else
# is drawn, so that a page can put its own colours there.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
INK, GREY, FAINT = "#000000", "#595959", "#D9D9D9"
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
# The curve of a file, often upon its model's, which is pale: both must show.
DASHED = {"linestyle": (0, (4, 1.5))}
PALE = {"linewidth": 3.2, "alpha": 0.4}
# Members and nonmembers, where they are drawn apart.
MEMBERS, NONMEMBERS = COLORS[1], COLORS[0]
MARKERS = {
    TRAINED: "o",
    "float32": "s",
    "float16": "D",
    "dynamic": "P",
    "int8_ptq": "v",
    "int8": "^",
    "int8_io": "<",
    "tfmot_int8": "X",
}
KIND_MARKERS = {KERAS: "o", "tflite": "s"}
OTHER = "*"
# Which file stands for what is deployed: the first of these that a run has.
DEPLOYED = ("int8", "int8_io", "int8_ptq", "tfmot_int8")


def model_name(run: Run, listed: list[Run]) -> str:
    """The model, and the run too where several have the same model."""
    alike = [other for other in listed if other.model == run.model]
    return run.model if len(alike) == 1 else f"{run.model} ({run.name})"


def short(name: str, most: int) -> str:
    """Cuts a name in its middle where it is longer than `most` letters."""
    if len(name) <= most:
        return name
    end = (most - 1) // 2
    return f"{name[: most - 1 - end]}…{name[len(name) - end :]}"


def deployed(run: Run) -> TargetAudit | None:
    """The integer file that stands for what is deployed, if there is one."""
    targets = (run.target(name) for name in DEPLOYED)
    return next((target for target in targets if target is not None), None)


def file_style(run: Run, target: TargetAudit) -> tuple[str, str]:
    """What a legend calls a file among those of its network, and its marker.

    Without such a network a target may have any name: its kind stands there.
    """
    if run.is_trained:
        return target.target, MARKERS.get(target.target, OTHER)
    kind = target.kind or "model"
    return kind, KIND_MARKERS.get(kind, OTHER)


def line_styles(listed: list[Run]) -> list[dict]:
    """Black for the first full-precision run, a colour and dash for others."""
    black = next((run for run in listed if run.full_precision), None)
    # A solid line is black's, if there is black.
    dashes = DASHES if black is None else DASHES[1:] + DASHES[:1]
    places = itertools.count()
    styles = []
    for run in listed:
        if run is black:
            styles.append({"color": INK, "linestyle": "-"})
            continue
        place = next(places)
        styles.append(
            {
                "color": COLORS[place % len(COLORS)],
                "linestyle": dashes[place % len(dashes)],
            }
        )
    return styles
