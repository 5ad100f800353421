"""The whole reproduction: plan, runs, results, tables, figures, page."""

import pathlib

from paper import (
    plans,
    reproduction_files,
    stages,
    stored_results,
)
from qmia_tf import terminal
from qmia_tf.data.dataset_cache import DatasetCache
from qmia_tf.errors import InputError
from qmia_tf.experiments.executors import Job, execute, require_done
from qmia_tf.run_dir import RunDir

OUT, RESULTS = "runs/paper", "paper/results"
QUICK_OUT = "runs/quick"
STAGES = "paper.job_runner:run_stages"
CONTROL = "paper.job_runner:control_layers"
PAGES = ("docs/findings.md", "docs/reproduction.md")


def reproduce(
    datasets=(plans.ALL,),
    *,
    seeds=plans.SEEDS,
    regimes=plans.REGIMES,
    models=(),
    stem=None,
    quick=False,
    plan=False,
    only_trained=False,
    skip_stored=False,
    only_report=False,
    sweep=None,
    out=None,
    results=None,
    pages=None,
    report=True,
    executor="serial",
    resources=None,
    data_dir=None,
    download=False,
) -> list[pathlib.Path]:
    """Runs what is not done of the reproduction, then writes its pages.

    Args:
        datasets: any of plans.RECIPES, or "all" for the paper's two.
        seeds: ints; seed k also draws the members.
        regimes: see plans.jobs.
        models: any of plans.MODELS; empty: see plans.jobs.
        stem: "imagenet" or "cifar", added to every regime; None adds none.
        quick: few records, a narrow network, few epochs.
        plan: only prints what is done and what is left.
        only_trained: leaves out what is not trained yet.
        skip_stored: leaves out runs whose results are complete, wherever
            they ran; see stages.not_stored.
        only_report: writes tables, figures and pages from stored results.
        sweep: kept epochs of a full-precision run that are queried, at most.
        out: folder of the runs; None: runs/paper, or runs/quick.
        results: folder of the results; None: paper/results, or in `out`.
        pages: Markdown files whose generated parts are written again;
            those that are missing are left out. None: PAGES; quick: none.
        report: makes report.html of each regime.
        executor: one of executors.EXECUTORS.
        resources: of the executor.
        data_dir: as of datasets.load.
        download: as of datasets.load.
    Returns: the paths of tables, figures and page; none for a plan.
    Raises: InputError if a name is unknown, data are missing, a run was made
        with another configuration, or another process is at it; all other
        runs are made first.
    """
    size = plans.QUICK if quick else plans.PAPER_SIZE
    out = pathlib.Path(out or (QUICK_OUT if quick else OUT))
    results = pathlib.Path(results or (out / "results" if quick else RESULTS))
    if pages is None:
        pages = () if quick else PAGES
    if only_report:
        return reproduction_files.write(results, pages=pages, report=report)
    jobs = plans.jobs(
        datasets,
        seeds=seeds,
        regimes=regimes,
        models=models,
        stem=stem,
        size=size,
    )
    if only_trained:
        jobs = [job for job in jobs if RunDir(out / job.folder).model.exists()]
    if skip_stored:
        jobs = stages.not_stored(jobs, results)
    data = DatasetCache(
        data_dir=data_dir, download=download, records=size.records
    )
    rows = stages.plan_runs(
        jobs, out, step=lambda job: _epoch_seconds(job, data)
    )
    print("\n".join(stages.plan_lines(rows)), flush=True)
    if plan:
        return []
    missing = list(_missing(jobs, out, results, sweep))
    failed = execute(missing, data, executor=executor, resources=resources)
    require_done(failed, missing, "jobs")
    for job in jobs:
        stored_results.collect(job, out, results)
    return reproduction_files.write(results, pages=pages, report=report)


def _epoch_seconds(job, data):
    """Times an epoch of a job's network; None without the data."""
    from paper import job_runner

    terminal.say(f"timing some steps of {job.dataset} ({job.regime})")
    try:
        dataset = data.load(job.dataset)
    except InputError as error:
        # A plan is of use before the data are there.
        terminal.say(f"not timed: {error}")
        return None
    return job_runner.epoch_seconds(job, dataset)


def _missing(jobs, out, results, sweep):
    """What is to do: of each run two jobs, of each data set the control.

    The sweep over epochs needs that of full precision, to compare with.
    """
    left = [job for job in jobs if stages.done(job, out) != stages.needed(job)]
    compared = [job.full.folder for job in left if job.model == plans.FULL]
    controlled = set()
    for job in jobs:
        name, log = str(job.folder), out / f"{job.folder}.log"
        if job in left:
            before = [x for x in stages.needed(job) if x != stages.SWEEP]
            shared = {"job": job, "out": out, "results": results}
            yield Job(name, STAGES, {**shared, "names": before}, log)
            needs = (name,)
            if job.model != plans.FULL and job.full.folder in compared:
                needs = name, f"{job.full.folder} sweep"
            rest = {"names": [stages.SWEEP], "sweep": sweep}
            yield Job(f"{name} sweep", STAGES, {**shared, **rest}, log, needs)
        path = results / job.dataset / stored_results.SAME_PATH
        is_chosen = job.model == plans.FULL and job.seed == 0
        if is_chosen and not path.exists() and path not in controlled:
            controlled.add(path)
            yield Job(
                f"{job.dataset} layers",
                CONTROL,
                {"job": job, "out": out, "path": path},
                log,
                (name,) if job in left else (),
            )
