"""What integer files make of each class of layers: the one table of them."""

import dataclasses
import functools
from collections.abc import Callable

import keras

from qmia_tf import layers as ours
from qmia_tf.deploy.integer import (
    code_movement,
    file_ops,
    network_ends,
    sum_grids,
)
from qmia_tf.layers import integer_layers


@dataclasses.dataclass(frozen=True)
class LayerOp:
    """What integer files make of one class of layers.

    Attributes:
        convert: of a trained network's layer: what becomes of it, see
            graph_conversion.Conversion. None if the twin alone has it.
        emit: of a twin's layer: function(file, layer, *tensors) that writes
            its ops and returns the int8_file.Tensor they end in. None if no
            twin has it.
        moves: whether it hands on codes as they are.
        takes_factor: whether it may read pixels that a Rescaling multiplies.
    """

    convert: Callable | None = None
    emit: Callable | None = None
    moves: bool = False
    takes_factor: bool = False


def _moving(emit):
    return LayerOp(
        code_movement.same_values, emit, moves=True, takes_factor=True
    )


def _kernel(emit=None):
    return LayerOp(sum_grids.kernel, emit, takes_factor=True)


# What they change in training they leave alone in inference.
_IDLE = (
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
OPS = {
    keras.layers.InputLayer: LayerOp(emit=file_ops.image),
    # Kernels, of the trained network and in the floats of the twin.
    keras.layers.Conv2D: _kernel(file_ops.conv),
    keras.layers.DepthwiseConv2D: _kernel(file_ops.depthwise),
    keras.layers.Dense: _kernel(file_ops.dense),
    ours.DoReFaConv2D: _kernel(),
    ours.DoReFaDepthwiseConv2D: _kernel(file_ops.depthwise),
    ours.DoReFaDense: _kernel(),
    # What ends their sums.
    keras.layers.BatchNormalization: LayerOp(sum_grids.norm),
    keras.layers.Add: LayerOp(sum_grids.add),
    ours.DoReFaActivation: LayerOp(sum_grids.activation),
    ours.ResidualQuantizer: LayerOp(sum_grids.residual),
    ours.DoReFaAdd: LayerOp(sum_grids.quantized_add),
    # Averages.
    keras.layers.AveragePooling2D: LayerOp(
        code_movement.average_pool,
        functools.partial(file_ops.pool, "AVERAGE_POOL_2D"),
    ),
    keras.layers.GlobalAveragePooling2D: LayerOp(
        code_movement.average, functools.partial(file_ops.reduce, "MEAN")
    ),
    ours.RoundedAveragePooling2D: LayerOp(code_movement.rounded_average),
    # What moves or picks values.
    keras.layers.Concatenate: LayerOp(
        code_movement.concatenated, file_ops.concatenate, moves=True
    ),
    keras.layers.Cropping2D: _moving(file_ops.crop),
    keras.layers.Flatten: _moving(file_ops.reshape),
    keras.layers.GlobalMaxPooling2D: _moving(
        functools.partial(file_ops.reduce, "REDUCE_MAX")
    ),
    keras.layers.MaxPooling2D: _moving(
        functools.partial(file_ops.pool, "MAX_POOL_2D")
    ),
    keras.layers.Permute: _moving(file_ops.permute),
    keras.layers.Reshape: _moving(file_ops.reshape),
    keras.layers.ZeroPadding2D: _moving(file_ops.pad),
    # The ends of the network, and what does nothing.
    keras.layers.Rescaling: LayerOp(network_ends.rescaling, takes_factor=True),
    keras.layers.Activation: LayerOp(network_ends.end, file_ops.softmax),
    keras.layers.Softmax: LayerOp(network_ends.end),
    **dict.fromkeys(_IDLE, LayerOp(code_movement.passed, takes_factor=True)),
    # The twin's own layers.
    integer_layers.ToLevels: LayerOp(emit=file_ops.to_levels),
    integer_layers.FromLevels: LayerOp(emit=file_ops.from_levels),
    integer_layers.IntegerConv2D: LayerOp(emit=file_ops.conv),
    integer_layers.IntegerDepthwiseConv2D: LayerOp(emit=file_ops.depthwise),
    integer_layers.IntegerDense: LayerOp(emit=file_ops.dense),
    integer_layers.IntegerAdd: LayerOp(emit=file_ops.add),
    integer_layers.IntegerSoftmax: LayerOp(emit=file_ops.softmax),
}
