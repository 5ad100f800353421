"""The integer twin as a .tflite file of int8 kernels, and its schemes."""

import dataclasses
from collections.abc import Mapping

import keras
import numpy as np

from qmia_tf.deploy.flat_model import read_flat
from qmia_tf.deploy.integer import integer_network
from qmia_tf.deploy.integer.layer_ops import OPS, LayerOp
from qmia_tf.deploy.scheme import CALIBRATION, Converted, Scheme, is_quantized
from qmia_tf.deploy.tflite.flatbuffer import Writer
from qmia_tf.errors import InputError
from qmia_tf.layers import integer_layers
from qmia_tf.quantizers.grids import Grid


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor of the file.

    Attributes:
        index: of the tensor.
        shape: of one record.
        grid: None for floats.
    """

    index: int
    shape: tuple[int | None, ...]
    grid: Grid | None


class File:
    """One twin on its way into a file, written op by op."""

    def __init__(self, twin: keras.Model, ops: Mapping[type, LayerOp] = OPS):
        self.twin = twin
        self.writer = Writer(f"{twin.name}, written by qmia_tf")
        self._ops = ops

    def to_bytes(self) -> bytes:
        """Writes every layer; returns the file."""
        graph, tensors = read_flat(self.twin), {}
        for call in graph.calls:
            inputs = [tensors[name] for name in graph.sources(call)]
            op = self._ops.get(type(call.layer), LayerOp())
            if op.emit is None:
                raise InputError(
                    f"layer {call.name!r} ({call.kind}) is none of an integer "
                    "twin's: write what integer.fold gives"
                )
            tensors[call.name] = op.emit(self, call.layer, *inputs)
        first, last = graph.calls[0].name, graph.calls[-1]
        end = last.name
        if isinstance(last.layer, integer_layers.FromLevels):
            # The twin's floats of integers are the codes in the file.
            (end,) = graph.sources(last)
        return self.writer.to_bytes(
            {first: tensors[first].index}, {end: tensors[end].index}
        )

    def add_tensor(
        self, layer, grid: Grid | None, *, shape=None, dtype=np.int8
    ) -> Tensor:
        """Adds a tensor for a layer's result: codes on a grid, or float32."""
        shape = tuple(layer.output.shape[1:] if shape is None else shape)
        dtype = np.float32 if grid is None else dtype
        index = self.writer.tensor(layer.name, shape, dtype, grid)
        return Tensor(index, shape, grid)


def to_tflite(twin: keras.Model) -> bytes:
    """Writes an integer twin as a .tflite file.

    The input is uint8 pixels (scale 1/255, zero point 0). The output is
    float32 probabilities, or int8 codes where the twin's head is integer.

    Args:
        twin: what integer_network.fold returned, or the same loaded from a
            file.
    """
    return File(twin).to_bytes()


def refusal(model: keras.Model, *, head: str = "float") -> str | None:
    """Says why int8 kernels cannot carry a model, or gives None.

    The head is "float" for the scheme int8, "integer" for int8_io.
    """
    try:
        integer_network.fold(model, head=head, logits_range=(-1.0, 1.0))
    except InputError as error:
        return str(error)
    return None


def float_layers(twin: keras.Model) -> list[str]:
    """Names the convolutions and dense layers that a twin keeps in floats."""
    kinds = (
        keras.layers.Conv2D,
        keras.layers.DepthwiseConv2D,
        keras.layers.Dense,
    )
    return [layer.name for layer in twin.layers if isinstance(layer, kinds)]


def _refuse(head):
    def refusal_of(model):
        if not is_quantized(model):
            return "it is not quantized, so there are no codes to carry"
        return refusal(model, head=head)

    return refusal_of


def _converted(twin, outputs="probabilities"):
    return Converted(
        to_tflite(twin),
        float_layers=tuple(float_layers(twin)),
        outputs=outputs,
        twin=twin,
    )


def _to_int8_io(job):
    logits_range = integer_network.calibrate(
        integer_network.fold(job.model), job.images
    )
    outputs = job.settings.int8_output
    twin = integer_network.fold(
        job.model, head="integer", outputs=outputs, logits_range=logits_range
    )
    is_logits = outputs == "logits"
    return _converted(twin, "logits" if is_logits else "probabilities")


INT8 = Scheme(
    "the trained codes in int8 kernels, float head",
    lambda job: _converted(integer_network.fold(job.model)),
    refusal=_refuse("float"),
    nearest=("int8_ptq", "float32"),
)
INT8_IO = Scheme(
    "the trained codes in int8 kernels, integer head",
    _to_int8_io,
    refusal=_refuse("integer"),
    nearest=("int8", "int8_ptq", "float32"),
    settings=(*CALIBRATION, "int8_output"),
    members=True,
)
