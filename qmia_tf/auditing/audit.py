"""Attacks what targets answered: outputs/*.npz -> audit.json."""

import importlib.metadata
import pathlib
import platform

import qmia_tf
from qmia_tf import outputs, runs
from qmia_tf.attacks import ATTACKS, NEEDS, Evidence
from qmia_tf.auditing import agreement, attacking
from qmia_tf.auditing.beside import Beside, gather, with_partner
from qmia_tf.auditing.findings import (
    AUDIT,
    SCHEMA_VERSION,
    AttackLeftOut,
    AuditResult,
    TargetAudit,
)
from qmia_tf.auditing.together import query_together
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs
from qmia_tf.statistics.intervals import LEVEL, clopper_pearson
from qmia_tf.tfprivacy import Settings
from qmia_tf.tfprivacy import run as run_tfprivacy

PACKAGES = ("numpy", "scipy", "scikit-learn", "tensorflow-privacy")


def audit(
    answers: Outputs,
    *,
    beside: Beside | None = None,
    seed=0,
    tfprivacy: Settings | None = None,
    folder=None,
    progress=None,
) -> TargetAudit:
    """Runs every attack on the outputs of one target.

    Args:
        answers: what the target answered.
        beside: what else the attacker has; attacks that need more are left
            out.
        seed: int, of the calibration halves, the bootstraps, the attacks and
            tensorflow-privacy.
        tfprivacy: what tensorflow-privacy is to run; None leaves it out.
        folder: where tensorflow-privacy's files go; None writes none.
        progress: callable that takes a line of text, or None.
    Raises: InputError if the outputs cannot be audited, or what is beside
        them does not belong to them.
    """
    evidence = gather(answers, beside, seed=seed)
    return audit_evidence(
        evidence, tfprivacy=tfprivacy, folder=folder, progress=progress
    )


def audit_evidence(
    evidence: Evidence, *, tfprivacy=None, folder=None, progress=None
) -> TargetAudit:
    """Runs every attack that the evidence allows; see audit."""
    answers = evidence.outputs
    members, info = answers.members, answers.info
    right = answers.predicted == answers.labels
    found = None
    if tfprivacy is not None:
        found = run_tfprivacy(
            answers,
            settings=tfprivacy,
            seed=evidence.seed,
            folder=folder,
            progress=progress,
        )
    scored, missing = _run_attacks(evidence)
    return TargetAudit(
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
            )
        },
        probability_step=answers.probability_step,
        classes=answers.classes,
        members=int(members.sum()),
        nonmembers=int((~members).sum()),
        records_sha256=attacking.records_sha256(answers),
        accuracy_members=_rate(right[members]),
        accuracy_nonmembers=_rate(right[~members]),
        tied_answers=int(answers.tied.sum()),
        attacks=[
            attacking.with_excess(each, scored[0], members) for each in scored
        ],
        attacks_left_out=missing,
        strongest=attacking.strongest(scored, evidence),
        tfprivacy=found,
    )


def _run_attacks(evidence):
    """Runs what can be run; says of the rest why it cannot."""
    scored, missing = [], []
    for attack in ATTACKS:
        lacks = attack.lacks(evidence)
        if lacks:
            reason = "needs " + " and ".join(NEEDS[need] for need in lacks)
            missing.append(AttackLeftOut(attack.name, reason))
            continue
        try:
            scored.append(attacking.run_attack(attack, evidence))
        except attacking.SaysNothing as error:
            missing.append(AttackLeftOut(attack.name, str(error)))
    return scored, missing


def audit_run(
    run_dir,
    paths=None,
    *,
    captured=(),
    left_out=(),
    beside=None,
    joints=(),
    duplicates=None,
    seed=0,
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
        seed: int, of the audit.
        tfprivacy: what tensorflow-privacy is to run, on each file once: not
            again under other kernels, nor on twins; None leaves it out.
        progress: callable that takes a line of text, or None.
    Returns: AuditResult, as written.
    Raises: InputError if there are no outputs, or they cannot be audited, or
        do not belong to the run or to each other.
    """
    run_dir, beside = pathlib.Path(run_dir), beside or {}
    config = runs.read_json(run_dir / runs.CONFIG)
    loaded = _load_outputs(run_dir, paths, config)
    repeated = {each.target for each in loaded if is_repeated(each, loaded)}
    loaded += captured
    targets, together = [], []
    for answers in loaded:
        name = answers.target
        if progress:
            progress(f"{name}: {answers.labels.size} records")
        evidence = gather(answers, beside.get(name), seed=seed)
        targets.append(
            audit_evidence(
                evidence,
                tfprivacy=None if name in repeated else tfprivacy,
                folder=run_dir / "tfprivacy",
                progress=progress,
            )
        )
        if name not in repeated:
            together += [
                query_together(with_partner(evidence, other), other.target)
                for other in joints
                if other.target != name
            ]
    data = config.get("dataset", {})
    result = AuditResult(
        schema_version=SCHEMA_VERSION,
        name=run_dir.resolve().name,
        config=config,
        fingerprint=data.get("fingerprint"),
        split={**config.get("split", {}), "pool": data.get("pool")},
        seed=seed,
        level=LEVEL,
        versions=_versions(),
        targets=targets,
        agreements=agreement.agreements(loaded),
        left_out=list(left_out),
        joints=[each for each in together if each is not None],
        references=_references(beside),
        duplicates=duplicates,
    )
    result.save(run_dir / AUDIT)
    return result


def _load_outputs(run_dir, paths, config):
    found = sorted(map(pathlib.Path, paths or run_dir.glob("outputs/*.npz")))
    if not found:
        raise InputError(
            f"{run_dir / 'outputs'} holds no .npz file: query a target with "
            "scripts/attack.py first"
        )
    wanted = config.get("dataset", {}).get("fingerprint")
    loaded = {}
    for path in found:
        answers = outputs.load(path)
        got = answers.info.get("fingerprint")
        if got and wanted and got != wanted:
            raise InputError(
                f"{path}: the outputs are about data with fingerprint {got}, "
                f"the run is about {wanted}: query the target with the run's "
                "data"
            )
        if answers.target in loaded:
            raise InputError(
                f"{path}: another file holds target {answers.target!r} too; "
                "name one of the two"
            )
        loaded[answers.target] = answers
    # The model itself first, then what was made from it.
    return sorted(
        loaded.values(), key=lambda each: (each.target != "keras", each.target)
    )


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


def _rate(right):
    return clopper_pearson(int(right.sum()), right.size)


def _references(beside):
    names = (each.target for one in beside.values() for each in one.references)
    return sorted(set(names))


def _versions():
    versions = {
        "python": platform.python_version(),
        "qmia_tf": qmia_tf.__version__,
    }
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
