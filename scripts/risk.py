"""Measures the membership risk of each record, and lists the riskiest.

    python scripts/risk.py --run_dir=runs/cifar_w4a4 \
        --baseline=runs/cifar_full --out=risk

Reads outputs/TARGET.npz of the run, which scripts/attack.py writes, and gives
every record its score and its calibrated probability of being a member, with
an interval; with --baseline also what the full-precision model of the same
data and split gives it, and the change. Writes records.csv (all records,
highest risk first), risk.md (the findings and the first members) and,
unless --images=false, risk.png (their images; loads the run's data set)
into --out. They name training records: keep them as private as the data.
Takes some seconds, and as long as loading the data set.
"""

import pathlib

from absl import flags

from qmia_tf import files, quiet
from qmia_tf.errors import InputError
from qmia_tf.programs import options, program

RUN_DIR = flags.DEFINE_string("run_dir", None, "the run directory")
TARGET = flags.DEFINE_string("target", "keras", "which target's outputs")
SCORE = flags.DEFINE_string(
    "score",
    "margin",
    "such as margin, confidence, modified_entropy; with reference models "
    "difficulty, lira_offline, lira_online, which do not take easy for member",
)
BASELINE = flags.DEFINE_string(
    "baseline", None, "run directory of the full-precision model"
)
BASELINE_TARGET = flags.DEFINE_string(
    "baseline_target", "keras", "which of the baseline's targets"
)
TOP = flags.DEFINE_integer("top", 24, "members to list and show, 1..200")
IMAGES = flags.DEFINE_boolean("images", True, "show their images")
SEED = flags.DEFINE_integer("seed", 0, "of the calibration halves")
OUT = flags.DEFINE_string("out", None, "where to write")
options.define_data_place()


def main(argv):
    """Lists and shows the records at highest risk as the flags say."""
    del argv
    run_dir = options.required("run_dir")
    out = pathlib.Path(options.required("out"))
    if not 1 <= TOP.value <= 200:
        raise InputError(f"--top must be in 1..200, got {TOP.value}")
    if SEED.value < 0:
        raise InputError(f"--seed must be 0 or more, got {SEED.value}")
    from qmia_tf.auditing import record_risk
    from qmia_tf.experiments import run_risk

    common = {"score": SCORE.value, "seed": SEED.value}
    risks = run_risk.of_run(run_dir, target=TARGET.value, **common)
    before = None
    if BASELINE.value:
        before = run_risk.of_run(
            BASELINE.value, target=BASELINE_TARGET.value, **common
        )
        record_risk.check_comparable(risks, before)
    files.require_writable(out)
    from qmia_tf.report import risk_files

    pictures = _pictures(run_dir, risks) if IMAGES.value else None
    paths = risk_files.write_risks(
        risks, out, before=before, top=TOP.value, pictures=pictures
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
    dataset = options.load_data(
        name=config["dataset"]["name"], pool=config["dataset"]["pool"]
    )
    rows = risks.riskiest_members(TOP.value)
    return record_risk.images_of(risks, rows, dataset), dataset.class_names


if __name__ == "__main__":
    program.run(main)
