"""Tests of the bounds of a .tflite file: what is damaged is named."""

import pathlib

import hostile_files
from absl.testing import absltest, parameterized

from qmia_tf.deploy.tflite import bounds, flatbuffer
from qmia_tf.errors import FileFailure

SHIPPED = pathlib.Path(__file__).parents[2] / "tflite_models"


def _set(name, value):
    return lambda table: setattr(table, name, value)


def _weights(change):
    return lambda model: change(model.subgraphs[0].tensors[1])


def _scales(change):
    return lambda model: change(model.subgraphs[0].tensors[1].quantization)


def _op(change):
    return lambda model: change(model.subgraphs[0].operators[0])


def _graph(change):
    return lambda model: change(model.subgraphs[0])


def _signature(change):
    return lambda model: change(model.signatureDefs[0])


class BoundsTest(parameterized.TestCase):
    def refuses(self, content, pattern):
        with self.assertRaisesRegex(FileFailure, pattern) as caught:
            bounds.check(content, "m.tflite")
        self.assertNotIn("\n", str(caught.exception))

    @parameterized.parameters(
        hostile_files.softmax, hostile_files.endless, hostile_files.huge
    )
    def test_whole_files_pass(self, made):
        bounds.check(made(), "m.tflite")

    def test_shipped_files_pass(self):
        files = sorted(SHIPPED.glob("*.tflite"))
        self.assertNotEmpty(files)
        for file in files:
            bounds.check(file.read_bytes(), file)

    @parameterized.parameters(
        (_op(_set("inputs", [99, 1, -1])), "op 0: an input is number 99, and"),
        (_op(_set("inputs", [-2, 1])), "op 0: an input is number -2"),
        (_op(_set("inputs", [-1, 1])), "op 0: its first input is number -1"),
        (_op(_set("outputs", [-1])), "op 0: an output is number -1, .* are 4"),
        (_op(_set("opcodeIndex", 7)), "its operator code is number 7"),
        (_op(_set("intermediates", [4])), "an intermediate is number 4"),
        (_graph(_set("outputs", [4])), "subgraph 0: an output is number 4"),
        (_graph(_set("inputs", [-1])), "subgraph 0: an input is number -1"),
        (_weights(_set("buffer", 9)), "1 'weights': its buffer is number 9"),
        (_weights(_set("shape", [3, -3])), r"its shape is \[3, -3\]"),
        (
            _weights(_set("shape", [3, 2])),
            r"its shape \[3, 2\] needs 6 bytes, and its buffer holds 9",
        ),
        (
            _weights(_set("shapeSignature", [3])),
            r"its shape is \[3, 3\] and its shape signature \[3\]",
        ),
        (
            _graph(lambda x: _set("shape", [2**31 - 1] * 2)(x.tensors[2])),
            r"tensor 2 'logits': its shape \[.*\] is \d+ bytes",
        ),
        (_scales(_set("scale", [1.0])), "has 1 scales and 3 zero points"),
        (_scales(_set("quantizedDimension", 2)), "its quantized axis is numb"),
        (
            _scales(
                lambda x: (
                    _set("scale", [1, 1])(x),
                    _set("zeroPoint", [0, 0])(x),
                )
            ),
            "its quantization has 2 scales for 3 channels",
        ),
        (_signature(_set("subgraphIndex", 1)), "_default': its subgraph is nu"),
        (
            _signature(lambda x: _set("tensorIndex", 4)(x.inputs[0])),
            "'serving_default': a tensor is number 4",
        ),
        (_set("subgraphs", []), "it has no subgraph"),
    )
    def test_names_what_is_out_of_bounds(self, change, pattern):
        model = flatbuffer.unpack(hostile_files.softmax())
        change(model)
        self.refuses(
            flatbuffer.pack(model),
            rf"m.tflite cannot be run by LiteRT: it is damaged .*{pattern}",
        )

    def test_subgraph_of_a_loop(self):
        model = flatbuffer.unpack(hostile_files.endless())
        model.subgraphs[0].operators[0].builtinOptions.bodySubgraphIndex = 3
        self.refuses(
            flatbuffer.pack(model), "op 0: its subgraph is number 3, and there"
        )

    def test_cut_off_and_turned_bytes_end_in_one_line(self):
        whole = hostile_files.softmax()
        for place in range(8, len(whole), 3):
            cut = whole[:place]
            turned = cut + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]
            for content in (cut, turned):
                try:
                    bounds.check(content, "m.tflite")
                except FileFailure as error:
                    self.assertNotIn("\n", str(error))


if __name__ == "__main__":
    absltest.main()
