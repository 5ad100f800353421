"""What was run, with which programs, and how long it took."""

from paper import plans, stages
from paper.measures import model_title, place_of
from paper.paper_comparison import PLACE
from paper.stored_results import FinishedRun
from qmia_tf.report.run_list import title
from qmia_tf.report.tables import Column, Table

EVERYTHING = (*plans.REGIMES, plans.CHOICES)


def times(finished: list[FinishedRun]) -> Table:
    """Minutes of every stage of every run."""
    rows = []
    for finished_run in finished:
        job, seconds = finished_run.job, finished_run.seconds
        rows.append(
            [
                *place_of(job),
                job.seed,
                len(finished_run.history) or None,
                *(_minutes(seconds.get(stage)) for stage in stages.STAGES),
            ]
        )
    columns = [
        *PLACE,
        Column("seed", "seed", "count"),
        Column("epochs", "epochs", "count"),
        *(Column(f"{x}, min", f"{x}_minutes", "number") for x in stages.STAGES),
    ]
    notes = [
        "Wall-clock minutes on two cores that other work shared: up to several "
        "times what a quiet machine takes. A stage that was killed counts from "
        "its last start. Of one made again the longest time counts. Training "
        "counts every epoch once."
    ]
    return Table("times", "What was run", columns, rows, notes)


def open_runs(finished: list[FinishedRun]) -> list[str]:
    """What of the plan has no results yet, a line a data set and regime."""
    folders = {finished_run.job.folder for finished_run in finished}
    by_place = {}
    planned = plans.jobs([plans.ALL], seeds=plans.SEEDS, regimes=EVERYTHING)
    for job in planned:
        if job.folder not in folders:
            place = f"{title(job.dataset)}, {job.regime}"
            models = by_place.setdefault(place, {}).setdefault(job.seed, [])
            models.append(model_title(job.model))
    return [
        f"{place}: "
        + "; ".join(
            f"seed {seed}: {', '.join(f'({name})' for name in models)}"
            for seed, models in by_seed.items()
        )
        + "."
        for place, by_seed in by_place.items()
    ]


def commands(finished: list[FinishedRun]) -> str:
    """commands.md: the command of every run, and the versions."""
    lines = [
        "# How these results were made",
        "",
        "All at once. After an interruption the same command goes on:",
        "",
        "```bash",
        "python scripts/reproduce.py --dataset=all --seeds=0,1,2 "
        f"--regimes={','.join(EVERYTHING)}",
        "```",
        "",
        "Tables, figures and pages alone, from the files in this folder:",
        "",
        "```bash",
        "python scripts/reproduce.py --only_report",
        "```",
        "",
        "Each run by itself:",
        "",
        "```bash",
    ]
    lines += [_command(finished_run) for finished_run in finished]
    lines += ["```", "", "Versions:", ""]
    lines += [f"- {name} {version}" for name, version in _versions(finished)]
    return "\n".join(lines) + "\n"


def _command(finished_run):
    """The line that makes one run."""
    job = finished_run.job
    return (
        f"python scripts/reproduce.py --dataset={job.dataset} "
        f"--regimes={job.regime} --models={job.model} --seeds={job.seed}"
    )


def _versions(finished):
    """(package, its versions) of audits and exports."""
    versions_of = {}
    for finished_run in finished:
        version_sets = [finished_run.run.audit.versions]
        version_sets += [
            entry.get("versions", {})
            for entry in finished_run.manifest.values()
        ]
        for versions in version_sets:
            for name, version in versions.items():
                versions_of.setdefault(name, set()).add(str(version))
    return [
        (name, ", ".join(sorted(versions_of[name])))
        for name in sorted(versions_of)
    ]


def _minutes(seconds):
    return None if seconds is None else seconds / 60
