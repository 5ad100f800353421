"""How much an artefact gives away: one number that figures agree on."""

import dataclasses
from collections.abc import Callable, Iterator

from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report.figures.figure import RunFigure
from qmia_tf.report.figures.series import Artefact, artefacts, is_cut
from qmia_tf.report.phrases import attack_title
from qmia_tf.report.run_list import artefacts_of, held_out_point
from qmia_tf.statistics.intervals import Estimate

GAP, DEFAULT = "gap", "confidence"


@dataclasses.dataclass(frozen=True)
class Measure:
    """The attack that the leak is measured with, one for all artefacts."""

    name: str

    @property
    def title(self) -> str:
        """The attack's name for people."""
        return attack_title(self.name)

    @property
    def axis(self) -> str:
        """What an axis says."""
        return f"{self.title} (%)"

    @property
    def is_gap(self) -> bool:
        """Whether it is the gap attack, which then needs no mark beside it."""
        return self.name == GAP

    def of(self, target: TargetAudit) -> Estimate:
        """Balanced accuracy, a share; of a chosen threshold, held out."""
        return held_out_point(target, self.name).balanced_accuracy


class LeakFigure(RunFigure):
    """A figure of how much artefacts give away.

    Attributes:
        measure: of the leak.
        shown: the artefacts.
    """

    def __init__(self, results):
        super().__init__(results)
        targets = [x for run in self.runs for x in artefacts_of(run.audit)]
        self.measure = Measure(common_attack(targets))
        self.shown = artefacts(self.runs)

    @property
    def is_cut(self) -> bool:
        """Whether files are left out."""
        return is_cut(self.runs)

    def extremes(self, shown: list[Artefact], most: int = 3) -> list[Artefact]:
        """Those that a sentence names: all, or the most and the least leaky."""
        return extremes(shown, lambda x: self.measure.of(x.target).value, most)

    def _rows(self) -> Iterator[dict]:
        for artefact in self.shown:
            target = artefact.target
            yield {
                "model": artefact.model,
                "target": target.target,
                "accuracy_nonmembers": target.accuracy_nonmembers,
                "gap_attack": gap(target),
                "attack": self.measure.title,
                "balanced_accuracy": self.measure.of(target),
                "size_mb": target.size_mb,
                "latency_ms": target.latency_ms,
            }


def common_attack(
    targets: list[TargetAudit], *, with_curve: bool = False
) -> str:
    """Chooses an attack that all artefacts have.

    The one whose AUC, by the lower ends of the intervals that hold for all
    attacks at once, is highest on average; without leak tests of each attack's
    own intervals.

    Args:
        targets: the artefacts.
        with_curve: whether it must have a ROC curve.
    """
    areas = {}
    for target in targets:
        if target.leak is None:
            ends = {x.name: x.auc.low for x in target.attacks}
        else:
            ends = {x.attack: x.auc.low for x in target.leak.attacks}
        for name, low in ends.items():
            if not with_curve or target.attack(name).roc is not None:
                areas.setdefault(name, []).append(low)
    shared = {k: sum(v) for k, v in areas.items() if len(v) == len(targets)}
    return max(shared, key=shared.get, default=DEFAULT)


def gap(target: TargetAudit) -> Estimate:
    """The gap attack's accuracy: records with right labels are members."""
    return target.attack(GAP).point("fixed").balanced_accuracy


def extremes(shown: list, value: Callable, most: int = 3) -> list:
    """All if they are at most `most`; else those of the highest and lowest."""
    if not shown or len(shown) <= most:
        return shown
    return [max(shown, key=value), min(shown, key=value)]


def bounds(estimate: Estimate) -> tuple[float, float, float]:
    """(value, arm below, arm above) in per cent, for an error bar."""
    value = 100 * estimate.value
    if estimate.low is None:
        return value, 0.0, 0.0
    return (
        value,
        max(value - 100 * estimate.low, 0.0),
        max(100 * estimate.high - value, 0.0),
    )
