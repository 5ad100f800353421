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

from qmia_tf import files, terminal
from qmia_tf.deploy import conversion_job
from qmia_tf.deploy.scheme import (
    CALIBRATION,
    Converted,
    Scheme,
    refuse_quantized,
)
from qmia_tf.deploy.tfmot import fine_tuning, network_plan
from qmia_tf.errors import InputError
from qmia_tf.layers import portable_convolutions
from qmia_tf.training import recipes

COMPARED = 16


def to_tflite(
    model: keras.Model,
    members: tuple[np.ndarray, np.ndarray],
    *,
    folder,
    calibration_images: np.ndarray | None = None,
    recipe: recipes.Recipe = recipes.RECIPES["digits"],
    epochs: int = 3,
    seed: int = 0,
) -> bytes:
    """Fine-tunes a full-precision network with tfmot and converts it.

    Killed and called again with the same arguments it goes on behind the
    last whole epoch, and ends with the same file.

    Args:
        model: pixels / 255 -> probabilities, full precision; trained or not.
        members: images, uint8 [N, height, width, channels], and labels,
            int [N].
        folder: where the work is kept; removed when it is done.
        calibration_images: uint8 [M, height, width, channels], for the
            ranges to start from; None takes the first 100 members.
        recipe: its optimizer, batch size, augmentation and label smoothing
            are used, and a hundredth of its learning rate.
        epochs: >= 0; with 0 only the ranges are measured.
        seed: of the batches.
    Returns: the .tflite file: uint8 pixels in, int8 softmax out.
    Raises: InputError if the model has a layer that is not known, the images
        do not fit, or the other process fails.
    """
    folder = pathlib.Path(folder)
    images, labels = members
    if calibration_images is None:
        calibration_images = images[:100]
    conversion_job.check_images(calibration_images, model.input_shape[1:])
    conversion_job.check_images(images, model.input_shape[1:])
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
    content = (folder / fine_tuning.MODEL).read_bytes()
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
    path = folder / fine_tuning.JOB
    failed = (folder / fine_tuning.ERROR).exists()
    if path.exists() and not failed and files.read_json(path) == job:
        return
    if folder.exists():
        shutil.rmtree(folder)
    compared = data["calibration"][:COMPARED].astype(np.float32) / 255
    outputs = model.predict(compared, verbose=0)
    files.write_npz(folder / fine_tuning.NETWORK, **weights)
    files.write_npz(folder / fine_tuning.DATA, **data, outputs=outputs)
    files.write_json(path, job)


def _run(folder, *, onednn=True):
    environment = _environment(onednn=onednn)
    with subprocess.Popen(_command(folder), env=environment) as process:
        try:
            status = process.wait()
        except BaseException:
            process.terminate()
            raise
    if status == fine_tuning.STOPPED:
        raise KeyboardInterrupt
    error = folder / fine_tuning.ERROR
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
    program = ("-W", "ignore", "-m", fine_tuning.__name__)
    quiet = ["quiet"] if terminal.is_quiet() else []
    return [sys.executable, *program, str(folder), *quiet]


def _is_unsafe(model):
    """Whether oneDNN's kernels may damage memory in the fine-tuning."""
    return any(
        isinstance(layer, keras.layers.Conv2D)
        and portable_convolutions.is_unsafe(layer.kernel.shape, layer.strides)
        for layer in model.layers
    )


def _environment(*, onednn):
    """Of the other process; its layers are tf_keras' own, nothing guards them.

    onednn=False does without oneDNN, whatever is set.
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


def _convert(job):
    content = to_tflite(
        job.model,
        job.members.records,
        calibration_images=job.images,
        recipe=job.settings.recipe,
        epochs=job.settings.tfmot_epochs,
        seed=job.settings.seed,
        folder=job.folder / "tfmot_work",
    )
    return Converted(content)


TFMOT_INT8 = Scheme(
    "tfmot's quantization-aware fine-tuning",
    _convert,
    refusal=lambda model: (
        refuse_quantized(model) or network_plan.refusal(model)
    ),
    nearest=("int8", "int8_ptq", "float32"),
    settings=(*CALIBRATION, "tfmot_epochs", "recipe", "seed"),
    members=True,
    packages=("tensorflow-model-optimization", "tf-keras"),
)
