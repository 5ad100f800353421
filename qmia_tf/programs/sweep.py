r"""Trains a grid of networks, attacks each, and compares all of them.

    qmia sweep --out=runs/sweep --dataset=digits --bits=w32a32,w4a4 \
        --widths=8,16 --seeds=0,1,2 --executor=process --jobs=2

Every combination is one run directory, OUT/DATASET/NAME. Each is trained,
exported, queried and attacked, or as far as --until says. A flag of training
or attacking counts for all of them.

The same command goes on where it was; with more values it adds to what is
there. A run that is there with another configuration is refused, with each
difference. One that fails leaves its log, OUT/DATASET/NAME.log, and stops no
other. --dry_run says what is to do.

OUT/sweep.csv and OUT/sweep.json have a row an artefact, OUT/report is the
report of all runs. On two cores a run of the digits takes about a minute.
"""

from absl import flags

from qmia_tf import quiet
from qmia_tf.programs import (
    early_checks,
    executor_options,
    flag_help,
    flag_values,
    options,
)
from qmia_tf.training import recipes

FLAGS = flags.FLAGS
# Fields of recipes that have a list of their own.
AXES = ("width", "stem")
FIELDS = tuple(x for x in recipes.TRAINING_FIELDS if x.name not in AXES)


def define_flags():
    """Defines the flags."""
    flags.DEFINE_string("out", None, "folder of the runs")
    with flag_help.group("The grid: lists, with commas between values"):
        flags.DEFINE_list(
            "dataset",
            [],
            "digits, TFDS names, .npz files or folders of class folders; "
            "default: the one of each recipe",
        )
        flags.DEFINE_list(
            "recipes",
            [],
            f"any of {', '.join(recipes.RECIPES.names())}; default: the one "
            "that is meant for a data set, for others digits",
        )
        flags.DEFINE_list(
            "bits", ["w32a32", "w4a4"], "weight and activation bits"
        )
        flags.DEFINE_list(
            "widths", [], "channels of the first stage; default: the recipe's"
        )
        flags.DEFINE_list("stems", [], "imagenet, cifar; default: the recipe's")
        flags.DEFINE_list("seeds", ["0"], "of initial weights and batches")
    flags.DEFINE_enum(
        "until",
        "attack",
        ["train", "export", "query", "attack"],
        "the last stage of each run",
    )
    flags.DEFINE_list(
        "schemes",
        ["integer"],
        "which files to make, see qmia export; empty: none",
    )
    flags.DEFINE_boolean("report", True, "make OUT/report")
    flags.DEFINE_boolean(
        "dry_run", False, "print what is to do, its time and disk, and stop"
    )
    executor_options.define_flags()
    options.define_split(
        split_seed=None,
        text="draws the members; default: the seed of each run, so that "
        "another seed has other members",
    )
    options.define_recipe_fields(FIELDS)
    options.define_attack()


def main(argv):
    """Makes the grid as the flags say."""
    del argv
    out, grid = flag_values.required("out"), _grid()
    from qmia_tf.deploy import schemes

    if FLAGS.schemes:
        schemes.check_names(FLAGS.schemes)
    attack, resources = options.attack(), executor_options.resources()
    for name in dict.fromkeys(one.dataset for one in grid.runs()):
        early_checks.dataset(name)
    from qmia_tf.experiments import run_sweep, sweep_plan

    if FLAGS.dry_run:
        steps = sweep_plan.Steps(FLAGS.until, FLAGS.schemes, attack)
        planned = sweep_plan.plan(out, grid, steps, options.data_cache())
        print(sweep_plan.describe(planned, resources))
        return
    if FLAGS.executor == "serial":
        quiet.start_tensorflow()
    run_dirs = run_sweep.sweep(
        out,
        grid,
        until=FLAGS.until,
        schemes=FLAGS.schemes,
        attack=attack,
        report=FLAGS.report,
        executor=FLAGS.executor,
        resources=resources,
        **_place(),
    )
    print(f"{len(run_dirs)} runs in {out} are done")
    if FLAGS.until == "attack":
        from qmia_tf.report import run_summary

        print(f"\n{run_summary.verdict_table(run_dirs)}\n")
        print(f"one row an artefact: {out}/sweep.csv")
        if FLAGS.report:
            print(f"the page with all of it: {out}/report/report.html")


def _grid():
    from qmia_tf.experiments.run_grid import Grid

    widths = FLAGS.widths and flag_values.integers("widths", least=1)
    names = ("split_seed", "pool", "member_fraction")
    names += ("label_noise", "label_noise_seed")
    return Grid(
        datasets=FLAGS.dataset,
        recipes=FLAGS.recipes,
        bits=FLAGS.bits,
        widths=widths,
        stems=FLAGS.stems,
        seeds=flag_values.integers("seeds", least=0),
        recipe_fields={x.name: flag_values.value(x.name) for x in FIELDS},
        **{name: flag_values.value(name) for name in names},
    )


def _place():
    return {name: flag_values.value(name) for name in ("data_dir", "download")}
