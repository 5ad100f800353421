"""The catalogue of metrics, and the rows that tables select from."""

from collections.abc import Iterable, Iterator

from qmia_tf.outputs import output_forms
from qmia_tf.report.parent_changes import change
from qmia_tf.report.phrases import (
    attack_title,
    form_title,
    reference_models,
)
from qmia_tf.report.run_list import Run, held_out_point, is_variant
from qmia_tf.report.tables import Column, Table

# The false-positive rates that have columns of their own.
RATES = {0.1: "10", 0.01: "1", 0.001: "0.1", 0.0001: "0.01"}
RUN = ("dataset", "model", "run")
# Who sees to it that an attacker sees no more than a form of the outputs.
LIMITED_BY = {
    **dict.fromkeys(output_forms.COARSE, "an app"),
    output_forms.FULL: "the model",
    **dict.fromkeys(output_forms.OF_HOLDER, "nothing"),
}
# kind: key -> title, where that is not the key.
TITLES = {
    "text": {
        "dataset": "data set",
        "kernel_set": "kernels",
        "answer": "verdict",
        "attacker": None,
        "strata": "within",
        "first": "artefact",
        "second": "with",
        "other": "compared with",
        "operating_point": "at",
        "against": "twin compared with",
        "fingerprint": "data, sha256",
        "records_sha256": "record ids, sha256",
        "sha256": "sha256 of the file",
        "what": "attack or target",
        "form": "what is seen",
        "limited_by": "limited by",
        **dict.fromkeys(("kind", "of", "reason")),
        **dict.fromkeys(("model", "run", "target", "attack", "artefact")),
        **dict.fromkeys(("bits", "class", "file", "label", "predicted")),
        **dict.fromkeys(("path", "recipe", "references")),
        **dict.fromkeys(("name", "score")),
    },
    "count": {
        "excluded": "left out",
        "distinct_scores": "scores",
        "tied_outputs": "ties",
        "latency_threads": "threads",
        "candidates": "of",
        "records": "judged on",
        "labels_differ": "labels differ",
        "record_id": "record",
        "largest": "by at most",
        "seed": "training seed",
        "split_seed": "split seed",
        "audit_seed": "audit seed",
        "size_bytes": "bytes",
        "weight_bits": "bits of weights",
        "activation_bits": "bits of activations",
        "epochs": None,
        **dict.fromkeys(("members", "nonmembers", "attacks", "permutations")),
        **dict.fromkeys(("runs", "pairs", "stage", "codes", "differ")),
    },
    "number": {
        "size_mb": "MB",
        "epsilon": "epsilon >=",
        "paper_test_accuracy": "paper",
        "paper_gap_attack": "paper",
        "paper_f1": "paper",
        "paper_precision": "paper",
        "paper_recall": "paper",
        "fpr": "FPR",
        "tpr": "TPR",
        **dict.fromkeys(("from", "to", "threshold", "rank", "low", "high")),
    },
    "measure": {
        "latency_ms": "ms",
        "detectable_auc": "would find",
        "calibration_error": "ECE",
        "log_loss": "log loss",
        "optimism": None,
    },
    "tiny": {
        "p_value": "p",
        "least_false_positive_rate": "least FPR",
        "largest_difference": "probabilities, by up to",
    },
    "percent": {
        "accuracy_members": "members right %",
        "accuracy_nonmembers": "nonmembers right %",
        "test_accuracy": "test accuracy %",
        "gap_attack": "gap attack %",
        "confidence_held_out": "confidence, held out %",
        "confidence_in_sample": "in-sample peak %",
        "balanced_accuracy": "attacker right %",
        "accuracy": "accuracy %",
        "held_out": "held out %",
        "by_class": "by class %",
        "cross_fitted": "cross-fitted %",
        "in_sample": "in-sample peak %",
        "precision": "precision %",
        "recall": "recall %",
        "f1": "F1 %",
        **{f"tpr_{x}": f"TPR % at {x} % FPR" for x in RATES.values()},
        **{f"tnr_{x}": f"TNR % at {x} % FNR" for x in RATES.values()},
        **{f"tpr_at_fpr_{x}": f"TPR % at {x} % FPR" for x in RATES.values()},
    },
    "area": {
        "auc": "AUC",
        "auc_alone": "AUC alone",
        "auc_together": "AUC together",
        "confidence_auc": "confidence AUC",
        "probability": "P(member)",
    },
    "signed": {
        "auc_change": "to full outputs",
        **dict.fromkeys(("advantage", "gain")),
    },
    "change": {
        "accuracy_change": "nonmembers right",
        "gap_change": "gap attack",
        "held_out_change": "confidence, held out",
        "excess": "over gap",
    },
    "growth": {"size_change": "size %"},
}
CATALOGUE = {
    key: Column(title or key, key, kind)
    for kind, titles in TITLES.items()
    for key, title in titles.items()
}


def select(
    name: str,
    title: str,
    rows: Iterable[dict],
    *,
    columns: tuple[Column, ...] = (),
    notes: Iterable[str] = (),
    grouped: int = 0,
) -> Table:
    """Makes a table of rows, dicts by key.

    Args:
        name: of the table.
        title: of the table.
        rows: with the same keys, those of CATALOGUE or of `columns`.
        columns: that are not as in the catalogue.
        notes: below.
        grouped: how many columns stand once above the rows that share them.
    """
    rows = list(rows)
    known = {**CATALOGUE, **{column.key: column for column in columns}}
    chosen = [known[key] for key in (rows[0] if rows else ())]
    cells = [[row[column.key] for column in chosen] for row in rows]
    return Table(name, title, chosen, cells, list(notes), grouped)


def run_row(run: Run) -> dict:
    """What tells rows of several runs apart."""
    return {"dataset": run.title, "model": run.model, "run": run.name}


def artefact_rows(runs: list[Run]) -> Iterator[dict]:
    """Everything of each target of each run."""
    for run in runs:
        for target in run.audit.targets:
            confidence = target.attack("confidence")
            changed = change(run, target, runs)
            yield {
                **run_row(run),
                "target": target.target,
                "kernel_set": target.kernel_set,
                "accuracy_members": target.accuracy_members,
                "accuracy_nonmembers": target.accuracy_nonmembers,
                "distinct_scores": confidence.distinct_scores,
                "tied_outputs": target.tied_outputs,
                "size_mb": target.size_mb,
                "latency_ms": target.latency_ms,
                "latency_threads": target.latency_threads,
                "gap_attack": held_out_point(target, "gap").balanced_accuracy,
                "confidence_held_out": _held_out(confidence),
                "confidence_in_sample": _peak(confidence),
                "confidence_auc": confidence.auc,
                "accuracy_change": changed and changed.accuracy,
                "gap_change": changed and changed.gap,
                "held_out_change": changed and changed.held_out,
                "size_change": changed and changed.size,
            }


def attack_rows(runs: list[Run]) -> Iterator[dict]:
    """Each attack on each target of each run."""
    for run in runs:
        for target in run.audit.targets:
            for attack in target.attacks:
                yield {
                    **run_row(run),
                    "target": target.target,
                    **_attack_row(attack, target),
                }


def _attack_row(attack, target):
    tested = target.leak and target.leak.attack(attack.name)
    point = held_out_point(target, attack.name)
    held_out, crossed = attack.held_out, attack.cross_fitted
    return {
        "attack": attack.title,
        "references": _references(attack, target),
        "members": attack.members,
        "nonmembers": attack.nonmembers,
        "excluded": attack.excluded,
        "auc": attack.auc,
        "p_value": tested and tested.p_value,
        "held_out": point.balanced_accuracy,
        "excess": attack.excess,
        "by_class": attack.by_class and attack.by_class.point.balanced_accuracy,
        "cross_fitted": crossed and crossed.balanced_accuracy,
        "advantage": point.advantage,
        "precision": point.precision,
        "recall": point.recall,
        "f1": point.f1,
        "in_sample": held_out and _peak(attack),
        "optimism": held_out and held_out.optimism,
        **_rates("tpr_at_fpr", attack.tpr_at_fpr),
        "least_false_positive_rate": attack.least_false_positive_rate,
        "epsilon": attack.epsilon.value,
    }


def _references(attack, target):
    models = target.references if "references" in attack.needs else None
    return models and reference_models(models)


def verdict_rows(runs: list[Run]) -> Iterator[dict]:
    """The verdict on each artefact; twins and other kernels have none."""
    for run, target in _artefacts(runs):
        leak = target.leak
        if leak is not None:
            yield {
                **run_row(run),
                "target": target.target,
                "answer": leak.verdict,
                "p_value": leak.p_value,
                "attack": attack_title(leak.strongest),
                "auc": leak.auc,
                "detectable_auc": leak.detectable and leak.detectable.auc,
                **_rates("tpr", leak.tpr_at_fpr),
                "attacks": len(leak.attacks),
                "permutations": leak.permutations,
                "strata": leak.strata,
            }


def attacker_rows(runs: list[Run]) -> Iterator[dict]:
    """Each artefact for who queries it and for who holds it."""
    for run, target in _artefacts(runs):
        holder = target.holder and target.holder.leak
        leaks = {"queries it": target.leak, "holds it": holder}
        for attacker, leak in leaks.items() if holder else ():
            yield {
                **run_row(run),
                "target": target.target,
                "attacker": attacker,
                "answer": leak.verdict,
                "p_value": leak.p_value,
                "attack": leak.strongest and attack_title(leak.strongest),
                "auc": leak.auc,
                **_rates("tpr", leak.tpr_at_fpr),
                "attacks": len(leak.attacks),
            }


def result_rows(runs: list[Run]) -> Iterator[dict]:
    """Each artefact: how it was made, how good it is, what it gives away."""
    for run, target in _artefacts(runs):
        leak = target.leak
        weight_bits, activation_bits = run.bits
        yield {
            **run_row(run),
            "target": target.target,
            "kernel_set": target.kernel_set,
            "weight_bits": weight_bits,
            "activation_bits": activation_bits,
            "seed": run.setting("seed"),
            "recipe": run.setting("recipe.name"),
            "epochs": run.setting("recipe.epochs"),
            "members": target.members,
            "nonmembers": target.nonmembers,
            "accuracy_members": target.accuracy_members,
            "accuracy_nonmembers": target.accuracy_nonmembers,
            "size_mb": target.size_mb,
            "gap_attack": held_out_point(target, "gap").balanced_accuracy,
            "confidence_auc": target.attack("confidence").auc,
            "answer": leak and leak.verdict,
            "p_value": leak and leak.p_value,
            "attack": leak and attack_title(leak.strongest),
            "auc": leak and leak.auc,
        }


def strongest_rows(runs: list[Run]) -> Iterator[dict]:
    """The strongest attack on each artefact, held out."""
    for run, target in _artefacts(runs):
        best = target.strongest
        yield {
            **run_row(run),
            "target": target.target,
            "attack": attack_title(best.attack),
            "candidates": len(best.candidates),
            "auc": best.auc,
            "accuracy": best.point.balanced_accuracy,
            "advantage": best.point.advantage,
            **_rates("tpr", best.tpr_at_fpr),
        }


def form_rows(runs: list[Run]) -> Iterator[dict]:
    """What each artefact gives away by what is seen, and what that costs."""
    for run, target in _artefacts(runs):
        for leak in target.forms:
            yield {
                **run_row(run),
                "target": target.target,
                "form": form_title(leak.form),
                "limited_by": LIMITED_BY[leak.form],
                "attack": attack_title(leak.attack),
                "attacks": leak.attacks,
                "auc": leak.auc,
                "auc_change": leak.change,
                **_rates("tpr", leak.tpr_at_fpr),
                "accuracy_nonmembers": leak.accuracy,
                "calibration_error": leak.calibration_error,
                "log_loss": leak.log_loss,
            }


def _artefacts(runs):
    for run in runs:
        for target in run.audit.targets:
            if not is_variant(target):
                yield run, target


def _held_out(attack):
    return attack.held_out.point.balanced_accuracy


def _peak(attack):
    return attack.point("peak_accuracy").balanced_accuracy


def _rates(key, rates):
    tpr = {low_rate.rate: low_rate.tpr for low_rate in rates}
    return {f"{key}_{text}": tpr.get(rate) for rate, text in RATES.items()}
