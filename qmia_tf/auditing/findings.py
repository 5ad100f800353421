"""What an audit found, and audit.json, the file of it.

docs/audit.md explains the fields, docs/audit.schema.json is their schema.
"""

import dataclasses
import pathlib

from qmia_tf import runs
from qmia_tf.auditing import audit_json, audit_versions
from qmia_tf.auditing.agreement import Agreement
from qmia_tf.auditing.class_audits import ClassAudit
from qmia_tf.auditing.exposed_members import Exposed
from qmia_tf.auditing.parity_found import Parity
from qmia_tf.auditing.verdicts import Verdicts
from qmia_tf.errors import InputError
from qmia_tf.statistics.class_thresholds import ByClass
from qmia_tf.statistics.curve import Curve
from qmia_tf.statistics.epsilon import EpsilonBound
from qmia_tf.statistics.heldout import HeldOut
from qmia_tf.statistics.histogram import Histogram
from qmia_tf.statistics.intervals import Estimate
from qmia_tf.statistics.low_fpr import LowFpr
from qmia_tf.statistics.operating import OperatingPoint
from qmia_tf.statistics.roc_band import RocBand
from qmia_tf.tfprivacy import TfPrivacyAudit

SCHEMA_VERSION = 4
AUDIT = "audit.json"


@dataclasses.dataclass(frozen=True)
class AttackAudit:
    """What one attack achieves against one target.

    Everything but `held_out` and `by_class` is about all records that the
    attack says something of; if it learns from the calibration half, about
    those of the judged half.

    Attributes:
        name: key in attacks.ATTACKS.
        title: the name for people.
        needs: what it needs, keys of attacks.NEEDS.
        members: how many members the numbers rest on.
        nonmembers: how many nonmembers.
        excluded: records on which the attack says nothing.
        distinct_scores: how many different scores the records got.
        least_false_positive_rate: the lowest above 0 that a threshold has.
        auc: area under the ROC curve, DeLong's interval.
        tpr_at_fpr: TPR at low false-positive rates; none for a fixed
            threshold.
        points: the operating points; for an attack with a fixed threshold
            the one point, "fixed", which is not in-sample.
        held_out: the threshold chosen on one half and judged on the other;
            None for a fixed threshold.
        cross_fitted: the thresholds of both halves, each judged on the
            other; None for a fixed threshold or learnt scores.
        by_class: a threshold for each class, chosen on one half and judged
            on the other; None likewise.
        epsilon: lower bound from this attack, for this one model.
        excess: balanced accuracy of `held_out` minus the gap attack's on the
            same records; None for the gap attack.
        curve: rates against the threshold; None for a fixed threshold.
        verdicts: whom the attack calls members, of all records if its
            threshold is fixed, else of those that `held_out` is judged on;
            None in audits of schema version 1.
        records_sha256: of the records that `verdicts` are about, as in
            TargetAudit.
        histogram: of the scores; None for a fixed threshold, for fewer than
            two distinct scores and in schema versions 1 to 3.
        roc: the ROC curve with a band; None for a fixed threshold and in
            schema versions 1 to 3.
    """

    name: str
    title: str
    needs: list[str]
    members: int
    nonmembers: int
    excluded: int
    distinct_scores: int
    least_false_positive_rate: float | None
    auc: Estimate
    tpr_at_fpr: list[LowFpr]
    points: list[OperatingPoint]
    held_out: HeldOut | None
    cross_fitted: OperatingPoint | None
    by_class: ByClass | None
    epsilon: EpsilonBound | None
    excess: Estimate | None
    curve: Curve | None
    verdicts: Verdicts | None
    records_sha256: str | None
    histogram: Histogram | None = None
    roc: RocBand | None = None

    def point(self, name) -> OperatingPoint:
        """Returns the operating point of that name.

        Raises: InputError if there is none.
        """
        return _named(self.points, name, f"operating point of {self.name}")


@dataclasses.dataclass(frozen=True)
class AttackLeftOut:
    """An attack that was not run.

    Attributes:
        name: key in attacks.ATTACKS.
        reason: what it lacks.
    """

    name: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Strongest:
    """The best of the attacks, chosen on one half and judged on the other.

    Attributes:
        attack: the one with the highest AUC on the calibration half.
        candidates: the attacks it was chosen from.
        point: its threshold of the calibration half, on the judged half.
        auc: on the judged half.
        tpr_at_fpr: on the judged half.
    """

    attack: str
    candidates: list[str]
    point: OperatingPoint
    auc: Estimate
    tpr_at_fpr: list[LowFpr]


@dataclasses.dataclass(frozen=True)
class TargetAudit:
    """What the outputs of one target give away.

    Attributes:
        target: name of the target, such as "keras" or "float32".
        kind: "keras", "tflite", "twin", "savedmodel" or "callable", if known.
        sha256: of the model file, if known.
        size_bytes: of the model file, if known.
        kernel_set: what computed the outputs, if known.
        outputs: "probabilities" or "logits", what the file ends in, if known.
        latency_ms: median time of predict() on one image, if known.
        latency_threads: number of threads it was measured with, if known.
        probability_step: distance of neighbouring outputs, 0 for floats.
        classes: number of classes.
        members: number of members queried.
        nonmembers: number of nonmembers queried.
        records_sha256: of the sorted record ids of the members, then of the
            nonmembers, each as little-endian int64; equal where two targets
            were asked about the same records.
        accuracy_members: of the model, on its training records.
        accuracy_nonmembers: of the model, on the others: test accuracy.
        tied_answers: how many records have several most probable classes,
            the first of which is taken; None in schema version 1.
        attacks: one AttackAudit an attack.
        attacks_left_out: the attacks that were not run.
        strongest: the best of them; None in schema versions 1 and 2.
        tfprivacy: what tensorflow-privacy found; None if it was not run.
        per_class: one ClassAudit a class that has members and nonmembers;
            none in schema versions 1 to 3.
        parity: what was found when the file's codes were compared; None if
            they were not, and in schema versions 1 to 3.
        exposed: the most exposed members, of one target of the audit; none
            of the others and in schema versions 1 to 3.
    """

    target: str
    kind: str | None
    sha256: str | None
    size_bytes: int | None
    kernel_set: str | None
    outputs: str | None
    latency_ms: float | None
    latency_threads: int | None
    probability_step: float
    classes: int
    members: int
    nonmembers: int
    records_sha256: str
    accuracy_members: Estimate
    accuracy_nonmembers: Estimate
    tied_answers: int | None
    attacks: list[AttackAudit]
    attacks_left_out: list[AttackLeftOut]
    strongest: Strongest | None
    tfprivacy: TfPrivacyAudit | None
    per_class: list[ClassAudit] = dataclasses.field(default_factory=list)
    parity: Parity | None = None
    exposed: list[Exposed] = dataclasses.field(default_factory=list)

    def attack(self, name) -> AttackAudit:
        """Returns the audit of the attack of that name.

        Raises: InputError if there is none.
        """
        return _named(self.attacks, name, f"attack on {self.target}")


@dataclasses.dataclass(frozen=True)
class Joint:
    """Two artefacts queried together: does the second tell more?

    The same trained attacker is given the first's answers alone and both's,
    learns on the calibration half and is judged on the other.

    Attributes:
        first: name of the target.
        second: name of the other; "parent" is the full-precision model of
            another run on the same members.
        alone: AUC with the first's answers.
        together: AUC with both's.
        gain: together - alone, paired DeLong interval.
        p_value: of no gain.
        members: how many members were judged.
        nonmembers: how many nonmembers.
    """

    first: str
    second: str
    alone: Estimate
    together: Estimate
    gain: Estimate
    p_value: float
    members: int
    nonmembers: int


@dataclasses.dataclass(frozen=True)
class EqualRecords:
    """Identical images among the members and the nonmembers.

    Attributes:
        members: how many members have one among the nonmembers.
        nonmembers: how many nonmembers have one among the members.
        examples: pairs of record ids, a member's and a nonmember's.
        warning: what that means, in a sentence; empty if there are none.
    """

    members: int
    nonmembers: int
    examples: list[list[int]]
    warning: str


@dataclasses.dataclass(frozen=True)
class Control:
    """Whether members and nonmembers can be told apart without any model.

    A classifier that sees the records and their labels, never the target,
    learns on the calibration half and is judged on the other.

    Attributes:
        auc: of that classifier.
        told_apart: whether the interval of the AUC lies above 1/2. Then the
            two differ in more than in having been trained on, and attacks
            may measure that.
        features: what the classifier saw of a record.
        members: how many members it was judged on.
        nonmembers: how many nonmembers.
    """

    auc: Estimate
    told_apart: bool
    features: str
    members: int
    nonmembers: int


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """A target that was asked for and could not answer.

    Attributes:
        target: its name.
        kernel_set: the kernels that cannot run its file.
        reason: what they say.
    """

    target: str
    kernel_set: str
    reason: str


@dataclasses.dataclass(frozen=True)
class AuditResult:
    """The audit of one run: what audit.json holds.

    Attributes:
        schema_version: of this layout, 4.
        name: of the run: its directory's.
        config: the run's config.json.
        fingerprint: of the data set.
        split: seed and member_fraction of the split, and its pool.
        seed: of the audit.
        level: coverage of every interval.
        versions: of the programs that made it.
        targets: one TargetAudit a target, keras first, the others by name,
            those captured elsewhere last.
        agreements: how far targets are from what they ought to answer.
        left_out: the targets that could not answer.
        joints: two artefacts queried together.
        references: names of the reference models.
        duplicates: equal records among members and nonmembers; None if the
            records were not at hand.
        control: whether members can be told without any model; None if the
            records were not at hand, or there were too few, and in audits
            from before it was kept.
    """

    schema_version: int
    name: str
    config: dict
    fingerprint: str | None
    split: dict
    seed: int
    level: float
    versions: dict[str, str]
    targets: list[TargetAudit]
    agreements: list[Agreement]
    left_out: list[LeftOut]
    joints: list[Joint]
    references: list[str]
    duplicates: EqualRecords | None
    control: Control | None = None

    def save(self, path):
        """Writes audit.json, whole or not at all."""
        runs.write_json(path, audit_json.encode(self))


def load(path) -> AuditResult:
    """Reads audit.json.

    Args:
        path: the file, or the run directory that it lies in.
    Raises: InputError if it is missing, damaged or of another version.
    """
    path = pathlib.Path(path)
    path = path / AUDIT if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"{path}: no such file; scripts/attack.py makes it")
    found = runs.read_json(path)
    version = found.get("schema_version") if isinstance(found, dict) else None
    known = type(version) is int and 1 <= version <= SCHEMA_VERSION
    if not known:
        raise InputError(
            f"{path}: schema_version is {version!r}, this program reads 1 to "
            f"{SCHEMA_VERSION}; attack the run again with scripts/attack.py"
        )
    return audit_json.decode(
        AuditResult, audit_versions.upgraded(found), source=str(path)
    )


def _named(things, name, kind):
    for thing in things:
        if thing.name == name:
            return thing
    raise InputError(
        f"{AUDIT}: no {kind} is called {name!r}; attack the run again with "
        "scripts/attack.py"
    )
