"""Which ops of a .tflite file a layer of an integer twin becomes.

A function takes the twin_file.File, the layer and the Tensors that it reads,
and returns the Tensor that the layer's ops end in.
"""

import keras

from qmia_tf.deploy import computing_ops, moving_ops
from qmia_tf.deploy.twin_file import File
from qmia_tf.layers import DoReFaDepthwiseConv2D, integer

EMIT = {
    keras.layers.InputLayer: File.image,
    integer.ToLevels: computing_ops.to_levels,
    integer.FromLevels: computing_ops.from_levels,
    integer.IntegerConv2D: computing_ops.conv,
    integer.IntegerDepthwiseConv2D: computing_ops.depthwise,
    integer.IntegerDense: computing_ops.dense,
    integer.IntegerAdd: computing_ops.add,
    integer.IntegerSoftmax: computing_ops.softmax,
    keras.layers.Conv2D: computing_ops.conv,
    keras.layers.DepthwiseConv2D: computing_ops.depthwise,
    DoReFaDepthwiseConv2D: computing_ops.depthwise,
    keras.layers.Dense: computing_ops.dense,
    keras.layers.MaxPooling2D: moving_ops.max_pool,
    keras.layers.AveragePooling2D: moving_ops.average_pool,
    keras.layers.Concatenate: moving_ops.concatenate,
    keras.layers.Cropping2D: moving_ops.crop,
    keras.layers.Flatten: moving_ops.reshape,
    keras.layers.GlobalAveragePooling2D: moving_ops.mean,
    keras.layers.GlobalMaxPooling2D: moving_ops.largest,
    keras.layers.Permute: moving_ops.permute,
    keras.layers.Reshape: moving_ops.reshape,
    keras.layers.ZeroPadding2D: moving_ops.pad,
    keras.layers.Activation: computing_ops.softmax,
}
