"""Tests of the table that scripts/export.py prints."""

from absl.testing import absltest

from qmia_tf.deploy import manifest


def port(dtype, scale=0.0, zero_point=0):
    return {"dtype": dtype, "scale": scale, "zero_point": zero_point}


def layer(*types):
    names = ("input", "weights", "output")
    return {"name": "x", **dict(zip(names, types, strict=True))}


INTEGER, HYBRID = ["int8"] * 3, ["float32", "int8", "float32"]
ENTRIES = [
    {
        "file": "int8_io.tflite",
        "size_bytes": 1_234_567,
        "ops": {"CONV_2D": 2, "QUANTIZE": 1},
        "layers": [layer(*INTEGER), layer("int8", "int4", "int8")],
        "input": port("uint8", 1 / 255),
        "output": port("int8", 0.09127, -9),
        "left": {"QUANTIZE": 1, "SOFTMAX": 2},
    },
    {
        "file": "dynamic.tflite",
        "size_bytes": 5_000,
        "ops": {"CONV_2D": 3},
        "layers": [layer(*["float32"] * 3), layer(*HYBRID), layer(*HYBRID)],
        "input": port("float32"),
        "output": port("float32"),
        "left": {},
    },
]
TABLE = """
file            MB     ops  layers                      \
input               output                left to builtin
int8_io.tflite  1.235  3    1 int8 + 1 int4             \
uint8 1/255 zero 0  int8 0.09127 zero -9  1 QUANTIZE + 2 SOFTMAX
dynamic.tflite  0.005  3    1 float32 + 2 int8 weights  \
float32             float32               none
"""


class TableTest(absltest.TestCase):
    def test_a_line_an_entry(self):
        self.assertEqual(manifest.table(ENTRIES), TABLE.strip())

    def test_nothing(self):
        self.assertLen(manifest.table([]).splitlines(), 1)


if __name__ == "__main__":
    absltest.main()
