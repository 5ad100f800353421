"""The catalogue of metrics: key, title, kind and getter of every column.

A table is a selection of these; a getter finds its value in a subject:

    artefact_subjects: run, target, change, gap, confidence, tpr, best_tpr
    attack_subjects: run, target, attack, tested, point, tpr
"""

import functools
from collections.abc import Iterator
from types import SimpleNamespace

from qmia_tf.report.parent_changes import change
from qmia_tf.report.phrases import attack_title
from qmia_tf.report.run_list import Run, held_out_point, is_variant
from qmia_tf.report.tables import Column
from qmia_tf.statistics.intervals import Estimate

# The false-positive rates that have columns of their own.
RATES = {0.1: "10", 0.01: "1", 0.001: "0.1", 0.0001: "0.01"}


def artefact_subjects(
    runs: list[Run], *, variants=True
) -> Iterator[SimpleNamespace]:
    """Each target of each run; `variants` are twins and other kernels."""
    for run in runs:
        for target in run.audit.targets:
            if variants or not is_variant(target):
                leak = target.leak
                yield SimpleNamespace(
                    run=run,
                    target=target,
                    change=change(run, target, runs),
                    gap=target.attack("gap").point("fixed"),
                    confidence=target.attack("confidence"),
                    tpr=_by_rate(leak.tpr_at_fpr if leak else ()),
                    best_tpr=_by_rate(target.strongest.tpr_at_fpr),
                )


def attack_subjects(runs: list[Run]) -> Iterator[SimpleNamespace]:
    """Each attack on each target of each run."""
    for run in runs:
        for target in run.audit.targets:
            for attack in target.attacks:
                yield SimpleNamespace(
                    run=run,
                    target=target,
                    attack=attack,
                    tested=target.leak and target.leak.attack(attack.name),
                    point=held_out_point(target, attack.name),
                    tpr=_by_rate(attack.tpr_at_fpr),
                )


def _by_rate(rates):
    return {low_rate.rate: low_rate.tpr for low_rate in rates}


def _tpr(rate, subject, *, of="tpr") -> Estimate | None:
    return getattr(subject, of).get(rate)


def _rates(key, of="tpr"):
    return [
        Column(
            f"TPR % at {text} % FPR",
            f"{key}_{text}",
            "percent",
            functools.partial(_tpr, rate, of=of),
        )
        for rate, text in RATES.items()
    ]


def _peak(attack):
    return (
        attack.point("peak_accuracy").balanced_accuracy
        if attack.held_out
        else None
    )


RUN = [
    Column("data set", "dataset", "text", "run.title"),
    Column("model", "model", "text", "run.model"),
    Column("run", "run", "text", "run.name"),
]
TARGET = Column("target", "target", "text", "target.target")
ARTEFACT = [
    *RUN,
    TARGET,
    Column("kernels", "kernel_set", "text", "target.kernel_set"),
    Column(
        "members right %",
        "accuracy_members",
        "percent",
        "target.accuracy_members",
    ),
    Column(
        "nonmembers right %",
        "accuracy_nonmembers",
        "percent",
        "target.accuracy_nonmembers",
    ),
    Column("scores", "distinct_scores", "count", "confidence.distinct_scores"),
    Column("ties", "tied_outputs", "count", "target.tied_outputs"),
    Column("MB", "size_mb", "number", "target.size_mb"),
    Column("ms", "latency_ms", "measure", "target.latency_ms"),
    Column("threads", "latency_threads", "count", "target.latency_threads"),
    Column("gap attack %", "gap_attack", "percent", "gap.balanced_accuracy"),
    Column(
        "confidence, held out %",
        "confidence_held_out",
        "percent",
        "confidence.held_out.point.balanced_accuracy",
    ),
    Column(
        "in-sample peak %",
        "confidence_in_sample",
        "percent",
        lambda x: _peak(x.confidence),
    ),
    Column("confidence AUC", "confidence_auc", "area", "confidence.auc"),
    Column("nonmembers right", "accuracy_change", "change", "change.accuracy"),
    Column("gap attack", "gap_change", "change", "change.gap"),
    Column(
        "confidence, held out", "held_out_change", "change", "change.held_out"
    ),
    Column("size %", "size_change", "growth", "change.size"),
]
ATTACK = [
    *RUN,
    TARGET,
    Column("attack", "attack", "text", "attack.title"),
    Column("members", "members", "count", "attack.members"),
    Column("nonmembers", "nonmembers", "count", "attack.nonmembers"),
    Column("left out", "excluded", "count", "attack.excluded"),
    Column("AUC", "auc", "area", "attack.auc"),
    Column("adjusted p", "p_value", "tiny", "tested.p_value"),
    Column("held out %", "held_out", "percent", "point.balanced_accuracy"),
    Column("over gap", "excess", "change", "attack.excess"),
    Column(
        "by class %",
        "by_class",
        "percent",
        "attack.by_class.point.balanced_accuracy",
    ),
    Column(
        "cross-fitted %",
        "cross_fitted",
        "percent",
        "attack.cross_fitted.balanced_accuracy",
    ),
    Column("advantage", "advantage", "signed", "point.advantage"),
    Column("precision %", "precision", "percent", "point.precision"),
    Column("recall %", "recall", "percent", "point.recall"),
    Column("F1 %", "f1", "percent", "point.f1"),
    Column(
        "in-sample peak %", "in_sample", "percent", lambda x: _peak(x.attack)
    ),
    Column("optimism", "optimism", "measure", "attack.held_out.optimism"),
    *_rates("tpr_at_fpr"),
    Column(
        "least FPR",
        "least_false_positive_rate",
        "tiny",
        "attack.least_false_positive_rate",
    ),
    Column("epsilon >=", "epsilon", "number", "attack.epsilon.value"),
]
VERDICT = [
    *RUN,
    TARGET,
    Column("verdict", "answer", "text", "target.leak.verdict"),
    Column("p", "p_value", "tiny", "target.leak.p_value"),
    Column(
        "attack",
        "attack",
        "text",
        lambda x: attack_title(x.target.leak.strongest),
    ),
    Column("AUC", "auc", "area", "target.leak.auc"),
    Column(
        "would find",
        "detectable_auc",
        "measure",
        "target.leak.detectable.auc",
    ),
    *_rates("tpr"),
    Column("attacks", "attacks", "count", lambda x: len(x.target.leak.attacks)),
    Column("permutations", "permutations", "count", "target.leak.permutations"),
    Column("within", "strata", "text", "target.leak.strata"),
]
STRONGEST = [
    *RUN,
    TARGET,
    Column(
        "attack",
        "attack",
        "text",
        lambda x: attack_title(x.target.strongest.attack),
    ),
    Column(
        "of",
        "candidates",
        "count",
        lambda x: len(x.target.strongest.candidates),
    ),
    Column("AUC", "auc", "area", "target.strongest.auc"),
    Column(
        "accuracy %",
        "accuracy",
        "percent",
        "target.strongest.point.balanced_accuracy",
    ),
    Column(
        "advantage", "advantage", "signed", "target.strongest.point.advantage"
    ),
    *_rates("tpr", "best_tpr"),
]
JOINT = [
    *RUN,
    Column("artefact", "first", "text", "joint.first"),
    Column("with", "second", "text", "joint.second"),
    Column(
        "judged on",
        "records",
        "count",
        lambda x: x.joint.members + x.joint.nonmembers,
    ),
    Column("AUC alone", "auc_alone", "area", "joint.single_auc"),
    Column("AUC together", "auc_together", "area", "joint.joint_auc"),
    Column("gain", "gain", "signed", "joint.gain"),
    Column("p", "p_value", "measure", "joint.p_value"),
]
AGREEMENT = [
    *RUN,
    Column("target", "target", "text", "agreement.target"),
    Column("compared with", "other", "text", "agreement.other"),
    Column("records", "records", "count", "agreement.records"),
    Column(
        "labels differ", "labels_differ", "count", "agreement.labels_differ"
    ),
    Column(
        "probabilities, by up to",
        "largest_difference",
        "tiny",
        "agreement.largest_difference",
    ),
]
TFPRIVACY = [
    *RUN,
    TARGET,
    Column("attack", "attack", "text", "row.attack"),
    Column(
        "judged on",
        "records",
        "count",
        lambda x: x.row.members + x.row.nonmembers,
    ),
    Column("AUC", "auc", "area", "row.auc"),
    Column("advantage", "advantage", "number", "row.advantage"),
]
