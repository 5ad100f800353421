"""Reproduces the paper, and tests its claim harder.

    python scripts/reproduce.py --dataset=all --seeds=0,1,2
    python scripts/reproduce.py --dataset=cifar10 --seeds=0 --plan
    python scripts/reproduce.py --dataset=digits --seeds=0 --quick
    python scripts/reproduce.py --only_report

Prints the plan: one line a run, what of it is done, what is to do, and about
how long that takes. Then goes through the runs, OUT/DATASET/REGIME/MODEL-seedK,
one stage after another: train, export, parity, attack, and a sweep over stored
epochs for the leak at equal accuracy. If it is stopped, the same command goes
on. --executor=process goes through --jobs of them at a time; a run that fails
leaves its log, OUT/DATASET/REGIME/MODEL-seedK.log, and stops no other.

The small files of each run go to --results. Tables, figures, pages and the
generated parts of --pages are made from them. The recipe is the paper's; a
regime says what the paper leaves open: augmented or plain, then perhaps
-imagenet, -cifar, -sgd, -adam, -epochsN, -widthN, -batchN. `choices` is
augmented with Adam, with twice the epochs, and with the other stem.

Training takes 10 to 25 minutes a model on two cores, and what follows as long
again. --quick takes a minute or two.
"""

import sys

from absl import flags

from qmia_tf import quiet
from qmia_tf.programs import (
    checkout,
    executor_options,
    flag_values,
    options,
    program,
)

FLAGS = flags.FLAGS


def define_flags():
    """Defines the flags."""
    flags.DEFINE_list(
        "dataset", ["all"], "cifar10, fashion_mnist, all (both), or digits"
    )
    flags.DEFINE_list("seeds", ["0", "1", "2"], "also draw the members")
    flags.DEFINE_list(
        "regimes", ["augmented", "plain"], "what the paper leaves open"
    )
    flags.DEFINE_list(
        "models",
        [],
        "w32a32, w4a4, w16a4, w16a16, w2a2, w8a8, w32a32_clip; default: all of "
        "them for seed 0, for other seeds w32a32, w4a4 and w16a16",
    )
    flags.DEFINE_enum(
        "stem", None, ["imagenet", "cifar"], "added to every regime"
    )
    flags.DEFINE_boolean(
        "quick", False, "few records, a narrow network and few epochs"
    )
    flags.DEFINE_boolean("plan", False, "print the plan and stop")
    flags.DEFINE_boolean(
        "only_trained", False, "leave out runs that are not trained yet"
    )
    flags.DEFINE_boolean(
        "skip_stored",
        False,
        "leave out runs whose results are complete, wherever they ran; others "
        "are compared with the stored results of full precision",
    )
    flags.DEFINE_boolean(
        "only_report", False, "tables, figures and page from stored results"
    )
    flags.DEFINE_integer(
        "sweep",
        None,
        "kept epochs of a full-precision run to query, at most; default: all",
        lower_bound=2,
    )
    flags.DEFINE_string(
        "out", None, "folder of the runs; default runs/paper, quick: runs/quick"
    )
    flags.DEFINE_string(
        "results", None, "default paper/results; quick: results below --out"
    )
    flags.DEFINE_list(
        "pages",
        None,
        "Markdown files with generated parts; default docs/findings.md and "
        "docs/reproduction.md, quick: none",
    )
    flags.DEFINE_boolean(
        "report", True, "make report.html of each data set and regime"
    )
    executor_options.define_flags()
    options.define_data_place()


def main(argv):
    """Reproduces as the flags say."""
    del argv
    seeds = flag_values.integers("seeds", least=0)
    if not FLAGS.only_report:
        quiet.start_tensorflow()
    workflow = checkout.load(__file__, "paper.workflow")
    paths = workflow.reproduce(
        FLAGS.dataset,
        seeds=seeds,
        regimes=FLAGS.regimes,
        models=FLAGS.models,
        stem=FLAGS.stem,
        quick=FLAGS.quick,
        plan=FLAGS.plan,
        only_trained=FLAGS.only_trained,
        skip_stored=FLAGS.skip_stored,
        only_report=FLAGS.only_report,
        sweep=FLAGS.sweep,
        out=FLAGS.out,
        results=FLAGS.results,
        pages=FLAGS.pages,
        report=FLAGS.report,
        executor=FLAGS.executor,
        resources=executor_options.resources(),
        data_dir=flag_values.value("data_dir"),
        download=flag_values.value("download"),
    )
    for path in paths:
        print(path)


if __name__ == "__main__":
    program.run(sys.modules[__name__])
