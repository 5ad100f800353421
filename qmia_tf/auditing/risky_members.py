"""The most exposed members of a target, as audit.json lists them."""

import dataclasses

from qmia_tf.auditing.thumbnails import as_png
from qmia_tf.statistics.intervals import Estimate

SCORE, TOP = "margin", 24


@dataclasses.dataclass(frozen=True)
class Exposed:
    """One member and how exposed it is, by the score "margin".

    Attributes:
        record_id: number of the record.
        label: its class.
        predicted: the class that the target names.
        score: its margin.
        rank: among the scores of all N records, 1..N, N for the highest;
            equal scores share the middle of their ranks.
        probability: that a record with this score is a member where half of
            all records are.
        picture: its image as a PNG file in base64, at most 64x64 pixels;
            None if pictures were not asked for.
    """

    record_id: int
    label: int
    predicted: int
    score: float
    rank: float
    probability: Estimate
    picture: str | None


def of_target(answers, *, seed, pictures=None) -> list[Exposed]:
    """Lists the most exposed members of a target, most exposed first.

    Args:
        answers: Outputs of the target.
        seed: int, of the halves that the probabilities are calibrated on.
        pictures: callable record ids [K] -> uint8 [K, H, W, C], or None for
            no pictures.
    """
    # It needs the attacks, and what is read from audit.json does not.
    from qmia_tf.auditing import record_risk

    exposures = record_risk.measure(answers, score=SCORE, seed=seed)
    rows = exposures.most_exposed_members(TOP)
    ids = exposures.outputs.record_ids[rows]
    pngs = [None] * len(rows)
    if pictures is not None:
        pngs = map(as_png, pictures(ids))
    risk = exposures.risk
    return [
        Exposed(
            record_id=int(exposures.outputs.record_ids[row]),
            label=int(exposures.outputs.labels[row]),
            predicted=int(exposures.outputs.predicted[row]),
            score=float(exposures.scores[row]),
            rank=float(exposures.ranks[row]),
            probability=Estimate(
                *(float(x[row]) for x in (risk.value, risk.low, risk.high))
            ),
            picture=picture,
        )
        for row, picture in zip(rows, pngs, strict=True)
    ]
