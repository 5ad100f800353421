"""How many reference models an hour, against plain Keras fit.

    python benchmarks/references.py
    python benchmarks/references.py --short
    python benchmarks/references.py --dataset=cifar10 --epochs=10

Trains the same few reference models (w4a4, width 16) in several ways, in
turn, each from the start of its program to the last output:

    keras fit           compile, fit and predict, one model after another, in
                        one process with as many threads as there are cores
    2 x 1 thread        qmia references: two processes of one thread
    1 x 2 threads       qmia references: one process of two threads
    1 x 1 thread        one process of one thread; the next three differ from
                        it in one thing each
    traced each time    the step traced anew for each model, and a checkpoint
                        after each epoch
    XLA                 the whole step compiled
    no oneDNN           Eigen's kernels

cifar10 is its test set, 5,000 members, and the imagenet stem. Writes OUT: the
seconds of each turn, models an hour, ratios to keras fit of the same turn, CPU
seconds, which other programs disturb least, and how busy the machine was.
Takes half an hour on two free cores, --short two minutes, which measures
little but the start.
"""

import contextlib
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from unittest import mock

from absl import flags

from qmia_tf import quiet
from qmia_tf.programs import program

HERE = pathlib.Path(__file__).resolve().parent
PLAIN = "keras fit"
THREADS = "TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"
# Processes, threads of each, variables; what else is other is in `child`.
WAYS = {
    PLAIN: (1, None, {}),
    "2 x 1 thread": (2, 1, {}),
    "1 x 2 threads": (1, 2, {}),
    "1 x 1 thread": (1, 1, {}),
    "traced each time": (1, 1, {}),
    "XLA": (1, 1, {}),
    "no oneDNN": (1, 1, {"TF_ENABLE_ONEDNN_OPTS": "0"}),
}
OVERRIDES = {
    "digits": {"recipe": "digits"},
    "cifar10": {
        "recipe": "paper_cifar10",
        "epochs": 10,
        "batch_size": 64,
        "optimizer": "adam",
        "learning_rate": 0.003,
        "schedule": "cosine",
        "crop_padding": 0,
        "flip": False,
        "width": 16,
    },
}
FLAGS = flags.FLAGS


def define_flags():
    """Defines the flags."""
    flags.DEFINE_enum("dataset", "digits", [*OVERRIDES], "which data set")
    flags.DEFINE_integer("models", 4, "models of a turn, an even number")
    flags.DEFINE_integer("epochs", None, "default: the recipe's, or 10")
    flags.DEFINE_integer("bits", 4, "of weights and activations")
    flags.DEFINE_integer("turns", 3, "turns of each way", lower_bound=1)
    flags.DEFINE_list("ways", [*WAYS], "which ways")
    flags.DEFINE_boolean("short", False, "two models, two epochs, one turn")
    flags.DEFINE_string("out", None, "the JSON file to write")
    flags.DEFINE_string("child", None, "one way, here, of this run")


def main(argv):
    """Measures every way in turn and prints a table."""
    del argv
    if FLAGS.child:
        child(FLAGS.child)
        return
    seconds = {way: [] for way in FLAGS.ways}
    cpu = {way: [] for way in FLAGS.ways}
    load = [os.getloadavg()[0]]
    for turn in range(1 if FLAGS.short else FLAGS.turns):
        for way, times in seconds.items():
            for kept, new in zip((times, cpu[way]), measure(way), strict=True):
                kept.append(new)
            line = f"turn {turn + 1}  {way:17}{times[-1]:8.1f} s"
            print(f"{line}  {cpu[way][-1]:8.1f} s of CPU", flush=True)
        load.append(os.getloadavg()[0])
    result = {
        "dataset": FLAGS.dataset,
        "models": _models(),
        "epochs": _epochs(),
        "bits": FLAGS.bits,
        "processors": os.cpu_count(),
        # Of an idle machine at most what a way itself takes.
        "load": load,
        "ways": {
            way: {
                **summary(way, seconds, _models()),
                "cpu_seconds": cpu[way],
            }
            for way in seconds
        },
    }
    print(table(result["ways"]))
    if FLAGS.out:
        with open(FLAGS.out, "w") as file:
            json.dump(result, file, indent=2)
            file.write("\n")


def measure(way):
    """Runs one way, its process from start to end.

    Returns: seconds by the clock, and of the processors.
    """
    _, threads, variables = WAYS[way]
    threads = threads or os.cpu_count()
    env = {**os.environ, **dict.fromkeys(THREADS, str(threads)), **variables}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE / "references.py"), *sys.argv[1:]]
        started, before = time.perf_counter(), _cpu_of_children()
        subprocess.run(
            [*command, f"--child={way}"],
            env={**env, "TMPDIR": folder},
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        seconds = time.perf_counter() - started
    return seconds, _cpu_of_children() - before


def _cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def summary(way, seconds, models):
    """Models an hour of a way, and its ratios to keras fit, turn by turn.

    Args:
        seconds: way -> of each turn.
    Returns: seconds, models_an_hour (the median turn's), and ratios, with
        their median, where keras fit was measured.
    """
    own = seconds[way]
    row = {
        "seconds": own,
        "models_an_hour": 3600 * models / statistics.median(own),
    }
    if PLAIN in seconds:
        pairs = zip(seconds[PLAIN], own, strict=True)
        row["ratios"] = [plain / ours for plain, ours in pairs]
        row["ratio"] = statistics.median(row["ratios"])
    return row


def table(ways):
    """The rows of `summary` as text."""
    lines = [f"{'way':18}{'models an hour':>15}{'ratio':>8}  least..largest"]
    for way, row in ways.items():
        line = f"{way:18}{row['models_an_hour']:15.1f}"
        if "ratio" in row:
            least, most = min(row["ratios"]), max(row["ratios"])
            line += f"{row['ratio']:8.2f}  {least:.2f}..{most:.2f}"
        lines.append(line)
    return "\n".join(lines)


def child(way):
    """Trains the models in one way, in this process and what it starts."""
    quiet.start_tensorflow()
    from qmia_tf.data import loaders
    from qmia_tf.experiments import configuration, reference_models
    from qmia_tf.experiments.executors import Resources
    from qmia_tf.models.network_bits import Bits
    from qmia_tf.run_dir import RunDir
    from qmia_tf.training import recipes

    pool = "test" if FLAGS.dataset == "cifar10" else "all"
    dataset = loaders.load(FLAGS.dataset, pool=pool)
    overrides = {**OVERRIDES[FLAGS.dataset], "epochs": _epochs()}
    recipe = recipes.get(overrides.pop("recipe"), **overrides)
    bits = Bits(FLAGS.bits, FLAGS.bits, None, None, 32, clip=False)
    config = configuration.describe(
        dataset, recipe=recipe, bits=bits, pool=pool
    )
    if way == PLAIN:
        fit(dataset, recipe, reference_models.plan(config, _models()))
        return
    processes, threads, _ = WAYS[way]
    run_dir = tempfile.mkdtemp()
    RunDir(run_dir).open(config)
    with _changed(way):
        reference_models.train(
            run_dir,
            dataset,
            count=_models(),
            num_threads=1,
            executor="process" if processes > 1 else "serial",
            resources=Resources(workers=processes, threads=threads),
        )


def _changed(way):
    """The library with one thing other; of one process only."""
    import tensorflow as tf

    from qmia_tf.experiments import model_job
    from qmia_tf.training import epoch_loop

    if way == "traced each time":
        return mock.patch.multiple(
            model_job, kept_trainer=lambda: None, CHECKPOINT_SECONDS=0
        )
    if way != "XLA":
        return contextlib.nullcontext()
    init = epoch_loop.Trainer.__init__

    def compiled(trainer, *args):
        init(trainer, *args)
        trainer._train_step = tf.function(trainer._step, jit_compile=True)

    return mock.patch.object(epoch_loop.Trainer, "__init__", compiled)


def fit(dataset, recipe, configs):
    """What one writes first: each model compiled, fitted, and queried."""
    import keras

    from qmia_tf.data import split as splits
    from qmia_tf.data.pixels import scale_to_unit
    from qmia_tf.models import resnet

    for config in configs:
        keras.utils.set_random_seed(config["seed"])
        model = resnet.resnet18(
            dataset.image_shape,
            dataset.classes,
            seed=config["seed"],
            **config["model"],
        )
        model.compile(
            keras.optimizers.Adam(recipe.learning_rate),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        split = splits.make_split(
            dataset.labels,
            seed=config["split"]["seed"],
            pool=config["dataset"]["pool"],
            fingerprint="",
        )
        images, labels = dataset.take(split.members)
        model.fit(
            scale_to_unit(images),
            labels,
            batch_size=recipe.batch_size,
            epochs=recipe.epochs,
            verbose=0,
        )
        model.predict(scale_to_unit(split.records(dataset).values), verbose=0)


def _models():
    return 2 if FLAGS.short else FLAGS.models


def _epochs():
    if FLAGS.short:
        return 2
    return FLAGS.epochs or {"digits": 30, "cifar10": 10}[FLAGS.dataset]


if __name__ == "__main__":
    program.run(sys.modules[__name__])
