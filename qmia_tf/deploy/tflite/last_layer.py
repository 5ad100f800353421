"""The last layer of a .tflite file: its exact logits, and what enters it.

What follows it, a softmax and what only moves or rounds numbers, hides
nothing from who holds the file. Needs NumPy and ai-edge-litert's schema.
"""

import dataclasses
import math

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qmia_tf.errors import InputError

# What only moves or rounds numbers.
PASSED = (
    *("DEQUANTIZE", "QUANTIZE", "RESHAPE"),
    *("SQUEEZE", "EXPAND_DIMS"),
)
ENDINGS = ("SOFTMAX", "LOGISTIC")
NAMES = {
    number: name
    for name, number in vars(schema.BuiltinOperator).items()
    if isinstance(number, int)
}
TYPES = {
    number: name
    for name, number in vars(schema.TensorType).items()
    if isinstance(number, int)
}
CODES = {
    "INT8": np.int8,
    "UINT8": np.uint8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
}
# Of floats as LiteRT computes them, the numbers before the softmax are exact.
FLOATS = ("FLOAT32", "FLOAT16")
# Below it every whole number is a float64, so that products by BLAS are exact.
EXACT = 2**53


@dataclasses.dataclass(frozen=True, eq=False)
class IntegerWeights:
    """What an integer layer computes: (q - z) (w - v) + b, times scales.

    Attributes:
        scale, zero_point: of the codes q that enter it, scale > 0.
        weights: float64 [F, C], whole numbers w - v.
        bias: float64 [C], whole numbers.
        scales: float64 [C], of the accumulators.
    """

    scale: float
    zero_point: int
    weights: np.ndarray
    bias: np.ndarray
    scales: np.ndarray

    def accumulators(self, codes: np.ndarray) -> np.ndarray:
        """Integer codes [..., F] -> float64 [..., C], exact whole numbers."""
        return (codes - np.float64(self.zero_point)) @ self.weights + self.bias

    def logits(self, codes: np.ndarray) -> np.ndarray:
        """Integer codes [..., F] -> float64 [..., C]."""
        return self.accumulators(codes) * self.scales


@dataclasses.dataclass(frozen=True, eq=False)
class LastLayer:
    """A dense layer, or a 1x1 convolution, with the softmax behind it.

    Attributes:
        op: "FULLY_CONNECTED" or "CONV_2D".
        entry: index of the tensor that enters it.
        result: index of the tensor of float logits; None of an integer layer.
        integers: of an integer layer; None of floats.
        beta: what the softmax multiplies logits by.
        has_bias: whether it has one.
        one_unit: whether it gives one number a record, for a logistic.
        is_mean: whether the mean over all places of an image is taken.
    """

    op: str
    entry: int
    result: int | None
    integers: IntegerWeights | None
    beta: float
    has_bias: bool
    one_unit: bool
    is_mean: bool

    @property
    def tensors(self) -> list[int]:
        """The tensors that have to be seen."""
        known = self.entry, self.result
        return [index for index in known if index is not None]

    @property
    def facts(self) -> dict:
        """What is said of it, JSON types."""
        integers = self.integers
        return {
            "op": self.op,
            "numbers": "integers" if integers else "floats",
            "step": integers.scale if integers else 0.0,
            "zero_point": integers.zero_point if integers else 0,
            "has_bias": self.has_bias,
            "one_unit": self.one_unit,
        }

    def read(
        self, entry: np.ndarray, result: np.ndarray | None, count: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Gives the exact logits and what enters the layer.

        Args:
            entry: the tensor that enters it, of so many records.
            result: the tensor of float logits.
        Returns: float64 [B, C]; and [B, F], codes of an integer layer, which
            step and zero_point turn into numbers, or floats.
        Raises: InputError if the tensors are not those of so many records.
        """
        places = _places(entry, count, self.op)
        if self.integers is not None:
            logits = self.integers.logits(places)
        else:
            logits = _places(result, count, self.op).astype(np.float64)
        if places.shape[1] > 1 and not self.is_mean:
            raise InputError(
                f"its {self.op} is computed at {places.shape[1]} places of a "
                "record"
            )
        entered = places[:, 0]
        if places.shape[1] > 1:
            entered = places.mean(axis=1, dtype=np.float64).astype(np.float32)
        return self.beta * logits.mean(axis=1), entered


def find(model: schema.ModelT, end: int) -> LastLayer:
    """Finds the last layer that computes an output of the main graph.

    Args:
        model: of one graph.
        end: index of the output's tensor.
    Raises: InputError that names the op that is not understood.
    """
    (graph,) = model.subgraphs
    made_by = {index: op for op in graph.operators for index in op.outputs}
    beta, ending, before, is_mean = 1.0, None, end, False
    index = end
    while True:
        op = made_by.get(index)
        if op is None:
            raise InputError("no op computes its output")
        name = _op_name(model, op)
        if name in ENDINGS and ending is None:
            ending, before = name, op.inputs[0]
            if name == "SOFTMAX" and op.builtinOptions is not None:
                beta = float(op.builtinOptions.beta)
        elif name == "MEAN" and not is_mean:
            _require_mean_of_places(model, graph, op)
            is_mean = True
        elif name not in PASSED:
            break
        index = op.inputs[0]
    what = f"{name}, which computes its output"
    if ending:
        what = f"{name} before its {ending}"
    kernel = _kernel(model, graph, op, name, what)
    entry = graph.tensors[op.inputs[0]]
    kind, units = TYPES[entry.type], int(kernel.shape[0])
    if ending == "LOGISTIC" and units != 1:
        raise InputError(f"it ends in {units} sigmoids (LOGISTIC)")
    has_bias = len(op.inputs) > 2 and op.inputs[2] >= 0
    integers = None
    if kind not in FLOATS:
        integers = _integers(model, graph, op, kernel, what)
    return LastLayer(
        op=name,
        entry=int(op.inputs[0]),
        result=None if integers else int(_float_logits(graph, before, op)),
        integers=integers,
        beta=beta,
        has_bias=bool(has_bias),
        one_unit=units == 1,
        is_mean=is_mean,
    )


def _op_name(model, op):
    code = model.operatorCodes[op.opcodeIndex]
    if code.customCode:
        return bytes(code.customCode).decode(errors="replace")[:40]
    # Older files know the second field only.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return NAMES.get(number, f"op {number}")


def _float_logits(graph, before, op):
    """The floats before a softmax; where they are codes, the layer's own."""
    if TYPES[graph.tensors[before].type] == "FLOAT32":
        return before
    return op.outputs[0]


def _kernel(model, graph, op, name, what):
    """The tensor of the weights [C, F], or [C, 1, 1, F]."""
    if name not in ("FULLY_CONNECTED", "CONV_2D"):
        raise InputError(
            f"{what} is not understood: a FULLY_CONNECTED or 1x1 CONV_2D is "
            "needed"
        )
    options = op.builtinOptions
    if getattr(options, "fusedActivationFunction", 0):
        raise InputError(f"{what} has an activation function of its own")
    if getattr(options, "weightsFormat", 0):
        raise InputError(f"{what} stores its weights in a shuffled format")
    kernel = graph.tensors[op.inputs[1]]
    shape = [int(size) for size in kernel.shape]
    if name == "CONV_2D" and (len(shape) != 4 or shape[1:3] != [1, 1]):
        raise InputError(f"{what} has a kernel of {shape[1:3]}, not 1x1")
    if name == "CONV_2D" and (options.strideH, options.strideW) != (1, 1):
        raise InputError(f"{what} has strides")
    if len(shape) not in (2, 4):
        raise InputError(f"{what} has weights of shape {shape}")
    return kernel


def _integers(model, graph, op, kernel, what):
    entry = graph.tensors[op.inputs[0]]
    scale, zero_point = _grid(entry, f"the input of {what}")
    weights = _constant(model, kernel, f"the weights of {what}")
    weights = weights.reshape(weights.shape[0], -1).astype(np.float64)
    steps = np.array(kernel.quantization.scale, np.float64)
    zeros = np.array(kernel.quantization.zeroPoint, np.float64)
    if steps.size not in (1, len(weights)) or zeros.size != steps.size:
        raise InputError(f"the weights of {what} have {steps.size} scales")
    weights = weights - zeros.reshape(-1, 1)
    bias = np.zeros(len(weights))
    if len(op.inputs) > 2 and op.inputs[2] >= 0:
        tensor = graph.tensors[op.inputs[2]]
        bias = _constant(model, tensor, f"the bias of {what}").reshape(-1)
        bias = bias.astype(np.float64)
    limits = np.iinfo(CODES[TYPES[entry.type]])
    most = max(abs(limits.min - zero_point), abs(limits.max - zero_point))
    reach = most * np.abs(weights).sum(axis=1) + np.abs(bias)
    if bias.shape != (len(weights),) or not reach.max() < EXACT:
        raise InputError(f"the sums of {what} do not fit into float64")
    return IntegerWeights(
        scale, zero_point, weights.T.copy(), bias, scale * steps
    )


def _grid(tensor, what):
    quantization = tensor.quantization
    scales = [] if quantization is None else quantization.scale
    scales = [] if scales is None else scales
    if TYPES[tensor.type] not in CODES or len(scales) != 1 or not scales[0] > 0:
        raise InputError(
            f"{what} is {TYPES[tensor.type]} with {len(scales)} scales"
        )
    return float(scales[0]), int(quantization.zeroPoint[0])


def _constant(model, tensor, what):
    """The integers of a constant."""
    dtype = CODES.get(TYPES[tensor.type])
    data = model.buffers[tensor.buffer].data
    if dtype is None or data is None or tensor.sparsity is not None:
        raise InputError(f"{what} are no constant of plain integers")
    values = np.frombuffer(np.asarray(data, np.uint8).tobytes(), dtype)
    shape = [int(size) for size in tensor.shape]
    if math.prod(shape) != values.size or not values.size:
        raise InputError(f"{what} are {values.size} numbers, not {shape}")
    return values.reshape(shape)


def _require_mean_of_places(model, graph, op):
    entry = graph.tensors[op.inputs[0]]
    axes = graph.tensors[op.inputs[1]]
    rank = len(entry.shape)
    known = _constant(model, axes, "the axes of MEAN").reshape(-1).tolist()
    if rank != 4 or sorted(axis % rank for axis in known) != [1, 2]:
        raise InputError(f"its MEAN over axes {known} is not understood")


def _places(tensor, count, op):
    """Gives [records, places, numbers] of a tensor."""
    if not len(tensor) or tensor.size % count or tensor.shape[0] != count:
        raise InputError(
            f"{op} has a tensor of {list(tensor.shape)} for {count} records"
        )
    return tensor.reshape(count, -1, tensor.shape[-1])
