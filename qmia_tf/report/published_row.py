"""A published result that tables show beside ours."""

import dataclasses

# F1 is printed with two decimals, precision and recall as whole per cents.
ROUNDING = 0.5


@dataclasses.dataclass(frozen=True)
class PublishedRow:
    """One published model; every number in per cent."""

    test_accuracy: float
    gap_attack: float
    f1: float
    precision: float
    recall: float

    @property
    def f1_follows(self) -> bool:
        """Whether F1 can follow from the rounded precision and recall."""
        low = _f1(self.precision - ROUNDING, self.recall - ROUNDING)
        high = _f1(
            self.precision + ROUNDING, min(self.recall + ROUNDING, 100.0)
        )
        # The paper cuts F1 off after two decimals in some rows.
        return low - 0.01 <= self.f1 <= high + 0.01

    @property
    def f1_recomputed(self) -> float:
        """2PR/(P + R) of the printed precision and recall, per cent."""
        return _f1(self.precision, self.recall)


def _f1(precision, recall):
    return 2 * precision * recall / (precision + recall)
