"""How much memory and time audits with many reference models take.

    python benchmarks/reference_memory.py --models=256 --records=60000

Makes random outputs of that many models in files, as a run's references leave
them, and scores the records with every attack that takes references. Prints
seconds, and the largest resident memory of the process that scored, mapped
files included. 256 models, 60,000 records and 10 classes take 0.6 GB of disk,
0.3 GB more of margins, a few minutes, and 0.5 GB of memory.
"""

import functools
import multiprocessing
import pathlib
import resource
import sys
import tempfile
import time

import numpy as np
from absl import flags

from qmia_tf import outputs
from qmia_tf.attacks import ATTACKS
from qmia_tf.auditing.auxiliary import Auxiliary, make_attack_inputs
from qmia_tf.outputs import Outputs
from qmia_tf.outputs.unread_outputs import UnreadOutputs
from qmia_tf.programs import program

FLAGS = flags.FLAGS
MEGABYTE = 1e6


def define_flags():
    """Defines the flags."""
    flags.DEFINE_integer("models", 256, "reference models", 2)
    flags.DEFINE_integer("records", 60_000, "records", 8)
    flags.DEFINE_integer("classes", 10, "classes", 2)


def random_outputs(labels, classes, *, seed, target):
    """A model that is surer of its members: a random half of the records."""
    rng = np.random.default_rng(seed)
    members = rng.random(labels.size) < 0.5
    logits = rng.normal(scale=3, size=(labels.size, classes))
    logits[np.arange(labels.size), labels] += 5 + members
    made = Outputs.from_logits(
        logits,
        labels=labels,
        members=members,
        record_ids=np.arange(labels.size),
        info={"target": target},
    )
    # As a run's Keras model is stored.
    info = {"target": target, "probability_step": 0.0}
    return Outputs(made.probabilities, labels, members, made.record_ids, info)


def write(folder, models, records, classes):
    """Writes the outputs of the target and of the reference models."""
    labels = np.random.default_rng(0).integers(0, classes, records)
    for number in range(-1, models):
        name = f"r{number:03d}" if number >= 0 else "target"
        random_outputs(labels, classes, seed=number + 1, target=name).save(
            folder / f"{name}.npz"
        )


def score(folder, models):
    """Scores the records; prints what each step took."""
    start = time.perf_counter()

    def say(what):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # Kilobytes, bytes on a Mac.
        peak *= 1 if sys.platform == "darwin" else 1024
        seconds = time.perf_counter() - start
        print(
            f"{what:<20}{seconds:8.1f} s{peak / MEGABYTE:8.0f} MB", flush=True
        )

    say("start")
    references = []
    for number in range(models):
        path = folder / f"r{number:03d}.npz"
        read = functools.partial(outputs.load, path)
        references.append(UnreadOutputs.checked(path, read))
    say("files checked")
    known = Auxiliary(references=tuple(references), margins_folder=folder)
    target = outputs.load(folder / "target.npz")
    inputs = make_attack_inputs(target, known)
    say("margins made")
    for attack in ATTACKS:
        if "references" in attack.needs and not attack.missing(inputs):
            attack.scores(inputs)
            say(attack.name)
    inputs = make_attack_inputs(target, known)
    say("margins used again")


def main(argv):
    """Writes in this process, scores in one of its own."""
    del argv
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write(folder, FLAGS.models, FLAGS.records, FLAGS.classes)
        context = multiprocessing.get_context("spawn")
        worker = context.Process(target=score, args=(folder, FLAGS.models))
        worker.start()
        worker.join()
        sys.exit(worker.exitcode)


if __name__ == "__main__":
    program.run(sys.modules[__name__])
