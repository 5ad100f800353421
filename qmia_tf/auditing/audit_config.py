"""What an audit takes: its options, and what is known of the records."""

import dataclasses
from collections.abc import Callable, Mapping
from numbers import Integral

import numpy as np

from qmia_tf.attacks import changed_options
from qmia_tf.attacks.tfprivacy import Settings
from qmia_tf.auditing import leak_test
from qmia_tf.auditing.audit_result import BlindBaseline, CalibrationRecords
from qmia_tf.auditing.label_only_queries import Settings as LabelOnly
from qmia_tf.data.duplicates import EqualRecords
from qmia_tf.data.repeated_records import Distinct
from qmia_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class AuditConfig:
    """How targets are audited, of a run or of somebody's own.

    Attributes:
        name: what reports call the audit; None takes its directory's name.
        seed: of the calibration halves, the bootstraps, the attacks and
            tensorflow-privacy.
        strata: "class": the test for a leak permutes memberships within the
            classes, which holds however the records were split; "none":
            among all records, where the split took no care of classes.
        tfprivacy: what tensorflow-privacy is to run, on each file once: not
            again under other kernels, nor on twins; None leaves it out.
        label_only: the augmented queries of label-only attacks; None makes
            none.
        allow_chance: goes on though a user's model is right on its members
            as chance would be, or clearly better in another range.
        inside: reads what lies inside of models, for the attacks of who holds
            them.
        gradients: computes gradients by layer of .tflite files, for an attack
            of who holds them.
        output_forms: measures what coarser outputs would hide, too.
        attack_options: by attack or family, as attacks.with_options takes
            them: {"lira": {"variance": "global"}}.
    Raises: InputError if a field is of another type or out of range.
    """

    name: str | None = None
    seed: int = 0
    strata: str = leak_test.CLASS
    tfprivacy: Settings | None = None
    label_only: LabelOnly | None = None
    allow_chance: bool = False
    inside: bool = True
    gradients: bool = False
    output_forms: bool = True
    attack_options: Mapping[str, Mapping] = dataclasses.field(
        default_factory=dict
    )

    def __post_init__(self):
        for name, kind in (
            ("name", str | None),
            ("seed", Integral),
            ("tfprivacy", Settings | None),
            ("label_only", LabelOnly | None),
            ("inside", bool),
            ("gradients", bool),
            ("output_forms", bool),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) != (kind is bool) or not isinstance(
                value, kind
            ):
                named = getattr(kind, "__qualname__", kind)
                raise InputError(f"{name} must be {named}, got {value!r}")
        if not (self.name or "").isprintable():
            raise InputError(f"name must be one line, got {self.name!r}")
        changed_options(self.attack_options)
        if not 0 <= self.seed < 2**32:
            raise InputError(
                f"the seed of an audit must be in 0..{2**32 - 1}, got "
                f"{self.seed}"
            )


@dataclasses.dataclass(frozen=True, eq=False)
class RecordFacts:
    """What is known of the records by themselves, for audit.json.

    Attributes:
        duplicates: equal records on both sides.
        distinct: the records that are audited; None finds copies by the
            outputs.
        blind_baseline: whether members can be told without a model.
        calibration: the records that a file was calibrated with.
        class_names: one a class.
        pictures: record ids [K] -> uint8 [K, H, W, C], to show the members
            at highest risk; None shows none.
    """

    duplicates: EqualRecords | None = None
    distinct: Distinct | None = None
    blind_baseline: BlindBaseline | None = None
    calibration: CalibrationRecords | None = None
    class_names: list[str] | None = None
    pictures: Callable[[np.ndarray], np.ndarray] | None = None
