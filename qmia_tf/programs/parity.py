"""Checks that a run's integer .tflite files compute what was trained.

    qmia parity --run_dir=runs/digits/memorizing/w4a4

Compares every code of each integer file with its integer twin, under each
kernel set, and the trained model with the twin. Prints a table and writes
parity.json into --run_dir.

Exit status: 0 if the promise holds (no code differs under the default
kernels), 1 if it is broken, 2 for bad input. Takes ten seconds for the digits.
CIFAR-10 at width 64 takes one to three minutes and 3 GB, most of that for the
reference kernels.
"""

import pathlib
import sys

from absl import flags

from qmia_tf import quiet
from qmia_tf.deploy.tflite.interpreter import KERNELS
from qmia_tf.programs import early_checks, flag_values, options
from qmia_tf.run_dir import RunDir

FLAGS = flags.FLAGS


def define_flags():
    """Defines the flags."""
    flags.DEFINE_string("run_dir", None, "the run directory")
    flags.DEFINE_list(
        "schemes", None, "files to check; default: every one that has a twin"
    )
    flags.DEFINE_list("kernels", list(KERNELS), "LiteRT's kernel sets")
    flags.DEFINE_list(
        "threads",
        ["1", "2"],
        "numbers of threads; kernels other than the default run with the first",
    )
    flags.DEFINE_integer("records", 500, "images, drawn at random")
    flags.DEFINE_integer("seed", 0, "draws the images")
    flags.DEFINE_string("json", None, "file; default RUN_DIR/parity.json")
    options.define_data_place()


def main(argv):
    """Checks as the flags say."""
    del argv
    run_dir = pathlib.Path(flag_values.required("run_dir"))
    threads = flag_values.integers("threads", least=1)
    from qmia_tf.experiments import integer_files

    integer_files.check_options(
        kernels=FLAGS.kernels,
        threads=threads,
        records=FLAGS.records,
        seed=FLAGS.seed,
    )
    config = early_checks.run(run_dir)
    integer_files.with_twins(run_dir, FLAGS.schemes)
    quiet.start_tensorflow()
    from qmia_tf import files, locks
    from qmia_tf.experiments import parity_run

    dataset = options.load_run_data(config)
    place = pathlib.Path(FLAGS.json or RunDir(run_dir).parity)
    with locks.writing(place):
        parities = parity_run.check_run(
            run_dir,
            dataset,
            schemes=FLAGS.schemes,
            kernels=FLAGS.kernels,
            threads=threads,
            records=FLAGS.records,
            seed=FLAGS.seed,
        )
        print(parity_run.table(parities))
        files.write_json(place, [parity.as_dict() for parity in parities])
    print(f"{place} is written")
    if any(parity.broken for parity in parities):
        sys.exit(1)
