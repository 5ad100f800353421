"""What the records of an audit say by themselves, before any target."""

import dataclasses
import functools

import numpy as np

from qmia_tf.auditing import blind_baseline
from qmia_tf.auditing.audit_result import BlindBaseline
from qmia_tf.data import duplicates, record_features, repeated_records
from qmia_tf.data.duplicates import EqualRecords
from qmia_tf.data.records import Records
from qmia_tf.data.repeated_records import Distinct


@dataclasses.dataclass(frozen=True, eq=False)
class RecordChecks:
    """Checks of the records of a run, or of one's own; each done once.

    Attributes:
        records: Records, sorted by record id: those are 0..N-1.
    """

    records: Records

    @classmethod
    def of(cls, records: Records) -> "RecordChecks":
        """Takes records in any order."""
        return cls(records.in_record_order())

    @functools.cached_property
    def features(self) -> np.ndarray | None:
        """Float64 [N, F] by record id; None if there are too many."""
        return record_features.of_records(self.records)

    @functools.cached_property
    def equal(self) -> EqualRecords:
        """The records that are on both sides."""
        return duplicates.find(self.records)

    @functools.cached_property
    def distinct(self) -> Distinct:
        """The records that are audited: of equal ones on a side, one."""
        return repeated_records.of_records(self.records)

    def blind_baseline(self, *, seed) -> BlindBaseline:
        """Tries to tell the members without querying any model.

        Args:
            seed: int, of the calibration half: the audit's.
        """
        rows = self.distinct.record_ids
        features = self.features[rows] if self.records.is_images else None
        return blind_baseline.measure(
            self.records.take(rows), seed=seed, features=features
        )
