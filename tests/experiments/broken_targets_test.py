"""Tests of audits in which a .tflite file breaks its runtime."""

import pathlib

import hostile_files
import numpy as np
from absl.testing import absltest

import qmia_tf
from qmia_tf.errors import InputError


class BrokenTargetsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.create_tempdir().full_path)
        self.files = {
            name: folder / f"{name}.tflite"
            for name in ("good", "endless", "damaged")
        }
        good = hostile_files.softmax()
        self.files["good"].write_bytes(good)
        self.files["endless"].write_bytes(hostile_files.endless())
        self.files["damaged"].write_bytes(good[: len(good) // 2])
        rng = np.random.default_rng(0)
        self.sides = [
            (values, values.argmax(axis=1))
            for values in rng.random((2, 40, 3)).astype(np.float32)
        ]

    def audit(self, *names, **options):
        lines = []
        audit = qmia_tf.audit(
            {name: self.files[name] for name in names},
            *self.sides,
            outputs=[
                "auto" if name == "good" else "probabilities" for name in names
            ],
            file_timeout=2,
            progress=lines.append,
            **options,
        )
        return audit, lines

    def test_others_go_on(self):
        audit, lines = self.audit("endless", "good", "damaged")
        self.assertEqual([x.target for x in audit.targets], ["good"])
        reasons = {x.target: x.reason for x in audit.left_out}
        self.assertEqual(list(reasons), ["endless", "damaged"])
        self.assertRegex(reasons["endless"], "more than 2 s at records 0 to 79")
        self.assertRegex(reasons["damaged"], "it is damaged or cut off")
        self.assertIn(f"endless is left out: {reasons['endless']}", lines)

    def test_nothing_is_left(self):
        with self.assertRaisesRegex(
            InputError, "damaged.tflite cannot be run .* damaged or cut off"
        ) as caught:
            self.audit("damaged")
        self.assertNotIn("\n", str(caught.exception))


if __name__ == "__main__":
    absltest.main()
