"""Tests of the models that ship with the project: they are what they say."""

import json
import pathlib
from unittest import mock

import numpy as np
import slow_tests
import tensorflow as tf

from qmia_tf.auditing import audit_result
from qmia_tf.data import split
from qmia_tf.data.loaders import tfds
from qmia_tf.deploy.tflite import file_contents
from qmia_tf.errors import InputError
from qmia_tf.targets.tflite_target import TFLiteTarget
from qmia_tf.training import recipes
from tools import file_measurements, manifest_check, model_build, shipped_sets

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tflite_models"
MANIFEST = json.loads((FOLDER / "manifest.json").read_text())["sets"]
W4A4 = "digits_w4a4_int8"
FLAGSHIP = "cifar10_w4a4_int8"


class ShippedTest(tf.test.TestCase):
    def test_files_are_what_the_manifest_says(self):
        sets = ["digits", "digits_memorizing"]
        self.assertEqual(manifest_check.check(FOLDER, sets=sets), [])

    @slow_tests.slow
    def test_all_files_are_run(self):
        self.assertEqual(manifest_check.check(FOLDER), [])

    def test_what_ships(self):
        for name, about in MANIFEST.items():
            wanted = {
                f"{name}_{bits}_{scheme}"
                for bits, schemes in shipped_sets.SETS[name].models.items()
                for scheme in schemes
            }
            self.assertEqual(set(about["models"]), wanted)
            self.assertEqual(
                about["recipe"], shipped_sets.SETS[name].recipe.as_dict()
            )
            # The digits are 1,797, and compared over all of them.
            images = shipped_sets.SETS[name].parity_images or 1797
            self.assertEqual(about["parity_images"], images)
            self.assertIn("make_tflite_models.py", about["command"])
        self.assertEqual(set(MANIFEST), set(shipped_sets.SETS))

    def test_they_learned_and_compute_what_their_twins_do(self):
        for about in MANIFEST.values():
            for name, entry in about["models"].items():
                # A network that did not learn would be no use to anybody.
                right = entry["nonmembers_right"] / entry["nonmembers"]
                least = 0.4 if "label_noise" in about else 0.75
                self.assertGreater(right, least, name)
                if "int8" in name and entry["twin"]:
                    self.assertEqual(entry["mismatches"], 0, name)
                    self.assertGreater(entry["codes"], 10**7, name)

    def test_records_are_those_of_the_split(self):
        for name, about in MANIFEST.items():
            if "records" not in about:
                continue
            dataset = shipped_sets.SETS[name].load()
            halves = split.make_split(
                dataset.labels, fingerprint="", **about["split"]
            )
            for side, part in about["records"].items():
                stored = np.load(FOLDER / part["file"])
                rows = getattr(halves, side)
                self.assertAllEqual(stored["images"], dataset.images[rows])
                self.assertAllEqual(stored["labels"], dataset.labels[rows])

    def test_readme_has_every_model(self):
        text = (FOLDER / "README.md").read_text()
        for about in MANIFEST.values():
            self.assertIn(about["command"], text)
            for name, entry in about["models"].items():
                right = 100 * entry["nonmembers_right"] / entry["nonmembers"]
                size = entry["size_bytes"] / 1e6
                row = rf"{name}\S* .*{size:.2f} .*{right:.2f}"
                if entry.get("audit"):
                    auc = entry["strongest_auc"]
                    low, high = (f"{auc[end]:.3f}" for end in ("low", "high"))
                    row += rf".*{auc['value']:.3f} \({low} to {high}\)"
                self.assertRegex(text, row)


class FlagshipTest(tf.test.TestCase):
    """The int8 network of CIFAR-10."""

    path = FOLDER / f"{FLAGSHIP}.tflite"

    def setUp(self):
        super().setUp()
        self.entry = MANIFEST["cifar10"]["models"][FLAGSHIP]

    def test_ops(self):
        facts = file_contents.describe(self.path)
        self.assertEqual(facts["sha256"], self.entry["sha256"])
        # ResNet-18: a stem, 8 blocks of 2, 3 projections; 8 sums.
        self.assertEqual(
            facts["ops"],
            {
                "ADD": 8,
                "CONV_2D": 1 + 8 * 2 + 3,
                "DEQUANTIZE": 1,
                "FULLY_CONNECTED": 1,
                "MEAN": 1,
                "QUANTIZE": 1,
                "SOFTMAX": 1,
            },
        )
        for layer in facts["layers"]:
            if layer["op"] == "CONV_2D":
                types = [layer[k] for k in ("input", "weights", "output")]
                self.assertEqual(types, ["int8"] * 3, layer["name"])
        self.assertEqual(facts["input"]["shape"], [-1, 32, 32, 3])
        self.assertEqual(facts["input"]["dtype"], "uint8")

    def test_answers(self):
        try:
            images, labels, _ = tfds.load_split("cifar10", "test[:400]")
        except InputError as error:
            self.skipTest(f"CIFAR-10 is not here: {error}")
        predicted = TFLiteTarget(self.path).predict(images)
        right = (predicted.argmax(axis=1) == labels).mean()
        # The test records of CIFAR-10 are members and nonmembers alike: four
        # standard errors around the mean of both.
        both = sum(
            self.entry[f"accuracy_{side}"]["value"] / 2
            for side in ("members", "nonmembers")
        )
        self.assertNear(right, both, 4 * (both * (1 - both) / 400) ** 0.5)
        parity = file_measurements.compare(FOLDER, self.entry, images[:16])
        (against,) = parity.comparisons
        self.assertGreater(against.codes, 10**6)
        self.assertEqual(
            against.mismatches, 0, f"{against.mismatches} codes differ"
        )

    def test_audit_is_about_this_file(self):
        audit = audit_result.load(FOLDER / self.entry["audit"]["file"])
        (target,) = (t for t in audit.targets if t.target == "int8")
        self.assertEqual(target.sha256, self.entry["sha256"])
        self.assertEqual(target.size_bytes, self.path.stat().st_size)
        self.assertEqual(audit.fingerprint, MANIFEST["cifar10"]["fingerprint"])
        self.assertEqual((target.members, target.nonmembers), (30000, 30000))
        # Label-only attacks were run as well; nothing lacked but references.
        self.assertContainsSubset(
            ("confidence", "correct_augmentations"),
            {a.name for a in target.attacks},
        )
        promised = target.parity.comparisons[-1]
        self.assertEqual(promised.records, 1000)
        self.assertEqual(promised.mismatches, self.entry["mismatches"])
        self.assertEqual(promised.codes, self.entry["codes"])

    def test_audit_shows_no_training_records(self):
        text = (FOLDER / self.entry["audit"]["file"]).read_text()
        self.assertNotIn('"picture": "', text)


class MakingTest(tf.test.TestCase):
    @slow_tests.slow
    def test_made_audited_and_checked(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        tiny = shipped_sets.ShippedSet(
            recipe=recipes.get("digits", width=2, epochs=1),
            models={"w4a4": ("int8",)},
            parity_images=20,
            audited=True,
            records=True,
            label_noise=0.2,
            member_fraction=0.25,
        )
        out = folder / "out"
        with mock.patch.dict(shipped_sets.SETS, {"tiny": tiny}):
            manifest = model_build.make(out, folder / "work", sets=["tiny"])
            self.assertEqual(manifest_check.check(out), [])
        entry = manifest["sets"]["tiny"]["models"]["tiny_w4a4_int8"]
        self.assertEqual(manifest["sets"]["tiny"]["parity_images"], 20)
        audit = audit_result.load(out / "tiny_w4a4_audit.json")
        self.assertIn(entry["sha256"], [t.sha256 for t in audit.targets])
        self.assertLen(list(out.iterdir()), 6)


if __name__ == "__main__":
    tf.test.main()
