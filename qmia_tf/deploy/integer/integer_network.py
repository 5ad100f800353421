"""The integer twin: a trained network as TFLite's int8 kernels compute it.

`fold` walks the trained graph once. A convolution is held back until what
follows it (batch norm, then a clip or a residual branch) says on which grid
its sums end; then it becomes one integer layer with the trained codes.
"""

import keras
import numpy as np

from qmia_tf.data.batches import in_batches, reshape_images
from qmia_tf.data.pixels import scale_to_unit
from qmia_tf.deploy.conversion_job import INT8_OUTPUTS, check_images
from qmia_tf.deploy.integer.code_grids import logits_grid
from qmia_tf.deploy.integer.graph_conversion import Conversion
from qmia_tf.deploy.integer.layer_ops import OPS
from qmia_tf.errors import InputError

HEADS = ("float", "integer")
BATCH = 100


def fold(
    model: keras.Model,
    *,
    head: str = "float",
    outputs: str = "softmax",
    logits_range: tuple[float, float] | None = None,
) -> keras.Model:
    """Makes the integer twin of a trained network.

    Args:
        model: functional, of this project's layers, or one that was loaded,
            pixels / 255 -> probabilities.
        head: "float" sums what follows the last quantized activation in
            float32, "integer" in integers as well.
        outputs: "softmax", or "logits", which leaves the softmax out.
        logits_range: lowest and highest logit, for head="integer";
            `calibrate` measures it.
    Returns: pixels / 255 -> probabilities or logits, for inference, of the
        layers in qmia_tf.layers.integer_layers. A layer is called as the
        trained layer whose result its levels are.
    Raises: InputError if int8 kernels cannot carry the model; it names the
        layer and the reason.
    """
    if head not in HEADS or outputs not in INT8_OUTPUTS:
        raise InputError(
            f"head must be one of {HEADS} and outputs one of {INT8_OUTPUTS}, "
            f"got {head!r} and {outputs!r}"
        )
    grid = None if logits_range is None else logits_grid(*logits_range)
    if head == "integer" and grid is None:
        raise InputError("an integer head needs logits_range: see calibrate")
    return Conversion(OPS, head, outputs, grid).run(model)


def calibrate(twin: keras.Model, images: np.ndarray) -> tuple[float, float]:
    """Measures the lowest and the highest logit.

    Args:
        twin: what fold(head="float") returned; its last layer is a softmax.
        images: uint8 [N, height, width, channels], members of the run.
    Raises: InputError if there are no images or they do not fit the model.
    """
    shape = tuple(twin.input_shape[1:])
    check_images(images, shape)
    last = twin.layers[-1]
    if not isinstance(last, keras.layers.Activation):
        raise InputError(
            f"model {twin.name!r} does not end in a softmax of floats: "
            "calibrate the twin that fold(head='float') gives"
        )
    to_logits = keras.Model(twin.inputs, last.input)
    logits = in_batches(
        reshape_images(images, shape),
        lambda batch: to_logits([scale_to_unit(batch)], training=False).numpy(),
        size=BATCH,
        name=twin.name,
    )
    return float(logits.min()), float(logits.max())
