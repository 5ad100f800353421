"""What models are audited with: their outputs and auxiliary knowledge."""

import dataclasses
import pathlib

from qmia_tf.auditing.auxiliary import Auxiliary
from qmia_tf.data import duplicates, record_features
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError
from qmia_tf.experiments import label_only_queries
from qmia_tf.experiments.record_checks import RecordChecks
from qmia_tf.files import is_path
from qmia_tf.outputs import Outputs, saved_outputs
from qmia_tf.targets import listing, queries, sanity_checks

AUGMENTED = ("augmented_labels", "noisy_labels")
SWITCHED_OFF = "they were switched off"
NOT_A_MODEL = "saved outputs cannot be queried with augmented images"
NO_RECORDS = "only outputs were given"
NOT_IMAGES = "the records are not uint8 images [N, height, width, channels]"
TOO_MANY = f"a record has more than {record_features.MOST_FEATURES} values"


@dataclasses.dataclass(frozen=True)
class Options:
    """How targets are queried; see experiments.model_audit.audit."""

    input_range: str | tuple | list | None
    outputs: str | list[str] | None
    label_only: label_only_queries.Settings | None
    num_threads: int
    allow_chance: bool
    signature: str | list[str] | None = None

    def require_no_model_options(self):
        """Refuses options about a model where there is none."""
        for name in ("input_range", "outputs", "signature"):
            if not listing.is_auto(getattr(self, name)):
                raise InputError(
                    f"--{name} is about a model, and only saved outputs are "
                    "given, which say it by the names of arrays and columns"
                )


@dataclasses.dataclass
class QueriedTargets:
    """The outputs of the targets and what else is known.

    Attributes:
        outputs: Outputs of each target, in the order given.
        augmented: dict target -> dict of "augmented_labels" and
            "noisy_labels".
        reasons: dict target -> dict need -> why it cannot be had.
        files: dict target -> name of its file.
        checks: RecordChecks; None without records.
    """

    outputs: list[Outputs]
    reasons: dict[str, dict[str, str]]
    files: dict[str, str | None]
    augmented: dict = dataclasses.field(default_factory=dict)
    checks: RecordChecks | None = None

    def auxiliary(self, target, references) -> Auxiliary:
        """Gives the auxiliary knowledge about one target."""
        return Auxiliary(
            references=references,
            features=self.checks and self.checks.features,
            **self.augmented.get(target, {}),
        )


def of_outputs(targets, members, nonmembers, options) -> QueriedTargets:
    """Takes saved outputs: one file a side, or files that say who is who.

    Raises: InputError if they cannot be read, are not about the same
        records, or are of a model that is right as chance is.
    """
    if targets:
        all_outputs = [
            _renamed(saved_outputs.alone(path), name)
            for name, path in targets.items()
        ]
        files = {
            name: pathlib.Path(path).name for name, path in targets.items()
        }
    else:
        all_outputs = [saved_outputs.of_sides(members, nonmembers)]
        files = {all_outputs[0].target: pathlib.Path(members).name}
    first = all_outputs[0].in_record_order()
    for outputs in all_outputs:
        _require_same(outputs.in_record_order(), first)
        if not options.allow_chance:
            sanity_checks.require_above_chance(outputs)
    reasons = {**dict.fromkeys(AUGMENTED, NOT_A_MODEL), "features": NO_RECORDS}
    return QueriedTargets(
        outputs=all_outputs,
        reasons={
            target_outputs.target: reasons for target_outputs in all_outputs
        },
        files=files,
    )


def of_models(
    targets, records: Records, options, folder, say
) -> QueriedTargets:
    """Queries models about the records, one after the other.

    Args:
        targets: dict name -> target.
        records: Records.
        options: Options.
        folder: pathlib.Path, where outputs are kept.
        say: callable that takes a line.
    Raises: InputError if a target cannot be queried, see queries.query, or the
        two sides hold the same records.
    """
    checks = RecordChecks.of(records)
    duplicates.require_others(checks.equal, records)
    if checks.equal.warning:
        say(f"warning: {checks.equal.warning}")
    gathered = QueriedTargets([], {}, {}, checks=checks)
    model_options = listing.options_by_model(
        options.input_range,
        options.outputs,
        len(targets),
        signature=options.signature,
    )
    listed = {
        name: _listed(name, source, of_model, records, options, say)
        for (name, source), of_model in zip(
            targets.items(), model_options, strict=True
        )
    }
    for name, model in listed.items():
        gathered.files[name] = None
        if is_path(targets[name]):
            gathered.files[name] = pathlib.Path(targets[name]).name
        gathered.reasons[name] = _reasons(model, checks, options)
        gathered.outputs.append(
            queries.query(
                model,
                records,
                run_dir=folder,
                allow_chance=options.allow_chance,
                query_count=_query_count(
                    records, gathered.reasons[name], options
                ),
                say=say,
            )
        )
        if AUGMENTED[0] not in gathered.reasons[name]:
            gathered.augmented[name] = label_only_queries.query_target(
                model,
                records,
                settings=options.label_only,
                run_dir=folder,
            )
        model.close()
    for outputs in gathered.outputs:
        _require_same(outputs, gathered.outputs[0])
    return gathered


def references_of(paths, answered: Outputs) -> tuple[Outputs, ...]:
    """Reads outputs of reference models for the same records."""
    references = [saved_outputs.reference(path, answered) for path in paths]
    names = [reference.target for reference in references]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"two references are called {name!r}: rename one of the files"
            )
    return tuple(references)


def _listed(name, source, model_options, records, options, say):
    """Lists a target; warns of one that runs a program."""
    model = listing.list_model(
        name,
        source,
        model_options,
        numbers=records.numbers,
        num_threads=options.num_threads,
    )
    if model.warning:
        say(model.warning)
    return model


def _query_count(records, reasons, options):
    """The number of queries that one model gets, augmented ones too."""
    count = len(records.labels)
    if AUGMENTED[0] in reasons:
        return count
    settings = options.label_only
    names = *settings.augmentations.names, *settings.noise.names
    return count + min(count, settings.records) * len(names)


def _reasons(model, checks, options):
    reasons = {}
    if model.is_saved:
        reasons = dict.fromkeys(AUGMENTED, NOT_A_MODEL)
    elif not checks.records.is_images:
        reasons = dict.fromkeys(AUGMENTED, NOT_IMAGES)
    elif options.label_only is None:
        reasons = dict.fromkeys(AUGMENTED, SWITCHED_OFF)
    if checks.features is None:
        reasons["features"] = TOO_MANY
    return reasons


def _renamed(answered, name):
    info = {**answered.info, "target": name}
    return dataclasses.replace(answered, info=info)


def _require_same(one, other):
    """Refuses targets that were not queried about the same records."""
    if one.classes != other.classes:
        raise InputError(
            f"{one.target!r} has {one.classes} classes, "
            f"{other.target!r} {other.classes}: compare models of one task"
        )
    for name in ("record_ids", "labels", "members"):
        ours, theirs = getattr(one, name), getattr(other, name)
        if ours.shape != theirs.shape or (ours != theirs).any():
            raise InputError(
                f"{one.target!r} and {other.target!r} are not about the same "
                f"records (their {name} differ): query both about the same"
            )
