"""The integer twin: a trained network as TFLite's int8 kernels compute it.

`fold` walks the trained graph once. A convolution is held back until what
follows it (batch norm, then a clip or a residual branch) says on which grid
its sums end; then it becomes one integer layer with the trained codes.
"""

import keras
import numpy as np

from qmia_tf import layers as ours
from qmia_tf.data.batches import reshape_images
from qmia_tf.deploy.integer import (
    additions,
    code_movement,
    input_layers,
    kernel_conversion,
    softmax_heads,
    sum_grids,
)
from qmia_tf.deploy.integer.code_grids import logits_grid
from qmia_tf.deploy.integer.graph_conversion import Conversion
from qmia_tf.errors import InputError

HEADS = ("float", "integer")
OUTPUTS = ("softmax", "logits")

# What they change in training they leave alone in inference.
IDLE = (
    keras.layers.ActivityRegularization,
    keras.layers.AlphaDropout,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.RandomBrightness,
    keras.layers.RandomContrast,
    keras.layers.RandomFlip,
    keras.layers.RandomRotation,
    keras.layers.RandomTranslation,
    keras.layers.RandomZoom,
    keras.layers.SpatialDropout2D,
)
HANDLERS = {
    **dict.fromkeys(kernel_conversion.KERNELS, sum_grids.kernel),
    **dict.fromkeys(IDLE, code_movement.passed),
    keras.layers.BatchNormalization: sum_grids.norm,
    keras.layers.Add: additions.add,
    keras.layers.Concatenate: code_movement.concatenated,
    keras.layers.MaxPooling2D: code_movement.same_values,
    keras.layers.GlobalMaxPooling2D: code_movement.same_values,
    keras.layers.ZeroPadding2D: code_movement.same_values,
    keras.layers.Cropping2D: code_movement.same_values,
    keras.layers.Flatten: code_movement.same_values,
    keras.layers.Permute: code_movement.same_values,
    keras.layers.Reshape: code_movement.same_values,
    keras.layers.AveragePooling2D: code_movement.average_pool,
    keras.layers.GlobalAveragePooling2D: code_movement.average,
    keras.layers.Rescaling: input_layers.rescaling,
    keras.layers.Activation: softmax_heads.end,
    keras.layers.Softmax: softmax_heads.end,
    ours.DoReFaActivation: sum_grids.activation,
    ours.ResidualQuantizer: sum_grids.residual,
    ours.DoReFaAdd: additions.quantized_sum,
    ours.RoundedAveragePooling2D: code_movement.rounded_average,
}
# Of pixels that a Rescaling multiplies.
TAKE_IN = (
    input_layers.rescaling,
    code_movement.passed,
    code_movement.same_values,
    sum_grids.kernel,
)
HANDLERS = {
    kind: handler if handler in TAKE_IN else input_layers.as_they_are(handler)
    for kind, handler in HANDLERS.items()
}


def fold(model, *, head="float", outputs="softmax", logits_range=None):
    """Makes the integer twin of a trained network.

    Args:
        model: functional keras.Model of this project's layers, or one that
            was loaded, pixels / 255 -> probabilities.
        head: "float" sums what follows the last quantized activation in
            float32, "integer" in integers as well.
        outputs: "softmax", or "logits", which leaves the softmax out.
        logits_range: (low, high) of the logits, for head="integer";
            `calibrate` measures it.
    Returns: keras.Model, pixels / 255 -> probabilities or logits, for
        inference, of the layers in qmia_tf.layers.integer_layers. A layer is
        called as the trained layer whose result its levels are.
    Raises: InputError if int8 kernels cannot carry the model; it names the
        layer and the reason.
    """
    if head not in HEADS or outputs not in OUTPUTS:
        raise InputError(
            f"head must be one of {HEADS} and outputs one of {OUTPUTS}, got "
            f"{head!r} and {outputs!r}"
        )
    grid = None if logits_range is None else logits_grid(*logits_range)
    if head == "integer" and grid is None:
        raise InputError("an integer head needs logits_range: see calibrate")
    return Conversion(HANDLERS, head, outputs, grid).run(model)


def calibrate(twin, images, *, batch_size=100):
    """Measures the range of the logits.

    Args:
        twin: what fold(head="float") returned; its last layer is a softmax.
        images: uint8 [N, height, width, channels], members of the run.
        batch_size: images a call.
    Returns: (low, high), floats.
    Raises: InputError if there are no images or they do not fit the model.
    """
    expected = tuple(twin.input_shape[1:])
    if len(images) == 0:
        raise InputError("there are no images to calibrate the logits with")
    if images.dtype != np.uint8 or reshape_images(images, expected) is None:
        raise InputError(
            f"calibration images must be uint8 [N, {expected}], got "
            f"{images.dtype} {list(images.shape)}"
        )
    last = twin.layers[-1]
    if not isinstance(last, keras.layers.Activation):
        raise InputError(
            f"model {twin.name!r} does not end in a softmax of floats: "
            "calibrate the twin that fold(head='float') gives"
        )
    images = reshape_images(images, expected)
    logits = keras.Model(twin.inputs, last.input)
    low, high = np.inf, -np.inf
    for start in range(0, len(images), batch_size):
        chunk = images[start : start + batch_size].astype(np.float32)
        values = logits([chunk / np.float32(255)], training=False).numpy()
        low, high = min(low, values.min()), max(high, values.max())
    return float(low), float(high)
