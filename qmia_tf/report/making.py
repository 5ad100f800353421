"""Writes a report: text, CSV and LaTeX tables, PNG and SVG figures."""

import dataclasses
import pathlib

from qmia_tf import runs
from qmia_tf.auditing import findings
from qmia_tf.errors import InputError
from qmia_tf.report import (
    artefacts,
    attack_tables,
    cautions,
    compared,
    contents,
    figures,
    phrases,
    seed_tables,
    tables,
    words,
)

TEXT = "report.txt"


def make_report(run_dirs, out_dir, *, max_drop=5.0) -> list[pathlib.Path]:
    """Compares audited runs.

    Writes report.txt (the verdict in words, the tables and warnings);
    table1, table2, artefacts, attacks, strongest, agreement and, where there
    are such, joint, seeds and tfprivacy as .csv and .tex; and the figures,
    see figures.write_figures, as .png and .svg. So that they fit on a page,
    in .txt and .tex artefacts is cut into artefacts, leaks and changes,
    attacks (Keras models, and all of somebody's own) into attacks and tails,
    seeds into seeds and seed_changes, and strongest has fewer columns.

    Args:
        run_dirs: directories with audit.json, or such files.
        out_dir: where to write; made if it is not there.
        max_drop: by how many points of nonmember accuracy a model may be
            below its full-precision sibling without a warning.
    Returns: the paths written, report.txt first.
    Raises: InputError if there is no run, or an audit.json is missing,
        damaged or of another version.
    """
    if not run_dirs:
        raise InputError("no run to report on: give --run_dirs=DIR,DIR")
    out_dir = pathlib.Path(out_dir)
    ordered = compared.in_order([findings.load(path) for path in run_dirs])
    warned = cautions.warnings(ordered, max_drop=max_drop)
    every = artefacts.artefact_table(ordered)
    attacks = attack_tables.every_attack(ordered)
    best = attack_tables.strongest_table(ordered)
    several = seed_tables.seed_tables(ordered)
    before = contents.paper_tables(ordered)
    after = [
        *attack_tables.joint_tables(ordered),
        *artefacts.agreement_tables(ordered),
        *contents.tfprivacy_tables(ordered),
    ]
    printed = [
        *before,
        *artefacts.shown(every, ordered),
        *attack_tables.shown(attacks, ordered),
        *map(attack_tables.strongest_shown, best),
        *(cut for table in several for cut in seed_tables.shown(table)),
        *after,
    ]
    lines = [f"warning: {warning}" for warning in warned]
    text = "\n\n\n".join(
        [_verdicts(ordered), *map(tables.as_text, printed), "\n".join(lines)]
    )
    files = {out_dir / TEXT: text.rstrip() + "\n"}
    for table in [*before, every, attacks, *best, *several, *after]:
        files[out_dir / f"{table.name}.csv"] = tables.as_csv(table)
    for table in printed:
        files[out_dir / f"{table.name}.tex"] = tables.as_latex(
            dataclasses.replace(table, notes=[*table.notes, *lines])
        )
    for path, content in files.items():
        runs.write_bytes(path, content.encode())
    return [*files, *figures.write_figures(ordered, out_dir)]


def _verdicts(ordered):
    """The verdict in words; of several runs in short."""
    if len(ordered) == 1:
        (run,) = ordered
        said = phrases.as_text(words.verdict(run.audit))
        return f"In words: {run.label}\n\n{said}"
    parts = (
        f"{run.label}\n{phrases.as_text(words.in_short(run.audit), indent=2)}"
        for run in ordered
    )
    closing = phrases.as_text([words.INTERVALS])
    return "\n\n".join(["In words", *parts, closing])
