"""A grid of runs, each trained, exported, queried and attacked.

Every run is an ordinary run directory, OUT/DATASET/NAME, and its log lies
beside it. RUN/stages.json says which stages were done, with which options, and
what they took: the same call again does what is missing.
"""

import dataclasses
import pathlib
import statistics
import time
from collections.abc import Iterable, Mapping

from qmia_tf import files, terminal, typed_json
from qmia_tf.attacks import tfprivacy as privacy
from qmia_tf.auditing import label_only_queries, risky_members
from qmia_tf.data.dataset_cache import DatasetCache
from qmia_tf.errors import InputError
from qmia_tf.experiments import model_job
from qmia_tf.experiments.executors import (
    Job,
    Resources,
    execute,
    require_done,
)
from qmia_tf.experiments.run_grid import Grid, GridRun
from qmia_tf.run_dir import TRAINED, RunDir, differences
from qmia_tf.training import history

TRAIN, EXPORT, QUERY, ATTACK = STAGES = ("train", "export", "query", "attack")
RECORD = "stages.json"
# Options of run.attack_run that an audit follows from.
QUERY_OPTIONS = ("kernels", "num_threads")
# Options of run.attack_run that an audit follows from, and their defaults.
AUDIT_OPTIONS = {
    "kernels": ("default",),
    "label_only": label_only_queries.Settings(),
    "audit_seed": 0,
    "tfprivacy": privacy.THRESHOLD,
    "attack_options": None,
    "pictures": risky_members.AUTO,
}


@dataclasses.dataclass(frozen=True)
class Steps:
    """How far runs go.

    Attributes:
        until: the last of STAGES.
        schemes: export schemes; empty: no files are made.
        attack: options of run.attack_run.
    Raises: InputError if there is no such stage.
    """

    until: str = ATTACK
    schemes: tuple[str, ...] = ("integer",)
    attack: Mapping = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.until not in STAGES:
            raise InputError(
                f"until must be one of {', '.join(STAGES)}, got {self.until!r}"
            )
        object.__setattr__(self, "schemes", tuple(self.schemes))

    @property
    def stages(self) -> tuple[str, ...]:
        """Those that are to be done, in order."""
        stages = STAGES[: STAGES.index(self.until) + 1]
        return tuple(x for x in stages if x != EXPORT or self.schemes)

    @property
    def audit_options(self) -> dict:
        """What an audit follows from, as JSON."""
        given = {**AUDIT_OPTIONS, **self.attack}
        return typed_json.encode({name: given[name] for name in AUDIT_OPTIONS})


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """A run of the grid, and what of it is to do.

    Attributes:
        run: the run.
        place: its directory.
        parent: directory of its full-precision run, if the grid has it.
        left: the stages to do, in order.
    """

    run: GridRun
    place: RunDir
    parent: pathlib.Path | None
    left: tuple[str, ...]


def sweep(
    out,
    grid: Grid | None = None,
    *,
    until: str = ATTACK,
    schemes: Iterable[str] = ("integer",),
    attack: Mapping | None = None,
    report: bool = True,
    executor: str = "serial",
    resources: Resources | None = None,
    data_dir: str | None = None,
    download: bool = False,
) -> list[pathlib.Path]:
    """Makes every run of a grid, and tables of all.

        runs = qmia_tf.sweep("runs/sweep", qmia_tf.Grid(seeds=[0, 1, 2]))
        frame = qmia_tf.load_runs(runs)

    With until="attack" OUT/sweep.csv and OUT/sweep.json have a row an
    artefact, as load_runs, and OUT/report is the report of all runs.

    Args:
        out: folder of the runs.
        grid: what is made; None: full precision and 4 bits on the digits.
        until: the last stage: "train", "export", "query" or "attack".
        schemes: export schemes; integer files are compared code by code with
            what was trained. Empty makes no files.
        attack: options of run.attack_run. The full-precision run on the same
            members is the parent, where the grid has it.
        report: whether OUT/report is made.
        executor: one of executors.EXECUTORS.
        resources: of the executor.
        data_dir, download: as of loaders.load.
    Returns: the run directories, in the order of the grid.
    Raises: InputError if a run is there with another configuration, or was
        attacked with other options: before anything is made. Or if some runs
        failed: all others are made first, and the same call tries again.
    """
    steps = Steps(until, tuple(schemes), attack or {})
    data = DatasetCache(data_dir=data_dir, download=download)
    planned = plan(out, grid or Grid(), steps, data)
    jobs = [job for x in planned for job in _jobs(x, planned, steps)]
    failed = execute(
        jobs, data, executor=executor, resources=resources, noun="job"
    )
    made = [x for x in planned if not _left(x.place, x.parent, steps)]
    if steps.until == ATTACK and made:
        _write_tables(pathlib.Path(out), made, report=report)
    require_done(failed, jobs, "jobs")
    return [x.place.path for x in planned]


def _jobs(wanted, planned, steps):
    """What is left of a run: up to its outputs, then the attacks on it.

    These need the outputs of the full-precision run too.
    """
    before = tuple(stage for stage in wanted.left if stage != ATTACK)
    name, place = str(wanted.run.folder), wanted.place.path
    log = place.with_name(f"{place.name}.log")
    arguments = {"planned": wanted, "steps": steps}
    if before:
        yield Job(name, f"{__name__}:make_run", arguments, log)
    if ATTACK in wanted.left:
        needed = [
            str(x.run.folder)
            for x in planned
            if x.place.path in (place, wanted.parent) and set(x.left) - {ATTACK}
        ]
        yield Job(
            f"{name} attack",
            f"{__name__}:attack_run",
            arguments,
            log,
            after=tuple(needed),
        )


def plan(out, grid: Grid, steps: Steps, data: DatasetCache) -> list[PlannedRun]:
    """Looks at what is there of a grid.

    Raises: InputError as sweep.
    """
    out, runs = pathlib.Path(out), grid.runs()
    for name in dict.fromkeys(one.dataset for one in runs):
        data.check(name)
    places = {one.folder: RunDir(out / one.folder) for one in runs}
    planned = []
    for one in runs:
        place, full = places[one.folder], places.get(one.full.folder)
        parent = full.path if full and full is not place else None
        if place.config.exists():
            _require_same(place, one.config(one.load(data)), steps)
        left = _left(place, parent, steps)
        planned.append(PlannedRun(one, place, parent, left))
    return planned


def _require_same(place, config, steps):
    """Raises InputError if the run was made or attacked otherwise."""
    changes = place.changes(config)
    if not changes and ATTACK in steps.stages:
        attacked = _record(place).get("attack")
        if attacked is not None:
            changes = differences(attacked, steps.audit_options, "attack")
    if changes:
        raise InputError(
            f"{place} was made with other options ({'; '.join(changes)}): "
            "choose another --out, or repeat the options of that sweep"
        )


def _left(place, parent, steps):
    """The stages to do; after one that is to do, those behind it."""
    record = _record(place)
    has = {
        TRAIN: place.is_trained,
        EXPORT: set(steps.schemes) <= set(record.get("schemes", [])),
        QUERY: place.outputs_of(TRAINED).exists(),
        ATTACK: place.audit.exists()
        and (parent is None or record.get("parent") == parent.name),
    }
    stages = steps.stages
    for number, stage in enumerate(stages):
        is_noted = stage == TRAIN or stage in record.get("seconds", {})
        if not (has[stage] and is_noted):
            return stages[number:]
    return ()


def describe(planned: list[PlannedRun], resources: Resources) -> str:
    """Says what is to do of each run, and what all of it costs.

    Time and disk are measured on the runs of the sweep that are done.

    Args:
        planned: as plan gives it.
        resources: of the executor.
    """
    width = max(len(str(x.run.folder)) for x in planned)
    costs = {x.run.folder: _cost(x, planned) for x in planned if x.left}
    lines = []
    for x in planned:
        text = "done"
        if x.left:
            cost = costs[x.run.folder]
            about = f"about {terminal.duration(cost[0])}" if cost else "?"
            text = f"to do: {', '.join(x.left)}; {about}"
        lines.append(f"{str(x.run.folder):{width}}  {text}")
    lines.append(f"{terminal.counted(len(planned), 'run')}, {len(costs)} to do")
    known = [cost for cost in costs.values() if cost]
    if len(known) < len(costs):
        lines.append("time and disk: known when a run of each size is done")
    elif known:
        seconds, size = (sum(column) for column in zip(*known, strict=True))
        lines += [
            f"time: {terminal.duration(seconds)} one after another, "
            f"{resources.workers_here()} at a time here",
            f"disk: about {size / 1e6:.0f} MB",
        ]
    return "\n".join(lines)


def _cost(wanted, planned):
    """Seconds and bytes of what is left, by the runs most like it."""
    alike = [
        (one.run.bits != wanted.run.bits, _measured(one, wanted.left))
        for one in planned
        if not one.left and _network(one.run) == _network(wanted.run)
    ]
    if not alike:
        return None
    nearest = min(other_bits for other_bits, _ in alike)
    rows = [row for other_bits, row in alike if other_bits == nearest]
    return tuple(map(statistics.fmean, zip(*rows, strict=True)))


def _measured(one, stages):
    seconds = {
        **_record(one.place).get("seconds", {}),
        # However often it was resumed.
        TRAIN: sum(
            float(row["seconds"]) for row in history.read(one.place.history)
        ),
    }
    paths = [x for x in one.place.path.rglob("*") if x.is_file()]
    size = sum(path.stat().st_size for path in paths)
    return sum(seconds.get(stage, 0.0) for stage in stages), size


def _network(one):
    return one.dataset, one.recipe


def make_run(data: DatasetCache, *, planned: PlannedRun, steps: Steps) -> None:
    """Trains a run, exports it, and queries it, as far as that is left.

    Args:
        data: where its data set is from.
        planned: the run.
        steps: how far it goes.
    """
    from qmia_tf.experiments import run, training_run

    place, dataset = planned.place, planned.run.load(data)

    def export():
        run.export_run(place, lambda: dataset, schemes=steps.schemes)
        run.compare_run(place, dataset)

    def query():
        given = {x: y for x, y in steps.attack.items() if x in QUERY_OPTIONS}
        run.query_run(place, dataset, **given)

    work = {
        TRAIN: lambda: training_run.train_run(
            place, dataset, planned.run.config(dataset)
        ),
        EXPORT: export,
        QUERY: query,
    }
    with model_job.writing(place):
        for stage in planned.left:
            if stage in work:
                _do(planned, stage, steps, work[stage])


def attack_run(
    data: DatasetCache, *, planned: PlannedRun, steps: Steps
) -> None:
    """Attacks a run; arguments as of make_run."""
    from qmia_tf.experiments import run

    place, dataset = planned.place, planned.run.load(data)
    given = {**AUDIT_OPTIONS, **steps.attack}
    with model_job.writing(place):
        _do(
            planned,
            ATTACK,
            steps,
            lambda: run.attack_run(
                place, dataset, parent=planned.parent, **given
            ),
        )


def _do(planned, stage, steps, work):
    """Does a stage, and notes in stages.json that it is done, and with what."""
    place, started = planned.place, time.monotonic()
    work()
    record = _record(place)
    before = steps.stages[: steps.stages.index(stage)]
    seconds = record.get("seconds", {})
    record["seconds"] = {
        **{name: seconds[name] for name in before if name in seconds},
        stage: round(time.monotonic() - started, 1),
    }
    if stage == EXPORT:
        schemes = {*record.get("schemes", []), *steps.schemes}
        record["schemes"] = sorted(schemes)
    if stage == ATTACK:
        record["attack"] = steps.audit_options
        record["parent"] = planned.parent and planned.parent.name
        record["audit_sha256"] = files.sha256(place.audit)
    files.write_json(place.path / RECORD, record)


def _record(place):
    path = place.path / RECORD
    return files.read_json(path) if path.exists() else {}


def _write_tables(out, made, *, report):
    """Writes sweep.csv, sweep.json and the report of all runs."""
    from qmia_tf.report import audited_runs, make_report

    places = [x.place.path for x in made]
    for place in map(RunDir, places):
        if files.sha256(place.audit) != _record(place).get("audit_sha256"):
            terminal.say(
                f"warning: {place.audit} was written by another command since; "
                "the tables show it"
            )
    frame = audited_runs.load_runs(places)
    by_path = {str(x.place.path): x.run for x in made}
    for number, (name, of) in enumerate(
        {
            "stem": lambda one: one.recipe.stem,
            "width": lambda one: one.recipe.width,
        }.items(),
        start=1,
    ):
        frame.insert(number, name, [of(by_path[x]) for x in frame["path"]])
    files.write_bytes(out / "sweep.csv", frame.to_csv(index=False).encode())
    files.write_bytes(
        out / "sweep.json", frame.to_json(orient="records", indent=1).encode()
    )
    if report:
        make_report(places, out / "report")
