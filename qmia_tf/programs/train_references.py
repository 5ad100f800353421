"""Trains reference models for a run: what LiRA and RMIA compare it with.

    qmia references --run_dir=runs/digits/memorizing/w4a4 --count=8

Each is trained like the run, quantization and all, on another half of the same
records, and queried about every record. They are run directories
RUN/references/r00, r01, ..., in pairs that share each record between them.
qmia attack --run_dir=RUN then finds them.

--reference_bits=w32a32 trains references of other bits, RUN/references_w32a32:
those of an attacker who does not know the bits. Only the bits differ. The
audit then says what knowing them is worth.

--schemes=int8 also exports and queries files, so that a file is compared with
files. --reference_bits=w32a32 --schemes=int8_ptq compares it with post-training
int8 files of full-precision references.

If it is stopped, the same command goes on; a larger --count adds to what is
there. Each takes as long as the run itself.

--executor=process trains --jobs of them at a time, each in a process of its
own. --executor=ray does so on a Ray cluster whose nodes all see RUN under the
same path. Seeds and splits are the same whatever the executor. A model that
fails leaves its log, RUN/references/rNN.log, and stops no other. More --jobs
than fit into memory are refused: each takes what training the run took.
"""

from absl import flags

from qmia_tf import quiet
from qmia_tf.programs import (
    early_checks,
    executor_options,
    flag_values,
    options,
)

FLAGS = flags.FLAGS


def define_flags():
    """Defines the flags."""
    flags.DEFINE_string("run_dir", None, "the run directory")
    flags.DEFINE_integer("count", 8, "how many models, an even number")
    flags.DEFINE_string(
        "reference_bits",
        None,
        "bits of the references, such as w32a32; default: the run's own",
    )
    flags.DEFINE_list(
        "schemes", [], "export schemes whose files are queried too"
    )
    flags.DEFINE_integer("num_threads", 2, "threads of LiteRT", lower_bound=1)
    executor_options.define_flags()
    flags.DEFINE_boolean(
        "dry_run", False, "print what is to do, its time and disk, and stop"
    )
    options.define_data_place()


def main(argv):
    """Trains as the flags say."""
    del argv
    run_dir = flag_values.required("run_dir")
    from qmia_tf.deploy import schemes
    from qmia_tf.experiments import reference_models
    from qmia_tf.models.network_bits import Bits

    bits = FLAGS.reference_bits and Bits.parse(FLAGS.reference_bits)
    config = early_checks.run(run_dir, is_trained=False)
    if FLAGS.schemes:
        schemes.check_names(FLAGS.schemes)
    resources = executor_options.resources()
    missing = reference_models.plan_missing(
        run_dir, count=FLAGS.count, bits=bits, schemes=FLAGS.schemes
    )
    if FLAGS.dry_run:
        print(reference_models.describe_missing(run_dir, missing, resources))
        return
    if FLAGS.executor == "serial":
        quiet.start_tensorflow()
    dataset = options.load_run_data(config)
    reference_dirs = reference_models.train(
        run_dir,
        dataset,
        count=FLAGS.count,
        bits=bits,
        schemes=FLAGS.schemes,
        num_threads=FLAGS.num_threads,
        executor=FLAGS.executor,
        resources=resources,
    )
    print(
        f"{len(reference_dirs)} reference models in "
        f"{reference_dirs[0].parent}; "
        f"qmia attack --run_dir={run_dir} uses them"
    )
