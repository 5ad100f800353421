"""The main job in one command: train, export, attack, compare.

    qmia quickstart
    qmia quickstart --dataset=cifar10 --recipe=paper_cifar10

Trains one ResNet-18 for each of --bits on the same members, exports each to
TFLite, compares the integer files with what was trained, lets the same attacks
query every artefact, and prints what each gives away. Each model has its run
directory in --out; page, tables and figures lie in --out/report. Started again
it goes on where it was. The digits take about four minutes on two cores and
need no download.
"""

import pathlib

from absl import flags

from qmia_tf import quiet, terminal
from qmia_tf.programs import checkout, options

QUICK = ("threshold", "threshold-entropy", "lr", "knn")

FLAGS = flags.FLAGS


def define_flags():
    """Defines the flags."""
    flags.DEFINE_string("out", None, "folder; default runs/DATASET")
    flags.DEFINE_list(
        "bits",
        ["w32a32", "w4a4", "w2a2"],
        "weight and activation bits of each model",
    )
    options.define_data()
    options.define_training()
    options.define_attack(tfprivacy_attacks=QUICK)


def main(argv):
    """Runs every stage for every bit width, then the report."""
    del argv
    tensorboard_every = options.tensorboard_every()
    from qmia_tf.models.network_bits import Bits

    widths = [Bits.parse(pair) for pair in FLAGS.bits]
    recipe = options.recipe()
    attack = options.attack()
    options.check_data()
    quiet.start_tensorflow()
    from qmia_tf import report
    from qmia_tf.experiments import configuration, run, training_run

    dataset = options.load_data()
    out = pathlib.Path(FLAGS.out or f"runs/{pathlib.Path(dataset.name).stem}")
    run_dirs, parent = [], None
    for bits in widths:
        run_dirs.append(out / bits.name)
        config = configuration.describe(
            dataset, recipe=recipe, bits=bits, **options.split_and_seed()
        )
        terminal.say(f"== {run_dirs[-1]}")
        training_run.train_run(
            run_dirs[-1], dataset, config, tensorboard_every=tensorboard_every
        )
        run.export_run(
            run_dirs[-1],
            lambda: dataset,
            schemes=["auto"],
            progress=terminal.say,
        )
        run.compare_run(run_dirs[-1], dataset, progress=terminal.say)
        run.attack_run(run_dirs[-1], dataset, parent=parent, **attack)
        if bits == Bits():
            parent = run_dirs[-1]
    paper = checkout.load_if_there("paper.paper_numbers")
    report_paths = report.make_report(
        run_dirs, out / "report", published=paper and paper.PAPER
    )
    print(report_paths[0].read_text())
    print("models, outputs, audits: " + ", ".join(map(str, run_dirs)))
    print(f"tables and figures:      {out / 'report'}")
    print(f"the page with all of it: {report_paths[1]}")
