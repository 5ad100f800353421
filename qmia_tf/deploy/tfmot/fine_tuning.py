"""Fine-tunes a network with tfmot's quantizers and converts it.

A program that baseline.py starts:

    python -m qmia_tf.deploy.tfmot.fine_tuning FOLDER

Reads job.json, network.npz and data.npz there, keeps each finished epoch in
epoch.npz, which only a process that computes alike goes on behind, and leaves
model.tflite, or error.json with what went wrong.
"""

import math
import os
import pathlib
import sys
import traceback

import numpy as np
from absl import logging

from qmia_tf import files, onednn, quiet, terminal
from qmia_tf.errors import InputError
from qmia_tf.training import recipes

JOB = "job.json"
NETWORK = "network.npz"
DATA = "data.npz"
EPOCH = "epoch.npz"
MODEL = "model.tflite"
ERROR = "error.json"
STOPPED = 130
# Of the recipe's learning rate: the network has learnt already.
RATE_SHARE = 0.01


def main(folder: pathlib.Path) -> int:
    """Makes model.tflite; returns the exit status."""
    try:
        files.write_bytes(folder / MODEL, _make(folder))
    except KeyboardInterrupt:
        return STOPPED
    # Whatever it is, the parent process says it.
    except Exception as error:
        known = isinstance(error, InputError)
        reason = str(error) if known else f"{type(error).__name__}: {error}"
        story = {"reason": reason, "traceback": traceback.format_exc()}
        files.write_json(folder / ERROR, story)
        return 1
    return 0


def _make(folder):
    quiet.start_tensorflow()
    with quiet.without_messages(show_if_it_fails=False):
        import tensorflow as tf

        from qmia_tf.deploy.tflite.converter import run_converter
        from qmia_tf.deploy.tfmot import tf_keras_network

    tf.get_logger().setLevel("ERROR")
    tf.config.experimental.enable_op_determinism()
    job = files.read_json(folder / JOB)
    data = files.read_npz(folder / DATA)
    calibration = data["calibration"].astype(np.float32) / np.float32(255)
    network = tf_keras_network.build(
        job["layers"], files.read_npz(folder / NETWORK)
    )
    outputs = data["outputs"]
    tf_keras_network.check_same(network, calibration[: len(outputs)], outputs)
    quantized = tf_keras_network.quantize(network, calibration)
    train(quantized, data, job, folder / EPOCH)
    converter = tf.lite.TFLiteConverter.from_keras_model(quantized)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    return run_converter(converter)


def train(model, data: dict, job: dict, path: pathlib.Path) -> None:
    """Trains a tf_keras.Model that ends in a softmax.

    It goes on behind the last whole epoch, which is kept in path. The data
    are images, uint8 [N, height, width, channels], and labels, int [N]; the
    job is recipe (Recipe.as_dict), epochs and seed.

    Raises: InputError if the loss is not a number.
    """
    import tensorflow as tf

    from qmia_tf.training.input_pipeline import epoch_batches

    recipe = recipes.Recipe(**job["recipe"])
    step, state = _step_of(model, recipe)
    images, labels = tf.constant(data["images"]), tf.constant(data["labels"])
    steps = math.ceil(len(labels) / recipe.batch_size)
    first = _restore(state, path)
    parent = os.getppid()
    with terminal.bar(
        total=job["epochs"] * steps,
        initial=first * steps,
        unit="step",
        desc="tfmot_int8",
        delay=0,
    ) as progress:
        for epoch in range(first, job["epochs"]):
            for batch in epoch_batches(
                images, labels, recipe=recipe, seed=job["seed"], epoch=epoch
            ):
                loss = float(step(*batch))
                if not math.isfinite(loss):
                    raise InputError(f"the loss is {loss} in epoch {epoch + 1}")
                if os.getppid() != parent:
                    raise KeyboardInterrupt  # Nobody waits for it any more.
                progress.update()
                progress.set_postfix_str(f"loss {loss:.3f}")
            _save(state, epoch + 1, path)


def _step_of(model, recipe):
    """Returns a training step, and every variable that it changes."""
    import tensorflow as tf
    import tf_keras

    logits = tf_keras.Model(model.inputs, model.layers[-1].input)
    measure = tf_keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=recipe.label_smoothing
    )
    optimizer = _optimizer(recipe)
    variables = logits.trainable_variables
    optimizer.build(variables)

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            outputs = logits(images, training=True)
            targets = tf.one_hot(labels, outputs.shape[-1])
            loss = measure(targets, outputs)
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    return step, [*model.variables, *optimizer.variables]


def _optimizer(recipe):
    import tf_keras

    optimizers, rate = tf_keras.optimizers, recipe.learning_rate * RATE_SHARE
    decay = recipe.weight_decay or None
    if recipe.optimizer == "sgd":
        options = {"momentum": recipe.momentum, "nesterov": recipe.nesterov}
        optimizer = optimizers.SGD(rate, weight_decay=decay, **options)
    elif recipe.optimizer == "adam":
        optimizer = optimizers.Adam(rate, weight_decay=decay)
    else:
        optimizer = optimizers.AdamW(rate, weight_decay=decay or 0.0)
    if decay:
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def _save(state, epoch, path):
    values = {f"v{number}": v.numpy() for number, v in enumerate(state)}
    files.write_npz(path, epoch=epoch, **onednn.record(), **values)


def _restore(state, path):
    """Restores the last whole epoch; returns how many are done.

    None are if it was trained under another setting of oneDNN or in another
    number of threads: a few epochs are sooner repeated than explained.
    """
    if not path.exists():
        return 0
    stored = files.read_npz(path)
    computed = onednn.record()
    if any(key in stored and stored[key] != computed[key] for key in computed):
        terminal.say(
            "tfmot_int8: begun anew, what was half trained was computed "
            f"otherwise than this process does ({onednn.described(computed)})"
        )
        return 0
    for number, variable in enumerate(state):
        variable.assign(stored[f"v{number}"])
    return int(stored["epoch"])


if __name__ == "__main__":
    logging.set_verbosity(logging.WARNING)
    if sys.argv[2:] == ["quiet"]:
        terminal.be_quiet()
    sys.exit(main(pathlib.Path(sys.argv[1])))
