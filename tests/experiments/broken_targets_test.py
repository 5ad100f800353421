"""Tests of audits in which a model file is damaged or breaks its runtime."""

import io
import pathlib
import zipfile

import hostile_files
import numpy as np
from absl.testing import absltest, parameterized

import qmia_tf
from qmia_tf.errors import InputError


def _archive():
    """A ZIP archive that holds the parts of a .keras file, all empty."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, "{}")
    return file.getvalue()


class BrokenTargetsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.create_tempdir().full_path)
        self.files = {
            name: folder / f"{name}.tflite"
            for name in ("good", "endless", "damaged")
        }
        self.folder = folder
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

    @parameterized.parameters(
        ("net.tflite", b"", "net.tflite is empty: copy it"),
        ("net.tflite", b"notes", "net.tflite is not a .tflite file: copy"),
        ("net.keras", b"", "net.keras is not a .keras file"),
        ("net.keras", b"notes", "net.keras is not a .keras file"),
        ("net.keras", _archive(), "net.keras cannot be loaded as a Keras"),
        ("net.h5", b"", "net.h5 is not an HDF5 file"),
    )
    def test_one_that_is_no_model(self, name, content, reason):
        self.files["bad"] = self.folder / name
        self.files["bad"].write_bytes(content)
        audit, _ = self.audit("bad", "good")
        self.assertEqual([x.target for x in audit.targets], ["good"])
        self.assertRegex(audit.left_out[0].reason, reason)
        with self.assertRaisesRegex(InputError, reason):
            self.audit("bad")

    def test_nothing_is_left(self):
        with self.assertRaisesRegex(
            InputError, "damaged.tflite cannot be run .* damaged or cut off"
        ) as caught:
            self.audit("damaged")
        self.assertNotIn("\n", str(caught.exception))


if __name__ == "__main__":
    absltest.main()
