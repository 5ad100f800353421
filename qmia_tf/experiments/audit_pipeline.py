"""One audit: records, targets, auxiliary knowledge -> outputs -> audit.json.

A run directory and the models that somebody brings go through the same call.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable

import numpy as np

from qmia_tf import terminal
from qmia_tf.attacks.augmented_queries import AugmentedLabels
from qmia_tf.auditing import audit as audits
from qmia_tf.auditing import blind_baseline, label_only_queries
from qmia_tf.auditing.audit_config import AuditConfig, RecordFacts
from qmia_tf.auditing.audit_result import BlindBaseline, CalibrationRecords
from qmia_tf.auditing.auxiliary import Auxiliary, ReferenceModels
from qmia_tf.auditing.run_outputs import repeated
from qmia_tf.auditing.target_result import NOT_GIVEN, NOT_WANTED
from qmia_tf.data import duplicates, record_features, repeated_records
from qmia_tf.data.duplicates import EqualRecords
from qmia_tf.data.records import Records
from qmia_tf.data.repeated_records import Distinct
from qmia_tf.errors import FileFailure, InputError, option
from qmia_tf.experiments import gradient_queries
from qmia_tf.outputs import KERAS, LeftOut, Outputs
from qmia_tf.outputs.inside import Inside
from qmia_tf.outputs.layer_gradients import LayerGradients
from qmia_tf.outputs.unread_outputs import UnreadOutputs
from qmia_tf.report.reported_audit import Audit
from qmia_tf.run_dir import RunDir
from qmia_tf.targets import inside_queries, queries
from qmia_tf.targets.unopened_model import UnopenedModel

AUGMENTED = ("augmented_labels", "noisy_labels")
# Of the kernel sets of a run's files, those under which one gets augmented
# queries.
AUGMENTED_KERNELS = (KERAS, "default")
# Why an attack cannot have what it needs.
SWITCHED_OFF = "they were switched off"
NOT_A_MODEL = "saved outputs cannot be queried with augmented images"
OTHER_KERNELS = "only the Keras model and files under default kernels get them"
NO_RECORDS = "only outputs were given"
NOT_IMAGES = "the records are not uint8 images [N, height, width, channels]"
ONLY_MISMATCHED = (
    "there are only mismatched ones, which are compared with matched ones; "
    "qmia references trains those"
)
OTHER_KERNELS_INSIDE = (
    "only the Keras model and files under default kernels are read"
)
# What a line says of what cannot be read inside.
HELD = {"inside": "what lies inside is", "gradients": "gradients are"}
TOO_MANY = f"a record has more than {record_features.MOST_FEATURES} values"


@dataclasses.dataclass(frozen=True, eq=False)
class RecordChecks:
    """What records say by themselves, before any target; each done once.

    Attributes:
        given: Records in the order in which targets are queried.
    """

    given: Records

    @functools.cached_property
    def records(self) -> Records:
        """Sorted by record id: those are 0..N-1."""
        return self.given.in_record_order()

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

    def blind_baseline(self, *, seed: int) -> BlindBaseline:
        """Tries to tell the members without querying any model."""
        rows = self.distinct.record_ids
        features = self.features[rows] if self.records.is_images else None
        return blind_baseline.measure(
            self.records.take(rows), seed=seed, features=features
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Knowledge:
    """What an attacker has besides the outputs and the records.

    Attributes:
        references: gives the outputs of reference models for a target.
        kind: says which models those are; None where that is not known.
        mismatched: gives references of other bits than the target's; see
            Auxiliary.
        inside_references: gives for a target what the holder of its reference
            models computes, or why that is not known.
        parent: outputs of the full-precision model of the same members.
        first_is_parent: whether the first target is that model.
    """

    references: Callable[[Outputs], tuple[UnreadOutputs, ...]]
    inside_references: Callable[[Outputs], tuple[UnreadOutputs, ...] | str] = (
        lambda outputs: ()
    )
    kind: Callable[[Outputs], ReferenceModels | None] = lambda outputs: None
    mismatched: Callable[[Outputs], tuple] = lambda outputs: ()
    parent: Outputs | None = None
    first_is_parent: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Queried:
    """What targets were queried for.

    Attributes:
        outputs: of each target, in the order given.
        left_out: the targets of a run that cannot be run.
        augmented_labels: by target, by need of attacks.
        inside: by target, what its holder reads.
        gradients: by target, of the loss at its layers.
        reasons: by target, by need of attacks: why it is not there.
    """

    outputs: list[Outputs] = dataclasses.field(default_factory=list)
    left_out: list[LeftOut] = dataclasses.field(default_factory=list)
    augmented_labels: dict[str, dict[str, AugmentedLabels]] = dataclasses.field(
        default_factory=dict
    )
    inside: dict[str, Inside] = dataclasses.field(default_factory=dict)
    gradients: dict[str, LayerGradients] = dataclasses.field(
        default_factory=dict
    )
    reasons: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)


def audit(
    checks: RecordChecks | None,
    targets: list[UnopenedModel | Outputs],
    knowledge: Knowledge,
    config: AuditConfig,
    *,
    run_dir,
    run_config: Callable[[list[Outputs]], dict],
    calibration: CalibrationRecords | None = None,
    pictures=None,
    progress=None,
) -> Audit:
    """Queries targets about records, and audits their outputs.

    Args:
        checks: of the records; None if every target is saved outputs.
        targets: in the order of the audit; the first is what the others were
            made from, or are compared with.
        run_dir: where outputs/, augmented_queries/ and audit.json go.
        run_config: gives the content of config.json.
        calibration: records that a file was calibrated with.
        pictures: as in RecordFacts.
        progress: callable that takes a line of text, or None.
    Raises: InputError that says what cannot be used and what to do.
    """
    say = progress or (lambda line: None)
    queried = query_targets(checks, targets, config, run_dir=run_dir, say=say)
    outputs = queried.outputs
    auxiliary = {
        x.target: _auxiliary(x, checks, queried, knowledge, run_dir)
        for x in outputs
    }
    joint_with = [*outputs[:1], knowledge.parent]
    facts = RecordFacts(calibration=calibration, pictures=pictures)
    if checks is not None:
        with terminal.working("comparing members and nonmembers"):
            facts = dataclasses.replace(
                facts,
                duplicates=checks.equal,
                distinct=checks.distinct,
                blind_baseline=checks.blind_baseline(seed=config.seed),
                class_names=checks.given.class_names,
            )
    of_run = {
        x.name for x in targets if isinstance(x, UnopenedModel) and x.is_of_run
    }
    result = audits.audit_outputs(
        run_dir,
        outputs,
        run_config=run_config(outputs),
        config=config,
        records=facts,
        auxiliary=auxiliary,
        joint_with=[other for other in joint_with if other is not None],
        repeated=repeated([x for x in outputs if x.target in of_run]),
        left_out=queried.left_out,
        progress=progress,
    )
    return Audit.of(result)


def query_targets(
    checks: RecordChecks | None,
    targets,
    config,
    *,
    run_dir,
    say,
    keep_activations: bool = True,
) -> Queried:
    """Queries targets one after the other, as `audit` does.

    A user's model file that is empty or damaged, or that its runtime fails
    on, is left out. What lies inside is read unless it cannot be.

    Args:
        keep_activations: of what lies inside; references need none.
    Raises: InputError if another cannot be queried, see queries.query, or
        none is left.
    """
    queried = Queried()
    read_inside = functools.partial(
        inside_queries.read, with_activations=keep_activations
    )
    for target in targets:
        reasons = _reasons(target, checks, config)
        if isinstance(target, Outputs):
            queried.outputs.append(target)
            queried.reasons[target.target] = reasons
            continue
        is_augmented = AUGMENTED[0] not in reasons
        try:
            outputs, augmented_labels = _query(
                target, checks, config, is_augmented, run_dir=run_dir, say=say
            )
            for need, read, kept in (
                ("inside", read_inside, queried.inside),
                ("gradients", gradient_queries.read, queried.gradients),
            ):
                if need in reasons or not isinstance(outputs, Outputs):
                    continue
                try:
                    kept[outputs.target] = read(
                        target, outputs, checks.given, run_dir=run_dir
                    )
                except InputError as error:
                    reasons[need] = _without_folder(error, target)
                    say(
                        f"{target.name}: {HELD[need]} not read: {reasons[need]}"
                    )
        except FileFailure as error:
            if target.is_of_run:
                raise
            outputs = LeftOut(target.name, target.kernel_set, str(error))
        target.close()
        if isinstance(outputs, LeftOut):
            say(f"{target.name} is left out: {outputs.reason}")
            queried.left_out.append(outputs)
            continue
        if is_augmented:
            queried.augmented_labels[outputs.target] = augmented_labels
        queried.outputs.append(outputs)
        queried.reasons[outputs.target] = reasons
        if not target.is_of_run:
            require_same(outputs, queried.outputs[0])
    if targets and not queried.outputs:
        raise InputError("; ".join(x.reason for x in queried.left_out))
    return queried


def _without_folder(error, target):
    """What an error says, with a model's file called by its name."""
    text = str(error)
    if isinstance(target.source, pathlib.Path):
        text = text.replace(str(target.source), target.source.name)
    return text


def _query(target, checks, config, is_augmented, *, run_dir, say):
    """The outputs of a target, and its labels for augmented queries."""
    outputs = queries.query(
        target,
        checks.given,
        run_dir=run_dir,
        allow_chance=config.allow_chance,
        query_count=_query_count(checks.given, is_augmented, config),
        say=say,
    )
    if isinstance(outputs, LeftOut) or not is_augmented:
        return outputs, None
    return outputs, label_only_queries.query_target(
        target, checks.given, settings=config.label_only, run_dir=run_dir
    )


def require_same(one: Outputs, other: Outputs):
    """Refuses targets that were not queried about the same records."""
    if one.classes != other.classes:
        raise InputError(
            f"{one.target!r} has {one.classes} classes, "
            f"{other.target!r} {other.classes}: compare models of one task"
        )
    for name in ("record_ids", "labels", "members"):
        if not np.array_equal(getattr(one, name), getattr(other, name)):
            raise InputError(
                f"{one.target!r} and {other.target!r} are not about the same "
                f"records (their {name} differ): query both about the same"
            )


def _auxiliary(outputs, checks, queried, knowledge, run_dir):
    name, parent = outputs.target, knowledge.parent
    inside, reasons = queried.inside.get(name), queried.reasons[name]
    exact = knowledge.inside_references(outputs) if inside else ()
    if isinstance(exact, str):
        reasons, exact = {**reasons, "inside_references": exact}, ()
    if knowledge.first_is_parent and name != queried.outputs[0].target:
        parent = queried.outputs[0]
    references = knowledge.references(outputs)
    mismatched = knowledge.mismatched(outputs)
    if mismatched and not references:
        reasons = {**reasons, "references": ONLY_MISMATCHED}
    return Auxiliary(
        references=references,
        margins_folder=RunDir(run_dir).reference_margins,
        kind=knowledge.kind(outputs),
        mismatched=mismatched,
        parent=parent,
        features=checks and checks.features,
        inside=inside,
        gradients=queried.gradients.get(name),
        inside_references=exact,
        reasons=reasons,
        **queried.augmented_labels.get(name, {}),
    )


def _reasons(target, checks, config):
    """Why attacks on a target cannot have what they need, by need."""
    is_model = isinstance(target, UnopenedModel)
    why = None
    if not is_model or target.is_saved:
        why = NOT_A_MODEL
    elif not checks.given.is_images:
        why = NOT_IMAGES
    elif config.label_only is None:
        why = SWITCHED_OFF
    elif target.is_of_run and target.kernel_set not in AUGMENTED_KERNELS:
        why = OTHER_KERNELS
    reasons = {} if why is None else dict.fromkeys(AUGMENTED, why)
    if not is_model or target.is_saved:
        reasons["inside"] = NOT_GIVEN
    elif not config.inside:
        reasons["inside"] = NOT_WANTED
    elif target.is_of_run and target.kernel_set not in AUGMENTED_KERNELS:
        reasons["inside"] = OTHER_KERNELS_INSIDE
    if "inside" in reasons:
        reasons["gradients"] = reasons["inside"]
    elif not config.gradients:
        reasons["gradients"] = f"ask for them with {option('gradients', True)}"
    if checks is None:
        reasons["features"] = NO_RECORDS
    elif checks.features is None:
        reasons["features"] = TOO_MANY
    return reasons


def _query_count(records, is_augmented, config):
    """The number of queries that one model gets, augmented ones too."""
    count = len(records.labels)
    if not is_augmented:
        return count
    settings = config.label_only
    names = *settings.augmentations.names, *settings.noise.names
    return count + min(count, settings.records) * len(names)
