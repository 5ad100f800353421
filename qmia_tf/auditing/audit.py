"""Audits the outputs of targets: outputs/*.npz -> audit.json."""

import dataclasses

from qmia_tf import files
from qmia_tf.attacks.tfprivacy import Settings
from qmia_tf.auditing import (
    equal_rows,
    leak_comparison,
    leak_test,
    member_accuracy,
    parity_summary,
    risky_members,
    run_outputs,
    verdict,
)
from qmia_tf.auditing.audit_result import (
    SCHEMA_VERSION,
    AuditResult,
    TargetAudit,
    program_versions,
)
from qmia_tf.auditing.auxiliary import (
    Auxiliary,
    make_attack_inputs,
    with_second_outputs,
)
from qmia_tf.auditing.joint_audit import run_joint_attack
from qmia_tf.auditing.target_audit import audit_target
from qmia_tf.data import repeated_records
from qmia_tf.outputs import Outputs, fidelity
from qmia_tf.run_dir import TRAINED, RunDir
from qmia_tf.statistics.intervals import LEVEL


def audit(
    outputs: Outputs,
    *,
    auxiliary: Auxiliary | None = None,
    seed=0,
    strata=leak_test.CLASS,
    tfprivacy: Settings | None = None,
    folder=None,
    progress=None,
) -> TargetAudit:
    """Runs every attack on the outputs of one target.

    Nothing is known of the records, so nothing is checked of them.

    Args:
        outputs: of the target.
        auxiliary: what else the attacker has; attacks that need more are
            left out.
        seed: int, of the calibration halves, the bootstraps, the attacks and
            tensorflow-privacy.
        strata: "class" or "none", what memberships are permuted within.
        tfprivacy: what tensorflow-privacy is to run; None leaves it out.
        folder: where tensorflow-privacy's files go; None writes none.
        progress: callable that takes a line of text, or None.
    Raises: InputError if the outputs cannot be audited, or the
        auxiliary knowledge does not belong to them.
    """
    inputs = make_attack_inputs(outputs, auxiliary, seed=seed)
    audited = audit_target(
        inputs,
        strata=strata,
        tfprivacy=tfprivacy,
        folder=folder,
        progress=progress,
    )
    return _with_verdict(audited.audit, baseline=None)


def audit_run(
    run_dir,
    paths=None,
    *,
    device_outputs=(),
    left_out=(),
    auxiliary=None,
    joint_with=(),
    duplicates=None,
    distinct=None,
    baseline=None,
    class_names=None,
    pictures=None,
    seed=0,
    strata=leak_test.CLASS,
    tfprivacy: Settings | None = None,
    progress=None,
) -> AuditResult:
    """Audits the targets of a run and writes audit.json and tfprivacy/.

    Args:
        run_dir: directory with config.json.
        paths: the .npz files of outputs; all of run_dir/outputs if None.
        device_outputs: list of Outputs from elsewhere, audited as well.
        left_out: list of LeftOut, recorded.
        auxiliary: dict target -> Auxiliary, what else the attacker has.
        joint_with: list of Outputs; the joint attack takes each target but
            itself with each of them.
        duplicates: EqualRecords of the run's records, recorded.
        distinct: repeated_records.Distinct, the records that are audited;
            None finds copies by the outputs.
        baseline: BlindBaseline of the run's records, recorded.
        class_names: str [classes], if they are known.
        pictures: callable record ids [K] -> uint8 [K, H, W, C], to show the
            most exposed members in audit.json; None shows none.
        seed: int, of the audit.
        strata: "class" or "none", what memberships are permuted within.
        tfprivacy: what tensorflow-privacy is to run, on each file once: not
            again under other kernels, nor on twins; None leaves it out.
        progress: callable that takes a line of text, or None.
    Returns: AuditResult, as written.
    Raises: InputError if there are no outputs, or they cannot be audited, or
        do not belong to the run or to each other.
    """
    run_dir = RunDir(run_dir)
    config = files.read_json(run_dir.config)
    loaded = run_outputs.of_run(run_dir, paths, config)
    repeated = {
        outputs.target for outputs in loaded if is_repeated(outputs, loaded)
    }
    return audit_outputs(
        run_dir,
        [*loaded, *device_outputs],
        config=config,
        repeated=repeated,
        left_out=left_out,
        auxiliary=auxiliary,
        joint_with=joint_with,
        duplicates=duplicates,
        distinct=distinct,
        baseline=baseline,
        class_names=class_names,
        pictures=pictures,
        seed=seed,
        strata=strata,
        tfprivacy=tfprivacy,
        progress=progress,
    )


def audit_outputs(
    run_dir,
    loaded,
    *,
    config,
    first=TRAINED,
    repeated=(),
    left_out=(),
    auxiliary=None,
    joint_with=(),
    reasons=None,
    duplicates=None,
    distinct=None,
    baseline=None,
    calibration=None,
    class_names=None,
    pictures=None,
    seed=0,
    strata=leak_test.CLASS,
    tfprivacy=None,
    progress=None,
) -> AuditResult:
    """Audits the outputs of targets; writes audit.json and tfprivacy/.

    Args:
        run_dir: where they are written; its name is the audit's.
        loaded: list of Outputs, in the audit's order.
        config: dict, as in config.json.
        first: name of the target whose outputs the others should match.
        repeated: names of targets with the same outputs as another one.
        left_out: as of audit_run, like all that follow but reasons.
        auxiliary: dict target -> Auxiliary.
        joint_with: list of Outputs.
        reasons: dict target -> dict key of attacks.NEEDS -> why it is not
            available here.
        duplicates: duplicates.EqualRecords.
        distinct: repeated_records.Distinct.
        baseline: BlindBaseline.
        calibration: audit_result.CalibrationRecords.
        class_names: str [classes].
        pictures: callable.
        seed: int.
        strata: str.
        tfprivacy: tfprivacy.Settings, or None.
        progress: callable that takes a line of text, or None.
    Returns: AuditResult, as written.
    Raises: InputError as audit_run.
    """
    run_dir, auxiliary = RunDir(run_dir), auxiliary or {}
    compared = parity_summary.of_run(run_dir)
    distinct = distinct or repeated_records.of_outputs(loaded)
    if distinct.repeated.sentence and progress:
        progress(distinct.repeated.sentence)
    loaded = [distinct.of(outputs) for outputs in loaded]
    audited_targets, joint_audits = [], []
    for outputs in loaded:
        name = outputs.target
        if progress:
            progress(f"{name}: {outputs.labels.size} records")
        inputs = make_attack_inputs(outputs, auxiliary.get(name), seed=seed)
        audited_targets.append(
            audit_target(
                inputs,
                reasons=(reasons or {}).get(name),
                tfprivacy=None if name in repeated else tfprivacy,
                folder=run_dir.tfprivacy,
                class_names=class_names,
                strata=strata,
                progress=progress,
            )
        )
        if name not in repeated:
            joint_audits += [
                run_joint_attack(
                    with_second_outputs(inputs, other), other.target
                )
                for other in joint_with
                if other.target != name
            ]
    doubts = [
        equal_rows.doubt(
            audited,
            outputs,
            distinct.doubtful,
            auxiliary.get(outputs.target),
            seed=seed,
            strata=strata,
            reasons=(reasons or {}).get(outputs.target),
        )
        for audited, outputs in zip(audited_targets, loaded, strict=True)
    ]
    targets = [
        _with_verdict(audited.audit, baseline, doubt)
        for audited, doubt in zip(audited_targets, doubts, strict=True)
    ]
    worse = member_accuracy.sentence(targets)
    if worse and progress:
        progress(f"warning: {worse}")
    data = config.get("dataset", {})
    result = AuditResult(
        schema_version=SCHEMA_VERSION,
        name=run_dir.name,
        config=config,
        fingerprint=data.get("fingerprint"),
        split={**config.get("split", {}), "pool": data.get("pool")},
        seed=seed,
        level=LEVEL,
        versions=program_versions(),
        targets=_with_parity(
            _with_risky_members(targets, loaded, seed=seed, pictures=pictures),
            compared,
        ),
        agreements=fidelity.agreements(loaded, first=first),
        left_out=list(left_out),
        joint_attacks=[joint for joint in joint_audits if joint is not None],
        references=_references(auxiliary),
        duplicates=duplicates,
        blind_baseline=baseline,
        calibration=calibration,
        repeated_records=distinct.repeated,
        comparison=leak_comparison.compare(
            [audited.scores for audited in audited_targets], seed=seed
        ),
    )
    result.save(run_dir.audit)
    return result


def is_repeated(outputs, loaded) -> bool:
    """Whether another target has about the same outputs: a twin, or a file.

    Args:
        outputs: Outputs.
        loaded: the outputs of every target, in the audit's order.
    """
    sha256 = outputs.info.get("sha256")
    first = next((x for x in loaded if x.info.get("sha256") == sha256), None)
    same_file = sha256 is not None and first is not outputs
    return same_file or outputs.info.get("kind") == "twin"


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
    return dataclasses.replace(
        target,
        leak=verdict.decide(
            target.leak,
            members=target.members,
            nonmembers=target.nonmembers,
            failed=failed,
            weak=verdict.not_learned(target),
        ),
    )


def _references(auxiliary):
    names = (
        reference.target
        for known in auxiliary.values()
        for reference in known.references
    )
    return sorted(set(names))


def _with_risky_members(targets, loaded, *, seed, pictures):
    """Lists risky members of one target: those of all are much the same."""
    names = [target.target for target in targets]
    keras = TRAINED
    place = names.index(keras) if keras in names else 0
    exposed = risky_members.of_target(
        loaded[place], seed=seed, pictures=pictures
    )
    changed = dataclasses.replace(targets[place], risky_members=exposed)
    return [*targets[:place], changed, *targets[place + 1 :]]


def _with_parity(targets, parity_by_hash):
    """Gives each file what was found when its codes were compared."""
    return [
        dataclasses.replace(target, parity=parity_by_hash.get(target.sha256))
        for target in targets
    ]
