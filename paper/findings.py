"""The findings in sentences, each made from numbers by one rule.

An interval that lies within EQUAL_WITHIN of zero says "the same"; otherwise
one below zero says "less", one above zero "more", and one that contains zero
"too close to call".
"""

from collections import Counter

from paper import change_tables, equal_accuracy, paper_comparison
from paper.stored_results import FinishedRun
from qmia_tf.statistics import seed_means

DIRECTIONS = ("less", "more", "the same", "too close to call", "no interval")
# Half of the last digit that is shown: 0.05 points, 0.0005 of AUC.
EQUAL_WITHIN = 0.0005
# Student's interval between two seeds is of no use.
MIN_SEEDS = 3
# Of so many 95 % intervals one misses the true value by chance.
INTERVALS_PER_MISS = 20
QUESTIONS = (
    ("Do the quantized models leak less, trained alike?", "changes"),
    ("Is anything left at equal nonmember accuracy?", "matched"),
    ("Does it hold for the deployed file?", "files"),
)
LEAKS = {
    "changes": (
        ("gap_change", "gap attack", 100, "points"),
        ("confidence_auc_change", "confidence", 1, "AUC"),
        ("margin_auc_change", "margin", 1, "AUC"),
        ("likelihood_auc_change", "likelihood", 1, "AUC"),
        ("quantile_auc_change", "quantile", 1, "AUC"),
        ("strongest_change", "strongest", 100, "points"),
    ),
    "matched": (
        ("gap_change", "gap attack", 100, "points"),
        ("confidence_change", "confidence", 1, "AUC"),
        ("margin_change", "margin", 1, "AUC"),
        ("likelihood_change", "likelihood", 1, "AUC"),
    ),
    "files": (
        ("margin_change", "margin", 1, "AUC"),
        ("likelihood_change", "likelihood", 1, "AUC"),
        ("strongest_change", "strongest", 100, "points"),
    ),
}


def answers(finished: list[FinishedRun]) -> list[tuple[str, list[str]]]:
    """One question and its answers: counted, then a line a model.

    Where chance alone would make an interval miss, that is said between the
    two: none is adjusted for how many there are.

    Returns: (question, lines) of each; no lines where nothing was run.
    """
    tables = {
        "changes": change_tables.changes_by_seed(finished),
        "matched": equal_accuracy.matched(finished),
        "files": equal_accuracy.files(finished),
    }
    rows = {
        name: _merge_seeds(
            [_cells_by_key(table, row) for row in table.rows], name
        )
        for name, table in tables.items()
    }
    return [
        (
            text,
            [
                *_counts_by_regime(rows[name], name),
                *_chance_lines(rows[name], name),
                *_model_lines(rows[name], name),
            ],
        )
        for text, name in QUESTIONS
    ]


def direction(estimate) -> str:
    """less, more, the same, or too close to call."""
    if estimate.low is None:
        return "no interval"
    if -EQUAL_WITHIN < estimate.low and estimate.high < EQUAL_WITHIN:
        return "the same"
    if estimate.high < 0:
        return "less"
    return "more" if estimate.low > 0 else "too close to call"


def regime_lines(finished: list[FinishedRun]) -> list[str]:
    """How far each regime fits its members, of full precision."""
    table = paper_comparison.regimes(finished)
    rows = [_cells_by_key(table, row) for row in table.rows]
    return [
        f"{row['dataset']}, {row['regime']}: "
        f"{100 * row['accuracy_members'].value:.1f} % of the members and "
        f"{100 * row['accuracy'].value:.1f} % of the nonmembers right after "
        f"{row['epochs']} epochs, gap attack {100 * row['gap'].value:.1f} %, "
        f"confidence at most {100 * row['peak'].value:.1f} %."
        for row in rows
        if row["model"] == "full precision"
    ]


def arithmetic_lines() -> list[str]:
    """Where the paper's F1 does not follow from its own P and R."""
    table = paper_comparison.arithmetic()
    return [
        f"{row['dataset']}, {row['model']}: F1 {row['f1']:.2f} is printed; "
        f"precision and recall give {row['f1_recomputed']:.2f}, and the "
        f"printed F1 a precision of {row['implied_precision']:.1f}."
        for row in (_cells_by_key(table, row) for row in table.rows)
        if row["follows"] == "no"
    ]


def differences(finished: list[FinishedRun]) -> list[str]:
    """Where our tables and the paper's are apart, by how many points."""
    table = paper_comparison.table_1(finished)
    lines = []
    for row in (_cells_by_key(table, row) for row in table.rows):
        accuracy = 100 * row["accuracy"].value - row["paper_accuracy"]
        gap = 100 * row["gap"].value - row["paper_gap"]
        lines.append(
            f"{row['dataset']}, {row['regime']}, {row['model']}: test "
            f"accuracy {accuracy:+.1f} points, gap attack {gap:+.1f} points "
            "from the paper's."
        )
    return lines


def _merge_seeds(rows, name):
    """One row for MIN_SEEDS seeds and more of a model; each else by itself."""
    groups = {}
    for row in rows:
        key = tuple(row.get(x) for x in ("dataset", "regime", "model", "file"))
        groups.setdefault(key, []).append(row)
    merged = []
    for group in groups.values():
        # A comparison at another accuracy is no match.
        alike = [row for row in group if _is_match(row)]
        if "seed" in group[0] and len(alike) >= MIN_SEEDS:
            merged.append(_mean(alike, name))
            group = [row for row in group if not _is_match(row)]
        merged += group
    return merged


def _is_match(row):
    """Whether it is of a match, or of a question that knows none."""
    return row.get("match") != "no"


def _mean(rows, name):
    row = {x: rows[0].get(x) for x in ("dataset", "regime", "model", "file")}
    row["seeds"] = len(rows)
    for key, *_ in LEAKS[name]:
        values = [
            seed_row[key].value
            for seed_row in rows
            if seed_row[key] is not None
        ]
        row[key] = seed_means.mean(values) if len(values) == len(rows) else None
    return row


def _counts_by_regime(rows, name):
    """How many models say less, more or neither, a line a regime."""
    by_regime = {}
    for row in rows:
        counters = by_regime.setdefault((row["dataset"], row["regime"]), {})
        for key, text, *_ in LEAKS[name]:
            if row[key] is not None and _is_match(row):
                counters.setdefault(text, Counter())[direction(row[key])] += 1
    return [
        f"{dataset}, {regime}, counted: "
        + "; ".join(
            f"{text} {_counts_text(counts)} of {counts.total()}"
            for text, counts in counters.items()
        )
        + "."
        for (dataset, regime), counters in by_regime.items()
        if any(counts.total() > 1 for counts in counters.values())
    ]


def _chance_lines(rows, name):
    """How many of the intervals miss by chance, as far as one would."""
    estimates = [row[key] for row in rows for key, *_ in LEAKS[name]]
    count = sum(
        estimate is not None and estimate.low is not None
        for estimate in estimates
    )
    if count < INTERVALS_PER_MISS:
        return []
    misses = round(count / INTERVALS_PER_MISS)
    return [
        f"By chance alone about {misses} of these {count} intervals, one in "
        "twenty, miss what is true; none is adjusted for it."
    ]


def _counts_text(counts):
    texts = [f"{counts[word]} {word}" for word in DIRECTIONS if counts[word]]
    return ", ".join(texts)


def _model_lines(rows, name):
    lines = []
    for row in rows:
        parts = [
            f"{text} {times * row[key].value:+.{2 if times > 1 else 3}f} "
            f"{unit}{_interval(row[key], times)}: {direction(row[key])}"
            for key, text, times, unit in LEAKS[name]
            if row[key] is not None
        ]
        lines.append(f"{_model_text(row)}: {'; '.join(parts)}.")
    return lines


def _model_text(row):
    who = f"{row['dataset']}, {row['regime']}, {row['model']}"
    if "seed" in row:
        who += f", seed {row['seed']}"
    if row.get("file"):
        who += f", {row['file']} against Keras"
    if not _is_match(row):
        who += " (no match: full precision was never as accurate, or as "
        who += "inaccurate; its nearest epoch)"
    if "seeds" in row:
        count = row["seeds"]
        who += f" ({count} seed{'s' * (count > 1)})"
    return who


def _interval(estimate, times):
    if estimate.low is None:
        return ""
    digits = 1 if times > 1 else 3
    low, high = times * estimate.low, times * estimate.high
    return f" [{low:+.{digits}f}, {high:+.{digits}f}]"


def _cells_by_key(table, cells):
    keys = [column.key for column in table.columns]
    return dict(zip(keys, cells, strict=True))
