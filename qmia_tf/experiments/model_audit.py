"""Audits models of a user: a target, its members and others -> audit.json.

DIR/config.json          what was audited
DIR/outputs/             outputs of each target
DIR/augmented_queries/   its labels for augmented queries
DIR/audit.json
"""

import contextlib
import functools
import pathlib
import tempfile

from qmia_tf import files, locks, terminal
from qmia_tf import run_config as run_configs
from qmia_tf.attacks import tfprivacy as privacy
from qmia_tf.auditing import label_only_queries, leak_test, risky_members
from qmia_tf.auditing.audit_config import AuditConfig
from qmia_tf.data import duplicates, loaders, sides
from qmia_tf.deploy.tflite.isolation import Limits
from qmia_tf.errors import InputError, option
from qmia_tf.experiments import (
    audit_pipeline,
    audit_sources,
    reference_outputs,
)
from qmia_tf.experiments import calibration_overlap as own_calibration
from qmia_tf.experiments.audit_pipeline import (
    NOT_IMAGES,
    Knowledge,
    RecordChecks,
)
from qmia_tf.outputs import saved_outputs
from qmia_tf.outputs.unread_outputs import UnreadOutputs
from qmia_tf.report.reported_audit import Audit
from qmia_tf.run_dir import RunDir
from qmia_tf.targets import listing, sanity_checks
from qmia_tf.targets.unopened_model import MEASURED

LABEL_ONLY = label_only_queries.Settings()
SCHEMA_VERSION = 1
OWN = "own"
# Of Outputs.info, in config.json.
MODEL_FACTS = (
    *("kind", "sha256", "kernel_set"),
    *("outputs", "input_range", "signature"),
)


def audit(
    target=None,
    members=None,
    nonmembers=None,
    *,
    out=None,
    input_range="auto",
    outputs="auto",
    signature=None,
    class_names=None,
    first_label: int = 0,
    data_format: str = "auto",
    label_only: label_only_queries.Settings | None = LABEL_ONLY,
    inside: bool = True,
    gradients: bool = False,
    seed: int = 0,
    strata: str = leak_test.CLASS,
    tfprivacy: privacy.Settings | str | None = privacy.THRESHOLD,
    references=(),
    calibration=None,
    leave_out_calibration: bool = False,
    num_threads: int = 2,
    file_timeout: float | None = None,
    file_memory: float | None = None,
    data_dir=None,
    download: bool = False,
    allow_chance: bool = False,
    attack_options=None,
    output_forms: bool = True,
    pictures: str = "auto",
    name: str | None = None,
    progress=terminal.say,
) -> Audit:
    """Says what targets give away about the records that trained them.

        qmia_tf.audit("net.tflite", (x, y), (x_test, y_test)).summary()

    Args:
        target: a model, a function or a path: .keras, .h5, SavedModel
            directory, .tflite, or outputs (.npz, .csv). Several, compared on
            the same records: a list, or a dict name -> target.
        members: the records that trained it: (values, labels), or a source
            as in docs/inputs.md, or a file of outputs.
        nonmembers: others from the same source, likewise.
        out: directory for outputs and audit.json; None keeps nothing.
        input_range: the range that the model was trained with, such as
            (0, 1); or a list with one a target. "auto": as the model says,
            else the one that is clearly right on a hundred members.
        outputs: "probabilities" or "logits", likewise.
        signature: which one classifies, of a file with several, likewise.
        class_names: of the outputs in order, or "sorted"; by default in
            alphabetical order if that is clearly right.
        first_label: what stands for the first output, such as 1.
        data_format: "channels_first" or "channels_last", to which records
            are transposed; "auto" leaves them as they are.
        references: .npz files of outputs of reference models.
        calibration: records that a quantized file was calibrated with;
            leave_out_calibration takes them out of the nonmembers.
        num_threads: of LiteRT.
        file_timeout, file_memory: seconds a call, and MB, that a .tflite
            file may take in its own process; None goes by sizes.
        data_dir, download: of TFDS.
        pictures: "on", "off" or "auto": members at highest risk are shown.
        progress: callable that takes a line of text, or None.
        tfprivacy: "off", "threshold", "trained" or settings, see
            attacks.tfprivacy.
        others: of auditing.audit_config.AuditConfig.
    Raises: InputError that says what cannot be used and what to do.
    """
    say = progress or (lambda line: None)
    targets = {} if target is None else listing.name_targets(target)
    if num_threads < 1:
        raise InputError(f"num_threads must be >= 1, got {num_threads}")
    if out == "":
        raise InputError("out is empty: name a directory, or give None")
    file_limits = Limits(file_timeout, file_memory)
    if out is None and not name:
        name = ", ".join(targets) or "saved outputs"
    config = AuditConfig(
        name=name,
        seed=seed,
        strata=strata,
        tfprivacy=privacy.settings_of(tfprivacy),
        label_only=label_only,
        inside=inside,
        gradients=gradients,
        allow_chance=allow_chance,
        attack_options=attack_options or {},
        output_forms=output_forms,
    )
    used = None
    if leave_out_calibration:
        own_calibration.require_alone(calibration, targets, references)
    reading = audit_sources.Reading(class_names, first_label, data_format)
    about_models = {
        "input_range": input_range,
        "outputs": outputs,
        "signature": signature,
    }
    with _folder(out) as folder:
        data, checks = None, None
        if audit_sources.are_outputs(targets, members, nonmembers):
            audit_sources.require_unsaid(**reading.said(), **about_models)
            own_calibration.require_none(calibration)
            picture_of = pictures_of(members, pictures, None)
            with terminal.working("reading the outputs"):
                queried, names = _saved(
                    targets, members, nonmembers, allow_chance
                )
        else:
            data, used = _records(
                members,
                nonmembers,
                say,
                reading=reading,
                calibration=calibration,
                leave_out=leave_out_calibration,
                data_dir=data_dir,
                download=download,
            )
            picture_of = pictures_of(members, pictures, data)
            checks = RecordChecks(data)
            with terminal.working("looking for equal records"):
                duplicates.require_others(checks.equal, data)
            if checks.equal.warning:
                say(f"warning: {checks.equal.warning}")
            queried = _models(
                targets,
                data,
                about_models,
                say,
                num_threads=num_threads,
                file_limits=file_limits,
            )
            names = {name: _file(source) for name, source in targets.items()}
        for line in sides.few((queried[0] if data is None else data).members):
            say(line)

        def run_config(answered):
            stored = _config(answered, names, data, (members, nonmembers))
            files.write_json(RunDir(folder).config, stored)
            return stored

        return audit_pipeline.audit(
            checks,
            queried,
            Knowledge(
                lambda answered: _references(references, answered),
                inside_references=lambda answered: _exact(references, answered),
            ),
            config,
            run_dir=folder,
            run_config=run_config,
            calibration=used,
            pictures=picture_of,
            progress=progress,
        )


def _saved(targets, members, nonmembers, allow_chance):
    """Saved outputs, one file a side or a target, and their files' names."""
    if targets:
        loaded = [
            saved_outputs.alone(path).renamed(name)
            for name, path in targets.items()
        ]
        names = {name: _file(path) for name, path in targets.items()}
    else:
        loaded = [saved_outputs.of_sides(members, nonmembers)]
        names = {loaded[0].target: _file(members)}
    first = loaded[0].in_record_order()
    for outputs in loaded:
        audit_pipeline.require_same(outputs.in_record_order(), first)
        if not allow_chance:
            sanity_checks.require_above_chance(outputs)
    return loaded, names


def _records(
    members, nonmembers, say, *, reading, calibration, leave_out, **options
):
    both = audit_sources.load_sides(members, nonmembers, say, **options)
    used = None
    if calibration is not None:
        used, both[1] = own_calibration.compare(
            calibration, *both, leave_out=leave_out, **options
        )
        say(own_calibration.sentence(used))
        if used.warning:
            say(f"warning: {used.warning}")
    return reading.join(*both), used


def _models(targets, data, about_models, say, **of_litert):
    """Lists the targets; warns of those that run a program."""
    about_models = dict(about_models)
    options = listing.options_by_model(
        about_models.pop("input_range"),
        about_models.pop("outputs"),
        len(targets),
        **about_models,
    )
    models = [
        listing.list_model(
            name,
            source,
            model_options,
            numbers=data.numbers,
            **of_litert,
        )
        for (name, source), model_options in zip(
            targets.items(), options, strict=True
        )
    ]
    for model in models:
        if model.warning:
            say(model.warning)
    return models


def _references(paths, answered):
    """Checks outputs of reference models for the same records."""
    if files.is_path(paths):
        paths = [paths]
    loaded = tuple(
        UnreadOutputs.checked(
            pathlib.Path(path),
            functools.partial(saved_outputs.reference, path, answered),
        )
        for path in paths
    )
    names = [reference.target for reference in loaded]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"two references are called {name!r}: rename one of the files"
            )
    return loaded


def _exact(paths, answered):
    """What the holders of the reference models compute, or why not."""
    paths = [paths] if files.is_path(paths) else paths
    found = [reference_outputs.inside_file(path, "") for path in paths]
    return reference_outputs.exact_of(found, _references(paths, answered))


def _config(answered, names, data, said):
    """What DIR/config.json says: kind "own", data, split and models."""
    first = answered[0]
    facts = {
        "name": first.target if data is None else data.name,
        "fingerprint": first.info.get("fingerprint"),
        "classes": first.classes,
    }
    if data is not None:
        facts["record_shape"] = list(data.values.shape[1:])
        facts["record_dtype"] = str(data.values.dtype)
    for side, source in zip(("members", "nonmembers"), said, strict=True):
        facts[side] = str(source) if files.is_path(source) else None
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": OWN,
        "dataset": facts,
        "split": {
            "members": int(first.members.sum()),
            "nonmembers": int((~first.members).sum()),
        },
        "models": [
            {
                "name": outputs.target,
                "file": names.get(outputs.target),
                **{key: outputs.info.get(key) for key in MODEL_FACTS},
                **_measured(outputs),
            }
            for outputs in answered
        ],
    }


def _measured(outputs):
    """What the members had to say, where they had to."""
    measured = outputs.info.get(MEASURED)
    return {MEASURED: measured} if measured else {}


def _file(source):
    return pathlib.Path(source).name if files.is_path(source) else None


@contextlib.contextmanager
def _folder(out):
    """The directory to write to; a temporary one if there is to be none."""
    if out is None:
        with tempfile.TemporaryDirectory() as folder:
            yield pathlib.Path(folder) / OWN
        return
    out = pathlib.Path(out)
    files.require_writable(out)
    _require_own(RunDir(out))
    with locks.writing(RunDir(out).audit):
        yield out


def _require_own(run_dir):
    """Sees that a directory holds nothing, or an audit of one's own models."""
    config = {}
    if run_dir.config.exists():
        config = run_configs.read(run_dir)
        if config.get("kind") == OWN:
            return
    if run_dir.model.exists() or "recipe" in config:
        raise InputError(
            f"{run_dir} is a run directory, whose audit would be overwritten: "
            f"choose another {option('out')}"
        )
    if run_dir.config.exists():
        raise InputError(
            f"{run_dir.config} is neither an audit's nor a run's, or it is "
            f"damaged: choose another {option('out')}, or delete the file"
        )


def pictures_of(members, choice, data):
    """Gives what shows the members at highest risk.

    Args:
        members: their source. Those that everybody has, of TFDS, are shown
            unless choice is "off".
        data: Records, or None if there are only outputs.
    Returns: record ids [K] -> uint8 [K, H, W, C]; None for no pictures.
    Raises: InputError if choice is another, or "on" and there is nothing to
        show.
    """
    published = loaders.is_published_side(members)
    if not risky_members.wanted(choice, published=published):
        return None
    if data is not None and data.is_images:
        return data.values.__getitem__
    if choice == risky_members.ON:
        missing = "only outputs are given" if data is None else NOT_IMAGES
        raise InputError(
            f"{option('pictures', 'on')} has nothing to show: {missing}"
        )
    return None
