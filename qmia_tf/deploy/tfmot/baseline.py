"""tfmot's int8 baseline: quantization-aware training as people do it today.

The full-precision network is built again in tf_keras with the trained
weights, gets tensorflow-model-optimization's default 8-bit quantizers, is
fine-tuned on the members and converted. Importing tfmot turns tf.keras into
Keras 2 for the whole process, so it runs in one of its own.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
from absl import logging

from qmia_tf import files
from qmia_tf.deploy import calibration_images as calibration
from qmia_tf.deploy.tfmot import fine_tuning as training
from qmia_tf.deploy.tfmot import network_plan
from qmia_tf.errors import InputError
from qmia_tf.layers import portable_convolutions
from qmia_tf.training import recipes

COMPARED = 16


def to_tflite(
    model,
    members,
    *,
    folder,
    calibration_images=None,
    recipe=recipes.RECIPES["digits"],
    epochs=3,
    seed=0,
):
    """Fine-tunes a full-precision network with tfmot and converts it.

    Killed and called again with the same arguments it goes on behind the
    last whole epoch, and ends with the same file.

    Args:
        model: keras.Model, pixels / 255 -> probabilities, full precision;
            trained or not.
        members: (images uint8 [N, height, width, channels], labels int [N]).
        folder: where the work is kept; removed when it is done.
        calibration_images: uint8 [M, height, width, channels], for the
            ranges to start from; None takes the first 100 members.
        recipe: recipes.Recipe; its optimizer, batch size, augmentation and
            label smoothing are used, and a hundredth of its learning rate.
        epochs: int >= 0; with 0 only the ranges are measured.
        seed: int >= 0, of the batches.
    Returns: bytes of the .tflite file: uint8 pixels in, int8 softmax out.
    Raises: InputError if the model has a layer that is not known, the images
        do not fit, or the other process fails.
    """
    folder = pathlib.Path(folder)
    images, labels = members
    if calibration_images is None:
        calibration_images = images[:100]
    calibration.check_images(calibration_images, model.input_shape[1:])
    calibration.check_images(images, model.input_shape[1:])
    data = {
        "images": images,
        "labels": labels,
        "calibration": calibration_images,
    }
    weights = network_plan.weights_of(model)
    job = {
        "layers": _softmax_last(network_plan.describe(model)),
        "recipe": recipe.as_dict(),
        "epochs": epochs,
        "seed": seed,
        "digest": _digest(data | weights),
    }
    _prepare(folder, json.loads(json.dumps(job)), data, weights, model)
    _run(folder, onednn=not _is_unsafe(model))
    content = (folder / training.MODEL).read_bytes()
    shutil.rmtree(folder)
    return content


def _softmax_last(plan):
    if plan[-1]["kind"] == "Softmax" or plan[-1]["config"] == {
        "activation": "softmax"
    }:
        return plan
    raise InputError(
        f"layer {plan[-1]['name']!r} is the last; tfmot's baseline needs a "
        "softmax there"
    )


def _digest(arrays):
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _prepare(folder, job, data, weights, model):
    """Writes what the other process reads, unless it lies there already.

    What ended in an error is begun anew.
    """
    path = folder / training.JOB
    failed = (folder / training.ERROR).exists()
    if path.exists() and not failed and files.read_json(path) == job:
        return
    if folder.exists():
        shutil.rmtree(folder)
    compared = data["calibration"][:COMPARED].astype(np.float32) / 255
    answers = model.predict(compared, verbose=0)
    files.write_npz(folder / training.NETWORK, **weights)
    files.write_npz(folder / training.DATA, **data, answers=answers)
    files.write_json(path, job)


def _run(folder, *, onednn=True):
    environment = _environment(onednn=onednn)
    with subprocess.Popen(_command(folder), env=environment) as process:
        try:
            status = process.wait()
        except BaseException:
            process.terminate()
            raise
    if status == training.STOPPED:
        raise KeyboardInterrupt
    error = folder / training.ERROR
    if error.exists():
        reason = " ".join(files.read_json(error)["reason"].split())[:300]
        raise InputError(
            f"tfmot's fine-tuning failed: {reason} (the whole story is in "
            f"{error})"
        )
    if status:
        raise InputError(
            f"the process of tfmot's fine-tuning ended with status {status} "
            "and no message (out of memory?): run the same command to go on"
        )


def _command(folder):
    program = ("-W", "ignore", "-m", training.__name__)
    quiet = str(logging.get_verbosity())
    return [sys.executable, *program, str(folder), quiet]


def _is_unsafe(model):
    """Whether oneDNN's kernels may damage memory in the fine-tuning."""
    return any(
        isinstance(layer, keras.layers.Conv2D)
        and portable_convolutions.is_unsafe(layer.kernel.shape, layer.strides)
        for layer in model.layers
    )


def _environment(*, onednn):
    """Of the other process; its layers are tf_keras' own, nothing guards them.

    Args:
        onednn: False does without oneDNN, whatever is set.
    """
    package = str(pathlib.Path(__file__).parents[2])
    paths = filter(None, (package, os.environ.get("PYTHONPATH")))
    kernels = {} if onednn else {"TF_ENABLE_ONEDNN_OPTS": "0"}
    return {
        **os.environ,
        **kernels,
        "PYTHONPATH": os.pathsep.join(paths),
        "TF_USE_LEGACY_KERAS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
