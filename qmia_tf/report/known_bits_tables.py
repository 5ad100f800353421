"""What knowing the bits is worth, attack by attack."""

from collections.abc import Iterator

from qmia_tf.report.metrics import RATES, RUN, run_row, select
from qmia_tf.report.phrases import attack_title, reference_models
from qmia_tf.report.run_list import Run, artefacts_of
from qmia_tf.report.run_tables import RunTable
from qmia_tf.report.tables import Column
from qmia_tf.report.words import notes

GROUPED = len(RUN) + 3
AREAS = ("attack", "auc_matched", "auc_mismatched", "auc_gain")
COLUMNS = (
    Column("references", "matched"),
    Column("against", "mismatched"),
    Column("AUC, bits known", "auc_matched", "area"),
    Column("AUC, others", "auc_mismatched", "area"),
    Column("gain", "auc_gain", "signed"),
    *(
        Column(f"{title} at {rate} % FPR", f"tpr_{rate}_{key}", kind)
        for rate in RATES.values()
        for title, key, kind in (
            ("TPR %, bits known,", "matched", "percent"),
            ("TPR %, others,", "mismatched", "percent"),
            ("gain", "gain", "change"),
        )
    ),
)


def known_bits_tables(runs: list[Run]) -> Iterator[RunTable]:
    """The AUCs, and the rates at few false alarms; none without rows."""
    table = select(
        "known_bits",
        "What knowing the bits is worth",
        _rows(runs),
        columns=COLUMNS,
        notes=notes("known_bits", "intervals"),
        grouped=GROUPED,
    )
    if not table.rows:
        return
    rates = [x.key for x in table.columns if x.key.startswith("tpr_")]
    yield RunTable(
        table,
        [
            table.pick(AREAS, notes=table.notes),
            table.pick(
                ("attack", *rates),
                name="known_bits_rates",
                title=f"{table.title}, with few false alarms",
                notes=[*table.notes, *notes("low_fpr")],
            ),
        ],
    )


def _rows(runs):
    for run in runs:
        for target in artefacts_of(run.audit):
            for known in target.known_bits:
                for measured in known.attacks:
                    yield {
                        **run_row(run),
                        "target": target.target,
                        "matched": reference_models(known.matched),
                        "mismatched": reference_models(known.mismatched),
                        "attack": attack_title(measured.attack),
                        "members": measured.members,
                        "nonmembers": measured.nonmembers,
                        "auc_matched": measured.matched,
                        "auc_mismatched": measured.mismatched,
                        "auc_gain": measured.difference,
                        **_rates(measured),
                    }


def _rates(measured):
    return {
        f"tpr_{RATES[x.matched.rate]}_{key}": estimate
        for x in measured.rates
        for key, estimate in (
            ("matched", x.matched.tpr),
            ("mismatched", x.mismatched.tpr),
            ("gain", x.difference),
        )
    }
