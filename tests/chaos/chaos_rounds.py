"""Every stage in turn, disturbed as often as wanted, and a table of it."""

import collections
import pathlib
import random

import disturbances
import stages

from qmia_tf import terminal


def disturb(
    names, folder: pathlib.Path, *, kills=0, disks=0, permissions=0, seed=0
) -> list[disturbances.Outcome]:
    """Disturbs stages.

    Args:
        names: of stages.
        folder: for all that is made; it is not there yet.
        kills, disks, permissions: how often, each stage.
        seed: draws the moments.
    """
    before = folder / "start"
    stages.prepare(before)
    outcomes = []
    for name in stages.with_needed(names):
        terminal.say(f"{name}: undisturbed")
        trial = disturbances.Trial(name, folder, before)
        before = trial.whole
        if name not in names:
            continue
        draw = random.Random(f"{seed} {name}")
        rounds = [
            *((disturbances.kill, number) for number in range(kills)),
            *((disturbances.fill, number) for number in range(disks)),
            *((disturbances.forbid, number) for number in range(permissions)),
        ]
        for act, number in rounds:
            outcome = act(trial, draw, number)
            terminal.say(" ".join(row(outcome)))
            outcomes.append(outcome)
    return outcomes


def row(outcome: disturbances.Outcome) -> tuple[str, ...]:
    """The cells of an outcome."""
    skipped = "not tried: " if outcome.is_skipped else ""
    return (
        outcome.stage,
        outcome.what,
        outcome.moment,
        skipped + outcome.result,
    )


def table(outcomes: list[disturbances.Outcome]) -> str:
    """One line a stage and kind of disturbance."""
    groups = collections.defaultdict(list)
    for outcome in outcomes:
        groups[outcome.stage, outcome.what].append(outcome)
    rows = [("stage", "disturbance", "when", "equal", "else")]
    for (stage, what), group in groups.items():
        tried = [x for x in group if not x.is_skipped]
        equal = sum(x.result == disturbances.EQUAL for x in tried)
        rows.append(
            (
                *(stage, what),
                ", ".join(x.moment for x in tried),
                f"{equal} of {len(tried)}",
                "; ".join(
                    row(x)[-1] for x in group if x.result != disturbances.EQUAL
                ),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(map(str.ljust, cells, widths)).rstrip() for cells in rows
    )
