"""A grid of runs, each trained, exported, queried and attacked.

Every run is an ordinary run directory, OUT/DATASET/NAME, and its log lies
beside it. The same call again does what is missing.
"""

import pathlib
from collections.abc import Iterable, Mapping

from qmia_tf import files, terminal
from qmia_tf.data.dataset_cache import DatasetCache
from qmia_tf.experiments import sweep_plan
from qmia_tf.experiments.executors import Resources, execute, require_done
from qmia_tf.experiments.run_grid import Grid
from qmia_tf.experiments.sweep_plan import (
    ATTACK,
    Steps,
    left,
    plan,
    read_record,
)
from qmia_tf.run_dir import RunDir


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
    jobs = sweep_plan.jobs(planned, steps)
    failed = execute(
        jobs, data, executor=executor, resources=resources, noun="job"
    )
    made = [x for x in planned if not left(x.place, x.parent, steps)]
    if steps.until == ATTACK and made:
        _write_tables(pathlib.Path(out), made, report=report)
    require_done(failed, jobs, "jobs")
    return [x.place.path for x in planned]


def _write_tables(out, made, *, report):
    """Writes sweep.csv, sweep.json and the report of all runs."""
    from qmia_tf.report import audited_runs, make_report

    places = [x.place.path for x in made]
    for place in map(RunDir, places):
        if files.sha256(place.audit) != read_record(place).get("audit_sha256"):
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
