"""Files of earlier versions get their new names, and keep every number."""

import copy
import json
import pathlib

import golden_audits
import golden_trees
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import files
from qmia_tf.auditing import audit_result
from qmia_tf.errors import InputError
from tools import convert_audits

# What versions 4 to 6 did not have, under the names of version 6.
NEW_IN_5 = {"targets": ("onednn",)}
NEW_IN_6 = {
    "audit": ("repeats", "comparison", "gates"),
    "targets": ("leak",),
    "control": ("null_auc", "p_value", "classes_p_value", "permutations"),
}


def earlier(tree, name="audit"):
    """A tree of version 7 with the names of version 6."""
    if isinstance(tree, list):
        return [earlier(item, name) for item in tree]
    if isinstance(tree, dict):
        fields = {key: earlier(item, key) for key, item in tree.items()}
        old = {
            new: key
            for key, new in convert_audits.RENAMED.get(name, {}).items()
        }
        return {old.get(key, key): item for key, item in fields.items()}
    words = convert_audits.NEEDS if name == "needs" else convert_audits.WORDS
    return {new: old for old, new in words.items()}.get(tree, tree)


class ConvertAuditsTest(parameterized.TestCase, tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.current, _ = golden_audits.stored()
        cls.trees = {}
        for name in ("quantized.audit", "own_file.audit"):
            cls.trees[name] = {
                **earlier(cls.current[name]),
                "schema_version": 6,
            }

    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir())
        self.path = self.dir / "audit.json"

    def converted(self, tree):
        self.path.write_text(json.dumps(tree))
        convert_audits.main([self.path])
        return files.read_json(self.path)

    @parameterized.parameters("quantized.audit", "own_file.audit")
    def test_every_number_of_version_6_stays(self, name):
        current = self.converted(self.trees[name])
        self.assertEqual(
            golden_trees.differences(self.current[name], current), []
        )
        self.assertEqual(current["schema_version"], 7)
        text = self.path.read_bytes()
        convert_audits.main([self.path])
        self.assertEqual(self.path.read_bytes(), text)

    @parameterized.parameters(4, 5)
    def test_what_earlier_versions_lack_is_not_known(self, version):
        stored = copy.deepcopy(self.trees["own_file.audit"])
        stored["schema_version"] = version
        for lacking in [NEW_IN_5, NEW_IN_6][version - 4 :]:
            for field in lacking.get("audit", ()):
                del stored[field]
            for target in stored["targets"]:
                for field in lacking["targets"]:
                    del target[field]
            for field in lacking.get("control", ()):
                del stored["control"][field]
        self.converted(stored)
        result = audit_result.load(self.path)
        self.assertIsNone(result.targets[0].leak)
        self.assertIsNone(result.comparison)
        self.assertEqual(result.gates, [])
        self.assertIsNone(result.blind_baseline.p_value)
        if version == 4:
            self.assertIsNone(result.targets[0].onednn)

    def test_a_run_with_its_outputs(self):
        self.converted(self.trees["own_file.audit"])
        (self.dir / "config.json").write_text(
            json.dumps({"models": [{"name": "net", "pixels": "0..1"}]})
        )
        info = {"target": "net", "pixels": "0..1"}
        labels = {**info, "plan": {"kind": "changes", "shift": 1}}
        for folder, about in (("outputs", info), ("copies", labels)):
            (self.dir / folder).mkdir()
            np.savez(self.dir / folder / "net.npz", info=json.dumps(about), x=3)
        convert_audits.main([self.dir])
        config = files.read_json(self.dir / "config.json")
        self.assertEqual(config["models"][0]["input_range"], "0..1")
        arrays = files.read_npz(self.dir / "outputs" / "net.npz")
        self.assertEqual(arrays["x"], 3)
        new_info = {"target": "net", "input_range": "0..1"}
        self.assertEqual(json.loads(str(arrays["info"])), new_info)
        arrays = files.read_npz(self.dir / "augmented_queries" / "net.npz")
        plan = json.loads(str(arrays["info"]))["plan"]
        self.assertEqual(plan, {"kind": "augmentations", "shift": 1})
        self.assertFalse((self.dir / "copies").exists())

    def test_what_is_damaged_or_missing_is_one_line(self):
        one, two, three = (self.dir / name for name in ("one", "two", "three"))
        (one / "outputs").mkdir(parents=True)
        files.write_npz(one / "outputs" / "net.npz", info=np.array("["))
        two.mkdir()
        files.write_json(two / "audit.json", [])
        (three / "copies").mkdir(parents=True)
        (three / "augmented_queries").mkdir()
        for place, pattern in (
            (self.dir / "gone", "there is no .*gone"),
            (one, "net.npz: info is missing or damaged"),
            (two, "schema_version is None, not one of 4, 5, 6"),
            (three, "is there beside .*copies: remove one"),
        ):
            with self.subTest(pattern):
                with self.assertRaisesRegex(InputError, pattern):
                    convert_audits.convert(place)

    def test_other_versions_are_refused(self):
        stored = {**self.trees["own_file.audit"], "schema_version": 3}
        with self.assertRaises(SystemExit):
            self.converted(stored)
        with self.assertRaisesRegex(
            InputError, "version is 3, .* reads 7: audit the models"
        ):
            audit_result.load(self.path)


if __name__ == "__main__":
    tf.test.main()
