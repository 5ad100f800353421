"""Labels in every form that people have them in."""

import numpy as np
import pandas as pd
from absl.testing import absltest, parameterized

from qmia_tf.data import labels
from qmia_tf.errors import InputError


class TakenTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("integers", np.array([2, 0, 1], np.uint8)),
        ("list", [2, 0, 1]),
        ("column", np.array([[2], [0], [1]])),
        ("floats", np.array([2.0, 0.0, 1.0], np.float32)),
        ("float_column", np.array([[2.0], [0.0], [1.0]])),
        ("one_hot", np.eye(3)[[2, 0, 1]]),
        ("one_hot_integers", np.eye(3, dtype=int)[[2, 0, 1]]),
        ("one_hot_booleans", np.eye(3, dtype=bool)[[2, 0, 1]]),
        ("objects", np.array([2, 0, 1], object)),
        ("float_objects", np.array([2.0, 0, 1], object)),
        ("series", pd.Series([2, 0, 1])),
        ("nullable", pd.Series([2, 0, 1], dtype="Int64")),
        ("frame", pd.DataFrame({"label": [2.0, 0.0, 1.0]})),
    )
    def test_numbers(self, given):
        parsed = labels.read(given, "here")
        self.assertEqual(parsed.numbers.tolist(), [2, 0, 1])
        self.assertEqual(parsed.numbers.dtype, np.int64)
        self.assertIsNone(parsed.names)

    @parameterized.named_parameters(
        ("text", np.array(["eel", "cat", "dog"])),
        ("bytes", np.array([b"eel", b"cat", b"dog"])),
        ("objects", np.array(["eel", "cat", "dog"], object)),
        ("bytes_objects", np.array([b"eel", b"cat", b"dog"], object)),
        ("column", np.array([["eel"], ["cat"], ["dog"]], object)),
        ("series", pd.Series(["eel", "cat", "dog"])),
        ("categories", pd.Series(["eel", "cat", "dog"], dtype="category")),
        ("strings", pd.Series(["eel", "cat", "dog"], dtype="string")),
        (
            "numpy_strings",
            np.array(["eel", "cat", "dog"], np.dtypes.StringDType()),
        ),
    )
    def test_names(self, given):
        parsed = labels.read(given, "here")
        self.assertEqual(parsed.names, ("cat", "dog", "eel"))
        self.assertEqual(parsed.numbers.tolist(), [2, 0, 1])

    @parameterized.named_parameters(
        ("array", np.array([True, False])),
        ("column", np.array([[True], [False]])),
        ("objects", np.array([True, False], object)),
        ("series", pd.Series([True, False])),
    )
    def test_booleans(self, given):
        parsed = labels.read(given, "here")
        self.assertEqual(parsed.numbers.tolist(), [1, 0])
        self.assertEqual(parsed.taken, "booleans, True is 1")

    def test_one_hot_is_said(self):
        self.assertEqual(labels.read(np.eye(3), "here").taken, "one-hot [3, 3]")
        self.assertEqual(labels.read(np.arange(3.0), "here").taken, "")


class RefusedTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("half", [0.0, 0.5], "label 0.5 of record 1 is not a whole number"),
        ("nan", [0.0, np.nan], "label nan of record 1 is not a whole number"),
        ("infinite", [np.inf, 1], "label inf of record 0 is not a whole"),
        (
            "several",
            [[1, 0, 1], [0, 1, 0]],
            r"labels \[2, 3\] mark 2 classes of record 0 .1 of 2 records not "
            "one.: several labels a record .multi-label, as of independent s",
        ),
        ("no_class", np.zeros((2, 3)), "mark 0 classes of record 0"),
        ("lists", [[1], [0, 2]], "different lengths: several labels a rec"),
        ("soft", [[0.9, 0.1], [0.2, 0.8]], "are shares of classes"),
        (
            "table",
            [[3, 1], [2, 4]],
            r"int64 \[2, 2\], not whole numbers or nam",
        ),
        ("cube", np.zeros((2, 2, 2)), r"labels are float64 \[2, 2, 2\], not"),
        (
            "mixed",
            np.array(["a", "b", 3], object),
            "label 3 of record 2: labels",
        ),
        (
            "missing",
            pd.Series(["a", None, "b"], dtype=object),
            "label None of record 1: labels are all numbers or all names, and "
            "none may be missing",
        ),
        (
            "missing_number",
            pd.Series([1, None], dtype="Int64"),
            "<NA> of record|label nan of record 1",
        ),
        ("dates", np.array(["2020-01-01"], "M8[D]"), "labels are datetime64"),
        ("complex", np.array([1j]), "labels are complex128"),
        ("no_text", np.array([b"\xff\xfe"]), "bytes that are not UTF-8"),
    )
    def test_says_what_is_wrong(self, given, pattern):
        with self.assertRaisesRegex(
            InputError, f"^here: .*{pattern}"
        ) as caught:
            labels.read(given, "here")
        self.assertNotIn("\n", str(caught.exception))
        self.assertNotIn("argmax", str(caught.exception))


if __name__ == "__main__":
    absltest.main()
