"""Tests of files of gradient norms."""

import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from qmia_tf import files
from qmia_tf.errors import InputError
from qmia_tf.outputs import layer_gradients
from qmia_tf.outputs.layer_gradients import LayerGradients

NORMS = np.float32([[1, 2], [3, 4], [5, 6]])
GRADIENTS = LayerGradients(
    NORMS, np.array([7, 2, 5]), ("a", "b"), {"apart": 0.5}
)


class FileTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path) / "t.npz"

    def test_saved_and_loaded(self):
        GRADIENTS.save(self.path)
        loaded = layer_gradients.load(self.path)
        np.testing.assert_array_equal(loaded.norms, NORMS)
        np.testing.assert_array_equal(loaded.record_ids, [7, 2, 5])
        self.assertEqual(loaded.layers, ("a", "b"))
        self.assertEqual(loaded.info, {"apart": 0.5})

    @parameterized.parameters(
        ({"norms": None}, "not a file of gradients: norms missing"),
        ({"layers": np.array([1, 2])}, "layers missing or of another type"),
        ({"norms": NORMS[:2]}, r"norms \[2, 2\] of 3 records and 2 layers"),
        ({"norms": -NORMS}, "not all of them 0 or more"),
        ({"norms": NORMS * np.inf}, "not all of them 0 or more"),
        ({"info": "{"}, "info is not JSON"),
    )
    def test_damaged(self, change, pattern):
        arrays = {
            "norms": NORMS,
            "record_ids": GRADIENTS.record_ids,
            "layers": np.array(GRADIENTS.layers),
            "info": "{}",
            **change,
        }
        kept = {key: x for key, x in arrays.items() if x is not None}
        files.write_npz(self.path, **kept)
        with self.assertRaisesRegex(InputError, pattern):
            layer_gradients.load(self.path)


class RecordsTest(absltest.TestCase):
    def test_of_records(self):
        some = GRADIENTS.of_records(np.array([5, 7]))
        np.testing.assert_array_equal(some.norms, [[5, 6], [1, 2]])
        np.testing.assert_array_equal(some.record_ids, [5, 7])
        with self.assertRaisesRegex(InputError, "other records"):
            GRADIENTS.of_records(np.array([5, 8]))

    def test_total(self):
        np.testing.assert_allclose(
            GRADIENTS.total(), np.sqrt([5, 25, 61]), rtol=1e-15
        )


if __name__ == "__main__":
    absltest.main()
