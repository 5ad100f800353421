"""Audits models of your own: what they give away about their training data.

    qmia audit --model=M --members=A --nonmembers=B --out=DIR

M is a .keras or .h5 file, a SavedModel directory, a .tflite file, or an .npz
of saved outputs. Several, separated by commas, are compared on the same
records, the first with each of the others. A are records that trained M, and
B are others from the same source. Each is one of:

  x.npz                  images or x, labels or y
  images.npy:labels.npy  the same in two files
  folder/                class folders of images
  tfds:NAME:SPLIT        such as tfds:cifar10:train[:5000]
  outputs.npz, .csv      p0,p1,..,label or z0,z1,..,label, without --model

uint8 [N, H, W, C] are images. Numbers of 0..255 are mapped into the range
that the model takes. Others reach it as they are; integers of a .tflite
input's own signed type are its codes.

What a model says of itself is read from it. What it does not say is measured
on up to a hundred members. What is clearly right is taken, said and kept in
audit.json; else the message has the numbers and the flag to add. Refused are a
model whose outputs for the same record differ, an accuracy like chance, values
that an input cannot hold, and another range that is clearly better.

Prints the verdict and writes audit.json, outputs/, augmented_queries/ and
report/ into DIR. Stored outputs of the same file and records are used again.
Takes some seconds for some thousand small images; --tfprivacy=trained adds
minutes.
"""

import pathlib

from absl import flags

from qmia_tf import quiet, terminal
from qmia_tf.programs import (
    early_checks,
    flag_help,
    flag_values,
    gate_options,
    options,
)

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
    gate_options.define_flags()
    with flag_help.group("What models do not say", is_common=False):
        _define_unsaid()
    with flag_help.group("More records", is_common=False):
        _define_more_records()
    with flag_help.group("Checks", is_common=False):
        _define_checks()
    options.define_audit()
    options.define_data_place()


def _define_unsaid():
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


def _define_more_records():
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
        "leave_out_calibration",
        False,
        "leave such nonmembers out of the audit",
    )


def _define_checks():
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


def main(argv):
    """Audits as the flags say."""
    del argv
    out = flag_values.required("out")
    with terminal.working("starting"):
        limits = gate_options.limits()
        audit_options = options.audit()
    names = FLAGS.class_names
    records = (FLAGS.members, FLAGS.nonmembers, FLAGS.calibration)
    for path in FLAGS.references:
        early_checks.require_outputs(path)
    early_checks.audited(
        FLAGS.model,
        *records,
        input_range=FLAGS.input_range,
        outputs=FLAGS.outputs,
        signature=FLAGS.signature,
    )
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
    gate_options.end_program(result.gates)


def _is_light(source):
    """Whether a source needs no TensorFlow, as on a board without it."""
    heavy = (".keras", ".h5", ".hdf5")
    return source is None or (
        not source.startswith("tfds:")
        and not source.endswith(heavy)
        and not pathlib.Path(source, "saved_model.pb").exists()
    )
