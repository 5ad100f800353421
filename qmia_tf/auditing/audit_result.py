"""What an audit found, and audit.json, the file of it.

docs/audit.md explains the fields, docs/audit.schema.json is their schema.
"""

import dataclasses
import importlib.metadata
import platform
from typing import Literal

import qmia_tf
from qmia_tf import files, typed_json
from qmia_tf.auditing.joint_audit import JointAudit
from qmia_tf.auditing.leak_comparison import LeakComparison
from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.data.duplicates import EqualRecords
from qmia_tf.data.repeated_records import RepeatedRecords
from qmia_tf.errors import InputError
from qmia_tf.outputs import LeftOut
from qmia_tf.outputs.fidelity import Agreement
from qmia_tf.run_dir import require_audit
from qmia_tf.statistics.intervals import Estimate

SCHEMA_VERSION = 7
# Those that tools/convert_audits.py converts.
CONVERTIBLE = (4, 5, 6)
# Fields that files of this version may lack, for they were added to it.
LATER = (
    *("holder", "gradients", "forms", "joint_of_all", "loss_tnr"),
    *("references", "known_bits"),
)
# The level of each of the two tests of the blind baseline.
APART = 0.0125
AUDIT = "audit.json"
# Fields whose estimate may be undefined: no record is called a member, or too
# few records are there.
UNDEFINED_FIELDS = (".precision", ".tpr")
OUTPUT_FILES = (".npz", ".csv")
# Those that do the arithmetic; Pillow packs the pictures.
PACKAGES = ("numpy", "scipy", "scikit-learn", "tensorflow-privacy", "pillow")


@dataclasses.dataclass(frozen=True)
class BlindBaseline:
    """Whether members and nonmembers can be told apart without any model.

    A classifier that sees the records and their labels, never the target,
    learns on the calibration half and is evaluated on the other.

    Attributes:
        auc: of that classifier.
        distinguishable: whether one of the two p-values is at most .0125. Then
            the two differ in more than in having been trained on, and
            attacks may measure that. Where null_auc is None: whether the
            interval of the AUC lies above 1/2.
        features: what the classifier saw of a record.
        members: how many members it was evaluated on.
        nonmembers: how many nonmembers.
        null_auc: the mean AUC with permuted memberships: what it reaches
            without any difference, mostly a little below 1/2; None in converted
            audits of versions 4 and 5, like what follows.
        p_value: one-sided, of so high an AUC without any difference.
        classes_p_value: of such numbers of records a class on both sides.
        permutations: of the memberships.
    """

    auc: Estimate
    distinguishable: bool
    features: str
    members: int
    nonmembers: int
    null_auc: float | None
    p_value: float | None
    classes_p_value: float | None
    permutations: int | None

    @property
    def classifier_differs(self) -> bool:
        """Whether the classifier is better than chance."""
        p = self.p_value
        return self.distinguishable and (p is None or p <= APART)

    @property
    def classes_differ(self) -> bool:
        """Whether classes are not as frequent on both sides."""
        p = self.classes_p_value
        return self.distinguishable and p is not None and p <= APART


@dataclasses.dataclass(frozen=True)
class CalibrationRecords:
    """Records that a quantized file was calibrated with, on both sides.

    Attributes:
        records: how many there are.
        members: how many members are among them.
        nonmembers: how many nonmembers.
        left_out: whether those nonmembers were left out of the audit.
        warning: what that means, in a sentence; empty if no nonmember is
            among them or they were left out.
    """

    records: int
    members: int
    nonmembers: int
    left_out: bool
    warning: str


@dataclasses.dataclass(frozen=True)
class GateResult:
    """The result of one limit for one artefact.

    Attributes:
        target: its name.
        limit: such as "AUC <= 0.6".
        outcome: "passed", "failed" or "not judged".
        measured: the numbers behind it, or why it cannot be judged.
    """

    target: str
    limit: str
    outcome: Literal["passed", "failed", "not judged"]
    measured: str


@dataclasses.dataclass(frozen=True)
class AuditResult:
    """The audit of one run: what audit.json holds.

    Attributes:
        schema_version: 7. Files of other versions are refused;
            tools/convert_audits.py converts those of 4 to 6.
        name: that was given; else of the run: its directory's.
        config: the run's config.json; its `tensorflow` says whether the model
            was trained with oneDNN, and in how many threads.
        fingerprint: sha256 of the data set.
        split: seed and member_fraction of the split, and its pool.
        seed: of the calibration halves, the bootstraps, the attacks,
            tensorflow-privacy. With the same versions, seed and outputs the
            file is the same, byte for byte, in any order of the records.
        attack_options: by attack or family, the options that were not at
            their defaults.
        level: coverage of every interval, 0.95.
        versions: of Python, qmia_tf and the packages that did the arithmetic.
        targets: keras first, the others by name, device outputs last; models of
            one's own as they were given.
        agreements: each target compared with the one whose outputs it should
            match.
        left_out: the targets that could not be queried.
        joint_attacks: the joint attacks on two artefacts.
        joint_of_all: that on all artefacts of three or more, twins and other
            kernels aside; None of fewer, and where it was not tried.
        references: names of the reference models that LiRA, RMIA and difficulty
            calibration were given; empty without them.
        duplicates: equal records among members and nonmembers; None if the
            records were not at hand.
        blind_baseline: whether members and nonmembers can be told apart without
            any model; None if the records were not at hand, or there were too
            few.
        calibration: members and nonmembers among the records that a quantized
            file was calibrated with; None if those were not given.
        repeated_records: records that are there several times on one side;
            None in converted audits of versions 4 and 5.
        comparison: which artefact leaks more, by one attack on all. None of a
            single artefact, if they have no attack in common, and in converted
            audits of versions 4 and 5.
        gates: the results of the limits that were given; empty without any.
    """

    schema_version: int
    name: str
    config: dict
    fingerprint: str | None
    split: dict
    seed: int
    attack_options: dict[str, dict]
    level: float
    versions: dict[str, str]
    targets: list[TargetAudit]
    agreements: list[Agreement]
    left_out: list[LeftOut]
    joint_attacks: list[JointAudit]
    references: list[str]
    duplicates: EqualRecords | None
    blind_baseline: BlindBaseline | None
    calibration: CalibrationRecords | None
    repeated_records: RepeatedRecords | None
    comparison: LeakComparison | None
    gates: list[GateResult]
    joint_of_all: JointAudit | None = None

    def save(self, path):
        """Writes audit.json, whole or not at all."""
        files.write_json(path, typed_json.encode(self))


def program_versions() -> dict[str, str]:
    """The programs that make an audit: name -> version, of those installed."""
    versions = {
        "python": platform.python_version(),
        "qmia_tf": qmia_tf.__version__,
    }
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def load(path) -> AuditResult:
    """Reads audit.json.

    Args:
        path: the file, or the directory that it lies in.
    Raises: InputError if it is missing, damaged or of another version.
    """
    path = require_audit(path)
    if path.suffix in OUTPUT_FILES:
        raise InputError(
            f"{path} holds outputs, not an audit: qmia_tf.audit or "
            f"qmia audit makes an {AUDIT} of them"
        )
    stored = files.read_json(path)
    version = stored.get("schema_version") if isinstance(stored, dict) else None
    if type(version) is not int or version != SCHEMA_VERSION:
        raise InputError(f"{path}: {_other_version(version)}")
    result = typed_json.decode(
        AuditResult, stored, source=str(path), later=LATER
    )
    if not result.targets:
        raise InputError(
            f"{path}: targets: it is empty: {typed_json.AUDIT_REMEDY}"
        )
    _require_estimates(result, "", path)
    return result


def _other_version(version):
    if type(version) is not int:
        return (
            f"it has no schema_version, so it is not an {AUDIT}: give the one "
            "that qmia audit or qmia attack wrote"
        )
    text = f"schema_version is {version}, this program reads {SCHEMA_VERSION}"
    if version in CONVERTIBLE:
        return f"{text}: convert it with tools/convert_audits.py"
    if version > SCHEMA_VERSION:
        return f"{text}: a newer qmia_tf wrote it, update qmia_tf"
    return f"{text}: audit the models again"


def _require_estimates(value, name, path):
    """Sees that estimates are numbers of -1..1, or undefined where they may.

    Raises: InputError that names the field.
    """
    if isinstance(value, Estimate):
        numbers = dataclasses.astuple(value)
        known = [x for x in numbers if x is not None]
        is_undefined = not known and name.endswith(UNDEFINED_FIELDS)
        if is_undefined or (
            len(known) == len(numbers) and all(abs(x) <= 1 for x in known)
        ):
            return
        raise InputError(
            f"{path}: {name} holds {list(numbers)} as value, low and high, "
            f"which must be numbers of -1..1; {typed_json.AUDIT_REMEDY}"
        )
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            place = f"{name}.{field.name}".lstrip(".")
            _require_estimates(getattr(value, field.name), place, path)
    elif isinstance(value, list):
        # Long lists are of numbers.
        items = [] if value and isinstance(value[0], (int, float)) else value
        for index, item in enumerate(items):
            _require_estimates(item, f"{name}[{index}]", path)
