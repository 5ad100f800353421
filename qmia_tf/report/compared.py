"""Runs side by side: what they are called, and whether they compare."""

import dataclasses

from qmia_tf.auditing.findings import AuditResult, TargetAudit
from qmia_tf.report.paper import FULL_PRECISION, PAPER, PaperRow

TITLES = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "digits": "Digits",
    "fashion_mnist": "Fashion-MNIST",
    "mnist": "MNIST",
}
# A model this little of the way from guessing to perfect has not learned.
LEARNED = 0.1
# Members of config.json that compared runs are expected to share.
SHARED = ("dataset.fingerprint", "dataset.pool", "split.seed")
PROSE = ("name", "stated", "notes", "dataset")


@dataclasses.dataclass(frozen=True)
class Run:
    """One audited run, as a table or a figure sees it."""

    audit: AuditResult

    @property
    def name(self) -> str:
        """The name of the run directory."""
        return self.audit.name

    @property
    def dataset(self) -> str:
        """The data set's name, or "unknown"."""
        return str(self.setting("dataset.name") or "unknown")

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
        """What tables call the model."""
        if self.full_precision:
            return "full precision"
        if None in self.bits:
            return self.name
        clip = ", clip" if self.setting("model.clip") else ""
        return f"w={self.bits[0]}, a={self.bits[1]}{clip}"

    @property
    def paper(self) -> PaperRow | None:
        """The paper's row for this data set and these bits, if it has one."""
        if self.setting("model.clip") and self.bits == FULL_PRECISION:
            return None
        return PAPER.get((self.dataset, *self.bits))

    def setting(self, path):
        """Looks up "a.b" in the run's configuration; None if not there."""
        value = self.audit.config
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def target(self, name) -> TargetAudit | None:
        """The audit of the target of that name, if it was attacked."""
        found = (t for t in self.audit.targets if t.target == name)
        return next(found, None)


def is_variant(target: TargetAudit) -> bool:
    """Whether a target is a twin, or a file under other than default kernels.

    What it gives away is told by the file; tables say how far it differs.
    """
    return target.kernel_set not in (None, "keras", "default")


def in_order(audits) -> list[Run]:
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


def title(dataset) -> str:
    """What figures and tables call a data set."""
    return TITLES.get(dataset, dataset)


def warnings(compared: list[Run], *, max_drop=5.0) -> list[str]:
    """What keeps the numbers of these runs from meaning what they seem to.

    Args:
        compared: the runs.
        max_drop: by how many points of nonmember accuracy a model may be
            below its full-precision sibling.
    Returns: sentences, possibly none.
    """
    found = []
    for run in compared:
        found += _not_learned(run, compared, max_drop)
        found += _different_records(run)
    for dataset in dict.fromkeys(run.dataset for run in compared):
        found += _not_alike([run for run in compared if run.dataset == dataset])
    return found


def _not_learned(run, compared, max_drop):
    other = run if run.full_precision else sibling(run, compared)
    guessing, behind = {}, {}
    for target in run.audit.targets:
        right = target.accuracy_nonmembers.value
        chance = 1 / target.classes
        if right < chance + LEARNED * (1 - chance):
            guessing[target.target] = f"{100 * right:.1f} %"
        elif other is not None:
            model = other.target("keras") or other.audit.targets[0]
            drop = 100 * (model.accuracy_nonmembers.value - right)
            if drop > max_drop:
                behind[target.target] = f"{drop:.1f}"
    if guessing:
        yield (
            f"{run.name} ({run.model}): hardly better than guessing "
            f"({100 * chance:.1f} %) on nonmembers: {_listed(guessing)}; the "
            "audit of a network that did not learn says nothing about privacy"
        )
    if behind:
        yield (
            f"{run.name} ({run.model}): points less accurate on nonmembers "
            f"than full precision ({other.name}): {_listed(behind)}; a "
            "network that learned less also memorized less, so smaller leaks "
            "here say nothing about its bits"
        )


def _listed(values):
    """Names and their values; names that share a value stand together."""
    names = {}
    for name, value in values.items():
        names.setdefault(value, []).append(name)
    return ", ".join(f"{', '.join(names[value])} {value}" for value in names)


def sibling(run, compared):
    """Finds the full-precision run on the same data set that is most alike.

    Args:
        run: a Run.
        compared: the runs to look in.
    Returns: Run; None if there is none or the run is full precision itself.
    """

    def likeness(other):
        paths = (*SHARED, "seed", "recipe", "model.stem", "model.width")
        return sum(run.setting(p) == other.setting(p) for p in paths)

    siblings = [
        other
        for other in compared
        if other.full_precision and other.dataset == run.dataset
    ]
    if run.full_precision or not siblings:
        return None
    return max(siblings, key=likeness)


def _different_records(run):
    if len({target.records_sha256 for target in run.audit.targets}) > 1:
        yield (
            f"{run.name}: its targets were asked about different records, so "
            "their numbers differ by chance as well"
        )


def _not_alike(same):
    """Compares the settings of runs on one data set."""
    paths = [*SHARED, "model.stem", "model.width"]
    for run in same:
        recipe = run.setting("recipe") or {}
        paths += [f"recipe.{key}" for key in recipe if key not in PROSE]
    # Settings that part the runs in the same way are told together.
    parted = {}
    for path in dict.fromkeys(paths):
        values = [_shown(run.setting(path)) for run in same]
        groups = tuple(values.index(value) for value in values)
        parted.setdefault(groups, []).append((path, values))
    name = title(same[0].dataset)
    for groups, settings in parted.items():
        firsts = sorted(set(groups))
        if len(firsts) == 1:
            continue
        told = ", ".join(
            f"{path} {' / '.join(values[first] for first in firsts)}"
            for path, values in settings
        )
        members = " / ".join(
            ", ".join(
                run.name
                for run, group in zip(same, groups, strict=True)
                if group == first
            )
            for first in firsts
        )
        yield f"{name}: the runs do not share {told} ({members})"
    if len(same) > 1 and not any(run.full_precision for run in same):
        yield f"{name}: no full-precision run to compare with"


def _shown(value):
    text = str(value)
    return text if len(text) <= 16 else f"{text[:12]}..."
