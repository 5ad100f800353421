r"""Measures the membership risk of each record, and lists the riskiest.

    qmia risk --run_dir=runs/cifar_w4a4 \
        --baseline=runs/cifar_full --out=risk

Reads outputs/TARGET.npz of the run, which qmia attack writes. Gives every
record its score and its calibrated probability of being a member, with an
interval. With --baseline it adds what the full-precision model of the same
data and split gives the record, and the change.

Writes into --out records.csv (all records, highest risk first), risk.md (the
findings and the first members) and, unless --images=false, risk.png (their
images; loads the run's data set). They name training records: keep them as
private as the data. Takes some seconds, and as long as loading the data set.
"""

import pathlib

from absl import flags

from qmia_tf import files, quiet
from qmia_tf.programs import early_checks, flag_values, options
from qmia_tf.run_dir import RunDir

FLAGS = flags.FLAGS


def define_flags():
    """Defines the flags."""
    flags.DEFINE_string("run_dir", None, "the run directory")
    flags.DEFINE_string("target", "keras", "which target's outputs")
    flags.DEFINE_string(
        "score",
        "margin",
        "such as margin, confidence, modified_entropy; with reference models "
        "difficulty, lira_offline, lira_online, which do not take easy for "
        "member; loss_trace, the trainer's own view, of epochs that were kept",
    )
    flags.DEFINE_string(
        "baseline", None, "run directory of the full-precision model"
    )
    flags.DEFINE_string(
        "baseline_target", "keras", "which of the baseline's targets"
    )
    flags.DEFINE_integer(
        "top",
        24,
        "members to list and show",
        lower_bound=1,
        upper_bound=200,
    )
    flags.DEFINE_boolean("images", True, "show their images")
    flags.DEFINE_integer("seed", 0, "of the calibration halves", lower_bound=0)
    flags.DEFINE_string("out", None, "where to write")
    options.define_data_place()


def main(argv):
    """Lists and shows the records at highest risk as the flags say."""
    del argv
    run_dir = flag_values.required("run_dir")
    out = pathlib.Path(flag_values.required("out"))
    for place, target in (
        (run_dir, FLAGS.target),
        (FLAGS.baseline, FLAGS.baseline_target),
    ):
        if place:
            early_checks.run(place, is_trained=False, with_data=False)
            RunDir(place).require_outputs(target)
    from qmia_tf.auditing import record_risk
    from qmia_tf.experiments import configuration, run_risk

    common = {"score": FLAGS.score, "seed": FLAGS.seed}
    if FLAGS.score == record_risk.LOSS_TRACE:
        # Models of epochs may have to be queried.
        quiet.start_tensorflow()
        common["dataset"] = options.load_run_data(configuration.read(run_dir))
    risks = run_risk.of_run(run_dir, target=FLAGS.target, **common)
    before = None
    if FLAGS.baseline:
        before = run_risk.of_run(
            FLAGS.baseline, target=FLAGS.baseline_target, **common
        )
        record_risk.check_comparable(risks, before)
    files.require_writable(out)
    from qmia_tf.report import risk_files

    pictures = _pictures(run_dir, risks) if FLAGS.images else None
    paths = risk_files.write_risks(
        risks, out, before=before, top=FLAGS.top, pictures=pictures
    )
    print((out / risk_files.PAGE).read_text())
    if risks.excluded:
        print(f"{risks.score} is not defined for {risks.excluded} records")
    print(f"{', '.join(path.name for path in paths)} are in {out}")


def _pictures(run_dir, risks):
    """The images of the first members, and the names of the classes."""
    # Some data sets are read by TensorFlow.
    quiet.start_tensorflow()
    from qmia_tf.auditing import record_risk
    from qmia_tf.experiments import configuration

    config = configuration.read(run_dir)
    dataset = options.load_run_data(config)
    rows = risks.riskiest_members(FLAGS.top)
    return record_risk.images_of(risks, rows, dataset), dataset.class_names
