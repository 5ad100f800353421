"""Tests of the table that scripts/export.py prints."""

from absl.testing import absltest

from qmia_tf.deploy import manifest_table


def port(dtype, scale=0.0, zero_point=0):
    return {"dtype": dtype, "scale": scale, "zero_point": zero_point}


def layer(*types):
    names = ("input", "weights", "output")
    return {"name": "x", **dict(zip(names, types, strict=True))}


class TableTest(absltest.TestCase):
    def test_a_line_an_entry(self):
        integer, plain = ["int8"] * 3, ["float32"] * 3
        entries = [
            {
                "file": "int8_io.tflite",
                "size_bytes": 1_234_567,
                "ops": {"CONV_2D": 2, "QUANTIZE": 1},
                "layers": [layer(*integer), layer("int8", "int4", "int8")],
                "input": port("uint8", 1 / 255),
                "output": port("int8", 0.09127, -9),
                "left": {"QUANTIZE": 1, "SOFTMAX": 2},
            },
            {
                "file": "dynamic.tflite",
                "size_bytes": 5_000,
                "ops": {"CONV_2D": 3},
                "layers": [
                    layer(*plain),
                    layer("float32", "int8", "float32"),
                    layer("float32", "int8", "float32"),
                ],
                "input": port("float32"),
                "output": port("float32"),
                "left": {},
            },
        ]
        heading, *lines = manifest_table.table(entries).splitlines()
        self.assertEqual(heading.split()[:4], ["file", "MB", "ops", "layers"])
        cells = [[c for c in line.split("  ") if c] for line in lines]
        cells = [[cell.strip() for cell in row] for row in cells]
        self.assertEqual(
            cells,
            [
                [
                    "int8_io.tflite",
                    "1.235",
                    "3",
                    "1 int8 + 1 int4",
                    "uint8 1/255 zero 0",
                    "int8 0.09127 zero -9",
                    "1 QUANTIZE + 2 SOFTMAX",
                ],
                [
                    "dynamic.tflite",
                    "0.005",
                    "3",
                    "1 float32 + 2 int8 weights",
                    "float32",
                    "float32",
                    "none",
                ],
            ],
        )
        self.assertEqual({len(line.split("  ")[0]) for line in lines}, {14})

    def test_nothing(self):
        self.assertLen(manifest_table.table([]).splitlines(), 1)


if __name__ == "__main__":
    absltest.main()
