"""Ops that move, pick or pool; see deploy.integer.int8_file."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qmia_tf.errors import InputError

PADDINGS = {"same": schema.Padding.SAME, "valid": schema.Padding.VALID}


def max_pool(file, layer, source):
    """The largest code, or float, of every window."""
    return _pool("MAX_POOL_2D", file, layer, source)


def average_pool(file, layer, source):
    """The average of every window, of floats."""
    return _pool("AVERAGE_POOL_2D", file, layer, source)


def _pool(name, file, layer, source):
    return file.add_op(
        name,
        [source],
        file.output(layer, source.grid),
        version=1 if source.grid is None else 2,
        options="Pool2DOptions",
        padding=PADDINGS[layer.padding],
        filterHeight=layer.pool_size[0],
        filterWidth=layer.pool_size[1],
        **strides(layer),
    )


def mean(file, layer, source):
    """The mean over height and width, of floats."""
    return _reduced("MEAN", file, layer, source)


def largest(file, layer, source):
    """The largest code, or float, over height and width."""
    version = 1 if source.grid is None else 2
    return _reduced("REDUCE_MAX", file, layer, source, version=version)


def _reduced(name, file, layer, source, version=1):
    axes = np.array([1, 2], np.int32)
    axes = file.writer.constant(f"{layer.name}/axes", axes)
    return file.add_op(
        name,
        [source, axes],
        file.output(layer, source.grid),
        version=version,
        options="ReducerOptions",
        keepDims=bool(layer.keepdims),
    )


def reshape(file, layer, source):
    """A Flatten or Reshape."""
    target = _fixed(layer, file.output(layer, source.grid))
    shape = np.array([-1, *target.shape], np.int32)
    shape = file.writer.constant(f"{layer.name}/shape", shape)
    return file.add_op("RESHAPE", [source, shape], target)


def pad(file, layer, source):
    """A ZeroPadding2D: PAD fills int8 tensors with their zero point."""
    pads = np.array([(0, 0), *layer.padding, (0, 0)], np.int32)
    pads = file.writer.constant(f"{layer.name}/pads", pads)
    return file.add_op(
        "PAD",
        [source, pads],
        file.output(layer, source.grid),
        version=1 if source.grid is None else 2,
        options="PadOptions",
    )


def crop(file, layer, source):
    """A Cropping2D."""
    target = _fixed(layer, file.output(layer, source.grid))
    (top, _), (left, _) = layer.cropping
    ends = {"begin": [0, top, left, 0], "size": [-1, *target.shape]}
    ends = [
        file.writer.constant(f"{layer.name}/{name}", np.array(end, np.int32))
        for name, end in ends.items()
    ]
    return file.add_op(
        "SLICE",
        [source, *ends],
        target,
        version=1 if source.grid is None else 2,
        options="SliceOptions",
    )


def permute(file, layer, source):
    """A Permute."""
    order = np.array([0, *layer.dims], np.int32)
    order = file.writer.constant(f"{layer.name}/order", order)
    return file.add_op(
        "TRANSPOSE",
        [source, order],
        file.output(layer, source.grid),
        version=1 if source.grid is None else 2,
        options="TransposeOptions",
    )


def _fixed(layer, tensor):
    if None in tensor.shape:
        raise InputError(
            f"layer {layer.name!r} makes a shape that is not known: give the "
            "model a fixed input shape"
        )
    return tensor


def concatenate(file, layer, *sources):
    """A Concatenate of tensors on one grid."""
    grid = sources[0].grid
    return file.add_op(
        "CONCATENATION",
        sources,
        file.output(layer, grid),
        version=1 if grid is None else 2,
        options="ConcatenationOptions",
        axis=layer.axis,
    )


def strides(layer):
    """Returns a layer's strides as the ops' options name them."""
    return {"strideH": layer.strides[0], "strideW": layer.strides[1]}
