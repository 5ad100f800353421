"""What an audit found, and audit.json, the file of it.

docs/audit.md explains the fields, docs/audit.schema.json is their schema.
"""

import dataclasses
import pathlib

from qmia_tf import audit_json, runs
from qmia_tf.agreement import Agreement
from qmia_tf.errors import InputError
from qmia_tf.statistics.curve import Curve
from qmia_tf.statistics.heldout import HeldOut
from qmia_tf.statistics.intervals import Estimate
from qmia_tf.statistics.operating import OperatingPoint
from qmia_tf.tfprivacy import TfPrivacyAudit
from qmia_tf.verdicts import Verdicts

SCHEMA_VERSION = 2
AUDIT = "audit.json"


@dataclasses.dataclass(frozen=True)
class AttackAudit:
    """What one attack achieves against one target.

    Attributes:
        name: "gap" or "confidence".
        title: the name for people.
        distinct_scores: how many different scores the records got.
        auc: area under the ROC curve, DeLong's interval.
        points: the operating points; for an attack with a fixed threshold
            the one point, "fixed", which is not in-sample.
        held_out: the threshold chosen on one half and judged on the other;
            None for a fixed threshold.
        curve: rates against the threshold; None for a fixed threshold.
        verdicts: whom the attack calls members, of all records if its
            threshold is fixed, else of those that `held_out` is judged on;
            None in audits of schema version 1.
    """

    name: str
    title: str
    distinct_scores: int
    auc: Estimate
    points: list[OperatingPoint]
    held_out: HeldOut | None
    curve: Curve | None
    verdicts: Verdicts | None

    def point(self, name) -> OperatingPoint:
        """Returns the operating point of that name.

        Raises: InputError if there is none.
        """
        return _named(self.points, name, f"operating point of {self.name}")


@dataclasses.dataclass(frozen=True)
class TargetAudit:
    """What the outputs of one target give away.

    Attributes:
        target: name of the target, such as "keras" or "float32".
        kind: "keras", "tflite" or "twin", if known.
        sha256: of the model file, if known.
        size_bytes: of the model file, if known.
        kernel_set: what computed the outputs, if known.
        outputs: "probabilities" or "logits", what the file ends in, if known.
        latency_ms: median time of predict() on one image, if known.
        latency_threads: number of threads it was measured with, if known.
        probability_step: distance of neighbouring outputs, 0 for floats.
        classes: number of classes.
        members: number of members queried.
        nonmembers: number of nonmembers queried.
        records_sha256: of the sorted record ids of the members, then of the
            nonmembers, each as little-endian int64; equal where two targets
            were asked about the same records.
        accuracy_members: of the model, on its training records.
        accuracy_nonmembers: of the model, on the others: test accuracy.
        tied_answers: how many records have several most probable classes,
            the first of which is taken; None in schema version 1.
        attacks: one AttackAudit an attack.
        tfprivacy: what tensorflow-privacy found; None if it was not run.
    """

    target: str
    kind: str | None
    sha256: str | None
    size_bytes: int | None
    kernel_set: str | None
    outputs: str | None
    latency_ms: float | None
    latency_threads: int | None
    probability_step: float
    classes: int
    members: int
    nonmembers: int
    records_sha256: str
    accuracy_members: Estimate
    accuracy_nonmembers: Estimate
    tied_answers: int | None
    attacks: list[AttackAudit]
    tfprivacy: TfPrivacyAudit | None

    def attack(self, name) -> AttackAudit:
        """Returns the audit of the attack of that name.

        Raises: InputError if there is none.
        """
        return _named(self.attacks, name, f"attack on {self.target}")


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """A target that was asked for and could not answer.

    Attributes:
        target: its name.
        kernel_set: the kernels that cannot run its file.
        reason: what they say.
    """

    target: str
    kernel_set: str
    reason: str


@dataclasses.dataclass(frozen=True)
class AuditResult:
    """The audit of one run: what audit.json holds.

    Attributes:
        schema_version: of this layout, 2.
        name: of the run: its directory's.
        config: the run's config.json.
        fingerprint: of the data set.
        split: seed and member_fraction of the split, and its pool.
        seed: of the audit.
        level: coverage of every interval.
        versions: of the programs that made it.
        targets: one TargetAudit a target, keras first, the others by name,
            those captured elsewhere last.
        agreements: how far targets are from what they ought to answer.
        left_out: the targets that could not answer.
    """

    schema_version: int
    name: str
    config: dict
    fingerprint: str | None
    split: dict
    seed: int
    level: float
    versions: dict[str, str]
    targets: list[TargetAudit]
    agreements: list[Agreement]
    left_out: list[LeftOut]

    def save(self, path):
        """Writes audit.json, whole or not at all."""
        runs.write_json(path, audit_json.encode(self))


def load(path) -> AuditResult:
    """Reads audit.json.

    Args:
        path: the file, or the run directory that it lies in.
    Raises: InputError if it is missing, damaged or of another version.
    """
    path = pathlib.Path(path)
    path = path / AUDIT if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"{path}: no such file; scripts/attack.py makes it")
    found = runs.read_json(path)
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version == 1 and type(version) is int:
        found = _from_version_1(found)
    elif version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: schema_version is {version!r}, this program reads 1 and "
            f"{SCHEMA_VERSION}; attack the run again with scripts/attack.py"
        )
    return audit_json.decode(AuditResult, found, source=str(path))


def _from_version_1(found):
    """Adds what version 1 did not have, as not known."""

    def completed(things, **missing):
        if not isinstance(things, list):
            return things
        return [{**missing, **x} if isinstance(x, dict) else x for x in things]

    targets = completed(
        found.get("targets"),
        outputs=None,
        latency_ms=None,
        latency_threads=None,
        tied_answers=None,
    )
    for target in targets if isinstance(targets, list) else ():
        if isinstance(target, dict):
            attacks = completed(target.get("attacks"), verdicts=None)
            target["attacks"] = attacks
    added = {"targets": targets, "agreements": [], "left_out": []}
    return {**found, **added, "schema_version": SCHEMA_VERSION}


def _named(things, name, kind):
    for thing in things:
        if thing.name == name:
            return thing
    raise InputError(
        f"{AUDIT}: no {kind} is called {name!r}; attack the run again with "
        "scripts/attack.py"
    )
