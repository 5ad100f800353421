"""Tests of what is said of shipped files that are not what they were."""

import json
import pathlib
import shutil
from unittest import mock

import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import terminal
from qmia_tf.errors import InputError
from tools import manifest_check

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tflite_models"
MANIFEST = json.loads((FOLDER / "manifest.json").read_text())["sets"]
W4A4 = "digits_w4a4_int8"
FLAGSHIP = "cifar10_w4a4_int8"


class DamageFolder(parameterized.TestCase, tf.test.TestCase):
    """A folder with one model: enough to see damage, and quick to run."""

    def keep(self, name, model):
        self.dir = pathlib.Path(self.create_tempdir().full_path) / "models"
        self.dir.mkdir()
        about = MANIFEST[name]
        about = {**about, "models": {model: about["models"][model]}}
        self.name, self.model = name, model
        self.write({name: about})
        records = about.get("records", {}).values()
        for path in [
            *FOLDER.glob(f"{model}[._]t*"),
            *(FOLDER / part["file"] for part in records),
            FOLDER / "README.md",
        ]:
            shutil.copy(path, self.dir)

    def write(self, manifest):
        text = json.dumps({"sets": manifest})
        (self.dir / "manifest.json").write_text(text)

    def edit(self, **values):
        self.write({self.name: {**self.about(), **values}})

    def edit_model(self, **values):
        entry = self.about()["models"][self.model]
        self.edit(models={self.model: {**entry, **values}})

    def about(self):
        text = (self.dir / "manifest.json").read_text()
        return json.loads(text)["sets"][self.name]


class DamageTest(DamageFolder):
    def setUp(self):
        super().setUp()
        self.keep("digits", W4A4)

    def test_undamaged(self):
        self.assertEqual(manifest_check.check(self.dir), [])

    def test_damaged_records(self):
        (self.dir / "digits_members.npz").write_bytes(b"PK")
        (self.dir / "digits_nonmembers.npz").unlink()
        self.assertEqual(
            manifest_check.check(self.dir),
            [
                "digits_members.npz has another sha256",
                "digits_nonmembers.npz is missing",
            ],
        )

    def test_changed_byte(self):
        path = self.dir / f"{W4A4}.tflite"
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        (line,) = manifest_check.check(self.dir)
        self.assertRegex(line, f"{W4A4}: {W4A4}.tflite has another sha256")

    def test_missing_twin_and_stranger(self):
        (self.dir / f"{W4A4}_twin.keras").rename(self.dir / "other.keras")
        self.assertEqual(
            manifest_check.check(self.dir),
            [
                f"{W4A4}: {W4A4}_twin.keras is missing",
                "other.keras is not in the manifest",
            ],
        )

    @parameterized.parameters("members_right", "nonmembers_right", "mismatches")
    def test_other_figure(self, key):
        self.edit_model(**{key: 17})
        (line,) = manifest_check.check(self.dir)
        self.assertRegex(line, f"{W4A4}: {key} is .*, the manifest says 17")

    def test_other_data(self):
        self.edit(fingerprint="0" * 64)
        (line,) = manifest_check.check(self.dir)
        self.assertIn("data set", line)

    def test_too_large(self):
        (self.dir / "README.md").write_text("x" * manifest_check.LIMIT_BYTES)
        one, all_ = manifest_check.check(self.dir)
        self.assertIn("README.md has 8000000 bytes, 5000000 are", one)
        self.assertIn("bytes together, 8000000 are allowed", all_)

    def test_no_manifest(self):
        (self.dir / "manifest.json").unlink()
        with self.assertRaisesRegex(InputError, "manifest.json"):
            manifest_check.check(self.dir)

    def test_no_such_set(self):
        for names, shown in ((["mnist"], "mnist"), ([], "")):
            with self.assertRaisesRegex(
                InputError,
                f"any of digits, digits_memorizing, cifar10, got '{shown}'",
            ):
                manifest_check.check(self.dir, sets=names)


class FlagshipDamageTest(DamageFolder):
    """What is checked where CIFAR-10 is not prepared."""

    def setUp(self):
        super().setUp()
        self.keep("cifar10", FLAGSHIP)
        self.file = self.about()["models"][FLAGSHIP]["audit"]["file"]
        shutil.copy(FOLDER / self.file, self.dir)
        self.nowhere = self.create_tempdir().full_path

    def faults(self):
        with mock.patch.object(terminal, "say") as said:
            faults = manifest_check.check(self.dir, data_dir=self.nowhere)
        (line,) = said.call_args.args
        self.assertIn("cifar10: only hashes and audits are checked", line)
        return faults

    def test_undamaged(self):
        self.assertEqual(self.faults(), [])

    def test_missing_audit(self):
        (self.dir / self.file).unlink()
        self.assertEqual(self.faults(), [f"{FLAGSHIP}: {self.file} is missing"])

    def test_audit_of_another_file(self):
        other = MANIFEST["digits"]["models"][W4A4]
        self.edit_model(file=other["file"], sha256=other["sha256"])
        shutil.copy(FOLDER / other["file"], self.dir)
        (self.dir / f"{FLAGSHIP}.tflite").unlink()
        (line,) = self.faults()
        self.assertIn(f"not about the file {other['sha256'][:12]}", line)

    def test_other_leak(self):
        self.edit_model(strongest_attack="gap")
        (line,) = self.faults()
        self.assertIn(f"strongest_attack is not what {self.file} says", line)

    def test_other_accuracy(self):
        self.edit_model(members_right=17)
        (line,) = self.faults()
        self.assertIn("members_right is not the accuracy in the audit", line)


if __name__ == "__main__":
    tf.test.main()
