"""Each op of the differentiable graph against LiteRT, on files of one op."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from integer_nets import run

from qmia_tf.deploy import differentiable
from qmia_tf.deploy.tflite import flatbuffer
from qmia_tf.quantizers.grids import Grid

SHAPE = (6, 7, 5)
GRID = Grid(0.05, -3, -128, 127)
OTHER = Grid(0.043, 11, -128, 127)
UNIT = Grid(1 / 256, -128, -128, 127)
TANH = Grid(1 / 128, 0, -128, 127)
NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
POOL = {
    "options": "Pool2DOptions",
    "filterHeight": 2,
    "filterWidth": 3,
    "strideH": 1,
    "strideW": 2,
}
REDUCE = {"options": "ReducerOptions", "constants": [np.int32([1, 2])]}
# Name of a case: op, fields of its options, shape of its result, and what
# else the case has: constants behind the data, grid of the result, the share
# of codes that may differ by one.
CASES = {
    "relu": ("RELU", {}, SHAPE, {"grid": OTHER}),
    "relu6": ("RELU6", {}, SHAPE, {"grid": OTHER}),
    "relu_n1_to_1": ("RELU_N1_TO_1", {}, SHAPE, {"grid": OTHER}),
    "relu_0_to_1": ("RELU_0_TO_1", {}, SHAPE, {"grid": GRID}),
    "quantize": ("QUANTIZE", {}, SHAPE, {"grid": OTHER}),
    "average": ("AVERAGE_POOL_2D", {**POOL, "padding": 1}, (5, 3, 5), {}),
    "average_same": ("AVERAGE_POOL_2D", {**POOL, "padding": 0}, (6, 4, 5), {}),
    "max": ("MAX_POOL_2D", {**POOL, "padding": 1}, (5, 3, 5), {}),
    "max_same": ("MAX_POOL_2D", {**POOL, "padding": 0}, (6, 4, 5), {}),
    "max_relu": (
        "MAX_POOL_2D",
        {**POOL, "padding": 1, "fusedActivationFunction": RELU},
        (5, 3, 5),
        {},
    ),
    "mean": ("MEAN", REDUCE, (5,), {"grid": OTHER}),
    "mean_kept": ("MEAN", {**REDUCE, "keepDims": True}, (1, 1, 5), {}),
    "sum": ("SUM", REDUCE, (5,), {"grid": Grid(2.0, 0, -128, 127)}),
    "reduce_max": ("REDUCE_MAX", REDUCE, (5,), {}),
    "leaky_relu": (
        "LEAKY_RELU",
        {"options": "LeakyReluOptions", "alpha": 0.2},
        SHAPE,
        {"grid": OTHER},
    ),
    "prelu": (
        "PRELU",
        {"constants": [(np.int8([[[-9, 9, 50, 99, 0]]]), 0.01)]},
        SHAPE,
        {"grid": OTHER},
    ),
    "hard_swish": ("HARD_SWISH", {}, SHAPE, {"grid": OTHER}),
    "logistic": ("LOGISTIC", {}, SHAPE, {"grid": UNIT}),
    "tanh": ("TANH", {}, SHAPE, {"grid": TANH}),
    "softmax": (
        "SOFTMAX",
        {"options": "SoftmaxOptions", "beta": 1.0},
        SHAPE,
        {"grid": UNIT},
    ),
    "pad": (
        "PAD",
        {"constants": [np.int32([[0, 0], [1, 0], [2, 1], [0, 0]])]},
        (7, 10, 5),
        {},
    ),
    "reshape": (
        "RESHAPE",
        {"constants": [np.int32([-1, 210])]},
        (210,),
        {},
    ),
    "transpose": (
        "TRANSPOSE",
        {"constants": [np.int32([0, 2, 1, 3])]},
        (7, 6, 5),
        {},
    ),
    **{
        f"{name.lower()}_{kind}": (
            name,
            {
                "options": f"{name.title()}Options",
                "fusedActivationFunction": kind,
                "constants": [(np.int8([-128, -20, 7, 60, 127]), 0.02)],
            },
            SHAPE,
            {"grid": OTHER},
        )
        for name in ("ADD", "SUB", "MUL")
        for kind in (NONE, RELU, RELU6)
    },
    "minimum": (
        "MINIMUM",
        {"constants": [(np.int8([-128, -20, 7, 60, 127]), GRID.scale)]},
        SHAPE,
        {"grid": Grid(GRID.scale, 0, -128, 127), "source": 0},
    ),
    "maximum": (
        "MAXIMUM",
        {"constants": [(np.int8([-128, -20, 7, 60, 127]), GRID.scale)]},
        SHAPE,
        {"grid": Grid(GRID.scale, 0, -128, 127), "source": 0},
    ),
}
# Ops whose kernels multiply with factors of 8 bits: so many codes may differ
# by one.
COARSE = {"hard_swish": 0.02, "leaky_relu": 0.1, "prelu": 0.01, "quantize": 0.1}


# Ops of which LiteRT knows no second version.
FIRST = (
    *("PRELU", "HARD_SWISH", "RESHAPE", "QUANTIZE"),
    *("RELU_0_TO_1", "RELU_N1_TO_1"),
)


def op_file(op, fields, shape, dtype, *, grid=None, source=None):
    """A file of one op, of int8 or of floats."""
    fields, is_int8 = dict(fields), dtype == np.int8
    writer = flatbuffer.Writer(op)
    start = GRID if source is None else Grid(GRID.scale, source, -128, 127)
    entry = writer.tensor("in", SHAPE, dtype, start if is_int8 else None)
    inputs = [entry]
    for number, constant in enumerate(fields.pop("constants", ())):
        scales = None
        if isinstance(constant, tuple):
            codes, scale = constant
            scales = np.float32([scale]) if is_int8 else None
            constant = codes if is_int8 else np.float32(codes) * scale
        inputs.append(
            writer.constant(f"c{number}", np.asarray(constant), scales=scales)
        )
    end = writer.tensor(
        "end", shape, dtype, (grid or start) if is_int8 else None
    )
    version = 1 if op in FIRST else 2
    writer.op(op, inputs, [end], version=version, **fields)
    return writer.to_bytes({"in": entry}, {"end": end})


def levels(network, codes):
    """The codes of a network's output, in its own shape."""
    graph = network._graph
    end = graph.tensors[graph.output]
    data = network.run(codes)[graph.output].numpy()
    if not end.is_quantized:
        return data
    return (data + end.zero_points[0]).astype(end.dtype)


class OpsTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*CASES)
    def test_codes(self, case):
        op, fields, shape, more = CASES[case]
        content = op_file(op, fields, shape, np.int8, **more)
        rng = np.random.default_rng(3)
        codes = rng.integers(-128, 128, (20, *SHAPE), np.int8)
        (theirs,) = run(content, codes).values()
        ours = levels(differentiable.load(content), codes)
        away = np.abs(ours.astype(int) - theirs)
        self.assertEqual(ours.shape, theirs.shape)
        self.assertLessEqual(away.max(), 1, case)
        self.assertLessEqual((away > 0).mean(), COARSE.get(case, 0.002), case)

    @parameterized.parameters(*(case for case in CASES if case != "quantize"))
    def test_floats(self, case):
        op, fields, shape, _ = CASES[case]
        content = op_file(op, fields, shape, np.float32)
        values = np.random.default_rng(3).normal(0, 3, (20, *SHAPE))
        values = values.astype(np.float32)
        (theirs,) = run(content, values).values()
        ours = levels(differentiable.load(content), values)
        # float32 sums in another order; XNNPACK's own sigmoid and tanh.
        self.assertAllClose(ours, theirs, atol=2e-6, rtol=2e-6)


if __name__ == "__main__":
    tf.test.main()
