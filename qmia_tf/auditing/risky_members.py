"""The members of a target at highest risk, as audit.json lists them."""

import base64
import dataclasses
import io

from qmia_tf.auditing import record_risk
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs
from qmia_tf.statistics.intervals import Estimate

SCORE, TOP = "margin", 24
# Whether audit.json is to hold pictures.
AUTO, ON, OFF = CHOICES = ("auto", "on", "off")
# Pixels a side. 24 pictures of that size, of noise even, are below 230 kB.
LARGEST = 48


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


def wanted(choice: str, *, published: bool) -> bool:
    """Whether audit.json is to hold pictures.

    They show training records, and reports are passed on more easily than
    data; so by default only records that everybody has are shown.

    Raises: InputError if it is another choice.
    """
    if choice not in CHOICES:
        raise InputError(
            f"pictures must be one of {', '.join(CHOICES)}, got {choice!r}"
        )
    return choice == ON or (choice == AUTO and published)


def as_png(image) -> str:
    """Packs an image into a PNG file, in base64.

    Args:
        image: uint8 [H, W, C]. Of one or two channels the first is shown as
            gray, of more the first three as colours. What is larger than
            LARGEST pixels is made smaller, keeping its shape.
    """
    from PIL import Image

    pixels = image[..., :3] if image.shape[2] > 2 else image[..., 0]
    picture = Image.fromarray(pixels)
    shrunk = LARGEST / max(picture.size)
    if shrunk < 1:
        size = [max(1, round(side * shrunk)) for side in picture.size]
        picture = picture.resize(size, Image.Resampling.BOX)
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
