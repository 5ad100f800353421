"""Settings, seeds, versions and hashes of the audited runs."""

from qmia_tf.report.metrics import select
from qmia_tf.report.phrases import attack_title
from qmia_tf.report.run_list import Run
from qmia_tf.report.tables import Column, Table
from qmia_tf.report.words import notes

# Of the configuration, what people look for first.
FIRST = ("dataset", "split", "model", "recipe", "seed")


def fact_tables(runs: list[Run]) -> list[Table]:
    """Tables of what was audited, how it was made and by which programs.

    Returns: records and seeds, configuration, versions, files, and what was
        left out; only those with rows.
    """
    tables = [
        _records(runs),
        _side_by_side(
            "configuration",
            "Configuration of the runs",
            "setting",
            [run.audit.config for run in runs],
            runs,
        ),
        _side_by_side(
            "versions",
            "Versions of the programs that made the audits",
            "program",
            [run.audit.versions for run in runs],
            runs,
        ),
        _files(runs),
        _left_out(runs),
    ]
    return [table for table in tables if table.rows]


def _records(runs):
    rows = []
    for run in runs:
        first = run.audit.targets[0]
        rows.append(
            {
                "run": run.name,
                "model": run.model,
                "members": first.members,
                "nonmembers": first.nonmembers,
                "seed": run.setting("seed"),
                "split_seed": run.audit.split.get("seed"),
                "audit_seed": run.audit.seed,
                "fingerprint": run.audit.fingerprint,
                "records_sha256": first.records_sha256,
            }
        )
    title = "Records, seeds and their hashes"
    return select("records", title, rows, notes=notes("records"))


def _side_by_side(name, title, head, facts, runs):
    """One row a key; values that all runs share are in one column."""
    facts = [_flat(run_facts) for run_facts in facts]
    keys = dict.fromkeys(key for run_facts in facts for key in run_facts)
    rows = []
    for key in sorted(keys, key=_place):
        values = [run_facts.get(key, "") for run_facts in facts]
        same = len(set(values)) == 1
        apart = [""] * len(values) if same else values
        rows.append([key, values[0] if same else "", *apart])
    columns = [Column(head, "key"), Column("all runs", "all")]
    if any(any(row[2:]) for row in rows):
        columns += [Column(run.name, run.name) for run in runs]
    rows = [row[: len(columns)] for row in rows]
    return Table(name=name, title=title, columns=columns, rows=rows, notes=[])


def _flat(value, prefix=""):
    """{"a": {"b": 1}} -> {"a.b": "1"}; items that have names go by these."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = {x.get("name", i): x for i, x in enumerate(value)}
    if not isinstance(value, dict):
        text = value
        if isinstance(value, list):
            text = ", ".join(map(str, value))
        return {prefix: "-" if value is None else str(text)}
    text_by_path = {}
    for key, child in value.items():
        text_by_path |= _flat(child, f"{prefix}.{key}" if prefix else str(key))
    return text_by_path


def _place(key):
    first = key.partition(".")[0]
    return FIRST.index(first) if first in FIRST else len(FIRST)


def _files(runs):
    keys = ("target", "kind", "kernel_set", "size_bytes", "sha256")
    rows = (
        {"run": run.name, **{key: getattr(target, key) for key in keys}}
        for run in runs
        for target in run.audit.targets
    )
    return select("files", "Artefacts and their hashes", rows, grouped=1)


def _left_out(runs):
    """Attacks that were not run and targets that failed, by reason."""
    targets_by_reason = {}

    def add(what, omission, run, target):
        places = targets_by_reason.setdefault((what, omission.reason), {})
        places.setdefault(run.name, []).append(target)

    for run in runs:
        for target in run.audit.targets:
            for omission in target.attacks_left_out:
                add(attack_title(omission.name), omission, run, target.target)
        for omission in run.audit.left_out:
            add(omission.target, omission, run, omission.kernel_set)
    rows = (
        {
            "what": what,
            "of": "; ".join(
                f"{run}: {', '.join(dict.fromkeys(targets))}"
                for run, targets in places.items()
            ),
            "reason": reason,
        }
        for (what, reason), places in targets_by_reason.items()
    )
    return select("left_out", "What was left out, and why", rows)
