"""Settings, seeds, versions and hashes of the audited runs."""

from qmia_tf.report.phrases import attack_title
from qmia_tf.report.run_list import Run
from qmia_tf.report.tables import Column, Table

# Of the configuration, what people look for first.
FIRST = ("dataset", "split", "model", "recipe", "seed")


def fact_tables(compared: list[Run]) -> list[Table]:
    """Tables of what was audited, how it was made and by which programs.

    Args:
        compared: the runs.
    Returns: records and seeds, configuration, versions, files, and what was
        left out; only those with rows.
    """
    tables = [
        _records(compared),
        _side_by_side(
            "configuration",
            "Configuration of the runs",
            "setting",
            [_flat(run.audit.config) for run in compared],
            compared,
        ),
        _side_by_side(
            "versions",
            "Versions of the programs that made the audits",
            "program",
            [_flat(run.audit.versions) for run in compared],
            compared,
        ),
        _files(compared),
        _left_out(compared),
    ]
    return [table for table in tables if table.rows]


def _records(compared):
    rows = []
    for run in compared:
        first = run.audit.targets[0]
        seeds = (run.setting("seed"), run.audit.split.get("seed"))
        rows.append(
            [
                run.name,
                run.model,
                first.members,
                first.nonmembers,
                *seeds,
                run.audit.seed,
                run.audit.fingerprint,
                first.records_sha256,
            ]
        )
    return Table(
        name="records",
        title="Records, seeds and their hashes",
        columns=[
            Column("run", "run"),
            Column("model", "model"),
            Column("members", "members", "count"),
            Column("nonmembers", "nonmembers", "count"),
            Column("training seed", "seed", "count"),
            Column("split seed", "split_seed", "count"),
            Column("audit seed", "audit_seed", "count"),
            Column("data, sha256", "fingerprint"),
            Column("record ids, sha256", "records_sha256"),
        ],
        rows=rows,
        notes=[
            "Runs with the same hash of record ids were judged on the same "
            "members and nonmembers."
        ],
    )


def _side_by_side(name, title, head, facts, compared):
    """One row a key; values that all runs share are in one column."""
    keys = list(dict.fromkeys(key for run_facts in facts for key in run_facts))
    keys.sort(key=_place)
    rows = []
    for key in keys:
        values = [run_facts.get(key, "") for run_facts in facts]
        same = len(set(values)) == 1
        rows.append([key, *(values[:1] if same else [""]), *_own(values, same)])
    apart = any(any(row[2:]) for row in rows)
    runs = compared if apart else []
    columns = [Column(head, "key"), Column("all runs", "all")]
    columns += [Column(run.name, run.name) for run in runs]
    rows = [row[: len(columns)] for row in rows]
    return Table(name=name, title=title, columns=columns, rows=rows, notes=[])


def _own(values, same):
    return ["" for _ in values] if same else values


def _flat(value, prefix=""):
    """{"a": {"b": 1}} -> {"a.b": "1"}."""
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


def _files(compared):
    return Table(
        name="files",
        title="Artefacts and their hashes",
        columns=[
            Column("run", "run"),
            Column("target", "target"),
            Column("kind", "kind"),
            Column("kernels", "kernel_set"),
            Column("bytes", "size_bytes", "count"),
            Column("sha256 of the file", "sha256"),
        ],
        rows=[
            [
                run.name,
                target.target,
                target.kind,
                target.kernel_set,
                target.size_bytes,
                target.sha256,
            ]
            for run in compared
            for target in run.audit.targets
        ],
        notes=[],
        grouped=1,
    )


def _left_out(compared):
    """Attacks that were not run and targets that failed, by reason."""
    runs_by_reason = {}
    for run in compared:
        for target in run.audit.targets:
            for omission in target.attacks_left_out:
                attack = attack_title(omission.name)
                runs = runs_by_reason.setdefault((attack, omission.reason), {})
                runs.setdefault(run.name, []).append(target.target)
        for omission in run.audit.left_out:
            runs = runs_by_reason.setdefault(
                (omission.target, omission.reason), {}
            )
            runs.setdefault(run.name, []).append(omission.kernel_set)
    rows = [
        [
            subject,
            "; ".join(
                f"{run}: {', '.join(dict.fromkeys(targets))}"
                for run, targets in runs.items()
            ),
            reason,
        ]
        for (subject, reason), runs in runs_by_reason.items()
    ]
    return Table(
        name="left_out",
        title="What was left out, and why",
        columns=[
            Column("attack or target", "what"),
            Column("of", "of"),
            Column("reason", "reason"),
        ],
        rows=rows,
        notes=[],
    )
