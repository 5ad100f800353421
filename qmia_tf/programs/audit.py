"""Audits models of your own: what they give away about their training data.

    qmia audit --model=M --members=A --nonmembers=B --out=DIR

M is a .keras or .h5 file, a SavedModel directory, a .tflite file, or an .npz
of saved outputs; several, separated by commas, are compared on the same
records, the first with each of the others. A are records that trained it and B
others from the same source: an .npz (images or x, labels or y),
images.npy:labels.npy, a folder of class folders, or tfds:NAME:SPLIT[RANGE],
such as tfds:cifar10:train[:5000]. uint8 [N, H, W, C] are images. Numbers of
0..255, of any type and shape, are mapped into the range that the model takes;
others reach it as they are, and integers of a .tflite input's own signed type
are its codes. Without a --model, A and B are outputs: .npz or CSV
(p0,p1,..,label or z0,z1,..,label).

What a model says of itself is read from it: its input's type, quantization
and rescaling, a softmax at its end. What it does not say is measured on up to
a hundred members: the range of its numbers, probabilities or logits, the
alphabetical order of class folders. What is clearly right is taken, said and
kept in audit.json; else the message has the numbers and the flag to add. What
shows a wrong choice stops: a model that does not answer the same record alike,
an accuracy like chance, values that an input cannot hold, or another range
that is clearly better.

Writes DIR/outputs, DIR/augmented_queries, DIR/audit.json and DIR/report, and
prints the verdict. Stored outputs of the same file and records are used again.
--fail_if_auc_above=0.6 and --fail_if_tpr_above=0.05@0.01 end the program with
status 1 if an artefact gives away more, with status 3 if that cannot be judged;
so does --fail_if_cannot_detect=0.55 if a leak of that AUC would have been
missed. --pictures=on shows the members at highest risk, which are training
records, in audit.json and the report. Takes a minute for some thousand small
images, most of it for tensorflow-privacy's attacks (--notfprivacy) and
augmented queries (--label_only_records=0).
"""

import pathlib

from absl import flags

from qmia_tf import quiet, terminal
from qmia_tf.programs import flag_values, options

FLAGS = flags.FLAGS


def define_flags():
    """Defines the flags."""
    flags.DEFINE_list(
        "model",
        [],
        ".keras, .h5, SavedModel directory, .tflite, .npz or CSV of outputs",
    )
    flags.DEFINE_string("members", None, "records that trained it")
    flags.DEFINE_string("nonmembers", None, "records that did not")
    flags.DEFINE_string("out", None, "directory to write to")
    flags.DEFINE_string(
        "name", None, "what the report calls it; default: the directory's name"
    )
    flags.DEFINE_list(
        "input_range",
        ["auto"],
        "0..1, 0..255 or -1..1: the range of numbers that a model was trained "
        "with; records of 0..255 are mapped into it; one for all models or one "
        "a model (auto: what it says, else what its members clearly say)",
    )
    flags.DEFINE_list(
        "outputs",
        ["auto"],
        "probabilities or logits: what a model outputs that does not end in a "
        "softmax; one for all models or one a model (auto: what it says, else "
        "what its numbers say)",
    )
    flags.DEFINE_list(
        "signature",
        [],
        "name of the signature that classifies, of a .tflite file or "
        "SavedModel with several; one for all models or one a model (auto: it "
        "has one)",
    )
    flags.DEFINE_list(
        "class_names",
        None,
        "names of the model's outputs in their order, for class folders; "
        "'sorted' for alphabetical order (default: that, if the members "
        "clearly say so)",
    )
    flags.DEFINE_integer(
        "first_label",
        0,
        "what stands for the model's first output, such as 1 where labels "
        "start at 1",
    )
    flags.DEFINE_enum(
        "data_format",
        "auto",
        ["auto", "channels_first", "channels_last"],
        "where a model takes the channels of images: records are transposed to "
        "that (auto: they are given as they are)",
    )
    flags.DEFINE_list(
        "references",
        [],
        ".npz files of outputs of reference models about the same records",
    )
    flags.DEFINE_string(
        "calibration",
        None,
        "records that a quantized file was calibrated with, like --members but "
        "labels may be missing: nonmembers among them are counted and warned "
        "of",
    )
    flags.DEFINE_boolean(
        "leave_out_calibration", False, "leave such nonmembers out of the audit"
    )
    flags.DEFINE_boolean(
        "allow_chance",
        False,
        "go on though a model is right on its members as chance would be, or "
        "clearly better in another range",
    )
    flags.DEFINE_enum(
        "strata",
        "class",
        ["class", "none"],
        "what the test for a leak permutes memberships within: class holds "
        "however members were drawn; none, if classes played no part in the "
        "draw, is stronger where a class has few records",
    )
    options.define_data_place()
    options.define_audit()
    options.define_gates()


def main(argv):
    """Audits as the flags say."""
    del argv
    out = flag_values.required("out")
    with terminal.working("starting"):
        limits = options.gates()
        audit_options = options.audit()
    names = FLAGS.class_names
    records = (FLAGS.members, FLAGS.nonmembers, FLAGS.calibration)
    if not all(map(_is_light, [*FLAGS.model, *records])):
        quiet.start_tensorflow()
    with terminal.working("starting"):
        from qmia_tf import locks, report
        from qmia_tf.experiments import model_audit
        from qmia_tf.report import gates

    with locks.writing(f"{out}/audit.json"):
        result = model_audit.audit(
            FLAGS.model or None,
            FLAGS.members,
            FLAGS.nonmembers,
            out=out,
            name=FLAGS.name,
            input_range=FLAGS.input_range,
            outputs=FLAGS.outputs,
            signature=FLAGS.signature,
            class_names="sorted" if names == ["sorted"] else names,
            first_label=FLAGS.first_label,
            data_format=FLAGS.data_format,
            references=FLAGS.references,
            calibration=FLAGS.calibration,
            leave_out_calibration=FLAGS.leave_out_calibration,
            allow_chance=FLAGS.allow_chance,
            seed=audit_options.pop("audit_seed"),
            strata=FLAGS.strata,
            data_dir=flag_values.value("data_dir"),
            download=flag_values.value("download"),
            **audit_options,
        )
        result = gates.record(result, f"{out}/audit.json", **limits)
        report_paths = report.make_report([out], f"{out}/report")
    print(f"\n{result}\n")
    print(f"{out}/audit.json and {report_paths[1]} are written")
    options.end_by_gates(result.gates)


def _is_light(source):
    """Whether a source needs no TensorFlow, as on a board without it."""
    heavy = (".keras", ".h5", ".hdf5")
    return source is None or (
        not source.startswith("tfds:")
        and not source.endswith(heavy)
        and not pathlib.Path(source, "saved_model.pb").exists()
    )
