"""The ops that layers of an integer twin become in its .tflite file.

Each function takes the int8_file.File, the layer and the Tensors that it
reads, writes the layer's ops, and returns the Tensor that they end in.
"""

import keras
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qmia_tf.errors import InputError
from qmia_tf.quantizers.grids import Grid

PADDINGS = {"same": schema.Padding.SAME, "valid": schema.Padding.VALID}
ACTIVATIONS = schema.ActivationFunctionType
# Op -> its options, and its version for floats and for int8.
OPS = {
    "ADD": ("AddOptions", 1, 2),
    "AVERAGE_POOL_2D": ("Pool2DOptions", 1, 2),
    "CONCATENATION": ("ConcatenationOptions", 1, 2),
    "CONV_2D": ("Conv2DOptions", 1, 3),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", 2, 3),
    "DEQUANTIZE": ("DequantizeOptions", 2, 2),
    # Version 12 is the first with a scale for every channel.
    "FULLY_CONNECTED": ("FullyConnectedOptions", 1, 12),
    "MAX_POOL_2D": ("Pool2DOptions", 1, 2),
    "MEAN": ("ReducerOptions", 1, 2),
    "PAD": ("PadOptions", 1, 2),
    "QUANTIZE": ("QuantizeOptions", 1, 2),
    "REDUCE_MAX": ("ReducerOptions", 1, 2),
    "RESHAPE": (None, 1, 1),
    "SLICE": ("SliceOptions", 1, 2),
    "SOFTMAX": ("SoftmaxOptions", 1, 2),
    "TRANSPOSE": ("TransposeOptions", 1, 2),
}


def _op(name, file, layer, sources, grid, *, target=None, **fields):
    """Writes an op whose result lies on a grid, or is floats without one."""
    options, *versions = OPS[name]
    reads_codes = sources[0].grid is not None
    target = target or file.add_tensor(layer, grid)
    file.writer.op(
        name,
        [getattr(source, "index", source) for source in sources],
        [target.index],
        version=versions[reads_codes],
        options=options,
        **fields,
    )
    return target


def image(file, layer):
    """The input: uint8 pixels."""
    grid = Grid(1 / 255, 0, 0, 255)
    return file.add_tensor(
        layer, grid, shape=layer.batch_shape[1:], dtype=np.uint8
    )


def to_levels(file, layer, source):
    """From uint8 codes to int8 codes, or from floats."""
    return _op("QUANTIZE", file, layer, [source], layer.grid)


def from_levels(file, layer, source):
    """int8 codes to floats; at the network's end they stay codes."""
    if layer.name == file.twin.layers[-1].name:
        return source
    return _op("DEQUANTIZE", file, layer, [source], None)


def conv(file, layer, source):
    """A convolution, of integers or floats."""
    kernel = np.asarray(layer.kernel).transpose(3, 0, 1, 2)
    sources = [source, *_constants(file, layer, kernel)]
    return _op("CONV_2D", file, layer, sources, _grid(layer), **_windows(layer))


def depthwise(file, layer, source):
    """A depthwise convolution, of integers or floats."""
    kernel = np.asarray(layer.kernel)
    rows = kernel.reshape(1, *kernel.shape[:2], -1)
    return _op(
        "DEPTHWISE_CONV_2D",
        file,
        layer,
        [source, *_constants(file, layer, rows, axis=3)],
        _grid(layer),
        depthMultiplier=kernel.shape[3],
        **_windows(layer),
    )


def dense(file, layer, source):
    """A dense layer, of integers or floats."""
    return _op(
        "FULLY_CONNECTED",
        file,
        layer,
        [source, *_constants(file, layer, np.asarray(layer.kernel).T)],
        _grid(layer),
        fusedActivationFunction=_activation(layer),
        keepNumDims=len(source.shape) > 1,
    )


def _constants(file, layer, kernel, axis=0):
    """Adds kernel, as the op lays it out, and bias; axis is the channels'."""
    kernel, bias = np.ascontiguousarray(kernel), np.asarray(layer.bias)
    scales = bias_scales = None
    if kernel.dtype == np.int8:
        scales = np.asarray(layer.weight_scales)
        bias_scales = np.float32(layer.input_scale) * scales
    add = file.writer.constant
    return [
        add(f"{layer.name}/kernel", kernel, scales=scales, axis=axis),
        add(f"{layer.name}/bias", bias, scales=bias_scales),
    ]


def add(file, layer, *sources):
    """A sum of two int8 tensors."""
    activation = {"fusedActivationFunction": _activation(layer)}
    return _op("ADD", file, layer, sources, layer.grid, **activation)


def softmax(file, layer, source):
    """A softmax, of integers or floats."""
    return _op("SOFTMAX", file, layer, [source], _grid(layer), beta=1.0)


def pool(name, file, layer, source):
    """The largest code, or float, of every window, or their average."""
    windows = {
        "padding": PADDINGS[layer.padding],
        "filterHeight": layer.pool_size[0],
        "filterWidth": layer.pool_size[1],
        **_strides(layer),
    }
    return _op(name, file, layer, [source], source.grid, **windows)


def reduce(name, file, layer, source):
    """The largest code, or float, over height and width, or their mean."""
    sources = [source, _integers(file, layer, "axes", [1, 2])]
    keep_dims = bool(layer.keepdims)
    return _op(name, file, layer, sources, source.grid, keepDims=keep_dims)


def reshape(file, layer, source):
    """A Flatten or Reshape."""
    target = _of_fixed_shape(file, layer, source)
    shape = _integers(file, layer, "shape", [-1, *target.shape])
    sources = [source, shape]
    return _op("RESHAPE", file, layer, sources, source.grid, target=target)


def pad(file, layer, source):
    """A ZeroPadding2D: PAD fills int8 tensors with their zero point."""
    pads = _integers(file, layer, "pads", [(0, 0), *layer.padding, (0, 0)])
    return _op("PAD", file, layer, [source, pads], source.grid)


def crop(file, layer, source):
    """A Cropping2D."""
    target = _of_fixed_shape(file, layer, source)
    (top, _), (left, _) = layer.cropping
    begin = _integers(file, layer, "begin", [0, top, left, 0])
    size = _integers(file, layer, "size", [-1, *target.shape])
    sources = [source, begin, size]
    return _op("SLICE", file, layer, sources, source.grid, target=target)


def permute(file, layer, source):
    """A Permute."""
    order = _integers(file, layer, "order", [0, *layer.dims])
    return _op("TRANSPOSE", file, layer, [source, order], source.grid)


def concatenate(file, layer, *sources):
    """A Concatenate of tensors on one grid."""
    grid = sources[0].grid
    return _op("CONCATENATION", file, layer, sources, grid, axis=layer.axis)


def _integers(file, layer, name, values):
    return file.writer.constant(
        f"{layer.name}/{name}", np.array(values, np.int32)
    )


def _of_fixed_shape(file, layer, source):
    target = file.add_tensor(layer, source.grid)
    if None in target.shape:
        raise InputError(
            f"layer {layer.name!r} makes a shape that is not known: give the "
            "model a fixed input shape"
        )
    return target


def _grid(layer):
    return getattr(layer, "grid", None)


def _activation(layer):
    """Fused RELU where the lowest level is zero, as above int8's own end."""
    grid = _grid(layer)
    if grid is None:
        is_relu = getattr(layer, "activation", None) is keras.activations.relu
    else:
        is_relu = grid.low == grid.zero_point
    return ACTIVATIONS.RELU if is_relu else ACTIVATIONS.NONE


def _strides(layer):
    return {"strideH": layer.strides[0], "strideW": layer.strides[1]}


def _windows(layer):
    return {
        "padding": PADDINGS[layer.padding],
        "dilationHFactor": layer.dilation_rate[0],
        "dilationWFactor": layer.dilation_rate[1],
        "fusedActivationFunction": _activation(layer),
        **_strides(layer),
    }
