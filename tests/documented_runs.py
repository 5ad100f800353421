"""A folder in which the commands of the pages can be run, in seconds.

A network of two convolutions stands in for ResNet-18, 480 digits for all of
them and for CIFAR-10, `--epochs` and the like are cut short, and reports are
tables alone where no --format is asked for. Everything else is what a user
gets: the programs with the very flags of the page.
"""

import contextlib
import dataclasses
import functools
import os
import pathlib
import shlex
import shutil
from unittest import mock

import keras
import numpy as np
import own_task
import script_calls
import tiny_models

from qmia_tf import report
from qmia_tf.data import dataset, loaders
from qmia_tf.data.loaders import digits, tfds
from qmia_tf.deploy import timing
from qmia_tf.deploy.tflite import post_training
from qmia_tf.experiments import executors, own_references
from qmia_tf.models import resnet

ROOT = script_calls.SCRIPTS.parent
# Commands of `qmia` whose script has another name.
SCRIPT_OF = {"edge": "evaluate_edge", "references": "train_references"}
RECORDS = 480
SHAPE, CLASSES = (8, 8, 1), 10
FEW = ("--tfprivacy=off", "--label_only_records=8")
# Put behind the flags of the page; of a flag given twice the last one counts.
SHORTER = {
    "attack": FEW,
    "audit": FEW,
    "evaluate_edge": ("--seconds=0.01", "--threads=1"),
    "parity": ("--records=8",),
    "quickstart": ("--epochs=1", *FEW),
    "train": ("--epochs=2",),
    "train_references": ("--count=2",),
}
TABLES = ["csv"]
# Those that may end at a limit, as a pipeline would.
GATED = ("attack", "audit")
# What pages call things that there are here under another name.
CALLED = {
    "A": "train.npz",
    "B": "held_out.npz",
    "M": "my.keras",
    "runs/cifar_full": "runs/digits/memorizing/w32a32",
    "runs/cifar_w4a4": "runs/digits/memorizing/w4a4",
    "runs/cifar": "runs/digits/memorizing/w32a32",
    "runs/full": "runs/digits/memorizing/w32a32",
    "runs/w4a4": "runs/digits/memorizing/w4a4",
}
# Of the runs that kept their epochs.
KEPT = {
    "runs/full": "runs/epochs/w32a32",
    "runs/w4a4": "runs/epochs/w4a4",
    "runs/w2a2": "runs/epochs/w2a2",
}
# They make runs under the names of the page.
MAKERS = ("quickstart", "train")


def few_digits(name="digits", *, pool, **_):
    """480 of the digits, as data.loaders.digits.load gives all of them."""
    del name
    from sklearn.datasets import load_digits

    loaded = load_digits()
    images = np.round(loaded.images * (255 / 16)).astype(np.uint8)[:RECORDS]
    names = tuple(map(str, loaded.target_names))
    parts = {"train": (images, loaded.target[:RECORDS])}
    return dataset.assemble("digits", parts, names, pool=pool)


def two_convolutions(shape, classes, *, seed=0, weight_bits=32, **ignored):
    """Takes resnet.resnet18's arguments."""
    del ignored
    ends = 8 if weight_bits < 32 else 32
    return tiny_models.quantized(
        shape=shape, classes=classes, bits=weight_bits, ends=ends, seed=seed
    )


def two_references(*arguments, count, made=own_references.references, **rest):
    """Reference models, but two of them."""
    return made(*arguments, count=min(count, 2), **rest)


@contextlib.contextmanager
def stand_ins():
    """Puts the small network and the few records in place."""
    with (
        mock.patch.dict(
            loaders.LOADERS._objects,
            digits=dataclasses.replace(digits.LOADER, load_dataset=few_digits),
            # Whatever TFDS set is asked for.
            tfds=dataclasses.replace(tfds.LOADER, load_dataset=few_digits),
        ),
        mock.patch.object(resnet, "resnet18", two_convolutions),
        mock.patch.object(
            report,
            "make_report",
            functools.partial(report.make_report, formats=TABLES),
        ),
        mock.patch.object(own_references, "references", two_references),
        # Other processes would not have the stand-ins.
        mock.patch.object(executors, "share_machine", lambda: False),
        # Latencies are the median of ten calls, not of two hundred.
        mock.patch.dict(timing.measure.__kwdefaults__, seconds=0.0),
    ):
        yield


def own_model(folder):
    """Writes a model of one's own, its file, and records of both sides.

    Returns: (images, labels) of the members and of the nonmembers.
    """
    core = tiny_models.classifier(shape=SHAPE, classes=CLASSES)
    pixels = keras.Input(SHAPE)
    whole = keras.Model(pixels, core(keras.layers.Rescaling(1 / 255)(pixels)))
    count = own_task.MEMBERS + own_task.NONMEMBERS
    images = tiny_models.images(count, seed=3, shape=SHAPE)
    labels = own_task.labelled(whole.predict(images, verbose=0))
    sides = own_task.split(images, labels)
    file = post_training.to_int8_ptq(core, images)
    for name in ("my", "mine"):
        whole.save(folder / f"{name}.keras")
    for name in ("my.tflite", "build/int8.tflite"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(file)
    (folder / "data").mkdir()
    for side, names in zip(
        sides,
        (("train", "data/train"), ("test", "held_out", "data/held_out")),
        strict=True,
    ):
        for name in names:
            np.savez(folder / f"{name}.npz", images=side[0], labels=side[1])
    return whole, sides


def prepare(folder):
    """Makes what the pages take for given.

    Returns: dict of the names that Python blocks take for given.
    """
    folder = pathlib.Path(folder)
    for name in ("scripts", "constraints.txt", "tflite_models"):
        os.symlink(ROOT / name, folder / name)
    os.makedirs(folder / "edge")
    model, (members, nonmembers) = own_model(folder)
    return {
        "model": model,
        "images": members[0],
        "train_images": members[0],
        "train_labels": members[1],
        "test_images": nonmembers[0],
        "test_labels": nonmembers[1],
        "x_train": members[0],
        "y_train": members[1],
        "x_held_out": nonmembers[0],
        "y_held_out": nonmembers[1],
    }


def run(command):
    """Runs `qmia NAME ...`, or `python scripts/NAME.py ...`.

    Args:
        command: as it stands on a page.
    Returns: exit status, stdout and stderr.
    """
    _, program, *flags = shlex.split(command)
    name = SCRIPT_OF.get(program, pathlib.Path(program).stem)
    if name not in MAKERS:
        names = KEPT if name == "compare" else CALLED
        flags = [_renamed(flag, names) for flag in flags]
    shorter = [*SHORTER.get(name, ()), *_fitting(name, command)]
    status, out, errors = script_calls.call(name, *flags, *shorter)
    if status in (1, 3) and name in GATED and "--fail_if" in command:
        status = 0
    return status, out, errors


def _fitting(name, command):
    """Flags that only some commands of a script need here."""
    if name == "quickstart" and "cifar10" in command:
        yield "--bits=w4a4"
        # Its stand-in calls itself digits.
        if "--out" not in command:
            yield "--out=runs/another"
    if name == "report" and "--format" not in command:
        yield f"--format={','.join(TABLES)}"
    if name == "export_data" and "--records" in command:
        yield "--records=200"


def _renamed(flag, names):
    flag, sign, values = flag.partition("=")
    if flag != "--out":
        values = ",".join(names.get(x, x) for x in values.split(","))
    return flag + sign + values


def keep_epochs():
    """Makes the runs of KEPT."""
    for bits in (32, 4, 2):
        run(
            f"python scripts/train.py --run_dir=runs/epochs/w{bits}a{bits} "
            f"--keep_every=1 --weight_bits={bits} --activation_bits={bits}"
        )


def save_phone(folder):
    """Outputs of the w4a4 run under the names of docs/audit.md."""
    folder = pathlib.Path(folder)
    run_dir = folder / "runs/digits/memorizing/w4a4"
    shutil.copy(run_dir / "outputs/keras.npz", folder / "phone.npz")
    os.symlink(run_dir, folder / "runs/w4a4")
