"""The most exposed records as a table of all and a page of the first."""

import csv
import io
import textwrap

import numpy as np
from scipy import stats

from qmia_tf.auditing.record_risk import RecordRisks
from qmia_tf.statistics.risk import Risk

WIDTH = 78


def as_csv(risks: RecordRisks, before=None) -> str:
    """All records, most exposed first.

    Args:
        risks: RecordRisks.
        before: RecordRisks of the baseline, or None. With it come its columns
            and the changes, these minus before: of the rank, and of the
            probability in points.
    """
    columns = {
        "record_id": risks.outputs.record_ids,
        "label": risks.outputs.labels,
        "member": risks.outputs.members.astype(int),
        **_columns(risks),
    }
    if before is not None:
        for name, values in _columns(before).items():
            columns[f"baseline_{name}"] = values
        columns["rank_change"] = risks.ranks - before.ranks
        points = 100 * (risks.risk.value - before.risk.value)
        columns["probability_change"] = points.round(4)
    order = risks.by_risk()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    listed = (values[order].tolist() for values in columns.values())
    writer.writerows(zip(*listed, strict=True))
    return text.getvalue()


def as_page(risks: RecordRisks, rows, before=None) -> str:
    """A page in Markdown: what was found, how sure it is, the first members.

    Args:
        risks: RecordRisks.
        rows: int [K], the members to list.
        before: RecordRisks of the baseline, or None.
    """
    answers, risk = risks.outputs, risks.risk
    header = ["record", "label", "predicted", "score", "rank", "P(member)"]
    if before is not None:
        header += ["baseline", "rank change", "change, points"]
    table = [header, ["---:"] * len(header)]
    for row in rows:
        cells = [
            answers.record_ids[row],
            answers.labels[row],
            answers.predicted[row],
            f"{risks.scores[row]:.3f}",
            f"{risks.ranks[row]:.1f}",
            interval(risk, row),
        ]
        if before is not None:
            points = 100 * (risk.value[row] - before.risk.value[row])
            cells += [
                interval(before.risk, row),
                f"{risks.ranks[row] - before.ranks[row]:+.1f}",
                f"{points:+.1f}",
            ]
        table.append(map(str, cells))
    lines = [f"| {' | '.join(cells)} |" for cells in table]
    paragraphs = [
        f"# Most exposed members: {risks.run}, target {answers.target}",
        *(
            textwrap.fill(finding, WIDTH)
            for finding in _findings(risks, before)
        ),
        f"The {len(rows)} most exposed members:",
        "\n".join(lines),
    ]
    return "\n\n".join(paragraphs) + "\n"


def interval(risk: Risk, row) -> str:
    """Gives the probability of one record with its interval, as text."""
    low, high = risk.low[row], risk.high[row]
    return f"{risk.value[row]:.2f} [{low:.2f}, {high:.2f}]"


def _columns(risks):
    risk = risks.risk
    return {
        "predicted": risks.outputs.predicted,
        "score": risks.scores,
        "rank": risks.ranks,
        "probability": risk.value.round(6),
        "low": risk.low.round(6),
        "high": risk.high.round(6),
    }


def _findings(risks, before):
    members, level = risks.outputs.members, f"{100 * risks.level:g} %"
    sure = risks.risk.low > 0.5
    remark = (
        ""
        if sure.any()
        else (" So no single record is shown to be at risk by this score.")
    )
    yield (
        f"Of {members.sum():,} members {np.sum(sure & members):,}, and of "
        f"{np.sum(~members):,} nonmembers {np.sum(sure & ~members):,}, have a "
        f"P(member) whose {level} interval lies above 1/2, by the score "
        f"{risks.score}. Without any leak it would be "
        f"{50 * (1 - risks.level):.3g} % or fewer, on average.{remark}"
    )
    if before is not None:
        yield _compared(risks, before)
    yield (
        "P(member) is the probability that a record with this score is a "
        "member, for an attacker to whom members and nonmembers are equally "
        "likely beforehand. It is calibrated on the other half of the "
        "records, so a record's own membership does not enter. All listed "
        f"here are members. Each {level} interval is for its record alone; of "
        "records that are picked because they stand at the top, some stand "
        "there by chance. One model's score does not tell a memorized record "
        "from an easy one; attacks with reference models try to. "
        f"Rank: place of the score among all {members.size:,} records, the "
        "highest last."
    )
    yield (
        "These files name, and may show, training records: keep them as "
        "private as the data."
    )


def _compared(risks, before):
    members = risks.outputs.members
    sure = [np.sum(side.risk.low > 0.5) for side in (risks, before)]
    means = [side.risk.value[members].mean() for side in (risks, before)]
    first = max(1, members.sum() // 20)
    tops = [set(x.riskiest_members(first)) for x in (risks, before)]
    if all(np.ptp(side.ranks) > 0 for side in (risks, before)):
        alike = stats.spearmanr(risks.ranks, before.ranks).statistic
        alike = f"their scores rank all records alike to {alike:.2f} (Spearman)"
    else:
        alike = "one of them gives all records the same score"
    return (
        f"Baseline: {before.run}, target {before.outputs.target}. The mean "
        f"P(member) of the members is {means[0]:.3f} here and {means[1]:.3f} "
        f"there; {sure[0]:,} and {sure[1]:,} records have intervals above "
        f"1/2; {alike}; of the {first:,} most exposed members of each "
        f"{len(tops[0] & tops[1]):,} are the same. A change is this minus "
        "the baseline. That of one record is no more certain than the two "
        "intervals: where they overlap it may be chance."
    )
