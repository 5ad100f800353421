"""The tables of benchmarks/verdict.py, in Markdown."""

INTRO = """\
# How often the verdict is right

Written by `python benchmarks/verdict.py` from simulated audits. What the
numbers mean is in [the verdict](../docs/verdict.md#how-often-is-it-right).
"""
FOUND = """\
## What is found, and what the intervals hold

*Old*: the attack is chosen on one half of the records, and found where
DeLong's interval on the other half lies above 1/2. AUC 0.5 is no leak: what is
found there is a false alarm. In the last leak one member in a hundred is known
for sure, and the others not at all.
"""
SMALLEST = """\
## What an audit says that it would have found

Of the margin, and how often that is so.
"""
COST = """\
## What the permutations cost
"""


def page(rows_by_part) -> str:
    """Makes the whole page, of the parts that are there.

    Args:
        rows_by_part: dict, as verdict.py stores it.
    """
    sections = {
        "audits": (FOUND, power),
        "detectable": (SMALLEST, detectable),
        "seconds": (COST, seconds),
    }
    pieces = [INTRO]
    for part, (heading, table) in sections.items():
        if part in rows_by_part:
            pieces += [heading, table(rows_by_part[part])]
    return "\n".join(pieces)


def power(rows) -> str:
    """Makes the table of false alarms, power and coverage.

    Args:
        rows: list of dicts, of verdict.py's "audits".
    """
    lines = [
        "| leak | records a side | found, old | found, new | all intervals "
        "hold | the chosen one holds | old: the chosen one holds | audits |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {row['leak']} | {row['records']:,} | {_share(row['found_old'])} | "
        f"{_share(row['found_new'])} | {_share(row['covered_all'])} | "
        f"{_share(row['covered_chosen'])} | {_share(row['covered_old'])} | "
        f"{row['audits']:,} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def detectable(rows) -> str:
    """Makes the table of what would have been found.

    Args:
        rows: list of dicts, of verdict.py's "detectable".
    """
    lines = [
        "| records a side | smallest AUC found with 80 % power | found, by "
        "that attack's AUC | found, by any statistic | audits |",
        "|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {row['records']:,} | {row['auc']:.3f} | {_share(row['alone'])} | "
        f"{_share(row['found'])} | {row['audits']:,} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def seconds(rows) -> str:
    """Makes the table of times.

    Args:
        rows: list of dicts, of verdict.py's "seconds".
    """
    lines = [
        "| records a side | attacks | permutations | seconds | CPU seconds |",
        "|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {row['records']:,} | {row['attacks']} | {row['permutations']:,} | "
        f"{row['seconds']:.1f} | {row['cpu_seconds']:.1f} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _share(share):
    return f"{100 * share:.1f} %"
