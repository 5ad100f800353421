"""Tests of the models that ship with the project: they are what they say."""

import json
import pathlib
import shutil

import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import shipped
from qmia_tf.errors import InputError

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "tflite_models"
W4A4 = "digits_w4a4_int8"


class ShippedTest(tf.test.TestCase):
    def test_files_are_what_the_manifest_says(self):
        self.assertEqual(shipped.check(FOLDER), [])

    def test_what_ships(self):
        manifest = json.loads((FOLDER / "manifest.json").read_text())
        names = {
            f"digits_{bits}_{scheme}"
            for bits in ("w4a4", "w2a2")
            for scheme in ("float32", "int8", "int8_io")
        }
        names |= {"digits_w32a32_float32", "digits_w32a32_int8_ptq"}
        self.assertEqual(set(manifest["models"]), names)
        for name, entry in manifest["models"].items():
            # A network that did not learn would be no use to anybody.
            self.assertGreater(entry["nonmembers_right"], 700, name)
            if "int8" in name and entry["twin"]:
                self.assertEqual(entry["mismatches"], 0, name)
                self.assertGreater(entry["codes"], 10**7, name)
        self.assertIn("make_tflite_models.py", manifest["command"])

    def test_readme_has_every_model(self):
        text = (FOLDER / "README.md").read_text()
        manifest = json.loads((FOLDER / "manifest.json").read_text())
        for name, entry in manifest["models"].items():
            right = 100 * entry["nonmembers_right"] / entry["nonmembers"]
            size = entry["size_bytes"] / 1e6
            self.assertRegex(text, rf"{name}\S* .*{size:.2f} .*{right:.2f}")


class DamageTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path) / "models"
        shutil.copytree(FOLDER, self.dir)
        # One model is enough to see damage, and quick to run.
        self.edit(lambda m: {"models": {W4A4: m["models"][W4A4]}})
        for path in self.dir.iterdir():
            if W4A4 not in path.name or "int8_io" in path.name:
                if path.name not in ("manifest.json", "README.md"):
                    path.unlink()

    def edit(self, change):
        path = self.dir / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest.update(change(manifest))
        path.write_text(json.dumps(manifest))

    def edit_model(self, **values):
        self.edit(lambda m: {"models": {W4A4: {**m["models"][W4A4], **values}}})

    def test_undamaged(self):
        self.assertEqual(shipped.check(self.dir), [])

    def test_changed_byte(self):
        path = self.dir / f"{W4A4}.tflite"
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        (line,) = shipped.check(self.dir)
        self.assertRegex(line, f"{W4A4}: {W4A4}.tflite has another sha256")

    def test_missing_twin_and_stranger(self):
        (self.dir / f"{W4A4}_twin.keras").rename(self.dir / "other.keras")
        self.assertEqual(
            shipped.check(self.dir),
            [
                f"{W4A4}: {W4A4}_twin.keras is missing",
                "other.keras is not in the manifest",
            ],
        )

    @parameterized.parameters("members_right", "nonmembers_right", "mismatches")
    def test_other_figure(self, key):
        self.edit_model(**{key: 17})
        (line,) = shipped.check(self.dir)
        self.assertRegex(line, f"{W4A4}: {key} is .*, the manifest says 17")

    def test_other_data(self):
        self.edit(lambda m: {"fingerprint": "0" * 64})
        (line,) = shipped.check(self.dir)
        self.assertIn("data set", line)

    def test_too_large(self):
        (self.dir / "README.md").write_text("x" * shipped.LIMIT_BYTES)
        (line,) = shipped.check(self.dir)
        self.assertIn("allowed", line)

    def test_no_manifest(self):
        (self.dir / "manifest.json").unlink()
        with self.assertRaisesRegex(InputError, "manifest.json"):
            shipped.check(self.dir)


if __name__ == "__main__":
    tf.test.main()
