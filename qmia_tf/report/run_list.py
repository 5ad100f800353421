"""Audited runs: their names, their order, and which of them compare."""

import dataclasses
from collections.abc import Iterable

from qmia_tf.auditing.audit_result import AuditResult
from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.outputs import KERAS
from qmia_tf.statistics.operating_points import OperatingPoint

FULL_PRECISION = (32, 32)
TITLES = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "digits": "Digits",
    "fashion_mnist": "Fashion-MNIST",
    "mnist": "MNIST",
}
# Between the name of a data set and the share of its labels.
NOISE = ", wrong labels "
# How the data set of somebody's own records begins.
UNNAMED = "records "
# Kernel sets of targets that are artefacts of their own.
USUAL = (None, KERAS, "default", "tensorflow", "callable")
# Members of config.json that compared runs are expected to share.
SHARED = ("dataset.fingerprint", "dataset.pool", "split.seed")


@dataclasses.dataclass(frozen=True)
class Run:
    """One audited run, as a table or a figure sees it."""

    audit: AuditResult

    @property
    def name(self) -> str:
        """The name that was given, or that of the run directory."""
        return self.audit.name

    @property
    def dataset(self) -> str:
        """What runs that are drawn together share: a data set's name.

        Records that somebody brings have none: the begin of their hash.
        """
        dataset = self.setting("dataset") or {}
        published = str(dataset.get("members")).startswith("tfds:")
        if "members" in dataset and not published:
            records = self.audit.targets[0].records_sha256
            return f"{UNNAMED}{(dataset.get('fingerprint') or records)[:8]}"
        name = str(dataset.get("name") or "unknown")
        noise = self.setting("dataset.label_noise.share")
        return f"{name}{NOISE}{100 * noise:.3g} %" if noise else name

    @property
    def unnamed(self) -> bool:
        """Whether its records are somebody's own, which have no name."""
        return self.dataset.startswith(UNNAMED)

    @property
    def title(self) -> str:
        """The data set's name for people."""
        return title(self.dataset)

    @property
    def bits(self) -> tuple:
        """(weight bits, activation bits); None where not known."""
        return (
            self.setting("model.weight_bits"),
            self.setting("model.activation_bits"),
        )

    @property
    def full_precision(self) -> bool:
        """Whether the model is the network without any rounding or clip."""
        return self.bits == FULL_PRECISION and not self.setting("model.clip")

    @property
    def model(self) -> str:
        """The model's name in tables."""
        if self.full_precision:
            return "full precision"
        if not self.is_trained:
            targets = self.audit.targets
            return targets[0].target if len(targets) == 1 else self.name
        clip = ", clip" if self.setting("model.clip") else ""
        return f"w={self.bits[0]}, a={self.bits[1]}{clip}"

    @property
    def is_trained(self) -> bool:
        """Whether the configuration says which network its targets are of."""
        return None not in self.bits

    @property
    def label(self) -> str:
        """The run's name and its model, where that says more."""
        if self.model == self.name:
            return self.name
        return f"{self.name} ({self.model})"

    def setting(self, path: str):
        """Looks up "a.b" in the run's configuration; None if not there."""
        value = self.audit.config
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def target(self, name: str) -> TargetAudit | None:
        """The audit of the target of that name, if it was attacked."""
        targets = (t for t in self.audit.targets if t.target == name)
        return next(targets, None)


def is_variant(target: TargetAudit) -> bool:
    """Whether a target is a twin, or a file under other than default kernels.

    The file stands for it in the verdict; tables say how far it differs.
    """
    return target.kernel_set not in USUAL


def sort_runs(audits: Iterable[AuditResult]) -> list[Run]:
    """Sorts by data set, full precision first, then by (a, w) and name."""

    def place(run):
        weight_bits, activation_bits = run.bits
        return (
            run.dataset,
            not run.full_precision,
            activation_bits or 0,
            weight_bits or 0,
            run.name,
        )

    return sorted(map(Run, audits), key=place)


def split_by_model(compared: list[Run]) -> list[Run]:
    """Splits audits of targets that are of no one network: a run a target.

    So each has a line, a colour and a name of its own in figures. Twins
    and other kernels are left out.
    """
    runs = []
    for run in compared:
        targets = [x for x in run.audit.targets if not is_variant(x)]
        if run.is_trained or not targets:
            runs.append(run)
            continue
        alone = len(targets) == 1
        for target in targets:
            name = run.name if alone else f"{run.name}: {target.target}"
            audit = dataclasses.replace(run.audit, name=name, targets=[target])
            runs.append(Run(audit))
    return runs


def title(dataset: str) -> str:
    """The name of a data set in figures and tables."""
    if dataset.startswith(UNNAMED):
        return "your records"
    name, *noise = dataset.partition(NOISE)
    return "".join([TITLES.get(name, name), *noise])


def full_precision_sibling(run: Run, compared: list[Run]) -> Run | None:
    """Finds the full-precision run on the same data set that is most alike.

    Returns: None if there is none, or the run is full precision itself or of
        models of which that is not known.
    """

    def likeness(other):
        paths = (*SHARED, "seed", "recipe", "model.stem", "model.width")
        return sum(run.setting(p) == other.setting(p) for p in paths)

    if run.full_precision or not run.is_trained:
        return None
    siblings = [
        other
        for other in compared
        if other.full_precision and other.dataset == run.dataset
    ]
    return max(siblings, key=likeness, default=None)


def held_out_point(target: TargetAudit, attack: str) -> OperatingPoint:
    """An attack's held-out operating point; its only one if that is fixed."""
    audit = target.attack(attack)
    return audit.held_out.point if audit.held_out else audit.point("fixed")


def artefacts_of(result: AuditResult) -> list[TargetAudit]:
    """The targets that count: no twins, no other kernels than the default."""
    targets = [x for x in result.targets if not is_variant(x)]
    return targets or result.targets
