"""What is compared: measures of one artefact, over seeds, in pairs."""

from paper import artefact_pairs, plans
from paper.stored_results import FinishedRun
from qmia_tf.auditing.accuracy_matching import Match
from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report import parent_changes
from qmia_tf.report.run_list import title
from qmia_tf.run_dir import TRAINED
from qmia_tf.statistics import intervals, seed_means
from qmia_tf.statistics.intervals import Estimate

# key -> heading, kind of column; of a difference the kinds in CHANGE.
MEASURES = {
    "accuracy_members": ("right on members %", "percent"),
    "accuracy": ("on nonmembers %", "percent"),
    "gap": ("gap attack %", "percent"),
    "confidence": ("confidence %", "percent"),
    "confidence_auc": ("confidence AUC", "area"),
    "margin_auc": ("margin AUC", "area"),
    "likelihood_auc": ("likelihood AUC", "area"),
    "quantile_auc": ("quantile AUC", "area"),
    "strongest": ("strongest %", "percent"),
    "strongest_auc": ("strongest AUC", "area"),
}
STRONGEST = ("strongest", "strongest_auc")
CHANGE = {"percent": "change", "area": "signed"}


def measure(target: TargetAudit, key) -> Estimate | None:
    """One measure of an artefact; None if it was audited without it."""
    if key == "accuracy_members":
        return target.accuracy_members
    if key == "accuracy":
        return target.accuracy_nonmembers
    if key in STRONGEST:
        best = target.strongest
        return best.auc if "auc" in key else best.point.balanced_accuracy
    attacks = {attack.name: attack for attack in target.attacks}
    attack = attacks.get(key.removesuffix("_auc"))
    if attack is None:
        return None
    if key.endswith("_auc"):
        return attack.auc
    point = attack.held_out.point if attack.held_out else attack.points[0]
    return point.balanced_accuracy


def mean_over_seeds(
    estimates: list[Estimate | None], mean=seed_means.mean_share
) -> Estimate | None:
    """The mean with the interval between seeds; of one seed its own.

    Args:
        estimates: one a seed, None where not measured.
        mean: of the values; seed_means.mean for what may be below 0.
    """
    measured = [estimate for estimate in estimates if estimate is not None]
    if not measured:
        return None
    if len(measured) == 1:
        return measured[0]
    return mean([estimate.value for estimate in measured])


def groups(finished: list[FinishedRun]) -> dict[tuple, list[FinishedRun]]:
    """The runs by (data set, regime, model), each list by seed."""
    runs_by_key = {}
    for finished_run in finished:
        job = finished_run.job
        key = job.dataset, job.regime, job.model
        runs_by_key.setdefault(key, []).append(finished_run)
    return runs_by_key


def place_of(job: plans.Job) -> list[str]:
    """The data set, the regime and the model, as tables call them."""
    return [title(job.dataset), job.regime, model_title(job.model)]


def full_precision_run(
    finished_run: FinishedRun, finished: list[FinishedRun]
) -> FinishedRun | None:
    """The full-precision run on the same members; None of that itself."""
    if finished_run.job.model == plans.FULL:
        return None
    return next((x for x in finished if x.job == finished_run.job.full), None)


def with_full_precision(runs, finished: list[FinishedRun]) -> list[tuple]:
    """(run, its full-precision run) of those of `runs` that have one."""
    run_pairs = [(x, full_precision_run(x, finished)) for x in runs]
    return [pair for pair in run_pairs if pair[1] is not None]


def deployed(finished_run: FinishedRun) -> TargetAudit | None:
    """The audit of the file that is deployed, if there is one."""
    schemes = plans.MODELS[finished_run.job.model].schemes
    audits = map(finished_run.run.target, schemes)
    return next((audit for audit in audits if audit is not None), None)


def change_over_seeds(
    after: list[TargetAudit], before: list[TargetAudit], key: str
) -> Estimate | None:
    """The change between artefacts of one seed each, over the seeds."""
    estimate_pairs = [
        (measure(one, key), measure(other, key))
        for one, other in zip(after, before, strict=True)
        if key not in STRONGEST or same_attacks(one, other)
    ]
    estimate_pairs = [pair for pair in estimate_pairs if None not in pair]
    if not estimate_pairs:
        return None
    ours, theirs = zip(*estimate_pairs, strict=True)
    return seed_means.paired(
        [estimate.value for estimate in ours],
        [estimate.value for estimate in theirs],
    )


def changes_over_records(
    finished_run: FinishedRun, target: TargetAudit, other: FinishedRun
) -> dict[str, Estimate]:
    """The change between two artefacts with intervals over records.

    Args:
        finished_run: the run.
        target: its artefact.
        other: the full-precision run on the same members, or the run itself;
            its Keras model is what is compared with.
    Returns: by key of MEASURES, of those that can be paired.
    """
    change = parent_changes.change(
        finished_run.run, target, [finished_run.run, other.run]
    )
    keys = {}
    if change is not None:
        keys |= {
            "accuracy": change.accuracy,
            "gap": change.gap,
            "confidence": change.held_out,
        }
    theirs = other.run.target(TRAINED)
    pair = artefact_pairs.compare(finished_run.run.audit, target, theirs)
    same_halves = finished_run.run.audit.seed == other.run.audit.seed
    if same_halves and same_attacks(target, theirs):
        keys["strongest"] = pair.difference
    if target.target == TRAINED:
        match = finished_run.comparison and finished_run.comparison.trained
    else:
        match = (
            finished_run.artefacts.get(target.target)
            if other is finished_run
            else None
        )
    if match:
        keys |= auc_changes(match)
    # Scores by record are not stored for other attacks.
    return _independent(target, theirs) | keys


def _independent(first, second):
    """The changes of AUC with intervals as if the two were independent."""
    keys = [k for k in MEASURES if k.endswith("_auc") and k not in STRONGEST]
    areas = {key: (measure(first, key), measure(second, key)) for key in keys}
    return {
        key: intervals.difference(*area_pair)
        for key, area_pair in areas.items()
        if None not in area_pair
    }


def same_attacks(first: TargetAudit, second: TargetAudit) -> bool:
    """Whether the strongest attack was chosen from the same attacks.

    An audit of an older version knows fewer; what is strongest there may be
    weaker for that alone.
    """
    known = [
        {x.name for x in (*audit.attacks, *audit.attacks_left_out)}
        for audit in (first, second)
    ]
    return known[0] == known[1]


def auc_changes(match: Match) -> dict:
    """AUC differences of a match by key of MEASURES."""
    return {
        f"{name}_auc": match.leak[name].difference
        for name in ("confidence", "margin", "likelihood")
        if name in match.leak
    }


def model_title(job_model) -> str:
    """What tables call a model of plans.MODELS."""
    model = plans.MODELS[job_model]
    if job_model == plans.FULL:
        return "full precision"
    clip = ", clip" if model.clip else ""
    return f"w={model.weight_bits}, a={model.activation_bits}{clip}"
