"""Attacks what targets answered: outputs/*.npz -> audit.json."""

import hashlib
import importlib.metadata
import pathlib
import platform

import numpy as np

import qmia_tf
from qmia_tf import agreement, outputs, runs, verdicts
from qmia_tf.attacks import ATTACKS, Attack
from qmia_tf.errors import InputError
from qmia_tf.findings import (
    AUDIT,
    SCHEMA_VERSION,
    AttackAudit,
    AuditResult,
    TargetAudit,
)
from qmia_tf.outputs import Outputs
from qmia_tf.statistics.curve import thin
from qmia_tf.statistics.heldout import calibration_half, hold_out
from qmia_tf.statistics.intervals import LEVEL, clopper_pearson
from qmia_tf.statistics.operating import in_sample_points, measure
from qmia_tf.statistics.ranking import auc
from qmia_tf.statistics.sweep import sweep
from qmia_tf.tfprivacy import Settings
from qmia_tf.tfprivacy import run as run_tfprivacy

PACKAGES = ("numpy", "scipy", "scikit-learn", "tensorflow-privacy")


def audit(
    answers: Outputs,
    *,
    seed=0,
    tfprivacy: Settings | None = None,
    folder=None,
    progress=None,
) -> TargetAudit:
    """Runs every attack on the outputs of one target.

    Args:
        answers: what the target answered.
        seed: int, of the calibration halves, the bootstraps and
            tensorflow-privacy.
        tfprivacy: what tensorflow-privacy is to run; None leaves it out.
        folder: where tensorflow-privacy's files go; None writes none.
        progress: callable that takes a line of text, or None.
    Raises: InputError if the outputs cannot be audited.
    """
    # In record order the result is that of any order of the records.
    answers = answers.validate().in_record_order()
    members, info = answers.members, answers.info
    right = answers.predicted == answers.labels
    found = None
    if tfprivacy is not None:
        found = run_tfprivacy(
            answers,
            settings=tfprivacy,
            seed=seed,
            folder=folder,
            progress=progress,
        )
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
        records_sha256=_records_sha256(answers),
        accuracy_members=_rate(right[members]),
        accuracy_nonmembers=_rate(right[~members]),
        tied_answers=int(answers.tied.sum()),
        attacks=[run_attack(attack, answers, seed=seed) for attack in ATTACKS],
        tfprivacy=found,
    )


def run_attack(attack: Attack, answers: Outputs, *, seed) -> AttackAudit:
    """Scores the records and measures what the scores give away.

    Args:
        attack: an Attack.
        answers: what the target answered, in record order.
        seed: int, of the calibration halves and the bootstraps.
    """
    scores, members = attack.scores(answers), answers.members
    everything = sweep(scores, members)
    held_out = curve = None
    judged = np.ones(members.size, bool)
    if attack.threshold is None:
        points = in_sample_points(everything, seed=seed)
        held_out, curve = hold_out(scores, members, seed=seed), thin(everything)
        judged = ~calibration_half(members, seed=seed)
        least = held_out.point.threshold
        called = scores >= (np.inf if least is None else least)
    else:
        called = scores >= attack.threshold
        points = [
            measure(
                "fixed",
                threshold=attack.threshold,
                true_positives=np.sum(called & members),
                members=everything.members,
                false_positives=np.sum(called & ~members),
                nonmembers=everything.nonmembers,
                in_sample=False,
                seed=seed,
            )
        ]
    return AttackAudit(
        name=attack.name,
        title=attack.title,
        distinct_scores=everything.thresholds.size - 1,
        auc=auc(scores, members),
        points=points,
        held_out=held_out,
        curve=curve,
        verdicts=verdicts.of_records(called, members, judged),
    )


def audit_run(
    run_dir,
    paths=None,
    *,
    captured=(),
    left_out=(),
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
    repeated = {each.target for each in loaded if _is_repeated(each, loaded)}
    loaded += captured
    targets = []
    for answers in loaded:
        if progress:
            progress(f"{answers.target}: {answers.labels.size} records")
        targets.append(
            audit(
                answers,
                seed=seed,
                tfprivacy=None if answers.target in repeated else tfprivacy,
                folder=run_dir / "tfprivacy",
                progress=progress,
            )
        )
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


def _is_repeated(answers, loaded):
    """Whether another target says about the same: a twin's or file's own."""
    sha256 = answers.info.get("sha256")
    first = next((x for x in loaded if x.info.get("sha256") == sha256), None)
    same_file = sha256 is not None and first is not answers
    return same_file or answers.info.get("kind") == "twin"


def _rate(right):
    return clopper_pearson(int(right.sum()), right.size)


def _records_sha256(answers):
    digest = hashlib.sha256()
    for kind in (answers.members, ~answers.members):
        digest.update(np.sort(answers.record_ids[kind]).astype("<i8").tobytes())
    return digest.hexdigest()


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
