"""Parity of every integer file of a run, and its table."""

import pathlib

import numpy as np

from qmia_tf import configuration, runs
from qmia_tf.deploy import parity
from qmia_tf.deploy.export import ARTIFACTS, read_manifest
from qmia_tf.deploy.interpreter import KERNELS
from qmia_tf.errors import InputError
from qmia_tf.report.tables import Column, Table, as_text

COLUMNS = [
    Column("file", "file"),
    Column("compared with its twin", "against"),
    Column("threads", "threads", "count"),
    Column("batch", "batch", "count"),
    Column("images", "images", "count"),
    Column("codes", "codes", "count"),
    Column("differ", "differ", "count"),
    Column("by at most", "largest", "count"),
    Column("labels differ", "labels", "count"),
    Column("probability by at most", "probability"),
]


def check_run(
    run_dir,
    dataset,
    *,
    schemes=None,
    kernels=tuple(KERNELS),
    threads=(1, 2),
    records=500,
    seed=0,
    progress=True,
):
    """Checks the integer files of a run.

    Args:
        run_dir: the run directory.
        dataset: the run's Dataset.
        schemes: names; None takes every file that has a twin.
        kernels: keys of interpreter.KERNELS.
        threads: numbers of threads.
        records: int >= 1, images, drawn at random.
        seed: int, of that draw.
        progress: shows bars.
    Returns: list of mismatches.Parity.
    Raises: InputError if there is nothing to check, or a file is not the one
        that was exported.
    """
    for kernel_set in kernels:
        if kernel_set not in KERNELS:
            raise InputError(
                f"kernels are {', '.join(KERNELS)}, not {kernel_set!r}"
            )
    if records < 1:
        raise InputError(f"records must be 1 or more, got {records}")
    run_dir = pathlib.Path(run_dir)
    folder = run_dir / ARTIFACTS
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(dataset.images))[:records]
    images = dataset.images[np.sort(chosen)]
    return [
        parity.check(
            folder / entry["twin"]["file"],
            _exported(folder, entry),
            images,
            model=run_dir / runs.MODEL,
            scheme=scheme,
            logits=entry.get("outputs") == "logits",
            kernels=kernels,
            threads=threads,
            progress=progress,
        )
        for scheme, entry in _with_twins(run_dir, folder, schemes)
    ]


def table(found) -> str:
    """Returns what was found as text.

    Args:
        found: list of mismatches.Parity.
    """
    rows = []
    for one in found:
        for entry in one.comparisons:
            name = entry.kernels and f"{entry.kernels} kernels"
            rows.append(
                [
                    one.scheme,
                    name or "trained model",
                    entry.num_threads or None,
                    entry.batch_size,
                    entry.records,
                    entry.codes,
                    entry.mismatches,
                    entry.largest,
                    entry.labels_differ,
                    f"{entry.largest_probability:.1e}",
                ]
            )
    return as_text(
        Table(
            name="parity",
            title="Codes of the integer files, one by one",
            columns=COLUMNS,
            rows=rows,
            notes=[_verdict(one) for one in found],
        )
    )


def _verdict(one):
    if not one.promised:
        rounded = ", ".join(one.float_layers)
        return (
            f"{one.scheme}: no promise, because float layers ({rounded}) are "
            "rounded to codes"
        )
    if one.broken:
        worst = max(one.broken, key=lambda entry: entry.mismatches)
        return (
            f"{one.scheme}: PROMISE BROKEN: {worst.mismatches} codes differ "
            "under the default kernels"
        )
    return f"{one.scheme}: no code differs under the default kernels"


def _with_twins(run_dir, folder, schemes):
    configuration.read(run_dir)
    entries = read_manifest(folder)
    twins = {name: e for name, e in entries.items() if e.get("twin")}
    unknown = [name for name in schemes or () if name not in twins]
    if unknown or not twins:
        raise InputError(
            f"{folder} has no integer file {(unknown or ['at all'])[0]}: make "
            f"one with python scripts/export.py --run_dir={run_dir} "
            "--schemes=int8,int8_io"
        )
    return [(name, twins[name]) for name in schemes or twins]


def _exported(folder, entry):
    for part in (entry, entry["twin"]):
        path = folder / part["file"]
        if not path.is_file():
            raise InputError(f"{path} is gone: export it again")
        if runs.sha256(path) != part["sha256"]:
            raise InputError(
                f"{path} is not the file that was exported: export it again"
            )
    return folder / entry["file"]
