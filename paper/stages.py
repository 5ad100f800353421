"""Which stages of a run are done, and how long the others will take."""

import dataclasses
import pathlib
import statistics
from collections.abc import Callable

from paper import plans, stored_results
from qmia_tf import files
from qmia_tf.auditing import accuracy_matching
from qmia_tf.auditing.audit_result import AUDIT
from qmia_tf.run_dir import RunDir

TRAIN, EXPORT, PARITY = "train", "export", "parity"
ATTACK, SWEEP = "attack", "sweep"
STAGES = (TRAIN, EXPORT, PARITY, ATTACK, SWEEP)
# Seconds for 60,000 images of 32 x 32 on two cores, where nothing better is
# known: to write a file or the baseline, to compare codes, and to query an
# artefact or a kept epoch about them.
FILE_SECONDS, BASELINE_SECONDS, PARITY_SECONDS = 20, 300, 60
ARTEFACT_SECONDS, EPOCH_SECONDS = 90, 40
RECORDS = {"cifar10": 60_000, "fashion_mnist": 70_000, "digits": 1_797}
# A training step against full precision's (docs/decisions.md).
QUANTIZED_FACTOR = 1.2
# (16, 16) is inferred by four convolutions for one.
CONVOLUTION_FACTORS = {"w16a16": 4.0, "w16a4": 2.0}


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """A run with the stages that are done.

    Attributes:
        job: the run.
        done: the stages that are finished.
        needed: the stages that it has.
        epochs: how many of them are trained.
        seconds: of each stage that is to do; None where not known.
    """

    job: plans.Job
    done: tuple[str, ...]
    needed: tuple[str, ...]
    epochs: int
    seconds: dict[str, float | None]

    @property
    def left(self) -> tuple[str, ...]:
        """The stages that are to do, in order."""
        return tuple(name for name in self.needed if name not in self.done)

    @property
    def minutes(self) -> float | None:
        """Of what is left; None if that is not known."""
        stage_seconds = [self.seconds[stage] for stage in self.left]
        return None if None in stage_seconds else sum(stage_seconds) / 60


def needed(job: plans.Job) -> tuple[str, ...]:
    """The stages that a run has."""
    left_out = set()
    if not job.schemes:
        left_out.add(EXPORT)
    if "int8" not in job.schemes:
        left_out.add(PARITY)
    return tuple(stage for stage in STAGES if stage not in left_out)


def done(job: plans.Job, out: pathlib.Path) -> tuple[str, ...]:
    """The stages whose product is there, in the folder of all runs."""
    place = out / job.folder
    is_there = {
        TRAIN: RunDir(place).model.exists(),
        EXPORT: is_exported(job, RunDir(place)),
        PARITY: RunDir(place).parity.exists(),
        ATTACK: is_audited(job, place),
        SWEEP: is_swept(
            job,
            place,
            full_trained=RunDir(out / job.full.folder).model.exists(),
        ),
    }
    return tuple(stage for stage in needed(job) if is_there[stage])


def not_stored(jobs: list[plans.Job], results: pathlib.Path) -> list[plans.Job]:
    """The jobs that are to do.

    One that cannot be compared with stored full precision is to do as well.
    """

    def is_finished(job):
        return is_stored(job, results) and stored_results.has_comparison(
            job, results
        )

    return [job for job in jobs if not is_finished(job)]


def plan_runs(
    jobs: list[plans.Job],
    out: pathlib.Path,
    *,
    step: Callable[[plans.Job], float | None] | None = None,
) -> list[PlannedRun]:
    """Looks at what is there and estimates the rest.

    Args:
        jobs: what is planned.
        out: folder of all runs.
        step: gives seconds of an epoch, or None where it cannot be measured;
            called once for each data set and network, with the full-precision
            job, where no history.csv has it.
    """
    paces, step_by_network = _paces(jobs, out), {}
    rows = []
    for job in jobs:
        finished = done(job, out)
        epochs = len(stored_results.read_history(out / job.folder))
        pace = _pace(job, paces)
        if pace is None and step and TRAIN not in finished:
            key = _network(job.full)
            if key not in step_by_network:
                step_by_network[key] = step(job.full)
            pace = _times(step_by_network[key], job)
        seconds = {
            stage: _seconds(stage, job, pace, epochs) for stage in STAGES
        }
        rows.append(PlannedRun(job, finished, needed(job), epochs, seconds))
    return rows


def plan_lines(rows: list[PlannedRun]) -> list[str]:
    """One line a run, and one for all."""
    width = max((len(str(row.job.folder)) for row in rows), default=0)
    texts, known, unknown = [], 0.0, 0
    for row in rows:
        text = f"{str(row.job.folder):{width}}  "
        if not row.left:
            texts.append(f"{text}done")
            continue
        text += f"done: {', '.join(row.done) or 'nothing'}; "
        if row.epochs and TRAIN in row.left:
            text += f"{row.epochs} of {row.job.recipe.epochs} epochs; "
        minutes = row.minutes
        known += minutes or 0.0
        unknown += minutes is None
        about = "?" if minutes is None else f"{minutes:.0f}"
        texts.append(f"{text}to do: {', '.join(row.left)}; {about} min")
    unknown_text = f", {unknown} runs not known" if unknown else ""
    texts.append(
        f"{len(rows)} runs, about {known / 60:.1f} h to do{unknown_text}"
    )
    return texts


def is_exported(job: plans.Job, run_dir: RunDir) -> bool:
    """Whether every file is there, and in the manifest, which comes last."""
    return all(
        (run_dir.artifacts / f"{scheme}.tflite").exists()
        for scheme in job.schemes
    ) and set(job.schemes) <= set(_manifest(run_dir))


def _manifest(run_dir):
    path = run_dir.manifest
    return files.read_json(path) if path.exists() else {}


def is_audited(job: plans.Job, place: pathlib.Path) -> bool:
    """Whether a folder's audit has every target, also those added since."""
    path = place / AUDIT
    if not path.exists():
        return False
    audit = files.read_json(path)
    targets = {
        entry["target"]
        for kind in ("targets", "left_out")
        for entry in audit.get(kind, [])
    }
    return set(job.targets) <= targets


def is_swept(
    job: plans.Job, place: pathlib.Path, *, full_trained: bool
) -> bool:
    """Whether its epochs were attacked and compared with full precision's.

    By every attack of accuracy_matching.SCORES, also those added since; and
    its files with its Keras model.

    Args:
        job: the run.
        place: folder of its epochs.json, matched.json and artefacts.json.
        full_trained: whether the full-precision model is there, to be
            compared record by record; else its stored results are used.
    """
    sweep, match = place / stored_results.SWEEP, place / stored_results.MATCHED
    has_match = full_trained and job.model != plans.FULL
    paths = [
        sweep,
        place / stored_results.ARTEFACTS,
        *([match] if has_match else ()),
    ]
    if not all(path.exists() for path in paths):
        return False
    points = files.read_json(sweep).get("points", [])
    leaks = [point["leaks"] for point in points]
    if has_match:
        leaks.append(files.read_json(match).get("trained", {}).get("leak", {}))
    scores = set(accuracy_matching.SCORES)
    return bool(points) and all(
        scores <= set(point_leaks) for point_leaks in leaks
    )


def is_stored(job: plans.Job, results: pathlib.Path) -> bool:
    """Whether a run's results are complete, wherever it ran."""
    place = results / job.folder
    parity = PARITY not in needed(job)
    parity = parity or RunDir(place).parity.exists()
    swept = is_swept(job, place, full_trained=False)
    return parity and swept and is_audited(job, place)


def _network(job):
    recipe = job.recipe
    return job.dataset, job.model, recipe.stem, recipe.width, job.size.records


def _paces(jobs, out):
    """Seconds an epoch, by network, of the runs that have a history."""
    run_paces = {}
    for job in jobs:
        rows = stored_results.read_history(out / job.folder)
        seconds = [float(row["seconds"]) for row in rows]
        if seconds:
            # The median: the machine may have been busy at times.
            pace = statistics.median(seconds)
            run_paces.setdefault(_network(job), []).append(pace)
    return {key: statistics.median(paces) for key, paces in run_paces.items()}


def _pace(job, paces):
    """Of the same network, else of full precision's."""
    own = paces.get(_network(job))
    return own or _times(paces.get(_network(job.full)), job)


def _times(seconds, job):
    if seconds is None or job.model == plans.FULL:
        return seconds
    return seconds * QUANTIZED_FACTOR


def _seconds(stage, job, pace, epochs):
    if stage == TRAIN:
        left = max(job.recipe.epochs - epochs, 0)
        return None if pace is None else pace * left
    if stage == EXPORT:
        baseline = BASELINE_SECONDS * ("tfmot_int8" in job.schemes)
        base = FILE_SECONDS * len(job.schemes) + baseline * _size_factor(job)
        return float(base)
    if stage == PARITY:
        return PARITY_SECONDS
    slow = CONVOLUTION_FACTORS.get(job.model, 1.0)
    if stage == ATTACK:
        # The twin of an integer file is queried too.
        artefacts = len(job.schemes) + slow + (PARITY in needed(job))
        return ARTEFACT_SECONDS * artefacts * _size_factor(job)
    points = job.recipe.epochs // job.keep_every
    if job.model != plans.FULL:
        points = min(points, job.sweep_points)
    return EPOCH_SECONDS * points * slow * _size_factor(job)


def _size_factor(job):
    records = job.size.records or RECORDS.get(job.dataset, 60_000)
    return records / 60_000
