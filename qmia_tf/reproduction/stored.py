"""results/: the small files of every run, from which all else is made."""

import csv
import dataclasses
import pathlib

from qmia_tf import runs
from qmia_tf.auditing import audit_json, findings
from qmia_tf.auditing.comparison import Curve
from qmia_tf.auditing.matched import Match
from qmia_tf.errors import InputError
from qmia_tf.report.compared import Run
from qmia_tf.reproduction import plans

SWEEP, HELD, TIMING = "epochs.json", "matched.json", "timing.json"
ARTEFACTS = "artefacts.json"
SAME_PATH = "same_path.json"
HISTORY, MANIFEST = "history.csv", "manifest.json"
KEPT = (
    findings.AUDIT,
    runs.CONFIG,
    HISTORY,
    SWEEP,
    HELD,
    ARTEFACTS,
    TIMING,
    "parity.json",
)
# Bytes up to which answers are kept: those of int8 files, which compress.
SMALL = 1_000_000


@dataclasses.dataclass(frozen=True)
class Held:
    """A trained model against full precision on the same members.

    Attributes:
        run: the model's.
        full: the full-precision run.
        epoch: of the model.
        trained: against the trained full-precision model.
        matches: at equal accuracy on nonmembers: the nearest epoch and,
            where there is one, the interpolation.
    """

    run: str
    full: str
    epoch: int
    trained: Match
    matches: list[Match]

    @property
    def match(self) -> Match:
        """The interpolation where there is one, else the nearest epoch."""
        return self.matches[-1]


@dataclasses.dataclass(frozen=True)
class Artefacts:
    """What was made of a trained model, held against the model itself.

    Attributes:
        run: the model's.
        matches: by target.
    """

    run: str
    matches: dict[str, Match]


@dataclasses.dataclass(frozen=True)
class Finished:
    """An audited run of the reproduction.

    Attributes:
        job: what it is.
        run: its audit, as tables see it.
        history: rows of history.csv.
        sweep: its epochs; None if they were not asked.
        held: it against full precision; None of that itself, or where one of
            the two has no sweep, or full precision was trained again since.
        artefacts: its files and controls against its Keras model, by target.
        seconds: of each stage; training as in its history.
        manifest: facts of its files.
    """

    job: plans.Job
    run: Run
    history: list[dict]
    sweep: Curve | None
    held: Held | None
    artefacts: dict[str, Match]
    seconds: dict[str, float]
    manifest: dict


def harvest(job, out, results):
    """Copies what is small of a run, answers of up to SMALL bytes with it.

    Args:
        job: a Job.
        out: folder of all runs.
        results: folder of all results.
    """
    source, place = out / job.folder, results / job.folder
    files = {name: source / name for name in KEPT}
    files[MANIFEST] = source / "artifacts" / MANIFEST
    for file in source.glob("outputs/*.npz"):
        if file.stat().st_size <= SMALL:
            files[f"outputs/{file.name}"] = file
    for name, file in files.items():
        if file.exists() and not _equal(file, place / name):
            runs.write_bytes(place / name, file.read_bytes())


def _equal(file, copy):
    return copy.exists() and copy.read_bytes() == file.read_bytes()


def load(results) -> list[Finished]:
    """Reads every audited run, in the order of the tables.

    Args:
        results: folder with DATASET/REGIME/MODEL-seedK/audit.json.
    Raises: InputError if there is none, or a file is damaged.
    """
    results = pathlib.Path(results)
    found = []
    for path in results.glob(f"*/*/*-seed*/{findings.AUDIT}"):
        *_, dataset, regime, name = path.parent.parts
        model, _, seed = name.rpartition("-seed")
        if model in plans.MODELS and seed.isdecimal():
            job = plans.Job(dataset, regime, model, int(seed))
            found.append(_read(job, path.parent))
    if not found:
        raise InputError(
            f"{results} holds no audited run: scripts/reproduce.py makes them"
        )
    there = {each.job.folder: each for each in found}
    found = [_checked(each, there.get(each.job.full.folder)) for each in found]
    return sorted(found, key=_order)


def is_held(job, results) -> bool:
    """Whether a stored run is held against the stored full precision.

    Args:
        job: a Job; full precision is held against nothing: True.
        results: folder of all results, with the run's audit.json.
    Raises: InputError if a file is damaged.
    """
    if job.model == plans.FULL:
        return True
    place = results / job.full.folder
    if not (place / findings.AUDIT).exists():
        return False
    each = _read(job, results / job.folder)
    return _checked(each, _read(job.full, place)).held is not None


def _checked(each, full):
    """Drops what was held against another model than the stored one.

    Trained again on another machine, full precision is another model: then
    it has not as many nonmembers and members right as the comparison says.
    """
    if each.held is None:
        return each
    if full is not None:
        ours, theirs = (x.run.target("keras") for x in (each, full))
        held = each.held.trained
        nonmembers = _change(ours, theirs, "accuracy_nonmembers")
        members = _change(ours, theirs, "accuracy_members")
        if _near(held.accuracy.value, nonmembers) and _near(
            # The gap attack's balanced accuracy.
            held.leak["gap"].difference.value,
            (members - nonmembers) / 2,
        ):
            return each
    return dataclasses.replace(each, held=None)


def _change(ours, theirs, measure):
    return getattr(ours, measure).value - getattr(theirs, measure).value


def _near(value, wanted):
    return abs(value - wanted) < 1e-9


def read_history(place) -> list[dict]:
    """Reads history.csv of a run; no rows if there is none."""
    path = pathlib.Path(place) / HISTORY
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _read(job, place):
    history = read_history(place)
    seconds = _json(place / TIMING) or {}
    if history:
        seconds["train"] = sum(float(row["seconds"]) for row in history)
    artefacts = _decoded(Artefacts, place / ARTEFACTS)
    return Finished(
        job=job,
        run=Run(findings.load(place)),
        history=history,
        sweep=_decoded(Curve, place / SWEEP),
        held=_decoded(Held, place / HELD),
        artefacts=artefacts.matches if artefacts else {},
        seconds=seconds,
        manifest=_json(place / MANIFEST) or {},
    )


def _json(path):
    return runs.read_json(path) if path.exists() else None


def _decoded(kind, path):
    found = _json(path)
    if found is None:
        return None
    return audit_json.decode(kind, found, source=str(path))


def _order(finished):
    job = finished.job
    return (
        job.dataset,
        job.regime,
        list(plans.MODELS).index(job.model),
        job.seed,
    )
