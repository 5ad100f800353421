"""A control: a model's outputs rounded as an int8 softmax rounds them.

An int8 file differs from its network in two ways: the network is rounded, and
so are its outputs, to multiples of 1/256. This rounds the outputs alone.
Whoever sees the exact outputs can round them as well, so what an attack gains
by it is a property of the attack, not of what the model leaks.
"""

import dataclasses
import pathlib

from qmia_tf import outputs
from qmia_tf.outputs import Outputs, output_forms
from qmia_tf.run_dir import TRAINED, RunDir

TARGET = f"{TRAINED}_rounded"
LEVELS = 256
FILE = "rounded.npz"


def round_probabilities(exact: Outputs) -> Outputs:
    """Rounds probabilities to those of an int8 softmax.

    min(round(256 p), 255) / 256; scale 1/256 and zero point -128 are what
    TFLite's quantization specification prescribes for SOFTMAX.
    """
    probabilities = output_forms.rounded(
        exact.probabilities, LEVELS, largest=LEVELS - 1
    )
    fields = ("fingerprint", "run")
    info = {key: exact.info[key] for key in fields if key in exact.info}
    return dataclasses.replace(
        exact,
        probabilities=probabilities,
        logits=None,
        info={**info, "target": TARGET, "probability_step": 1 / LEVELS},
    )


def write(run_dir) -> pathlib.Path:
    """Writes RUN_DIR/rounded.npz from outputs/keras.npz; returns its path."""
    run_dir = RunDir(run_dir)
    rounded = round_probabilities(outputs.load(run_dir.outputs_of(TRAINED)))
    rounded.save(run_dir.path / FILE)
    return run_dir.path / FILE
