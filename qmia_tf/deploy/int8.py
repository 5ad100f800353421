"""The integer twin as a .tflite file of int8 kernels, written op by op."""

import keras
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qmia_tf.deploy import integer as folding
from qmia_tf.deploy.flatbuffer import Writer
from qmia_tf.deploy.graph import steps_of
from qmia_tf.errors import InputError
from qmia_tf.grids import Grid
from qmia_tf.layers import integer

ACTIVATIONS = schema.ActivationFunctionType
PADDINGS = {"same": schema.Padding.SAME, "valid": schema.Padding.VALID}


def refusal(model, *, head="float"):
    """Says why int8 kernels cannot carry a model.

    Args:
        model: keras.Model.
        head: "float" for the scheme int8, "integer" for int8_io.
    Returns: str, or None if they can.
    """
    try:
        folding.fold(model, head=head, logits_range=(-1.0, 1.0))
    except InputError as error:
        return str(error)
    return None


def float_layers(twin):
    """Names the convolutions and dense layers that a twin keeps in floats."""
    kinds = (
        keras.layers.Conv2D,
        keras.layers.DepthwiseConv2D,
        keras.layers.Dense,
    )
    return [layer.name for layer in twin.layers if isinstance(layer, kinds)]


def to_tflite(twin):
    """Writes an integer twin as a .tflite file.

    The input is uint8 pixels (scale 1/255, zero point 0). The output is
    float32 probabilities, or int8 codes where the twin's head is integer.

    Args:
        twin: what integer.fold returned, or the same loaded from a file.
    Returns: bytes.
    """
    return _File(twin).to_bytes()


class _Tensor:
    """A tensor of the file: its index, and its grid unless it is float."""

    def __init__(self, index, shape, grid=None):
        self.index = index
        self.shape = tuple(shape)
        self.grid = grid


class _File:
    """One twin on its way into a file."""

    def __init__(self, twin):
        self.twin = twin
        self.writer = Writer(f"{twin.name}, written by qmia_tf")
        self.tensors = {}

    def to_bytes(self):
        steps = steps_of(self.twin)
        for step in steps:
            inputs = [self.tensors[name] for name in step.inputs]
            emit = EMIT.get(type(step.layer))
            if emit is None:
                raise InputError(
                    f"layer {step.name!r} ({step.kind}) is none of an integer "
                    "twin's: write what integer.fold gives"
                )
            self.tensors[step.name] = emit(self, step.layer, *inputs)
        image, end = steps[0].name, self._end(steps)
        return self.writer.to_bytes(
            {image: self.tensors[image].index},
            {end: self.tensors[end].index},
        )

    def _end(self, steps):
        """The twin's floats of integers are the codes in the file."""
        last = steps[-1]
        is_codes = isinstance(last.layer, integer.FromLevels)
        return last.inputs[0] if is_codes else last.name

    def image(self, layer):
        shape = layer.batch_shape[1:]
        index = self.writer.tensor(layer.name, shape, np.uint8, scale=1 / 255)
        return _Tensor(index, shape, Grid(1 / 255, 0, 0, 255))

    def output(self, layer, grid=None):
        """A tensor for a layer's result: int8 on a grid, or float32."""
        shape = layer.output.shape[1:]
        if grid is None:
            index = self.writer.tensor(layer.name, shape, np.float32)
        else:
            index = self.writer.tensor(
                layer.name,
                shape,
                np.int8,
                scale=grid.scale,
                zero_point=grid.zero_point,
            )
        return _Tensor(index, shape, grid)

    def add_op(self, name, sources, target, **more):
        inputs = [getattr(source, "index", source) for source in sources]
        self.writer.op(name, inputs, [target.index], **more)
        return target

    def to_levels(self, layer, source):
        # From uint8 codes to int8 codes, or from floats.
        target = self.output(layer, layer.grid)
        version = 1 if source.grid is None else 2
        return self.add_op(
            "QUANTIZE",
            [source],
            target,
            version=version,
            options="QuantizeOptions",
        )

    def from_levels(self, layer, source):
        if layer.name == self.twin.layers[-1].name:
            return source
        target = self.output(layer)
        return self.add_op(
            "DEQUANTIZE",
            [source],
            target,
            version=2,
            options="DequantizeOptions",
        )

    def integer_constants(self, layer, kernel, axis):
        scales = np.array(layer.weight_scales)
        weights = self.writer.constant(
            f"{layer.name}/kernel", kernel, scales=scales, axis=axis
        )
        bias = self.writer.constant(
            f"{layer.name}/bias",
            np.array(layer.bias),
            scales=np.float32(layer.input_scale) * scales,
        )
        return [weights, bias]

    def float_constants(self, layer, kernel):
        bias = np.array(layer.bias, np.float32)
        return [
            self.writer.constant(f"{layer.name}/kernel", kernel),
            self.writer.constant(f"{layer.name}/bias", bias),
        ]

    def constants(self, layer, kernel, axis=0):
        kernel = np.ascontiguousarray(kernel)
        if kernel.dtype == np.int8:
            return self.integer_constants(layer, kernel, axis)
        return self.float_constants(layer, kernel)

    def conv(self, layer, source):
        kernel = np.array(layer.kernel).transpose(3, 0, 1, 2)
        return self.add_op(
            "CONV_2D",
            [source, *self.constants(layer, kernel)],
            self.output(layer, getattr(layer, "grid", None)),
            version=3 if kernel.dtype == np.int8 else 1,
            options="Conv2DOptions",
            **_windows(layer),
        )

    def depthwise(self, layer, source):
        kernel = np.array(layer.kernel)
        multiple = kernel.shape[3]
        kernel = kernel.reshape(1, *kernel.shape[:2], -1)
        return self.add_op(
            "DEPTHWISE_CONV_2D",
            [source, *self.constants(layer, kernel, axis=3)],
            self.output(layer, getattr(layer, "grid", None)),
            version=3 if kernel.dtype == np.int8 else 2,
            options="DepthwiseConv2DOptions",
            depthMultiplier=multiple,
            **_windows(layer),
        )

    def dense(self, layer, source):
        kernel = np.array(layer.kernel).T
        return self.add_op(
            "FULLY_CONNECTED",
            [source, *self.constants(layer, kernel)],
            self.output(layer, getattr(layer, "grid", None)),
            # Version 12 is the first with a scale for every channel.
            version=12 if kernel.dtype == np.int8 else 1,
            options="FullyConnectedOptions",
            fusedActivationFunction=_activation(layer),
            keepNumDims=len(source.shape) > 1,
        )

    def add(self, layer, first, second):
        return self.add_op(
            "ADD",
            [first, second],
            self.output(layer, layer.grid),
            version=2,
            options="AddOptions",
            fusedActivationFunction=_activation(layer),
        )

    def max_pool(self, layer, source):
        return self.add_op(
            "MAX_POOL_2D",
            [source],
            self.output(layer, source.grid),
            version=1 if source.grid is None else 2,
            options="Pool2DOptions",
            padding=PADDINGS[layer.padding],
            filterHeight=layer.pool_size[0],
            filterWidth=layer.pool_size[1],
            **_strides(layer),
        )

    def flatten(self, layer, source):
        target = self.output(layer, source.grid)
        shape = np.array([-1, *target.shape], np.int32)
        shape = self.writer.constant(f"{layer.name}/shape", shape)
        return self.add_op("RESHAPE", [source, shape], target)

    def mean(self, layer, source):
        axes = np.array([1, 2], np.int32)
        axes = self.writer.constant(f"{layer.name}/axes", axes)
        return self.add_op(
            "MEAN",
            [source, axes],
            self.output(layer),
            options="ReducerOptions",
            keepDims=False,
        )

    def softmax(self, layer, source):
        grid = getattr(layer, "grid", None)
        return self.add_op(
            "SOFTMAX",
            [source],
            self.output(layer, grid),
            version=1 if grid is None else 2,
            options="SoftmaxOptions",
            beta=1.0,
        )


EMIT = {
    keras.layers.InputLayer: _File.image,
    integer.ToLevels: _File.to_levels,
    integer.FromLevels: _File.from_levels,
    integer.IntegerConv2D: _File.conv,
    integer.IntegerDepthwiseConv2D: _File.depthwise,
    integer.IntegerDense: _File.dense,
    integer.IntegerAdd: _File.add,
    integer.IntegerSoftmax: _File.softmax,
    keras.layers.Conv2D: _File.conv,
    keras.layers.DepthwiseConv2D: _File.depthwise,
    keras.layers.Dense: _File.dense,
    keras.layers.MaxPooling2D: _File.max_pool,
    keras.layers.Flatten: _File.flatten,
    keras.layers.GlobalAveragePooling2D: _File.mean,
    keras.layers.Activation: _File.softmax,
}


def _activation(layer):
    """Fused RELU where the lowest level is zero, as above int8's own end."""
    grid = getattr(layer, "grid", None)
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
