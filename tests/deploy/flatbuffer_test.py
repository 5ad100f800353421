"""Tests of writing .tflite files op by op, as LiteRT and its schema read."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from ai_edge_litert import schema_py_generated as schema
from integer_nets import run

from qmia_tf.deploy.tflite import flatbuffer
from qmia_tf.quantizers.grids import Grid


def _add_file():
    """c = relu(a + k) in floats, and d = int8 codes of c."""
    writer = flatbuffer.Writer("a file of the tests")
    source = writer.tensor("a", (3,), np.float32)
    constant = writer.constant("k", np.array([1, -2, 3], np.float32))
    total = writer.tensor("c", (3,), np.float32)
    codes = writer.tensor("d", (3,), np.int8, Grid(0.5, -3, -128, 127))
    writer.op(
        "ADD",
        [source, constant],
        [total],
        options="AddOptions",
        fusedActivationFunction=1,
    )
    writer.op("QUANTIZE", [total], [codes], options="QuantizeOptions")
    return writer.to_bytes({"a": source}, {"d": codes})


class WriterTest(parameterized.TestCase, tf.test.TestCase):
    def test_file_computes_its_ops(self):
        values = np.array([[0, 0, 0], [0.5, 9, -3.5]], np.float32)
        outputs = run(_add_file(), values)
        sums = np.maximum(values + [1, -2, 3], 0)
        self.assertAllEqual(outputs["d"], np.rint(sums / 0.5) - 3)

    def test_sizes_that_may_change(self):
        writer = flatbuffer.Writer("sizes")
        index = writer.tensor("a", (None, 5, None, 2), np.float32)
        model = flatbuffer.unpack(writer.to_bytes({"a": index}, {"a": index}))
        tensor = model.subgraphs[0].tensors[index]
        self.assertAllEqual(tensor.shape, [1, 1, 5, 1, 2])
        self.assertAllEqual(tensor.shapeSignature, [-1, -1, 5, -1, 2])

    def test_op_codes_are_shared_by_kind_and_version(self):
        writer = flatbuffer.Writer("codes")
        index = writer.tensor("a", (2,), np.float32)
        for name, version in (
            ("ADD", 1),
            ("MUL", 1),
            ("ADD", 1),
            ("ADD", 2),
            ("BROADCAST_TO", 3),
        ):
            writer.op(name, [index, index], [index], version=version)
        model = flatbuffer.unpack(writer.to_bytes({"a": index}, {"a": index}))
        kinds = schema.BuiltinOperator
        op_codes = [
            (code.builtinCode, code.version, code.deprecatedBuiltinCode)
            for code in model.operatorCodes
        ]
        self.assertEqual(
            op_codes,
            [
                (kinds.ADD, 1, kinds.ADD),
                (kinds.MUL, 1, kinds.MUL),
                (kinds.ADD, 2, kinds.ADD),
                # 130 does not fit in the field that old readers know.
                (kinds.BROADCAST_TO, 3, 127),
            ],
        )
        order = [op.opcodeIndex for op in model.subgraphs[0].operators]
        self.assertEqual(order, [0, 1, 0, 2, 3])


class WithOutputsTest(tf.test.TestCase):
    def test_shows_tensors_and_changes_nothing(self):
        content = _add_file()
        values = np.float32([[1, 2, 3]])
        shown = flatbuffer.with_outputs(content, lambda tensor: True)
        outputs = run(shown, values)
        self.assertEqual(list(outputs), ["c", "d"])
        self.assertAllEqual(outputs["c"], [[2, 0, 6]])
        self.assertAllEqual(outputs["d"], run(content, values)["d"])
        one, two = (flatbuffer.unpack(c).subgraphs[0] for c in (content, shown))
        self.assertEqual(len(one.tensors), len(two.tensors))
        for first, second in zip(one.operators, two.operators, strict=True):
            self.assertAllEqual(first.inputs, second.inputs)
            self.assertAllEqual(first.outputs, second.outputs)

    def test_only_those_that_are_wanted(self):
        shown = flatbuffer.with_outputs(_add_file(), flatbuffer.is_int8)
        self.assertEqual(list(run(shown, np.zeros((1, 3), np.float32))), ["d"])
        shown = flatbuffer.with_outputs(
            _add_file(), lambda tensor: tensor.name == b"c"
        )
        self.assertEqual(list(run(shown, np.zeros((1, 3), np.float32))), ["c"])


if __name__ == "__main__":
    tf.test.main()
