"""The members of a target at highest risk, as audit.json lists them."""

import dataclasses

from qmia_tf.auditing.thumbnails import as_png
from qmia_tf.outputs import Outputs
from qmia_tf.statistics.intervals import Estimate

SCORE, TOP = "margin", 24


@dataclasses.dataclass(frozen=True)
class RiskyMember:
    """One member and its risk, by the score "margin".

    Attributes:
        record_id: number of the record.
        label: its class.
        predicted: the class that the target predicts.
        score: its margin.
        rank: among the scores of all N records, 1..N, N for the highest;
            equal scores share the middle of their ranks.
        probability: that a record with this score is a member where half of
            all records are.
        picture: its image as a PNG file in base64, at most 48x48 pixels;
            None without pictures.
    """

    record_id: int
    label: int
    predicted: int
    score: float
    rank: float
    probability: Estimate
    picture: str | None


def of_target(
    outputs: Outputs, *, seed: int, pictures=None
) -> list[RiskyMember]:
    """Lists the members of a target at highest risk, highest first.

    Args:
        seed: of the halves that the probabilities are calibrated on.
        pictures: record ids [K] -> uint8 [K, H, W, C], or None for no pictures.
    """
    # It needs the attacks, and what is read from audit.json does not.
    from qmia_tf.auditing import record_risk

    risks = record_risk.measure(outputs, score=SCORE, seed=seed)
    rows = risks.riskiest_members(TOP)
    ids = risks.outputs.record_ids[rows]
    pngs = [None] * len(rows)
    if pictures is not None:
        pngs = map(as_png, pictures(ids))
    risk = risks.risk
    return [
        RiskyMember(
            record_id=int(risks.outputs.record_ids[row]),
            label=int(risks.outputs.labels[row]),
            predicted=int(risks.outputs.predicted[row]),
            score=float(risks.scores[row]),
            rank=float(risks.ranks[row]),
            probability=Estimate(
                *(float(x[row]) for x in (risk.value, risk.low, risk.high))
            ),
            picture=picture,
        )
        for row, picture in zip(rows, pngs, strict=True)
    ]
