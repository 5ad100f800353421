"""The tensors and constants of an integer twin's .tflite file."""

import numpy as np

from qmia_tf.deploy.flat_model import read_flat
from qmia_tf.deploy.tflite.flatbuffer import Writer
from qmia_tf.errors import InputError
from qmia_tf.layers import integer_layers
from qmia_tf.quantizers.grids import Grid


class Tensor:
    """A tensor of the file.

    Attributes:
        index: int, of the tensor.
        shape: of one record.
        grid: grids.Grid, or None for floats.
    """

    def __init__(self, index, shape, grid=None):
        self.index = index
        self.shape = tuple(shape)
        self.grid = grid


class File:
    """One twin on its way into a file.

    Args:
        twin: keras.Model.
        emitters: dict class of layer -> function(file, layer, *tensors) that
            adds the layer's ops and returns the Tensor they end in.
    """

    def __init__(self, twin, emitters):
        self.twin = twin
        self.emitters = emitters
        self.writer = Writer(f"{twin.name}, written by qmia_tf")
        self.tensors = {}

    def to_bytes(self):
        """Writes every layer; returns the file."""
        graph = read_flat(self.twin)
        for call in graph.calls:
            inputs = [self.tensors[name] for name in graph.sources(call)]
            emit = self.emitters.get(type(call.layer))
            if emit is None:
                raise InputError(
                    f"layer {call.name!r} ({call.kind}) is none of an integer "
                    "twin's: write what integer.fold gives"
                )
            self.tensors[call.name] = emit(self, call.layer, *inputs)
        image, end = graph.calls[0].name, _end(graph)
        return self.writer.to_bytes(
            {image: self.tensors[image].index},
            {end: self.tensors[end].index},
        )

    def image(self, layer):
        """Adds the input: uint8 pixels."""
        shape = layer.batch_shape[1:]
        index = self.writer.tensor(layer.name, shape, np.uint8, scale=1 / 255)
        return Tensor(index, shape, Grid(1 / 255, 0, 0, 255))

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
        return Tensor(index, shape, grid)

    def add_op(self, name, sources, target, **more):
        """Adds an op of that name; returns its target.

        Args:
            name: as in the schema.
            sources: Tensors, or indices of constants.
            target: Tensor.
            more: see flatbuffer.Writer.op.
        """
        inputs = [getattr(source, "index", source) for source in sources]
        self.writer.op(name, inputs, [target.index], **more)
        return target

    def _integer_constants(self, layer, kernel, axis):
        scales = np.asarray(layer.weight_scales)
        weights = self.writer.constant(
            f"{layer.name}/kernel", kernel, scales=scales, axis=axis
        )
        bias = self.writer.constant(
            f"{layer.name}/bias",
            np.asarray(layer.bias),
            scales=np.float32(layer.input_scale) * scales,
        )
        return [weights, bias]

    def _float_constants(self, layer, kernel):
        bias = np.asarray(layer.bias, np.float32)
        return [
            self.writer.constant(f"{layer.name}/kernel", kernel),
            self.writer.constant(f"{layer.name}/bias", bias),
        ]

    def constants(self, layer, kernel, axis=0):
        """Adds a layer's kernel and bias; returns their indices.

        Args:
            layer: integer or float layer with a bias.
            kernel: int8 or float32 array, as the op lays it out.
            axis: of its output channels.
        """
        kernel = np.ascontiguousarray(kernel)
        if kernel.dtype == np.int8:
            return self._integer_constants(layer, kernel, axis)
        return self._float_constants(layer, kernel)


def _end(graph):
    """The twin's floats of integers are the codes in the file."""
    last = graph.calls[-1]
    is_codes = isinstance(last.layer, integer_layers.FromLevels)
    return graph.sources(last)[0] if is_codes else last.name
