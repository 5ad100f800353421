"""What of a grid of runs is there, what is to do, and what it costs.

RUN/stages.json says which stages were done, with which options, and what they
took.
"""

import dataclasses
import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import TypedDict

from qmia_tf import files, terminal, typed_json
from qmia_tf.attacks import tfprivacy as privacy
from qmia_tf.auditing import label_only_queries, risky_members
from qmia_tf.data.dataset_cache import DatasetCache
from qmia_tf.errors import InputError
from qmia_tf.experiments.executors import Job, Resources
from qmia_tf.experiments.run_grid import Grid, GridRun
from qmia_tf.run_dir import TRAINED, RunDir, differences
from qmia_tf.training import history

TRAIN, EXPORT, QUERY, ATTACK = STAGES = ("train", "export", "query", "attack")
RECORD = "stages.json"
JOBS = "qmia_tf.experiments.sweep_jobs"
# Options of run.attack_run that an audit follows from, and their defaults.
AUDIT_OPTIONS = {
    "kernels": ("default",),
    "label_only": label_only_queries.Settings(),
    "inside": True,
    "gradients": False,
    "output_forms": True,
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
        tensorboard_every: of training_run.train_run.
    Raises: InputError if there is no such stage.
    """

    until: str = ATTACK
    schemes: tuple[str, ...] = ("integer",)
    attack: Mapping = dataclasses.field(default_factory=dict)
    tensorboard_every: int = 0

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
        name: of its jobs.
        run: the run.
        place: its directory.
        parent: directory of its full-precision run, if the grid has it.
        left: the stages to do, in order.
    """

    name: str
    run: GridRun
    place: RunDir
    parent: pathlib.Path | None
    left: tuple[str, ...]


def plan(out, grid: Grid, steps: Steps, data: DatasetCache) -> list[PlannedRun]:
    """Looks at what is there of a grid.

    Raises: InputError as sweep.
    """
    runs = grid.runs()
    for name in dict.fromkeys(one.dataset for one in runs):
        data.check(name)
    return plan_runs(out, {str(x.folder): x for x in runs}, steps, data)


def plan_runs(
    out,
    runs: Mapping[str, GridRun],
    steps: Steps,
    data: DatasetCache,
    *,
    again: bool = False,
) -> list[PlannedRun]:
    """Looks at what is there of some runs.

    Args:
        out: folder of all.
        runs: folder in `out` -> the run.
        again: attack those again that were attacked, with any options.
    Raises: InputError if a run is there with another configuration.
    """
    planned = []
    for name, one in runs.items():
        place, parent = RunDir(pathlib.Path(out, name)), None
        for full, other in runs.items():
            if other == one.full and full != name:
                parent = pathlib.Path(out, full)
        if place.config.exists():
            _require_same(place, one.config(one.load(data)), steps, again)
        stages = left(place, parent, steps)
        if again and ATTACK not in stages:
            stages = (ATTACK,)
        planned.append(PlannedRun(name, one, place, parent, stages))
    return planned


def _require_same(place, config, steps, again):
    """Raises InputError if the run was made or attacked otherwise."""
    changes = place.changes(config)
    if not (changes or again) and ATTACK in steps.stages:
        attacked = read_record(place).get("attack")
        if attacked is not None:
            changes = differences(attacked, steps.audit_options, "attack")
    if changes:
        raise InputError(
            f"{place} was made with other options ({'; '.join(changes)}): "
            "choose another --out, or repeat the options of that sweep"
        )


def left(
    place: RunDir, parent: pathlib.Path | None, steps: Steps
) -> tuple[str, ...]:
    """Lists the stages to do; after one that is to do, those behind it."""
    record = read_record(place)
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


def jobs(planned: Sequence[PlannedRun], steps: Steps) -> list[Job]:
    """Gives the jobs that do what is left of some runs.

    One up to a run's outputs, and one that attacks it. This one needs the
    outputs of the full-precision run too.
    """
    return [job for x in planned for job in _jobs(x, planned, steps)]


def _jobs(wanted, planned, steps):
    before = set(wanted.left) - {ATTACK}
    path = wanted.place.path
    log = path.with_name(f"{path.name}.log")
    arguments = {"planned": wanted, "steps": steps}
    if before:
        yield Job(wanted.name, f"{JOBS}:make_run", arguments, log)
    if ATTACK in wanted.left:
        needed = [
            x.name
            for x in planned
            if x.place.path in (path, wanted.parent) and set(x.left) - {ATTACK}
        ]
        yield Job(
            f"{wanted.name} attack",
            f"{JOBS}:attack_run",
            arguments,
            log,
            after=tuple(needed),
        )


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
        **read_record(one.place).get("seconds", {}),
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


class _Record(TypedDict, total=False):
    """stages.json of a run."""

    seconds: dict[str, float]
    schemes: list[str]
    attack: dict
    parent: str | None
    audit_sha256: str


def read_record(place: RunDir) -> dict:
    """Reads stages.json of a run; empty if there is none.

    Raises: InputError if it is damaged.
    """
    path = place.path / RECORD
    if not path.exists():
        return {}
    record = files.read_json(path)
    typed_json.check(
        _Record,
        record,
        source=str(path),
        remedy="delete it: the stages of this run are done again",
    )
    return record
