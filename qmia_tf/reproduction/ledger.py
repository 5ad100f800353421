"""What was run, with which programs, and how long it took."""

from qmia_tf.report.compared import title
from qmia_tf.report.tables import Column, Table
from qmia_tf.reproduction import plans, stages
from qmia_tf.reproduction.measures import model_title
from qmia_tf.reproduction.paper_beside import PLACE
from qmia_tf.reproduction.stored import Finished

EVERYTHING = (*plans.REGIMES, plans.CHOICES)


def times(finished: list[Finished]) -> Table:
    """Minutes of every stage of every run."""
    rows = []
    for each in finished:
        job, seconds = each.job, each.seconds
        rows.append(
            [
                title(job.dataset),
                job.regime,
                model_title(job.model),
                job.seed,
                len(each.history) or None,
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
        "Wall-clock minutes, two cores shared with other work: up to several "
        "times what a quiet machine takes. A stage that was killed counts "
        "from its last start, of one made again the longest time counts; "
        "training counts every epoch once."
    ]
    return Table("times", "What was run", columns, rows, notes)


def left(finished: list[Finished]) -> list[str]:
    """What of the plan has no results yet, a line a data set and regime."""
    there = {each.job.folder for each in finished}
    found = {}
    planned = plans.jobs([plans.ALL], seeds=plans.SEEDS, regimes=EVERYTHING)
    for job in planned:
        if job.folder not in there:
            place = f"{title(job.dataset)}, {job.regime}"
            models = found.setdefault(place, {}).setdefault(job.seed, [])
            models.append(model_title(job.model))
    return [
        f"{place}: "
        + "; ".join(
            f"seed {seed}: {', '.join(f'({name})' for name in models)}"
            for seed, models in by_seed.items()
        )
        + "."
        for place, by_seed in found.items()
    ]


def commands(finished: list[Finished]) -> str:
    """commands.md: the command of every run, and the versions."""
    lines = [
        "# How these results were made",
        "",
        "All at once, or again after an interruption:",
        "",
        "    python scripts/reproduce.py --dataset=all --seeds=0,1,2 "
        f"--regimes={','.join(EVERYTHING)}",
        "",
        "The tables, figures and docs/reproduction.md alone, from these files:",
        "",
        "    python scripts/reproduce.py --only_report",
        "",
        "Each run by itself:",
        "",
    ]
    lines += [f"    {_command(each)}" for each in finished]
    lines += ["", "Versions:", ""]
    lines += [f"- {name} {version}" for name, version in _versions(finished)]
    return "\n".join(lines) + "\n"


def _command(each):
    """The line that makes one run."""
    job = each.job
    return (
        f"python scripts/reproduce.py --dataset={job.dataset} "
        f"--regimes={job.regime} --models={job.model} --seeds={job.seed}"
    )


def _versions(finished):
    """(package, its versions) of audits and exports."""
    found = {}
    for each in finished:
        listed = [each.run.audit.versions]
        listed += [
            entry.get("versions", {}) for entry in each.manifest.values()
        ]
        for versions in listed:
            for name, version in versions.items():
                found.setdefault(name, set()).add(str(version))
    return [(name, ", ".join(sorted(found[name]))) for name in sorted(found)]


def _minutes(seconds):
    return None if seconds is None else seconds / 60
