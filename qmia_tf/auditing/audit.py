"""Audits the outputs of targets: outputs/*.npz -> audit.json."""

import dataclasses
import functools
from collections.abc import Collection

import numpy as np

from qmia_tf import run_config as run_configs
from qmia_tf import terminal
from qmia_tf.attacks import changed_options
from qmia_tf.attacks.tfprivacy import Settings
from qmia_tf.auditing import (
    equal_rows,
    form_leaks,
    leak_comparison,
    leak_test,
    member_accuracy,
    mismatched_references,
    risky_members,
    run_outputs,
    verdict,
)
from qmia_tf.auditing.audit_config import AuditConfig, RecordFacts
from qmia_tf.auditing.audit_result import (
    SCHEMA_VERSION,
    AuditResult,
    TargetAudit,
    program_versions,
)
from qmia_tf.auditing.auxiliary import (
    Auxiliary,
    make_attack_inputs,
    with_other_outputs,
)
from qmia_tf.auditing.joint_audit import run_joint_attack
from qmia_tf.auditing.mismatched_references import KnownBits
from qmia_tf.auditing.target_audit import audit_target
from qmia_tf.data import repeated_records
from qmia_tf.outputs import LeftOut, Outputs, fidelity
from qmia_tf.run_dir import TRAINED, RunDir
from qmia_tf.statistics.intervals import LEVEL

DEFAULTS, NOTHING_KNOWN = AuditConfig(), RecordFacts()


def audit(
    outputs: Outputs,
    *,
    auxiliary: Auxiliary | None = None,
    seed: int = 0,
    strata: str = leak_test.CLASS,
    tfprivacy: Settings | None = None,
    folder=None,
    progress=None,
) -> TargetAudit:
    """Runs every attack on the outputs of one target.

    Nothing is known of the records, so nothing is checked of them. The options
    are those of AuditConfig.

    Args:
        outputs: of the target.
        auxiliary: what else the attacker has; attacks that need more are
            left out.
        folder: where tensorflow-privacy's files go; None writes none.
        progress: callable that takes a line of text, or None.
    Raises: InputError if the outputs cannot be audited, or the
        auxiliary knowledge does not belong to them.
    """
    audited = audit_target(
        make_attack_inputs(outputs, auxiliary, seed=seed),
        strata=strata,
        tfprivacy=tfprivacy,
        folder=folder,
        progress=progress,
    )
    target = audited.audit
    if auxiliary is not None:
        target = dataclasses.replace(target, references=auxiliary.matched)
    return _with_verdict(target, baseline=None)


def audit_outputs(
    run_dir,
    loaded: list[Outputs] | None = None,
    *,
    run_config: dict | None = None,
    config: AuditConfig = DEFAULTS,
    records: RecordFacts = NOTHING_KNOWN,
    auxiliary: dict[str, Auxiliary] | None = None,
    joint_with: Collection[Outputs] = (),
    repeated: Collection[str] | None = None,
    left_out: Collection[LeftOut] = (),
    progress=None,
) -> AuditResult:
    """Audits the outputs of targets; writes audit.json and tfprivacy/.

    Args:
        run_dir: where they are written; its name is the audit's if the
            configuration has none.
        loaded: outputs in the audit's order, of which the others should
            match the first; None takes all of run_dir/outputs.
        run_config: the content of config.json; None reads it.
        auxiliary: by target, what else the attacker has.
        joint_with: the joint attack takes each target but itself with each
            of these.
        repeated: names of targets with the same outputs as another one; None
            finds them.
        left_out: recorded.
        progress: callable that takes a line of text, or None.
    Raises: InputError if there are no outputs, or they cannot be audited, or
        do not belong to the run or to each other.
    """
    run_dir, auxiliary = RunDir(run_dir), auxiliary or {}
    say = progress or (lambda line: None)
    if run_config is None:
        run_config = run_configs.read(run_dir)
    if loaded is None:
        loaded = run_outputs.of_run(run_dir, run_config)
    if repeated is None:
        repeated = run_outputs.repeated(loaded)
    compared = run_outputs.parities(run_dir)
    distinct = records.distinct or repeated_records.of_outputs(loaded)
    if distinct.repeated.sentence:
        say(distinct.repeated.sentence)
    loaded = [distinct.of(outputs) for outputs in loaded]
    audited_targets, joint_attacks = [], []
    known_bits: list[list[KnownBits]] = []
    for outputs in loaded:
        name = outputs.target
        say(f"{name}: {outputs.labels.size} records")
        known = auxiliary.get(name, Auxiliary())
        inputs = make_attack_inputs(outputs, known, seed=config.seed)
        audited = audit_target(
            inputs,
            reasons=known.reasons,
            tfprivacy=None if name in repeated else config.tfprivacy,
            folder=run_dir.tfprivacy,
            class_names=records.class_names,
            strata=config.strata,
            attack_options=config.attack_options,
            progress=progress,
        )
        if config.output_forms and name not in repeated:
            audited = _with_forms(audited, outputs, known, config)
        audited_targets.append(audited)
        known_bits.append([])
        if known.mismatched and name not in repeated:
            with terminal.working(f"{name}: mismatched references"):
                known_bits[-1] = mismatched_references.compare(
                    inputs, outputs, known, config
                )
        others = [other for other in joint_with if other.target != name]
        if others and name not in repeated:
            with terminal.working(f"{name}: joint attack"):
                joint_attacks += [
                    run_joint_attack(
                        with_other_outputs(inputs, other), other.target
                    )
                    for other in others
                ]
    targets = [
        _with_verdict(
            audited.audit,
            records.blind_baseline,
            equal_rows.doubt(
                audited,
                outputs,
                distinct.doubtful,
                auxiliary.get(outputs.target, Auxiliary()),
                config,
            ),
        )
        for audited, outputs in zip(audited_targets, loaded, strict=True)
    ]
    worse = member_accuracy.sentence(targets)
    if worse:
        say(f"warning: {worse}")
    with terminal.working("comparing the targets"):
        comparison = leak_comparison.compare(
            [audited.scores for audited in audited_targets], seed=config.seed
        )
    data = run_config.get("dataset", {})
    result = AuditResult(
        schema_version=SCHEMA_VERSION,
        name=config.name or run_dir.name,
        config=run_config,
        fingerprint=data.get("fingerprint"),
        split={**run_config.get("split", {}), "pool": data.get("pool")},
        seed=config.seed,
        attack_options=changed_options(config.attack_options),
        level=LEVEL,
        versions=program_versions(),
        targets=_with_risky_members(
            [
                dataclasses.replace(
                    target,
                    parity=compared.get(target.sha256),
                    references=auxiliary.get(
                        target.target, Auxiliary()
                    ).matched,
                    known_bits=gains,
                )
                for target, gains in zip(targets, known_bits, strict=True)
            ],
            loaded,
            config.seed,
            records.pictures,
        ),
        agreements=fidelity.agreements(loaded, first=loaded[0].target),
        left_out=list(left_out),
        joint_attacks=[joint for joint in joint_attacks if joint is not None],
        joint_of_all=_joint_of_all(loaded, joint_with, repeated, config.seed),
        references=sorted(
            {
                reference.target
                for known in auxiliary.values()
                for reference in known.references
            }
        ),
        duplicates=records.duplicates,
        blind_baseline=records.blind_baseline,
        calibration=records.calibration,
        repeated_records=distinct.repeated,
        comparison=comparison,
        gates=[],
    )
    result.save(run_dir.audit)
    return result


def _joint_of_all(loaded, joint_with, repeated, seed):
    """The attack on all artefacts at once, if there are three or more."""
    first, *others = loaded
    others = [
        x
        for x in others
        # A device may have been asked about some records alone.
        if x.target not in repeated
        and np.isin(first.record_ids, x.record_ids).all()
    ]
    if not joint_with or len(others) < 2:
        return None
    names = " + ".join(other.target for other in others)
    with terminal.working("joint attack on all artefacts"):
        inputs = make_attack_inputs(first, seed=seed)
        return run_joint_attack(with_other_outputs(inputs, *others), names)


def _with_forms(audited, outputs, known, config):
    """Adds what coarser outputs would hide."""
    tested, of_holder = form_leaks.Tested, audited.audit.holder
    with terminal.working(f"{outputs.target}: attacks on coarser outputs"):
        forms = form_leaks.of_forms(
            outputs,
            known,
            tested(
                audited.scores.scores,
                audited.audit.leak,
                audited.audit.strongest.attack,
            ),
            of_holder.leak
            and tested(
                audited.holder_scores,
                of_holder.leak,
                of_holder.strongest.attack,
            ),
            seed=config.seed,
            attack_options=config.attack_options,
        )
    return dataclasses.replace(
        audited, audit=dataclasses.replace(audited.audit, forms=forms)
    )


def _with_verdict(target, baseline, doubt=""):
    """Adds the verdict on a target, by its own numbers and the checks."""
    failed = [doubt] if doubt else []
    if baseline is not None and baseline.distinguishable:
        signs = []
        if baseline.classifier_differs:
            signs.append(
                f"AUC {baseline.auc.value:.3f} from {baseline.features}"
            )
        if baseline.classes_differ:
            signs.append("their classes are not equally frequent")
        failed.append(
            "members and nonmembers can be told apart without the model "
            f"({'; '.join(signs)})"
        )
    sign = member_accuracy.sign(target)
    if sign:
        failed.append(
            "members are served clearly worse than nonmembers: the model "
            f"{sign}"
        )
    decide = functools.partial(
        verdict.decide,
        members=target.members,
        nonmembers=target.nonmembers,
        failed=failed,
        weak=verdict.not_learned(target),
    )
    holder = target.holder
    if holder.leak is not None:
        holder = dataclasses.replace(holder, leak=decide(holder.leak))
    return dataclasses.replace(target, leak=decide(target.leak), holder=holder)


def _with_risky_members(targets, loaded, seed, pictures):
    """Lists risky members of one target: those of all are much the same."""
    names = [target.target for target in targets]
    place = names.index(TRAINED) if TRAINED in names else 0
    members = risky_members.of_target(
        loaded[place], seed=seed, pictures=pictures
    )
    targets[place] = dataclasses.replace(targets[place], risky_members=members)
    return targets
