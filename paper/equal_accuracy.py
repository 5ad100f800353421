"""The leak at equal accuracy, and that of the deployed files."""

from paper import artefact_pairs
from paper.measures import (
    auc_changes,
    deployed,
    groups,
    mean_over_seeds,
    measure,
    place_of,
)
from paper.paper_comparison import PLACE, SEEDS
from paper.stored_results import FinishedRun
from qmia_tf.auditing.accuracy_matching import NEAR, Match
from qmia_tf.report.tables import Column, Table
from qmia_tf.run_dir import TRAINED
from qmia_tf.statistics import seed_means
from qmia_tf.statistics.intervals import Estimate

SCORES = {
    "gap": "gap attack",
    "confidence": "confidence AUC",
    "margin": "margin AUC",
    "likelihood": "likelihood AUC",
}
FILE_CHANGES = ("margin_auc", "likelihood_auc")


def matched(finished: list[FinishedRun]) -> Table:
    """The leak at equal accuracy on nonmembers, one row a run."""
    rows = []
    for finished_run in finished:
        if finished_run.comparison is None:
            continue
        job, match = finished_run.job, finished_run.comparison.match
        # Runs of an older version lack the attacks made since.
        leaks = [match.leak.get(score) for score in SCORES]
        rows.append(
            [
                *place_of(job),
                job.seed,
                match.way,
                " and ".join(map(str, match.epochs)),
                match.outside,
                "yes" if match.is_match else "no",
                match.crossings,
                "paired" if finished_run.is_paired else "unpaired",
                match.accuracy,
                *(leak and leak.difference for leak in leaks),
                *(leak and leak.p_value for leak in leaks),
            ]
        )
    columns = [
        *PLACE,
        Column("seed", "seed", "count"),
        Column("way", "way"),
        Column("against epochs", "epochs"),
        Column("outside", "outside"),
        Column("match", "match"),
        Column("crossings", "crossings", "count"),
        Column("intervals", "intervals"),
        Column("accuracy, points", "accuracy_change", "change"),
        *(
            Column(name, f"{key}_change", "signed")
            for key, name in SCORES.items()
        ),
        *(
            Column(f"{n}, p", f"{key}_p", "measure")
            for key, n in SCORES.items()
        ),
    ]
    notes = [
        "The trained model minus full precision at the epoch where full "
        "precision was as accurate on the same nonmembers.",
        "Interpolated: on a straight line between the first two neighbouring "
        "stored epochs, up to the best one, that have the accuracy between "
        "them. Nearest: full precision was never as accurate (outside: above, "
        "below), so the stored epoch nearest in accuracy is taken. That is a "
        "match if the difference in accuracy has a 95 % interval that "
        f"contains zero and lies within {100 * NEAR:.0f} point.",
        "Leaks are AUC, of the gap attack the balanced accuracy, with "
        "DeLong's 95 % interval over records, for these two training runs. "
        "Paired: compared record by record. Unpaired: full precision was "
        "trained on another machine, and its score of each record was not "
        "stored. Then the two count as independent, and the interval is wider "
        "than it need be.",
        "Likelihood: the likelihood ratio of the margin, learned on one half "
        "of the records and judged on the other, as in an audit.",
    ]
    name = "The leak at equal nonmember accuracy"
    return Table("matched", name, columns, rows, notes)


def matched_means(finished: list[FinishedRun]) -> Table:
    """The same over seeds, where two or more have a match."""
    rows = []
    for runs in groups(finished).values():
        matches = matches_of(runs)
        if len(matches) > 1:
            means = [over_matches(matches, key) for key in SCORES]
            rows.append([*place_of(runs[0].job), len(matches), *means])
    columns = [
        *PLACE,
        SEEDS,
        *(
            Column(name, f"{key}_change", "signed")
            for key, name in SCORES.items()
        ),
    ]
    notes = ["Student's 95 % interval between seeds, of the matched runs only."]
    name = "The leak at equal accuracy, over seeds"
    return Table("matched_means", name, columns, rows, notes)


def matches_of(runs: list[FinishedRun]) -> list[Match]:
    """The matches of those that full precision was as accurate as."""
    compared = [x for x in runs if x.comparison is not None]
    matches = [x.comparison.match for x in compared]
    return [match for match in matches if match.is_match]


def over_matches(matches: list[Match], score: str) -> Estimate | None:
    """The mean change over seeds; of one match with its own interval."""
    leaks = [match.leak.get(score) for match in matches]
    return mean_over_seeds(
        [leak and leak.difference for leak in leaks], seed_means.mean
    )


def files(finished: list[FinishedRun]) -> Table:
    """The deployed file beside its Keras model, one row a run."""
    rows = []
    for finished_run in finished:
        target, keras = deployed(finished_run), finished_run.run.target(TRAINED)
        if target is None:
            continue
        job, audit = finished_run.job, finished_run.run.audit
        alike = next(
            (x for x in audit.agreements if x.target == target.target), None
        )
        pair = artefact_pairs.compare(audit, target, keras)
        against = finished_run.artefacts.get(target.target)
        changes = auc_changes(against) if against else {}
        rows.append(
            [
                *place_of(job),
                job.seed,
                target.target,
                target.size_mb,
                alike and alike.labels_differ,
                *(measure(target, key) for key in ("accuracy", "gap")),
                *(measure(target, k) for k in (*FILE_CHANGES, "strongest_auc")),
                target.strongest.attack,
                *(changes.get(key) for key in FILE_CHANGES),
                pair.difference,
            ]
        )
    columns = [
        *PLACE,
        Column("seed", "seed", "count"),
        Column("file", "file"),
        Column("MB", "megabytes", "number"),
        Column("labels that differ from Keras", "labels_differ", "count"),
        Column("on nonmembers %", "accuracy", "percent"),
        Column("gap attack %", "gap", "percent"),
        Column("margin AUC", "margin_auc", "area"),
        Column("likelihood AUC", "likelihood_auc", "area"),
        Column("strongest AUC", "strongest_auc", "area"),
        Column("that is", "strongest"),
        Column("margin minus Keras'", "margin_change", "signed"),
        Column("likelihood minus Keras'", "likelihood_change", "signed"),
        Column("strongest minus Keras', points", "strongest_change", "change"),
    ]
    notes = [
        "int8 where int8 kernels carry the codes exactly, float32 for other "
        "quantized models, int8_ptq for full precision. 95 % intervals over "
        "records. The last three columns are compared record by record."
    ]
    return Table("files", "The deployed files", columns, rows, notes)
