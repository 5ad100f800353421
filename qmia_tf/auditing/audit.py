"""Attacks what targets answered: outputs/*.npz -> audit.json."""

import importlib.metadata
import pathlib
import platform

import qmia_tf
from qmia_tf import outputs, runs
from qmia_tf.auditing import agreement
from qmia_tf.auditing.beside import Beside, gather, with_partner
from qmia_tf.auditing.findings import (
    AUDIT,
    SCHEMA_VERSION,
    AuditResult,
    TargetAudit,
)
from qmia_tf.auditing.one_target import audit_evidence
from qmia_tf.auditing.together import query_together
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs
from qmia_tf.statistics.intervals import LEVEL
from qmia_tf.tfprivacy import Settings

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


def audit_run(
    run_dir,
    paths=None,
    *,
    captured=(),
    left_out=(),
    beside=None,
    joints=(),
    duplicates=None,
    control=None,
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
        control: findings.Control of the run's records, recorded.
        seed: int, of the audit.
        tfprivacy: what tensorflow-privacy is to run, on each file once: not
            again under other kernels, nor on twins; None leaves it out.
        progress: callable that takes a line of text, or None.
    Returns: AuditResult, as written.
    Raises: InputError if there are no outputs, or they cannot be audited, or
        do not belong to the run or to each other.
    """
    run_dir = pathlib.Path(run_dir)
    config = runs.read_json(run_dir / runs.CONFIG)
    loaded = _load_outputs(run_dir, paths, config)
    repeated = {each.target for each in loaded if is_repeated(each, loaded)}
    return audit_outputs(
        run_dir,
        [*loaded, *captured],
        config=config,
        repeated=repeated,
        left_out=left_out,
        beside=beside,
        joints=joints,
        duplicates=duplicates,
        control=control,
        seed=seed,
        tfprivacy=tfprivacy,
        progress=progress,
    )


def audit_outputs(
    run_dir,
    loaded,
    *,
    config,
    first="keras",
    repeated=(),
    left_out=(),
    beside=None,
    joints=(),
    reasons=None,
    duplicates=None,
    control=None,
    seed=0,
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
        duplicates: findings.EqualRecords.
        control: findings.Control.
        seed: int.
        tfprivacy: tfprivacy.Settings, or None.
        progress: callable that takes a line of text, or None.
    Returns: AuditResult, as written.
    Raises: InputError as audit_run.
    """
    run_dir, beside = pathlib.Path(run_dir), beside or {}
    targets, together = [], []
    for answers in loaded:
        name = answers.target
        if progress:
            progress(f"{name}: {answers.labels.size} records")
        evidence = gather(answers, beside.get(name), seed=seed)
        targets.append(
            audit_evidence(
                evidence,
                reasons=(reasons or {}).get(name),
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
        agreements=agreement.agreements(loaded, first=first),
        left_out=list(left_out),
        joints=[each for each in together if each is not None],
        references=_references(beside),
        duplicates=duplicates,
        control=control,
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
