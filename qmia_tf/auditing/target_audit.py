"""Every attack on one target."""

import dataclasses

from qmia_tf.attacks import ATTACKS, NEEDS, AttackInputs
from qmia_tf.attacks.tfprivacy import run as run_tfprivacy
from qmia_tf.auditing import attack_evaluation, leak_test, per_class
from qmia_tf.auditing.leak_comparison import Judged
from qmia_tf.auditing.target_result import AttackLeftOut, TargetAudit


@dataclasses.dataclass(frozen=True, eq=False)
class Examined:
    """One target audited.

    Attributes:
        audit: TargetAudit; its leak test has no answer yet.
        judged: what the attacks made of each record.
    """

    audit: TargetAudit
    judged: Judged


def audit_target(
    inputs: AttackInputs,
    *,
    reasons=None,
    tfprivacy=None,
    folder=None,
    class_names=None,
    strata=leak_test.CLASS,
    progress=None,
) -> Examined:
    """Runs every attack that the inputs allow.

    Args:
        inputs: what the attacker has.
        reasons: dict key of attacks.NEEDS -> why the inputs cannot have
            it, said of the attacks that need it.
        tfprivacy: tfprivacy.Settings, or None.
        folder: where tensorflow-privacy's files go; None writes none.
        class_names: str [classes], if they are known.
        strata: one of leak_test.STRATA.
        progress: callable that takes a line of text, or None.
    """
    answers = inputs.outputs
    members, info = answers.members, answers.info
    right = answers.predicted == answers.labels
    privacy_audit = None
    if tfprivacy is not None:
        privacy_audit = run_tfprivacy(
            answers,
            settings=tfprivacy,
            seed=inputs.seed,
            folder=folder,
            progress=progress,
        )
    scored, missing = _run_attacks(inputs, reasons or {})
    judged = leak_test.counted(scored, inputs)
    fixed = [x.attack.name for x in scored if x.attack.threshold is not None]
    audit = TargetAudit(
        target=answers.target,
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
        probability_step=answers.probability_step,
        classes=answers.classes,
        members=int(members.sum()),
        nonmembers=int((~members).sum()),
        records_sha256=attack_evaluation.records_sha256(answers),
        accuracy_members=per_class.rate(right[members]),
        accuracy_nonmembers=per_class.rate(right[~members]),
        tied_answers=int(answers.tied.sum()),
        attacks=[
            attack_evaluation.with_excess(outcome, scored[0], members)
            for outcome in scored
        ],
        attacks_left_out=missing,
        strongest=attack_evaluation.strongest(scored, inputs),
        tfprivacy=privacy_audit,
        per_class=_per_class(answers, scored, class_names),
        leak=leak_test.run(judged, inputs, fixed=fixed, strata=strata),
    )
    return Examined(
        audit,
        Judged(answers.target, answers.record_ids, members, judged),
    )


def _run_attacks(inputs, reasons):
    """Runs what can be run; says of the rest why it cannot."""
    scored, missing = [], []
    for attack in ATTACKS:
        lacks = attack.lacks(inputs)
        if lacks:
            reason = "needs " + " and ".join(NEEDS[need] for need in lacks)
            known = dict.fromkeys(reasons[x] for x in lacks if x in reasons)
            reason = ": ".join([reason, *known])
            missing.append(AttackLeftOut(attack.name, reason))
            continue
        try:
            scored.append(attack_evaluation.run_attack(attack, inputs))
        except attack_evaluation.SaysNothing as error:
            missing.append(AttackLeftOut(attack.name, str(error)))
    return scored, missing


def _per_class(answers, scored, names):
    (papers,) = (x for x in scored if x.attack.name == attack_evaluation.PAPERS)
    return per_class.audit_classes(answers, papers.scores, names=names)
