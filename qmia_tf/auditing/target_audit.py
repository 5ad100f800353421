"""Every attack on one target."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from qmia_tf import terminal
from qmia_tf.attacks import NEEDS, AttackInputs, with_options
from qmia_tf.attacks.tfprivacy import Settings
from qmia_tf.attacks.tfprivacy import run as run_tfprivacy
from qmia_tf.auditing import (
    attack_evaluation,
    class_audits,
    leak_test,
    loss_tail,
)
from qmia_tf.auditing.leak_comparison import TargetScores
from qmia_tf.auditing.target_result import (
    NOT_GIVEN,
    AttackLeftOut,
    GradientAudit,
    HolderAudit,
    LayerAudit,
    TargetAudit,
)
from qmia_tf.statistics.auc import auc_value


@dataclasses.dataclass(frozen=True, eq=False)
class AuditedTarget:
    """One target audited.

    Attributes:
        audit: TargetAudit; its leak test has no verdict yet.
        scores: of each attack and record.
        holder_scores: the same of who holds the model, float64 [N] by attack.
    """

    audit: TargetAudit
    scores: TargetScores
    holder_scores: dict[str, np.ndarray]


def audit_target(
    inputs: AttackInputs,
    *,
    reasons: Mapping[str, str] | None = None,
    tfprivacy: Settings | None = None,
    folder=None,
    class_names=None,
    strata: str = leak_test.CLASS,
    attack_options: Mapping[str, Mapping] | None = None,
    progress=None,
) -> AuditedTarget:
    """Runs every attack that the inputs allow.

    Args:
        reasons: why the inputs cannot have what attacks need, by need.
        folder: where tensorflow-privacy's files go; None writes none.
    """
    outputs = inputs.outputs
    members, info = outputs.members, outputs.info
    right = outputs.predicted == outputs.labels
    attacks, reasons = with_options(attack_options or {}), reasons or {}
    privacy_audit = None
    if tfprivacy is not None:
        privacy_audit = run_tfprivacy(
            outputs,
            settings=tfprivacy,
            seed=inputs.seed,
            folder=folder,
            progress=progress,
        )
    scored, missing = _run_attacks(
        [x for x in attacks if not x.is_of_holder], inputs, reasons
    )
    scores = leak_test.evaluated_scores(scored, inputs)
    leak = _tested(scored, scores, inputs, strata)
    of_holder, missing_of_holder = _run_attacks(
        [x for x in attacks if x.is_of_holder], inputs, reasons
    )
    audit = TargetAudit(
        target=outputs.target,
        **{
            key: info.get(key)
            for key in (
                "kind",
                "sha256",
                "size_bytes",
                "kernel_set",
                "outputs",
                "latency_ms",
                "latency_threads",
                "onednn",
            )
        },
        probability_step=outputs.probability_step,
        classes=outputs.classes,
        members=int(members.sum()),
        nonmembers=int((~members).sum()),
        records_sha256=attack_evaluation.records_sha256(outputs),
        accuracy_members=class_audits.rate(right[members]),
        accuracy_nonmembers=class_audits.rate(right[~members]),
        tied_outputs=int(outputs.tied.sum()),
        attacks=[
            attack_evaluation.with_excess(outcome, scored[0], members)
            for outcome in scored
        ],
        attacks_left_out=missing,
        strongest=attack_evaluation.strongest(scored, inputs),
        tfprivacy=privacy_audit,
        per_class=_per_class(outputs, scored, class_names),
        parity=None,
        risky_members=[],
        leak=leak,
        loss_tnr=loss_tail.loss_tnr(outputs, seed=inputs.seed),
        holder=_holder_audit(
            of_holder,
            missing_of_holder,
            inputs,
            gap=scored[0],
            strata=strata,
            reason=reasons.get("inside", NOT_GIVEN),
        ),
    )
    return AuditedTarget(
        audit,
        TargetScores(outputs.target, outputs.record_ids, members, scores),
        leak_test.evaluated_scores(of_holder, inputs),
    )


def _tested(scored, scores, inputs, strata):
    """The test over these attacks alone; no verdict yet."""
    with terminal.working(f"{inputs.outputs.target}: testing for a leak"):
        return leak_test.run(
            scores,
            inputs,
            sweeps={x.attack.name: x.sweep for x in scored},
            fixed=[
                x.attack.name for x in scored if x.attack.threshold is not None
            ],
            strata=strata,
        )


def _holder_audit(scored, missing, inputs, *, gap, strata, reason):
    """What who holds the model gets: a family of attacks of its own."""
    inside, leak, strongest = inputs.inside, None, None
    if scored:
        scores = leak_test.evaluated_scores(scored, inputs)
        leak = _tested(scored, scores, inputs, strata)
        strongest = attack_evaluation.strongest(scored, inputs)
    members = inputs.outputs.members
    return HolderAudit(
        layer="" if inside is None else inside.info["op"],
        numbers="" if inside is None else inside.info["numbers"],
        activations=0 if inside is None else inside.activations,
        reason=reason if inside is None else "",
        attacks=[
            attack_evaluation.with_excess(outcome, gap, members)
            for outcome in scored
        ],
        attacks_left_out=missing,
        strongest=strongest,
        leak=leak,
        gradients=_gradient_audit(inputs.gradients, members),
    )


def _gradient_audit(gradients, members):
    """What each layer's gradient tells, and how near the graph is."""
    if gradients is None:
        return None
    columns = zip(gradients.layers, -gradients.norms.T, strict=True)
    return GradientAudit(
        layers=[
            LayerAudit(name, float(auc_value(norms, members)))
            for name, norms in columns
        ],
        **{key: gradients.info[key] for key in ("apart", "largest", "step")},
    )


def _run_attacks(attacks, inputs, reasons):
    """Runs what can be run; says of the rest why it cannot."""
    scored, missing = [], []
    attack_bar = terminal.bar(
        list(attacks),
        desc=f"{inputs.outputs.target}: attacks",
        unit="attack",
        leave=False,
    )
    for attack in attack_bar:
        lacks = attack.missing(inputs)
        if lacks:
            reason = "needs " + " and ".join(NEEDS[need] for need in lacks)
            known = dict.fromkeys(reasons[x] for x in lacks if x in reasons)
            reason = ": ".join([reason, *known])
            missing.append(AttackLeftOut(attack.name, reason))
            continue
        package = attack.missing_package()
        if package:
            missing.append(AttackLeftOut(attack.name, package))
            continue
        try:
            scored.append(attack_evaluation.run_attack(attack, inputs))
        except attack_evaluation.TooFewScores as error:
            missing.append(AttackLeftOut(attack.name, str(error)))
    return scored, missing


def _per_class(outputs, scored, names):
    (papers,) = (
        x for x in scored if x.attack.name == attack_evaluation.PAPER_ATTACK
    )
    return class_audits.audit_classes(outputs, papers.scores, names=names)
