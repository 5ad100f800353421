"""How much an artefact gives away: one number that figures agree on."""

from collections.abc import Callable, Iterator

from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report.figures.figure import RunFigure
from qmia_tf.report.figures.series import Artefact, artefacts, is_cut
from qmia_tf.report.phrases import attack_title
from qmia_tf.statistics.intervals import Estimate

GAP = "gap"
AXIS = "AUC, strongest attack"


class LeakFigure(RunFigure):
    """A figure of how much artefacts give away.

    Attributes:
        shown: the artefacts.
    """

    def __init__(self, results):
        super().__init__(results)
        self.shown = artefacts(self.runs)

    @property
    def is_cut(self) -> bool:
        """Whether files are left out."""
        return is_cut(self.runs)

    def leak(self, target: TargetAudit) -> Estimate:
        """The AUC that the verdict rests on."""
        return leak(target)

    def extremes(self, shown: list[Artefact], most: int = 2) -> list[Artefact]:
        """Those that a sentence names: all, or the most and the least leaky."""
        return extremes(shown, lambda x: leak(x.target).value, most)

    def _rows(self) -> Iterator[dict]:
        for artefact in self.shown:
            target = artefact.target
            yield {
                "model": artefact.model,
                "target": target.target,
                "accuracy_nonmembers": target.accuracy_nonmembers,
                "gap_attack": gap(target),
                "attack": attack_title(strongest(target)),
                "auc": leak(target),
                "size_mb": target.size_mb,
                "latency_ms": target.latency_ms,
            }


def leak(target: TargetAudit) -> Estimate:
    """The AUC that the verdict rests on; without one the held-out one."""
    return target.strongest.auc if target.leak is None else target.leak.auc


def strongest(target: TargetAudit) -> str | None:
    """The attack whose AUC that is."""
    if target.leak is None:
        return target.strongest.attack
    return target.leak.strongest


def gap(target: TargetAudit) -> Estimate:
    """The gap attack's AUC, which is its accuracy: right labels are members."""
    return target.attack(GAP).point("fixed").balanced_accuracy


def extremes(shown: list, value: Callable, most: int = 2) -> list:
    """All if they are at most `most`; else those of the highest and lowest."""
    if not shown or len(shown) <= most:
        return shown
    return [max(shown, key=value), min(shown, key=value)]


def bounds(estimate: Estimate, times: float = 1) -> tuple[float, float, float]:
    """(value, arm below, arm above), multiplied, for an error bar."""
    value = times * estimate.value
    if estimate.low is None:
        return value, 0.0, 0.0
    return (
        value,
        max(value - times * estimate.low, 0.0),
        max(times * estimate.high - value, 0.0),
    )
