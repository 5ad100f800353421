"""results/: the small files of every run, from which all else is made."""

import dataclasses
import pathlib

from paper import full_precision, plans
from qmia_tf import files, locks, typed_json
from qmia_tf.auditing import audit_result
from qmia_tf.auditing.accuracy_comparison import TrainingCurve
from qmia_tf.auditing.accuracy_matching import Match
from qmia_tf.errors import InputError
from qmia_tf.report.run_list import Run
from qmia_tf.run_dir import RunDir
from qmia_tf.training import history

SWEEP, MATCHED, TIMING = "epochs.json", "matched.json", "timing.json"
ARTEFACTS = "artefacts.json"
SAME_PATH = "same_path.json"
HISTORY, MANIFEST = "history.csv", "manifest.json"
STORED_FILES = (
    audit_result.AUDIT,
    "config.json",
    HISTORY,
    SWEEP,
    MATCHED,
    ARTEFACTS,
    TIMING,
    "parity.json",
)
# Bytes up to which outputs are kept: those of int8 files, which compress.
SMALL = 1_000_000


@dataclasses.dataclass(frozen=True)
class Artefacts:
    """The files of a trained model, compared with the model itself.

    Attributes:
        run: the model's.
        matches: by target.
    """

    run: str
    matches: dict[str, Match]


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """An audited run of the reproduction.

    Attributes:
        job: what it is.
        run: its audit, as tables see it.
        history: rows of history.csv.
        sweep: its epochs; None if they were not queried.
        comparison: with full precision; None of that itself, or where one of
            the two has no sweep.
        is_paired: whether that compares record by record. It does not where
            full precision could not be queried, or was trained again since.
        artefacts: its files and controls minus its Keras model, by target.
        seconds: of each stage; training as in its history.
        manifest: facts of its files.
    """

    job: plans.Job
    run: Run
    history: list[dict]
    sweep: TrainingCurve | None
    comparison: full_precision.Comparison | None
    is_paired: bool
    artefacts: dict[str, Match]
    seconds: dict[str, float]
    manifest: dict


def collect(job: plans.Job, out: pathlib.Path, results: pathlib.Path):
    """Copies the small files of a run, and outputs of up to SMALL bytes.

    A file of an earlier run of that name that the run lacks is deleted.
    Nothing is done for a run that is not audited.
    """
    source, place = out / job.folder, results / job.folder
    if not RunDir(source).audit.exists():
        return
    sources = {name: source / name for name in STORED_FILES}
    sources[MANIFEST] = source / "artifacts" / MANIFEST
    for folder in (place, source):
        for file in folder.glob("outputs/*.npz"):
            sources[f"outputs/{file.name}"] = source / "outputs" / file.name
    with locks.writing(place, wait=locks.SHORT):
        for name, file in sources.items():
            if not file.exists() or not _is_stored(name, file):
                (place / name).unlink(missing_ok=True)
            elif not _equal(file, place / name):
                files.write_bytes(place / name, file.read_bytes())


def _is_stored(name, file):
    return name in (*STORED_FILES, MANIFEST) or file.stat().st_size <= SMALL


def _equal(file, copy):
    return copy.exists() and copy.read_bytes() == file.read_bytes()


def load(results) -> list[FinishedRun]:
    """Reads every audited run, in the order of the tables.

    Args:
        results: folder with DATASET/REGIME/MODEL-seedK/audit.json.
    Raises: InputError if there is none, or a file is damaged.
    """
    results = pathlib.Path(results)
    finished = []
    for path in results.glob(f"*/*/*-seed*/{audit_result.AUDIT}"):
        *_, dataset, regime, name = path.parent.parts
        model, _, seed = name.rpartition("-seed")
        if model in plans.MODELS and seed.isdecimal():
            job = plans.Job(dataset, regime, model, int(seed))
            finished.append(_read(job, path.parent))
    if not finished:
        raise InputError(
            f"{results} holds no audited run: scripts/reproduce.py makes them"
        )
    run_by_folder = {x.job.folder: x for x in finished}
    compared = [
        _with_comparison(x, run_by_folder.get(x.job.full.folder))
        for x in finished
    ]
    return sorted(compared, key=_order)


def has_comparison(job: plans.Job, results: pathlib.Path) -> bool:
    """Whether a stored run can be compared with the stored full precision.

    Full precision needs no comparison: True.

    Raises: InputError if a file is damaged.
    """
    if job.model == plans.FULL:
        return True
    place = results / job.full.folder
    if not RunDir(place).audit.exists():
        return False
    finished_run = _read(job, results / job.folder)
    return (
        _with_comparison(finished_run, _read(job.full, place)).comparison
        is not None
    )


def _with_comparison(finished_run, full):
    """Compares with stored full precision, by its epochs if need be.

    Trained again on another machine, full precision is another model, and
    the comparison with the first says nothing of it.
    """
    if finished_run.job.model == plans.FULL:
        return finished_run
    if (
        finished_run.comparison
        and full
        and full_precision.is_about(
            finished_run.comparison, finished_run.run, full.run
        )
    ):
        return finished_run
    curves = finished_run.sweep, full and full.sweep
    comparison = None if None in curves else full_precision.from_curves(*curves)
    return dataclasses.replace(
        finished_run, comparison=comparison, is_paired=False
    )


def read_history(place) -> list[dict]:
    """Reads history.csv of a run; no rows if there is none."""
    path = pathlib.Path(place) / HISTORY
    return history.read(path, columns=("epoch", "seconds"))


def _read(job, place):
    rows = read_history(place)
    seconds = _json(place / TIMING) or {}
    if rows:
        seconds["train"] = sum(float(row["seconds"]) for row in rows)
    artefacts = _decoded(Artefacts, place / ARTEFACTS)
    comparison = _decoded(full_precision.Comparison, place / MATCHED)
    return FinishedRun(
        job=job,
        run=Run(audit_result.load(place)),
        history=rows,
        sweep=_decoded(TrainingCurve, place / SWEEP),
        comparison=comparison,
        is_paired=comparison is not None,
        artefacts=artefacts.matches if artefacts else {},
        seconds=seconds,
        manifest=_json(place / MANIFEST) or {},
    )


def _json(path):
    return files.read_json(path) if path.exists() else None


def _decoded(kind, path):
    content = _json(path)
    if content is None:
        return None
    return typed_json.decode(kind, content, source=str(path))


def _order(finished):
    job = finished.job
    return (
        job.dataset,
        job.regime,
        list(plans.MODELS).index(job.model),
        job.seed,
    )
