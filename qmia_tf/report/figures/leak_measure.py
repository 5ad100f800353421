"""How much an artefact gives away: one number that figures agree on."""

import dataclasses

from qmia_tf.attacks import TITLES
from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report import phrases
from qmia_tf.report.figures.series import Artefact, artefacts, of_run
from qmia_tf.report.run_list import Run
from qmia_tf.report.tables import Column, Table
from qmia_tf.statistics.intervals import Estimate

GUESS = 50
GAP = "gap"
MEANS = (
    "In per cent of the records judged right where half are members; guessing "
    "gives 50 %."
)
BARS = "Bars: 95 % intervals over records, for these models."


@dataclasses.dataclass(frozen=True)
class Measure:
    """Which attack the leak is measured with.

    Attributes:
        name: of the attack; None takes the strongest on each artefact.
        axis: what an axis says.
        words: what a sentence says.
    """

    name: str | None
    axis: str
    words: str

    @property
    def is_gap(self) -> bool:
        """Whether it is the gap attack, which then needs no mark beside it."""
        return self.name == GAP

    def of(self, target: TargetAudit) -> Estimate:
        """Balanced accuracy, a share; of a chosen threshold, held out."""
        if self.name is None:
            return target.strongest.point.balanced_accuracy
        attack = target.attack(self.name)
        point = (
            attack.held_out.point if attack.held_out else attack.point("fixed")
        )
        return point.balanced_accuracy

    def attack(self, target: TargetAudit) -> str:
        """The title of the attack that does it."""
        name = target.strongest.attack if self.name is None else self.name
        return TITLES.get(name, name)


STRONGEST = Measure(
    None,
    "strongest attack (%)",
    "the strongest attack on each artefact, chosen on one half of the records "
    "and judged on the other",
)


def measure(runs: list[Run]) -> Measure:
    """One attack for all artefacts, so that they compare.

    Of audits of earlier versions the strongest on each.
    """
    targets = [target for run in runs for target in of_run(run)]
    if all(target.leak is not None for target in targets):
        name = common_attack(targets)
        title = TITLES.get(name, name)
        how = "the one with the highest AUC on average"
        if name != GAP:
            how += "; its threshold is chosen on one half of the records and "
            how += "judged on the other"
        return Measure(
            name,
            f"{title} (%)",
            f"one attack for all ({title}): of those that every artefact has, "
            f"{how}",
        )
    return STRONGEST


def common_attack(targets: list[TargetAudit], *, with_curve=False) -> str:
    """Chooses an attack that all artefacts have.

    The one whose AUC, by the lower ends of the intervals that hold for all
    attacks at once, is highest on average.

    Args:
        targets: with their leak tests.
        with_curve: whether it must have a ROC curve.
    """
    areas = {}
    for target in targets:
        for attack in target.leak.attacks:
            if with_curve and target.attack(attack.attack).roc is None:
                continue
            areas.setdefault(attack.attack, []).append(attack.auc.low)
    shared = {k: sum(v) for k, v in areas.items() if len(v) == len(targets)}
    return max(shared, key=shared.get, default="confidence")


def gap(target: TargetAudit) -> Estimate:
    """The gap attack's accuracy: records with right labels are members."""
    return target.attack(GAP).point("fixed").balanced_accuracy


def table(runs: list[Run], name: str, title: str) -> Table:
    """What overview, trade-off and cost draw: one row an artefact."""
    used = measure(runs)
    rows = [
        [
            artefact.model,
            artefact.target.target,
            artefact.target.accuracy_nonmembers,
            gap(artefact.target),
            used.attack(artefact.target),
            used.of(artefact.target),
            artefact.target.size_mb,
            artefact.target.latency_ms,
        ]
        for artefact in artefacts(runs)
    ]
    columns = [
        Column("model", "model"),
        Column("target", "target"),
        Column("nonmembers right %", "accuracy_nonmembers", "percent"),
        Column("gap attack %", "gap_attack", "percent"),
        Column("attack", "attack"),
        Column("attacker right %", "balanced_accuracy", "percent"),
        Column("MB", "size_mb", "number"),
        Column("ms", "latency_ms", "measure"),
    ]
    return Table(name, title, columns, rows, notes=[])


def in_words(shown: list[Artefact], value, say, *, most=3) -> str:
    """Names each artefact's value, or the highest and lowest of many.

    Args:
        shown: one or more.
        value: Artefact -> float, to order them by.
        say: Artefact -> str.
        most: int, how many are all named.
    Returns: such as "w=4, a=4, int8: 55 % [53, 58]; ...", without an end.
    """
    if len(shown) > most:
        high = max(shown, key=value)
        low = min(shown, key=value)
        return (
            f"of {len(shown)}, the highest is {high.name}: {say(high)}, "
            f"the lowest {low.name}: {say(low)}"
        )
    return "; ".join(f"{artefact.name}: {say(artefact)}" for artefact in shown)


def percent(estimate: Estimate) -> str:
    """Per cent with the interval, as in the verdict."""
    return phrases.percent(estimate, guess=GUESS)


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
