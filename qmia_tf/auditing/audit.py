"""Attacks what targets answered: outputs/*.npz -> audit.json."""

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
from qmia_tf.auditing.auxiliary import Beside, gather, with_partner
from qmia_tf.auditing.joint_audit import query_together
from qmia_tf.auditing.target_audit import audit_target
from qmia_tf.data import repeated_records
from qmia_tf.outputs import Outputs, fidelity
from qmia_tf.run_dir import TRAINED, RunDir
from qmia_tf.statistics.intervals import LEVEL


def audit(
    answers: Outputs,
    *,
    beside: Beside | None = None,
    seed=0,
    strata=leak_test.CLASS,
    tfprivacy: Settings | None = None,
    folder=None,
    progress=None,
) -> TargetAudit:
    """Runs every attack on the outputs of one target.

    Nothing is known of the records, so nothing is checked of them.

    Args:
        answers: what the target answered.
        beside: what else the attacker has; attacks that need more are left
            out.
        seed: int, of the calibration halves, the bootstraps, the attacks and
            tensorflow-privacy.
        strata: "class" or "none", what memberships are permuted within.
        tfprivacy: what tensorflow-privacy is to run; None leaves it out.
        folder: where tensorflow-privacy's files go; None writes none.
        progress: callable that takes a line of text, or None.
    Raises: InputError if the outputs cannot be audited, or what is beside
        them does not belong to them.
    """
    inputs = gather(answers, beside, seed=seed)
    examination = audit_target(
        inputs,
        strata=strata,
        tfprivacy=tfprivacy,
        folder=folder,
        progress=progress,
    )
    return _answered(examination.audit, control=None)


def audit_run(
    run_dir,
    paths=None,
    *,
    captured=(),
    left_out=(),
    beside=None,
    joints=(),
    duplicates=None,
    distinct=None,
    control=None,
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
        captured: list of Outputs from elsewhere, to be audited as well.
        left_out: list of LeftOut, recorded.
        beside: dict target -> Beside, what else the attacker has.
        joints: list of Outputs; each target but itself is also queried
            together with each of them.
        duplicates: Duplicates of the run's records, recorded.
        distinct: repeats.Distinct, the records that are audited; None finds
            copies by the outputs.
        control: findings.Control of the run's records, recorded.
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
        answers.target for answers in loaded if is_repeated(answers, loaded)
    }
    return audit_outputs(
        run_dir,
        [*loaded, *captured],
        config=config,
        repeated=repeated,
        left_out=left_out,
        beside=beside,
        joints=joints,
        duplicates=duplicates,
        distinct=distinct,
        control=control,
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
    beside=None,
    joints=(),
    reasons=None,
    duplicates=None,
    distinct=None,
    control=None,
    calibration=None,
    class_names=None,
    pictures=None,
    seed=0,
    strata=leak_test.CLASS,
    tfprivacy=None,
    progress=None,
) -> AuditResult:
    """Audits what targets answered; writes audit.json and tfprivacy/.

    Args:
        run_dir: where they are written; its name is the audit's.
        loaded: list of Outputs, in the audit's order.
        config: dict, as in config.json.
        first: name of the target that the others ought to answer like.
        repeated: names of targets that say what another one says.
        left_out: as of audit_run, like all that follow but reasons.
        beside: dict target -> Beside.
        joints: list of Outputs.
        reasons: dict target -> dict key of attacks.NEEDS -> why nobody can
            have it here.
        duplicates: duplicates.EqualRecords.
        distinct: repeats.Distinct.
        control: findings.Control.
        calibration: findings.CalibrationRecords.
        class_names: str [classes].
        pictures: callable.
        seed: int.
        strata: str.
        tfprivacy: tfprivacy.Settings, or None.
        progress: callable that takes a line of text, or None.
    Returns: AuditResult, as written.
    Raises: InputError as audit_run.
    """
    run_dir, beside = RunDir(run_dir), beside or {}
    compared = parity_summary.of_run(run_dir)
    distinct = distinct or repeated_records.of_outputs(loaded)
    if distinct.repeated.sentence and progress:
        progress(distinct.repeated.sentence)
    loaded = [distinct.of(outputs) for outputs in loaded]
    examined, together = [], []
    for answers in loaded:
        name = answers.target
        if progress:
            progress(f"{name}: {answers.labels.size} records")
        inputs = gather(answers, beside.get(name), seed=seed)
        examined.append(
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
            together += [
                query_together(with_partner(inputs, other), other.target)
                for other in joints
                if other.target != name
            ]
    doubts = [
        equal_rows.doubt(
            examination,
            answers,
            distinct.doubtful,
            beside.get(answers.target),
            seed=seed,
            strata=strata,
            reasons=(reasons or {}).get(answers.target),
        )
        for examination, answers in zip(examined, loaded, strict=True)
    ]
    targets = [
        _answered(examination.audit, control, doubt)
        for examination, doubt in zip(examined, doubts, strict=True)
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
            _with_exposed(targets, loaded, seed=seed, pictures=pictures),
            compared,
        ),
        agreements=fidelity.agreements(loaded, first=first),
        left_out=list(left_out),
        joints=[joint for joint in together if joint is not None],
        references=_references(beside),
        duplicates=duplicates,
        control=control,
        calibration=calibration,
        repeats=distinct.repeated,
        comparison=leak_comparison.compare(
            [examination.judged for examination in examined], seed=seed
        ),
    )
    result.save(run_dir.audit)
    return result


def is_repeated(answers, loaded) -> bool:
    """Whether another target says about the same: a twin's or file's own.

    Args:
        answers: Outputs.
        loaded: the outputs of every target, in the audit's order.
    """
    sha256 = answers.info.get("sha256")
    first = next((x for x in loaded if x.info.get("sha256") == sha256), None)
    same_file = sha256 is not None and first is not answers
    return same_file or answers.info.get("kind") == "twin"


def _answered(target, control, doubt=""):
    """Gives a target its answer, by its own numbers and the checks."""
    failed = [doubt] if doubt else []
    if control is not None and control.told_apart:
        signs = []
        if control.classifier_tells:
            signs.append(f"AUC {control.auc.value:.3f} from {control.features}")
        if control.classes_tell:
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


def _references(beside):
    names = (
        reference.target
        for auxiliary in beside.values()
        for reference in auxiliary.references
    )
    return sorted(set(names))


def _with_exposed(targets, loaded, *, seed, pictures):
    """Lists exposed members of one target: all would tell much the same."""
    names = [target.target for target in targets]
    keras = TRAINED
    place = names.index(keras) if keras in names else 0
    exposed = risky_members.of_target(
        loaded[place], seed=seed, pictures=pictures
    )
    changed = dataclasses.replace(targets[place], exposed=exposed)
    return [*targets[:place], changed, *targets[place + 1 :]]


def _with_parity(targets, parity_by_hash):
    """Gives each file what was found when its codes were compared."""
    return [
        dataclasses.replace(target, parity=parity_by_hash.get(target.sha256))
        for target in targets
    ]
