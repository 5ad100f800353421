"""The whole reproduction: plan, runs, results, tables, figures, page."""

import pathlib

from paper import (
    plans,
    reproduction_files,
    stages,
    stored_results,
)
from qmia_tf import files, locks, terminal
from qmia_tf.data import loaders as loading
from qmia_tf.errors import InputError
from qmia_tf.run_dir import RunDir

OUT, RESULTS = "runs/paper", "paper/results"
QUICK_OUT = "runs/quick"
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
        data_dir: as of datasets.load.
        download: as of datasets.load.
    Returns: the paths of tables, figures and page; none for a plan.
    Raises: InputError if a name is unknown, data are missing, a run was made
        with another configuration, or another process is at it.
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
    data = _DatasetCache(size.records, data_dir, download)
    rows = stages.plan_runs(jobs, out, step=data.epoch_seconds)
    print("\n".join(stages.plan_lines(rows)), flush=True)
    if plan:
        return []
    from paper import job_runner

    for job in jobs:
        dataset = (
            data.load(job.dataset)
            if _is_unfinished(job, out, results)
            else None
        )
        if dataset is not None:
            job_runner.run_job(
                job, dataset, out=out, results=results, sweep=sweep
            )
            _run_layer_control(job, dataset, out, results)
        else:
            stored_results.collect(job, out, results)
    return reproduction_files.write(results, pages=pages, report=report)


class _DatasetCache:
    """Data sets, each loaded once and only when it is needed."""

    def __init__(self, records, data_dir, download):
        self.records = records
        self.place = {"data_dir": data_dir, "download": download}
        self.name, self.dataset = None, None

    def load(self, name):
        """The first records of a data set, as many as the size says."""
        from paper import job_runner

        if name != self.name:
            dataset = loading.load(name, **self.place)
            self.name, self.dataset = (
                name,
                job_runner.first_records(dataset, self.records),
            )
        return self.dataset

    def epoch_seconds(self, job):
        """Times an epoch of a job's network; None without the data."""
        from paper import job_runner

        terminal.say(f"timing some steps of {job.dataset} ({job.regime})")
        try:
            dataset = self.load(job.dataset)
        except InputError as error:
            # A plan is of use before the data are there.
            terminal.say(f"not timed: {error}")
            return None
        return job_runner.epoch_seconds(job, dataset)


def _is_unfinished(job, out, results):
    """Whether any stage of a run is left."""
    return (
        stages.done(job, out) != stages.needed(job)
        or _has_layer_control(job)
        and not (results / job.dataset / stored_results.SAME_PATH).exists()
    )


def _has_layer_control(job):
    return job.model == plans.FULL and job.seed == 0


def _run_layer_control(job, dataset, out, results):
    """Compares full precision with Keras' own layers, once a data set."""
    path = results / job.dataset / stored_results.SAME_PATH
    if not _has_layer_control(job) or path.exists():
        return
    from paper import job_runner, keras_layer_control

    with locks.writing(path):
        terminal.say(
            f"== {job.dataset}: DoReFa layers at 32 bits against Keras'"
        )
        comparison = keras_layer_control.check(
            dataset,
            job_runner.run_config(job, dataset),
            job.recipe,
            out / job.folder,
            steps=job.size.path_steps,
        )
        files.write_json(path, {**comparison, "regime": job.regime})
