"""The curves of attack accuracy against the threshold: which, and where."""

import dataclasses

import numpy as np

from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report.figures.series import models, two
from qmia_tf.report.run_list import Run
from qmia_tf.statistics.thinned_sweep import Curve

# More models than these are told apart by dashes: no room for a second curve.
MOST_IN_PAIRS = 6


@dataclasses.dataclass(frozen=True)
class Line:
    """One curve: its target, its label, and how it is drawn."""

    target: TargetAudit
    name: str
    style: dict
    hollow: bool = False


def lines_of(runs: list[Run]) -> list[Line]:
    """The Keras models' curves, then those of the deployed files."""
    pairs = len(runs) <= MOST_IN_PAIRS and any(len(two(x)) > 1 for x in runs)
    first, second = [], []
    for run, model in zip(runs, models(runs), strict=True):
        style = {"color": model.color, "linestyle": model.linestyle}
        if pairs:
            # The file's curve often lies upon the model's: both must show.
            style = {"color": model.color, "linewidth": 3.2, "alpha": 0.4}
        first.append(Line(model.target, model.model, style))
        for file in two(run)[1:] if pairs else ():
            style = {"color": model.color, "linestyle": (0, (4, 1.5))}
            name = f"{model.model}, {file.target}"
            second.append(Line(file, name, style, hollow=True))
    return first + second


def steps(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds from low to high, with everyone before and nobody after."""
    x = np.array(curve.threshold)[::-1]
    y = 100 * np.array(curve.balanced_accuracy)[::-1]
    after = np.nextafter(x[-1], np.inf)
    return np.concatenate([[0], x, [after, 1]]), np.concatenate(
        [[50], y, [50, 50]]
    )
