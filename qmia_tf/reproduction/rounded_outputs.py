"""A control: a model's answers rounded as an int8 softmax rounds them.

An int8 file differs from its network in two ways: the network is rounded, and
so are its answers, to multiples of 1/256. This rounds the answers alone.
Whoever sees the exact answers can round them as well, so what an attack gains
by it tells of the attack, not of what the model gives away.
"""

import dataclasses
import pathlib

import numpy as np

from qmia_tf import outputs
from qmia_tf.outputs import Outputs
from qmia_tf.run_dir import TRAINED, RunDir

TARGET = f"{TRAINED}_rounded"
LEVELS = 256
FILE = "rounded.npz"


def rounded(answers: Outputs) -> Outputs:
    """Rounds probabilities to those of an int8 softmax.

    min(round(256 p), 255) / 256; scale 1/256 and zero point -128 are what
    TFLite's quantization specification prescribes for SOFTMAX.

    Args:
        answers: of a target with float outputs.
    """
    codes = np.rint(answers.probabilities * np.float32(LEVELS))
    probabilities = np.minimum(codes, LEVELS - 1) / np.float32(LEVELS)
    fields = ("fingerprint", "run")
    info = {key: answers.info[key] for key in fields if key in answers.info}
    return dataclasses.replace(
        answers,
        probabilities=probabilities.astype(np.float32),
        logits=None,
        info={**info, "target": TARGET, "probability_step": 1 / LEVELS},
    )


def write(run_dir) -> pathlib.Path:
    """Writes RUN_DIR/rounded.npz from outputs/keras.npz; returns its path."""
    run_dir = RunDir(run_dir)
    rounded_outputs = rounded(outputs.load(run_dir.outputs_of(TRAINED)))
    rounded_outputs.save(run_dir.path / FILE)
    return run_dir.path / FILE
