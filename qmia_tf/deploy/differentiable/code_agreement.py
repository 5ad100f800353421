"""How far the differentiable graph's outputs are from the file's own.

LiteRT's kernels round some ops in steps of their own, other in every kernel
set. What comes of it at the output is measured, not assumed. NumPy only.
"""

import dataclasses

import numpy as np

# Of outputs that are floats, what stands for a code: an int8 softmax's.
FLOAT_STEP = 1 / 256
# Floats that stand for codes are not exact.
SLACK = 1e-3


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Outputs of the graph beside those of the file, record by record.

    Attributes:
        records: how many were compared.
        step: distance of neighbouring codes; FLOAT_STEP of floats.
        apart: share of the records, 0..1, of which an output differs by more
            than one step.
        largest: the largest difference, in steps.
    """

    records: int
    step: float
    apart: float
    largest: float

    def __str__(self):
        return (
            f"outputs of {self.apart:.2%} of {self.records} records are more "
            f"than {self.step:.2g} from the file's (at most "
            f"{self.largest * self.step:.2g})"
        )


def compare(
    ours: np.ndarray, theirs: np.ndarray, *, step: float = 0.0
) -> Agreement:
    """Compares outputs [N, C], N >= 1.

    Args:
        ours: of the graph, as values.
        theirs: of LiteRT, likewise.
        step: distance of neighbouring codes; 0 of floats.
    """
    step = step or FLOAT_STEP
    away = np.abs(ours.astype(np.float64) - theirs).max(axis=1) / step
    # What is no number agrees with nothing.
    away = np.nan_to_num(away, nan=np.inf)
    return Agreement(
        records=len(away),
        step=float(step),
        apart=float(np.mean(away > 1 + SLACK)),
        largest=float(away.max()),
    )
