"""Training that can be killed at any moment and ends with the same weights.

Each epoch, or one in some seconds, ends with one file, checkpoints/last.keras:
weights, optimizer and noise states. A run that starts again goes on behind it;
epochs are functions of (seed, epoch) alone (input_pipeline.py), and
TensorFlow's kernels are told to be deterministic, so the weights come out equal
on the same machine, under the same setting of oneDNN and in as many threads.
Both are kept with the file.
"""

import math
import time
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from qmia_tf import onednn, terminal
from qmia_tf.errors import InputError
from qmia_tf.layers import unsafe_layers
from qmia_tf.models import keras_files
from qmia_tf.run_dir import RunDir
from qmia_tf.training import history as histories
from qmia_tf.training.epoch_loop import Trainer
from qmia_tf.training.history import COLUMNS
from qmia_tf.training.kept_trainer import KeptTrainer
from qmia_tf.training.recipes import Recipe

Side = tuple[np.ndarray, np.ndarray]
# Of history.csv, what callbacks are not given.
UNLOGGED = ("nonmember_records", "peak_memory_mb")


def make_deterministic(seed: int):
    """Seeds everything and makes TensorFlow's kernels repeatable.

    It holds for the whole process and cannot be undone.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def train(
    model: keras.Model,
    members: Side,
    *,
    recipe: Recipe,
    seed: int,
    run_dir,
    nonmembers: Side | None = None,
    keep_every: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    checkpoint_seconds: float = 0,
    kept: KeptTrainer | None = None,
    say=terminal.say,
) -> bool:
    """Trains a model on the members, or goes on where it was killed.

    Leaves model.keras, history.csv and, with keep_every,
    checkpoints/epoch_NNNN.keras.

    Args:
        model: its layer "logits" gives the logits; freshly built.
        members: (uint8 [N, height, width, channels], int [N]).
        recipe: how to train.
        seed: >= 0.
        run_dir: path of the run directory.
        nonmembers: records to measure the accuracy on after each epoch.
        keep_every: keeps the model of every so many epochs; 0 keeps none.
        callbacks: called at the begin and end of the training and of each
            epoch, with a row of history.csv as logs, as fit would.
        checkpoint_seconds: the least time between two checkpoints; of epochs
            that take less not every one gets its own.
        kept: lends a Trainer that need not trace its step again.
        say: callable that takes a line of text, one an epoch; None says
            nothing.
    Returns: whether it trained; a finished run is left alone.
    Raises: InputError if the loss is not a number (the step is named) or a
        checkpoint is damaged, of another network, or was made under another
        setting of oneDNN or in another number of threads, or as
        keras_files.require_clock.
    Warns: UserWarning of layers that oneDNN trains unsafely (unsafe_layers).
    """
    run_dir = RunDir(run_dir)
    if run_dir.model.exists():
        return False
    keras_files.require_clock()
    onednn.say_if_off()
    unsafe_layers.warn(model)
    make_trainer = kept.get if kept else Trainer
    trainer = make_trainer(model, members, recipe, seed)
    say = say or (lambda line: None)
    history, saved_at = _resume(trainer, run_dir, say), -math.inf
    progress = terminal.bar(
        total=recipe.epochs * trainer.steps,
        initial=trainer.epoch * trainer.steps,
        unit="step",
        delay=0,
    )
    calls = keras.callbacks.CallbackList(
        callbacks, model=model, epochs=recipe.epochs, steps=trainer.steps
    )
    calls.on_train_begin()
    with progress:
        progress.set_postfix_str("compiling the network")
        while trainer.epoch < recipe.epochs:
            calls.on_epoch_begin(trainer.epoch)
            row = trainer.run_epoch(progress)
            trainer.copy_to(model)
            row.update(_measure(trainer, nonmembers))
            row["peak_memory_mb"] = histories.peak_memory_mb()
            history.append({name: row[name] for name in COLUMNS})
            with progress.external_write_mode():
                say(_epoch_line(row, recipe.epochs))
            histories.write(history, run_dir.history)
            # Before the checkpoint: an epoch without one is run again.
            calls.on_epoch_end(trainer.epoch - 1, _scalars(row))
            if keep_every and trainer.epoch % keep_every == 0:
                keras_files.save(model, run_dir.checkpoint(trainer.epoch))
            if time.monotonic() - saved_at >= checkpoint_seconds:
                keras_files.save(
                    trainer.model,
                    run_dir.last_checkpoint,
                    note=onednn.record(),
                )
                saved_at = time.monotonic()
    calls.on_train_end()
    trainer.copy_to(model)
    keras_files.save(model, run_dir.model)
    run_dir.last_checkpoint.unlink(missing_ok=True)
    return True


def _resume(trainer, run_dir, say=terminal.say):
    """Restores the last whole epoch; returns the history up to it."""
    path = run_dir.last_checkpoint
    if not path.exists():
        return []
    try:
        saved = keras_files.load(path, optimizer=True)
        computed = keras_files.read_note(path)
    except InputError as error:
        raise InputError(
            f"{error}; delete the checkpoint to train from the start"
        ) from error
    _require_same_computing(path, computed)
    optimizer = getattr(saved, "optimizer", None)
    pairs = [
        (trainer.model.variables, saved.variables),
        (trainer.optimizer.variables, optimizer.variables if optimizer else []),
    ]
    shapes = [[[v.shape for v in side] for side in pair] for pair in pairs]
    if any(ours != theirs for ours, theirs in shapes):
        raise InputError(
            f"{path} is a checkpoint of another network: delete it to train "
            "from the start"
        )
    for ours, theirs in pairs:
        for variable, value in zip(ours, theirs, strict=True):
            variable.assign(value)
    say(f"going on after epoch {trainer.epoch} ({path})")
    rows = histories.read(run_dir.history)
    return [row for row in rows if int(row["epoch"]) <= trainer.epoch]


def _require_same_computing(path, record):
    """Sees that this process computes as the one that left the checkpoint.

    Checkpoints from before that was kept, or of others, say nothing.
    """
    if not onednn.is_record(record):
        return
    variables = onednn.wanted(record)
    if variables:
        raise InputError(
            f"{path} was trained with {onednn.described(record)}; this process "
            f"has {onednn.described(onednn.record())} and would end with other "
            f"weights: set {variables} to go on, or delete the checkpoint to "
            "train from the start"
        )


def _measure(trainer, nonmembers):
    if nonmembers is None:
        return {"nonmember_accuracy": "", "nonmember_records": 0}
    return {
        "nonmember_accuracy": trainer.accuracy(*nonmembers),
        "nonmember_records": len(nonmembers[1]),
    }


def _scalars(row):
    """What callbacks are given of an epoch."""
    return {
        name: row[name]
        for name in COLUMNS[1:]
        if name not in UNLOGGED and row[name] != ""
    }


def _epoch_line(row, epochs):
    line = (
        f"epoch {row['epoch']}/{epochs}  loss {row['loss']:.4f}  "
        f"train accuracy {row['train_accuracy']:.2%}"
    )
    if row["nonmember_accuracy"] != "":
        line += f"  nonmember accuracy {row['nonmember_accuracy']:.2%}"
    return line + f"  {row['seconds']:.1f} s"
