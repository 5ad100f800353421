"""Several seeds: means over training runs, and paired differences."""

import json

from qmia_tf.report.parent_changes import SAME_SPLIT
from qmia_tf.report.run_list import Run, is_variant, title
from qmia_tf.report.tables import Column, Table
from qmia_tf.run_dir import COMPUTED, TRAINED
from qmia_tf.statistics import seed_means

OVER_RUNS = (
    "In brackets: 95 % t intervals over training runs, each with a seed or "
    "split of its own. They say how far another run of the same recipe may "
    "differ, which the intervals over records do not."
)
PAIRED = (
    "Change: each run minus the full-precision Keras model of the same split "
    "and seed, then the mean over the runs, in points (AUC: as it is)."
)
CONFIDENCE = "Confidence: the paper's attack, its threshold held out."
MEASURES = {
    "accuracy": ("nonmembers right %", "percent"),
    "gap": ("gap attack %", "percent"),
    "confidence": ("confidence %", "percent"),
    "confidence_auc": ("confidence AUC", "area"),
    "margin_auc": ("margin AUC", "area"),
}


# What fits on a page; the rest is in the CSV.
PAGE_MEASURES = ("accuracy", "gap", "confidence", "margin_auc")


def seed_tables(compared: list[Run]) -> list[Table]:
    """One row a model and target that has several seeds; else no table."""
    rows = []
    for group in _groups(compared):
        for target in _targets(group):
            audits = [run.target(target) for run in group]
            pairs = [
                (audit, other.target(TRAINED))
                for run, audit in zip(group, audits, strict=True)
                if (other := _full_precision(run, compared)) is not None
                and other.target(TRAINED) not in (None, audit)
            ]
            rows.append(
                [
                    title(group[0].dataset),
                    group[0].model,
                    target,
                    len(group),
                    *(_mean(_values(audits, key)) for key in MEASURES),
                    len(pairs) or None,
                    *(_change(pairs, key) for key in MEASURES),
                ]
            )
    columns = [
        Column("data set", "dataset"),
        Column("model", "model"),
        Column("target", "target"),
        Column("runs", "runs", "count"),
        *(Column(head, key, kind) for key, (head, kind) in MEASURES.items()),
        Column("pairs", "pairs", "count"),
        *(
            Column(
                head.removesuffix(" %"),
                f"{key}_change",
                "signed" if kind == "area" else "change",
            )
            for key, (head, kind) in MEASURES.items()
        ),
    ]
    table = Table(
        name="seeds",
        title="Several seeds",
        columns=columns,
        rows=rows,
        notes=[OVER_RUNS, PAIRED],
        grouped=2,
    )
    return [table] if rows else []


def page_tables(table: Table) -> list[Table]:
    """Cuts the table of seeds into means and changes, a page wide each.

    Args:
        table: from seed_tables.
    """
    means = table.pick(
        ("target", "runs", *PAGE_MEASURES),
        name=table.name,
        title=table.title,
        notes=[OVER_RUNS, CONFIDENCE],
    )
    changes = table.pick(
        ("target", "pairs", *(f"{key}_change" for key in PAGE_MEASURES)),
        name="seed_changes",
        title=f"{table.title}: change against full precision",
        notes=[PAIRED, CONFIDENCE],
    )
    paired = any(row[changes.grouped + 1] for row in changes.rows)
    return [means, changes] if paired else [means]


def _groups(compared):
    """Runs that differ in their seeds alone, where there are several."""
    runs_by_recipe = {}
    for run in compared:
        drawn = run.setting("seed"), run.setting("split.seed")
        # The same training again is no other seed.
        runs_by_recipe.setdefault(_recipe(run), {}).setdefault(drawn, run)
    return [
        list(group.values())
        for group in runs_by_recipe.values()
        if len(group) > 1
    ]


def _recipe(run):
    config = {**run.audit.config, "seed": None, COMPUTED: None}
    config["split"] = {**config.get("split", {}), "seed": None}
    return json.dumps(config, sort_keys=True)


def _targets(group):
    """Names of the targets that every run of the group has."""
    return [
        target.target
        for target in group[0].audit.targets
        if not is_variant(target)
        and all(run.target(target.target) for run in group)
    ]


def _full_precision(run, compared):
    """The full-precision run of the same recipe, split and seed."""
    paths = [*SAME_SPLIT, "seed", "recipe", "model.stem", "model.width"]
    return next(
        (
            other
            for other in compared
            if other.full_precision
            and all(run.setting(p) == other.setting(p) for p in paths)
        ),
        None,
    )


def _mean(values):
    return seed_means.mean_share(values) if values else None


def _change(pairs, key):
    after, before = (
        _values([pair[side] for pair in pairs], key) for side in (0, 1)
    )
    if not after or len(after) != len(before):
        return None
    return seed_means.paired(after, before)


def _values(targets, key):
    """The measure of each target; nothing if one was audited without it."""
    values = [_measure(target, key) for target in targets]
    return [] if None in values else values


def _measure(target, key):
    if key == "accuracy":
        return target.accuracy_nonmembers.value
    attacks = {attack.name: attack for attack in target.attacks}
    attack = attacks.get(key.removesuffix("_auc"))
    if attack is None:
        return None
    if key.endswith("_auc"):
        return attack.auc.value
    point = attack.held_out.point if attack.held_out else attack.points[0]
    return point.balanced_accuracy.value
