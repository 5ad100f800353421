"""The records at highest risk as a table of all and a page of the first."""

import textwrap

import numpy as np
import pandas as pd
from scipy import stats

from qmia_tf.auditing.record_risk import RecordRisks
from qmia_tf.report.words import say
from qmia_tf.statistics.risk import Risk

WIDTH = 78


def as_csv(risks: RecordRisks, before: RecordRisks | None = None) -> str:
    """All records, highest risk first.

    With a baseline come its columns and the changes, these minus before: of
    the rank, and of the probability in points.
    """
    frame = pd.DataFrame(
        {
            "record_id": risks.outputs.record_ids,
            "label": risks.outputs.labels,
            "member": risks.outputs.members.astype(int),
        }
    ).join(_risk_frame(risks))
    if before is not None:
        frame = frame.join(_risk_frame(before).add_prefix("baseline_"))
        frame["rank_change"] = risks.ranks - before.ranks
        points = 100 * (risks.risk.value - before.risk.value)
        frame["probability_change"] = points.round(4)
    ordered = frame.iloc[risks.by_risk()]
    return ordered.to_csv(index=False, lineterminator="\n")


def as_page(
    risks: RecordRisks,
    rows: np.ndarray,
    before: RecordRisks | None = None,
) -> str:
    """A page in Markdown: what was found, how sure it is, the first members.

    Args:
        risks: of the target.
        rows: int [K], the members to list.
        before: of the baseline.
    """
    header = ["record", "label", "predicted", "score", "rank", "P(member)"]
    if before is not None:
        header += ["baseline", "rank change", "change, points"]
    table = [header, ["---:"] * len(header)]
    table += [_cells(risks, row, before) for row in rows]
    paragraphs = [
        f"# Members at highest risk: {risks.run}, "
        f"target {risks.outputs.target}",
        *(textwrap.fill(text, WIDTH) for text in _findings(risks, before)),
        f"The {len(rows)} members at highest risk:",
        "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in table),
    ]
    return "\n\n".join(paragraphs) + "\n"


def interval(risk: Risk, row: int) -> str:
    """Gives the probability of one record with its interval, as text."""
    low, high = risk.low[row], risk.high[row]
    return f"{risk.value[row]:.2f} [{low:.2f}, {high:.2f}]"


def _risk_frame(risks):
    return pd.DataFrame(
        {
            "predicted": risks.outputs.predicted,
            "score": risks.scores,
            "rank": risks.ranks,
            "probability": risks.risk.value.round(6),
            "low": risks.risk.low.round(6),
            "high": risks.risk.high.round(6),
        }
    )


def _cells(risks, row, before):
    outputs, risk = risks.outputs, risks.risk
    cells = [outputs.record_ids[row], outputs.labels[row]]
    cells += [outputs.predicted[row], f"{risks.scores[row]:.3f}"]
    cells += [f"{risks.ranks[row]:.1f}", interval(risk, row)]
    if before is None:
        return cells
    points = 100 * (risk.value[row] - before.risk.value[row])
    rank_change = f"{risks.ranks[row] - before.ranks[row]:+.1f}"
    return [*cells, interval(before.risk, row), rank_change, f"{points:+.1f}"]


def _findings(risks, before):
    members = risks.outputs.members
    high = risks.risk.low > 0.5
    sure = int(np.sum(high & members)), int(np.sum(high & ~members))
    counts = int(members.sum()), int(np.sum(~members))
    yield say("risk", "found", *counts, sure, risks)
    if before is not None:
        yield _compared(risks, before)
    if risks.is_of_trainer:
        yield say("risk", "of_trainer", risks.auc)
    yield say("risk", "meaning", risks)
    yield say("risk", "privacy")


def _compared(risks, before):
    sides, members = (risks, before), risks.outputs.members
    first = max(1, int(members.sum()) // 20)
    tops = [set(side.riskiest_members(first)) for side in sides]
    alike = None
    if all(np.ptp(side.ranks) > 0 for side in sides):
        alike = stats.spearmanr(risks.ranks, before.ranks).statistic
    return say(
        "risk",
        "compared",
        before,
        [side.risk.value[members].mean() for side in sides],
        [int(np.sum(side.risk.low > 0.5)) for side in sides],
        alike,
        first,
        len(tops[0] & tops[1]),
    )
