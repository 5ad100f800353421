"""Parity of every integer file of a run, and its table."""

import numpy as np

from qmia_tf.data.dataset import Dataset
from qmia_tf.deploy.parity import code_parity
from qmia_tf.deploy.parity.mismatches import FileParity
from qmia_tf.deploy.parity.observed_networks import Trained
from qmia_tf.deploy.tflite.interpreter import KERNELS
from qmia_tf.experiments import integer_files
from qmia_tf.report.tables import Column, Table, as_text
from qmia_tf.run_dir import RunDir

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
    dataset: Dataset,
    *,
    schemes=None,
    kernels=tuple(KERNELS),
    threads=(1, 2),
    records: int = 500,
    seed: int = 0,
    progress: bool = True,
) -> list[FileParity]:
    """Checks the integer files of a run.

    Args:
        schemes: names; None takes every file that has a twin.
        threads: for the default kernels; the others run with the first one
            only.
        records: images, drawn at random with the seed.
    Raises: InputError if there is nothing to check, a file is not the one that
        was exported or was made from another model, or an option is out of
        range.
    """
    kernels, threads = _unique(kernels), _unique(threads)
    integer_files.check_options(
        kernels=kernels, threads=threads, records=records, seed=seed
    )
    run_dir = RunDir(run_dir)
    folder = run_dir.artifacts
    entries = integer_files.with_twins(run_dir, schemes)
    files = [integer_files.exported(run_dir, x) for x in entries.values()]
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(dataset.images))[:records]
    images = dataset.images[np.sort(rows)]
    model = Trained(run_dir.model)
    return [
        code_parity.check(
            folder / entry["twin"]["file"],
            file,
            images,
            model=model,
            scheme=scheme,
            logits=entry.get("outputs") == "logits",
            kernels=kernels,
            threads=threads,
            progress=progress,
        )
        for file, (scheme, entry) in zip(files, entries.items(), strict=True)
    ]


def table(parities: list[FileParity]) -> str:
    """Returns the parities as a table in text."""
    rows = []
    for file_parity in parities:
        for entry in file_parity.comparisons:
            name = entry.kernels and f"{entry.kernels} kernels"
            rows.append(
                [
                    file_parity.scheme,
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
            notes=[file_parity.verdict for file_parity in parities],
        )
    )


def _unique(items):
    return tuple(dict.fromkeys(items))
