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

from qmia_tf import files, terminal
from qmia_tf.auditing import audit as audits
from qmia_tf.auditing import leak_test, thumbnails
from qmia_tf.auditing.audit_result import AuditResult
from qmia_tf.data import loaders, sides
from qmia_tf.errors import InputError
from qmia_tf.experiments import calibration_overlap as own_calibration
from qmia_tf.experiments import label_only_queries, model_auxiliary
from qmia_tf.experiments.model_auxiliary import QueriedTargets
from qmia_tf.outputs import saved_outputs
from qmia_tf.run_dir import RunDir
from qmia_tf.targets import listing

LABEL_ONLY = label_only_queries.Settings()
SCHEMA_VERSION = 1
OWN = "own"


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
    label_only=LABEL_ONLY,
    seed=0,
    strata=leak_test.CLASS,
    tfprivacy=None,
    references=(),
    calibration=None,
    leave_out_calibration=False,
    num_threads=2,
    data_dir=None,
    download=False,
    allow_chance=False,
    pictures="auto",
    progress=terminal.say,
) -> AuditResult:
    """Says what targets give away about the records that trained them.

    Args:
        target: what is queried: a model of Keras 3 or tf_keras, a function
            (records [B, ...] -> probabilities [B, C], or logits with
            outputs=), or a path: .keras or .h5, SavedModel directory,
            .tflite, or .npz or .csv of outputs. Or several, compared on the
            same records: a list, or a dict name -> target. None if members
            and nonmembers are files of outputs.
        members: the records that trained it: a pair (values, labels) of
            arrays, or a source as data.loaders.load_side reads it; or a file
            of outputs. None if target is an .npz that says who is a member.
        nonmembers: others from the same source, likewise.
        out: directory for the outputs and audit.json; None keeps nothing.
        input_range: (0, 1), (0, 255) or (-1, 1), or as text "0..1", "0..255",
            "-1..1": the range of numbers that a model was trained with, where
            it does not say it itself ("auto"); records of 0..255 are mapped
            into it. Or a list with one a target.
        outputs: "probabilities", "logits" or "auto", likewise.
        signature: name of the signature that classifies, of a .tflite file
            or SavedModel with several, likewise.
        class_names: names of the model's outputs in order, or "sorted", for
            records whose classes have names only.
        label_only: label_only_queries.Settings; None makes no augmented
            queries.
        seed: int, of calibration halves, bootstraps and attacks.
        strata: "class": the test for a leak permutes memberships within the
            classes, which holds however the records were split; "none":
            among all records, where the split took no care of classes.
        tfprivacy: tfprivacy.Settings; None leaves it out.
        references: .npz files of outputs of reference models about the same
            records, of which `members` trained each.
        calibration: records that a quantized file was calibrated with: a
            source like members, of which labels may be missing, or an array.
            Members and nonmembers among them are counted.
        leave_out_calibration: leaves such nonmembers out of the audit.
        num_threads: int >= 1, of LiteRT.
        data_dir: where TFDS keeps its data sets.
        download: whether TFDS may download.
        allow_chance: goes on though a model is right on its members as
            chance would be, or clearly better in another range.
        pictures: whether audit.json holds pictures of the most exposed
            members: "on", "off", or "auto", for those of TFDS only.
        progress: callable that takes a line of text, or None.
    Returns: audit_result.AuditResult, as in out/audit.json.
    Raises: InputError that says what cannot be used and what to do.
    """
    say = progress or (lambda line: None)
    targets = {} if target is None else listing.name_targets(target)
    if num_threads < 1:
        raise InputError(f"num_threads must be >= 1, got {num_threads}")
    options = model_auxiliary.Options(
        input_range=input_range,
        outputs=outputs,
        label_only=label_only,
        num_threads=num_threads,
        allow_chance=allow_chance,
        signature=signature,
    )
    used = None
    if leave_out_calibration:
        own_calibration.require_alone(calibration, targets, references)
    with _folder(out) as folder:
        data = None
        show = functools.partial(pictures_of, members, pictures)
        if _are_outputs(targets, members, nonmembers):
            options.require_no_model_options()
            if calibration is not None:
                raise InputError(own_calibration.OUTPUTS_ONLY)
            picture_of = show(None)
            gathered = model_auxiliary.of_outputs(
                targets, members, nonmembers, options
            )
        else:
            data, used = _records(
                members,
                nonmembers,
                class_names,
                say,
                calibration=calibration,
                leave_out=leave_out_calibration,
                data_dir=data_dir,
                download=download,
            )
            picture_of = show(data)
            gathered = model_auxiliary.of_models(
                targets, data, options, folder, say
            )
        return _audited(
            gathered,
            data,
            folder=folder,
            said=(members, nonmembers),
            references=references,
            calibration=used,
            pictures=picture_of,
            seed=seed,
            strata=strata,
            tfprivacy=tfprivacy,
            progress=progress,
        )


def _are_outputs(targets, members, nonmembers):
    """Whether no records are needed: everything is saved outputs."""
    if members is None and nonmembers is None:
        if not targets:
            raise InputError(
                "nothing to audit: give a model, its members and nonmembers"
            )
        to_query = [
            x for x in targets.values() if not listing.is_saved_outputs(x)
        ]
        if to_query:
            raise InputError(
                f"the records are missing: give --members and --nonmembers, "
                f"{loaders.FORMATS}"
            )
        return True
    if members is None or nonmembers is None:
        name = "members" if members is None else "nonmembers"
        raise InputError(f"--{name} is missing: an audit needs both sides")
    kinds = [saved_outputs.is_outputs(side) for side in (members, nonmembers)]
    if kinds[0] != kinds[1]:
        one, other = (
            (members, nonmembers) if kinds[0] else (nonmembers, members)
        )
        shown = other if files.is_path(other) else "the other side"
        raise InputError(
            f"{one} holds outputs, {shown} records: give both sides alike"
        )
    if kinds[0] and targets:
        raise InputError(
            f"{members} holds outputs, about which no model can be queried: "
            "leave out --model, or give records"
        )
    if not kinds[0] and not targets:
        for side in (members, nonmembers):
            saved_outputs.require_known_arrays(side)
        raise InputError(
            "members and nonmembers are records: give the --model to query "
            "about them"
        )
    return kinds[0]


def _records(
    members, nonmembers, class_names, say, *, calibration, leave_out, **options
):
    both = []
    for name, source in (("members", members), ("nonmembers", nonmembers)):
        side = loaders.load_side(source, **options)
        say(f"{name}: {side.source}: {side.taken}")
        both.append(side)
    used = None
    if calibration is not None:
        used, both[1] = own_calibration.compare(
            calibration, *both, leave_out=leave_out, **options
        )
        say(own_calibration.sentence(used))
        if used.warning:
            say(f"warning: {used.warning}")
    return sides.join(*both, class_names=class_names), used


def _audited(
    gathered: QueriedTargets,
    data,
    *,
    folder,
    said,
    references,
    calibration,
    pictures,
    seed,
    strata,
    tfprivacy,
    progress,
):
    say = progress or (lambda line: None)
    first = gathered.outputs[0]
    for line in sides.few(first.members):
        say(line)
    trained = model_auxiliary.references_of(references, first)
    config = _config(gathered, data, said)
    files.write_json(RunDir(folder).config, config)
    checks = gathered.checks
    return audits.audit_outputs(
        folder,
        gathered.outputs,
        config=config,
        first=first.target,
        auxiliary={
            answered.target: gathered.auxiliary(answered.target, trained)
            for answered in gathered.outputs
        },
        joint_with=[first] if len(gathered.outputs) > 1 else [],
        reasons=gathered.reasons,
        duplicates=checks and checks.equal,
        distinct=checks and checks.distinct,
        baseline=checks and checks.blind_baseline(seed=seed),
        calibration=calibration,
        class_names=data.class_names if data is not None else None,
        pictures=pictures,
        seed=seed,
        strata=strata,
        tfprivacy=tfprivacy,
        progress=progress,
    )


def _config(gathered, data, said):
    """What DIR/config.json says: kind "own", data, split and models."""
    first = gathered.outputs[0]
    name = data.name if data is not None else first.target
    facts = {"name": name, "fingerprint": first.info.get("fingerprint")}
    facts["classes"] = first.classes
    if data is not None:
        facts["record_shape"] = list(data.values.shape[1:])
        facts["record_dtype"] = str(data.values.dtype)
    for side, source in zip(("members", "nonmembers"), said, strict=True):
        facts[side] = str(source) if files.is_path(source) else None
    keys = (
        "kind",
        "sha256",
        "kernel_set",
        "outputs",
        "input_range",
        "signature",
    )
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
                "file": gathered.files.get(outputs.target),
                **{key: outputs.info.get(key) for key in keys},
            }
            for outputs in gathered.outputs
        ],
    }


@contextlib.contextmanager
def _folder(out):
    """The directory to write to; a temporary one if there is to be none."""
    if out is None:
        with tempfile.TemporaryDirectory() as folder:
            yield pathlib.Path(folder) / OWN
        return
    out = pathlib.Path(out)
    files.require_writable(out)
    config = RunDir(out).config
    is_own = not config.exists() or files.read_json(config).get("kind") == OWN
    if not is_own or (not config.exists() and RunDir(out).model.exists()):
        raise InputError(
            f"{out} is a run directory, whose audit would be overwritten: "
            "choose another --out"
        )
    yield out


def pictures_of(members, choice, data):
    """Gives what shows the most exposed members.

    Args:
        members: the source of the members, as loaders.load_side reads it. Those
            that everybody has, of TFDS, are shown unless choice is "off".
        choice: "auto", "on" or "off".
        data: Records, or None if there are only outputs.
    Returns: callable record ids [K] -> uint8 [K, H, W, C]; None for no
        pictures.
    Raises: InputError if choice is another, or "on" and there is nothing to
        show.
    """
    published = loaders.is_published_side(members)
    if not thumbnails.wanted(choice, published=published):
        return None
    if data is not None and data.is_images:
        return data.values.__getitem__
    if choice == thumbnails.ON:
        missing = (
            "only outputs are given"
            if data is None
            else model_auxiliary.NOT_IMAGES
        )
        raise InputError(f"--pictures=on has nothing to show: {missing}")
    return None
