"""Several seeds: means over training runs, and paired differences."""

import json

from qmia_tf.report.metrics import CATALOGUE
from qmia_tf.report.parent_changes import SAME_SPLIT
from qmia_tf.report.run_list import Run, held_out_point, is_variant
from qmia_tf.report.run_tables import RunTable
from qmia_tf.report.tables import Column, Table
from qmia_tf.report.words import notes
from qmia_tf.run_dir import COMPUTED, QUANTIZERS, TRAINED
from qmia_tf.statistics import seed_means

# Key, heading, kind and attack of each measure.
MEASURES = (
    ("accuracy", "nonmembers right %", "percent", None),
    ("gap", "gap attack %", "percent", "gap"),
    ("confidence", "confidence %", "percent", "confidence"),
    ("confidence_auc", "confidence AUC", "area", "confidence"),
    ("margin_auc", "margin AUC", "area", "margin"),
)
CHANGE = {"percent": "change", "area": "signed"}
COLUMNS = [
    *(CATALOGUE[key] for key in ("dataset", "model", "target", "runs")),
    *(Column(title, key, kind) for key, title, kind, _ in MEASURES),
    CATALOGUE["pairs"],
    *(
        Column(title.removesuffix(" %"), f"{key}_change", CHANGE[kind])
        for key, title, kind, _ in MEASURES
    ),
]
# What fits on a page; the rest is in the CSV.
PAGE = ("accuracy", "gap", "confidence", "margin_auc")


def seed_tables(compared: list[Run]) -> list[RunTable]:
    """One row a model and target that has several seeds; else no table."""
    rows = [
        _row(group, target, compared)
        for group in _groups(compared)
        for target in _targets(group)
    ]
    table = Table(
        name="seeds",
        title="Several seeds",
        columns=COLUMNS,
        rows=rows,
        notes=notes("over_runs", "paired_runs"),
        grouped=2,
    )
    return [RunTable(table, _page_tables(table))] if rows else []


def _page_tables(table):
    """Means and changes, a page wide each."""
    means = table.pick(
        ("target", "runs", *PAGE), notes=notes("over_runs", "confidence")
    )
    changes = table.pick(
        ("target", "pairs", *(f"{key}_change" for key in PAGE)),
        name="seed_changes",
        title=f"{table.title}: change against full precision",
        notes=notes("paired_runs", "confidence"),
    )
    return [means, changes] if any(table.column("pairs")) else [means]


def _row(group, target, compared):
    audits = [run.target(target) for run in group]
    pairs = [
        (audit, other.target(TRAINED))
        for run, audit in zip(group, audits, strict=True)
        if (other := _full_precision(run, compared)) is not None
        and other.target(TRAINED) not in (None, audit)
    ]
    names = group[0].title, group[0].model
    means = (_mean(_values(audits, x)) for x in MEASURES)
    changes = (_change(pairs, x) for x in MEASURES)
    return [*names, target, len(group), *means, len(pairs) or None, *changes]


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
    # Older runs do not name the first version of a quantizer.
    versions = (config.get(QUANTIZERS) or {}).items()
    config[QUANTIZERS] = {x: version for x, version in versions if version > 1}
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


def _change(pairs, measure):
    after, before = (
        _values([pair[side] for pair in pairs], measure) for side in (0, 1)
    )
    if not after or len(after) != len(before):
        return None
    return seed_means.paired(after, before)


def _values(targets, measure):
    """The measure of each target; nothing if one was audited without it."""
    values = [_value(target, *measure[2:]) for target in targets]
    return [] if None in values else values


def _value(target, kind, attack):
    if attack is None:
        return target.accuracy_nonmembers.value
    if all(x.name != attack for x in target.attacks):
        return None
    if kind == "area":
        return target.attack(attack).auc.value
    return held_out_point(target, attack).balanced_accuracy.value
