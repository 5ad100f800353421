"""What an audit found of one target: the targets of audit.json."""

import dataclasses
from typing import Annotated

import msgspec

from qmia_tf.attacks.tfprivacy import TfPrivacyAudit
from qmia_tf.auditing.auxiliary import ReferenceModels
from qmia_tf.auditing.class_audits import ClassAudit
from qmia_tf.auditing.form_leaks import FormLeak
from qmia_tf.auditing.leak_test import LeakTest
from qmia_tf.auditing.loss_tail import LossTnr
from qmia_tf.auditing.membership_decisions import MembershipDecisions
from qmia_tf.auditing.mismatched_references import KnownBits
from qmia_tf.auditing.risky_members import RiskyMember
from qmia_tf.deploy.parity.mismatches import Parity
from qmia_tf.errors import InputError
from qmia_tf.statistics.class_thresholds import ByClass
from qmia_tf.statistics.epsilon import EpsilonBound
from qmia_tf.statistics.held_out_thresholds import HeldOut
from qmia_tf.statistics.intervals import Estimate
from qmia_tf.statistics.low_fpr_rates import RocBand, TprAtFpr
from qmia_tf.statistics.operating_points import OperatingPoint
from qmia_tf.statistics.score_counts import Histogram
from qmia_tf.statistics.thinned_sweep import Curve

# Why nothing was read inside of a target: HolderAudit.reason.
NOT_GIVEN = "only outputs were given"
NOT_WANTED = "it was switched off"


@dataclasses.dataclass(frozen=True)
class AttackAudit:
    """What one attack achieves against one target.

    Everything but `held_out` and `by_class` is about all records that the
    attack has scores for; if it learns from the calibration half, about
    those of the evaluation half.

    Attributes:
        name: `gap`: member iff classified right (Yeom; the paper's equation 4).
            `confidence`: member iff the largest probability reaches a threshold
            (the paper's). The others: see attacks.md.
        title: the name for people.
        needs: what the attacker must have, of `labels`, `probabilities`,
            `augmented_labels` (of augmented queries), `noisy_labels` (of noisy
            queries), `references`, `parent`, `features`.
        members: how many members the numbers rest on.
        nonmembers: how many nonmembers.
        excluded: records that the attack cannot score: no augmented queries
            were made of them, or no reference model was trained without them.
            They count nowhere.
        distinct_scores: how many different scores there were: an int8 softmax
            leaves 256 at most.
        least_false_positive_rate: the lowest above 0 that any threshold has.
            With many ties it is high, and TPR at a lower rate is 0 or what lies
            above every nonmember.
        auc: area under the ROC curve, DeLong's interval; ties count half.
        tpr_at_fpr: TPR at 10 %, 1 %, 0.1 % and 0.01 % FPR; none for a fixed
            threshold.
        points: the operating points; for an attack with a fixed threshold
            the one point, "fixed", which is not in-sample.
        held_out: the threshold chosen on one half and evaluated on the other;
            None for a fixed threshold.
        cross_fitted: the thresholds of both halves, each evaluated on the other
            half: a point on all records without a threshold of its own. None
            for a fixed threshold or learned scores.
        by_class: a threshold for each class, chosen on one half and evaluated
            on the other; None likewise.
        epsilon: lower bound from this attack, for this one model.
        excess: balanced accuracy of `held_out` minus the gap attack's on the
            same records, with a paired interval; None for the gap attack. An
            attack that beats guessing but not the gap attack gives away no more
            than a wrong label does.
        curve: rates against the threshold; None for a fixed threshold.
        membership_decisions: whom the attack calls members, of all records if
            its threshold is fixed, else of those that `held_out` is evaluated
            on.
        records_sha256: of the records that `membership_decisions` are about,
            as in TargetAudit.
        histogram: of the scores; None for a fixed threshold and for fewer
            than two distinct scores.
        roc: the ROC curve with a band; None for a fixed threshold.
    """

    name: str
    title: str
    needs: list[str]
    members: int
    nonmembers: int
    excluded: int
    distinct_scores: int
    least_false_positive_rate: float
    auc: Estimate
    tpr_at_fpr: list[TprAtFpr]
    points: list[OperatingPoint]
    held_out: HeldOut | None
    cross_fitted: OperatingPoint | None
    by_class: ByClass | None
    epsilon: EpsilonBound
    excess: Estimate | None
    curve: Curve | None
    membership_decisions: MembershipDecisions
    records_sha256: str
    histogram: Histogram | None
    roc: RocBand | None

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
        reason: what it lacks (reference models, the parent, augmented queries),
            or which records it cannot score.
    """

    name: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Strongest:
    """The best of the attacks, chosen on one half and evaluated on the other.

    Attributes:
        attack: the one whose AUC is surely the highest on the calibration
            half, see attack_selection.choose.
        candidates: the attacks it was chosen from.
        point: its threshold of the calibration half, on the evaluation half.
        auc: on the evaluation half.
        tpr_at_fpr: on the evaluation half.
    """

    attack: str
    candidates: list[str]
    point: OperatingPoint
    auc: Estimate
    tpr_at_fpr: list[TprAtFpr]


@dataclasses.dataclass(frozen=True)
class LayerAudit:
    """The gradient norm at one layer of a target.

    Attributes:
        name: of the layer in the file.
        auc: of the smaller norm being a member's, over all records; not
            corrected for the number of layers.
    """

    name: str
    auc: float


@dataclasses.dataclass(frozen=True)
class GradientAudit:
    """Gradients by layer, computed on a differentiable graph of the file.

    Attributes:
        layers: in the order in which they are run.
        apart: share of the records, 0..1, of which an output of the graph is
            more than a step from the file's.
        largest: the largest difference of an output, in steps.
        step: distance of neighbouring codes; 1/256 of outputs in floats.
    """

    layers: list[LayerAudit]
    apart: float
    largest: float
    step: float


@dataclasses.dataclass(frozen=True)
class HolderAudit:
    """What the outputs of a target hide, and who holds the model reads.

    Attributes:
        layer: what was read: the last layer, its op or class; empty if it was
            not read.
        numbers: "integers" if the exact logits are accumulators of integers
            times scales, "floats" otherwise; empty likewise.
        activations: how many numbers enter that layer.
        reason: why nothing was read; empty if it was.
        attacks: one AttackAudit an attack that only who holds the model can
            run.
        attacks_left_out: those that were not run.
        strongest: the best of them, held out; None without any.
        leak: the test over them alone, with a verdict of its own; None
            without any.
        gradients: by layer, None if they were not computed.
    """

    layer: str
    numbers: str
    activations: int
    reason: str
    attacks: list[AttackAudit]
    attacks_left_out: list[AttackLeftOut]
    strongest: Strongest | None
    leak: LeakTest | None
    gradients: GradientAudit | None = None


@dataclasses.dataclass(frozen=True)
class TargetAudit:
    """What the outputs of one target give away.

    Attributes:
        target: name of the target, such as "keras" or "float32".
        kind: "keras", "tflite", "twin", "savedmodel" or "callable", if known.
        sha256: of the model file, if known.
        size_bytes: of the model file, if known.
        kernel_set: what computed the outputs, if known.
        outputs: "probabilities", or "logits" if the file ends there and the
            softmax was computed afterwards; if known.
        latency_ms: median time of one image, on the machine that was queried,
            measured when the target was; if known. Delete outputs/TARGET.npz to
            measure again.
        latency_threads: how many threads it was measured with, if known.
        probability_step: distance between neighbouring outputs: 0 for floats,
            1/256 for an int8 softmax.
        classes: number of classes.
        members: number of members queried.
        nonmembers: number of nonmembers queried.
        records_sha256: of the sorted record ids of the members, then of the
            nonmembers, each as little-endian int64; equal where two targets
            were queried about the same records.
        accuracy_members: of the model, on its training records.
        accuracy_nonmembers: of the model, on the others: its test accuracy.
        tied_outputs: records with several most probable classes, which a
            quantized softmax gives now and then. The first of them is the
            label, in every number here: it is what a program that looks for the
            largest output finds. So it favours low class numbers; by how much
            an accuracy depends on that is at most the share of these records.
        attacks: one AttackAudit an attack.
        attacks_left_out: the attacks that were not run.
        strongest: the best of the attacks, held out.
        tfprivacy: what tensorflow-privacy found; None if it was left out. It is
            run on each file once: not again under other kernels, nor on twins.
        per_class: one a class that has members and nonmembers.
        parity: what qmia parity found of this very file; None if it was
            not run before the attack, or about another file.
        risky_members: the 24 members at highest risk, of `keras`, or of the
            first target if there is none; empty for the others.
        onednn: whether TensorFlow computed the outputs with oneDNN's kernels;
            None where it did not compute them, or nobody knows.
        leak: whether all attacks of who queries the target together show a
            leak, and how large it is; None in converted audits of versions 4
            and 5.
        holder: the same of who holds the model and reads inside of it; None
            in audits that do not say so.
        forms: what coarser outputs would hide from who queries, and what
            they cost the user, the coarsest first; empty if it was switched
            off, of repeated outputs, and in audits that do not say so.
        loss_tnr: how many nonmembers have a loss that hardly any member
            reaches: no attack, and no estimate of one; empty in audits that
            do not say so.
        references: the reference models that attacks which need some, and
            quantile regression, had; None without them, and in audits that do
            not say so.
        known_bits: what these gain over references of other bits, one a kind
            of those; empty without them.
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
    classes: Annotated[int, msgspec.Meta(ge=1)]
    members: int
    nonmembers: int
    records_sha256: str
    accuracy_members: Estimate
    accuracy_nonmembers: Estimate
    tied_outputs: int
    attacks: list[AttackAudit]
    attacks_left_out: list[AttackLeftOut]
    strongest: Strongest
    tfprivacy: TfPrivacyAudit | None
    per_class: list[ClassAudit]
    parity: Parity | None
    risky_members: list[RiskyMember]
    onednn: bool | None
    leak: LeakTest | None
    holder: HolderAudit | None = None
    forms: list[FormLeak] = dataclasses.field(default_factory=list)
    loss_tnr: list[LossTnr] = dataclasses.field(default_factory=list)
    references: ReferenceModels | None = None
    known_bits: list[KnownBits] = dataclasses.field(default_factory=list)

    @property
    def size_mb(self) -> float | None:
        """Size of the model file in MB of 10^6 bytes, if known."""
        return self.size_bytes and self.size_bytes / 1e6

    def attack(self, name) -> AttackAudit:
        """Returns the audit of the attack of that name.

        Raises: InputError if there is none.
        """
        return _named(self.attacks, name, f"attack on {self.target}")


def _named(things, name, kind):
    for thing in things:
        if thing.name == name:
            return thing
    raise InputError(
        f"audit.json: no {kind} is called {name!r}; attack the run again with "
        "qmia attack"
    )
