"""The main job in one command: train, export, attack, compare.

    qmia quickstart
    qmia quickstart --dataset=cifar10 --recipe=paper_cifar10

Trains two ResNet-18s that memorize, and two honest ones: full precision and
4 bits, on the digits that come with scikit-learn. The two that memorize learn
some wrong labels. Exports each to an int8 file, and compares the file's codes
with what was trained. Then the same attacks query every artefact, and it prints
what each gives away.

With --dataset or --recipe it trains one network for each of --bits, as the
flags say. Each model has its run directory in --out; page, tables and figures
are in --out/report. If it is stopped, the same command goes on. Takes about two
minutes on two cores, and no download: two networks at a time, each in a process
of its own with a log beside its folder. With one core or a GPU, and with
--dataset or --recipe, it is one after another.
"""

import pathlib

from absl import flags

from qmia_tf import extras, quiet, terminal
from qmia_tf.programs import checkout, early_checks, flag_values, options

FLAGS = flags.FLAGS
# Folder -> values of flags that are not given.
DEMONSTRATION = {
    "honest": {"member_fraction": 0.75, "epochs": 4, "crop_padding": 1},
    "memorizing": {
        "label_noise": 0.3,
        "member_fraction": 0.25,
        "epochs": 20,
    },
}
PLAN = """\
Four networks on digits: full precision and 4 bits, honest and memorizing.
  honest       three quarters of the digits train it, for 4 epochs, each image
               shifted at random
  memorizing   a quarter of them, for 20 epochs, as they are; 30 % of all
               labels, of members and nonmembers alike, are wrong: a network
               can only learn those by heart"""


def define_flags():
    """Defines the flags."""
    flags.DEFINE_string("out", None, "folder; default runs/DATASET")
    flags.DEFINE_list(
        "bits", ["w32a32", "w4a4"], "weight and activation bits of each model"
    )
    flags.DEFINE_list(
        "schemes", ["integer"], "which files to make, see qmia export"
    )
    options.define_data()
    options.define_training()
    options.define_attack()


def main(argv):
    """Runs every stage for every network, then the report."""
    del argv
    tensorboard_every = early_checks.tensorboard_every()
    from qmia_tf.deploy import schemes
    from qmia_tf.models.network_bits import Bits

    bits = [Bits.parse(pair) for pair in FLAGS.bits]
    is_own = flag_values.value("dataset") or FLAGS["recipe"].present
    plans = {"": {}} if is_own else DEMONSTRATION
    runs = {
        str(pathlib.PurePath(folder, one.name)): options.grid_run(one, **plan)
        for folder, plan in plans.items()
        for one in bits
    }
    attack = options.attack()
    schemes.check_names(FLAGS.schemes)
    options.check_data()
    from qmia_tf.experiments import executors, sweep_plan

    extras.require("tensorflow", "this command")
    side_by_side = len(plans) > 1 and executors.share_machine()
    if not side_by_side:
        quiet.start_tensorflow()
    steps = sweep_plan.Steps(
        schemes=FLAGS.schemes,
        attack=attack,
        tensorboard_every=tensorboard_every,
    )
    data = options.data_cache()
    name = pathlib.Path(next(iter(runs.values())).load(data).name).stem
    out = pathlib.Path(FLAGS.out or f"runs/{name}")
    if not is_own:
        terminal.say(PLAN)
    planned = sweep_plan.plan_runs(out, runs, steps, data, again=True)
    jobs = sweep_plan.jobs(planned, steps)
    failed = executors.execute(
        jobs, data, executor="process" if side_by_side else "serial"
    )
    executors.require_done(failed, jobs, "jobs")
    _report([x.place.path for x in planned], out / "report")


def _report(run_dirs, out):
    """Writes the report and prints a row an artefact."""
    from qmia_tf import report
    from qmia_tf.report import run_summary
    from qmia_tf.report.figures import verdict_overview

    paper = checkout.load_if_there("paper.paper_numbers")
    paths = report.make_report(run_dirs, out, published=paper and paper.PAPER)
    picture = verdict_overview.save(run_dirs, out / "verdicts")
    print(f"\n{run_summary.verdict_table(run_dirs)}\n")
    print(f"the page with all of it: {paths[1]}")
    print(f"one picture:             {picture}")
