"""No number of an audit moves: programs on stored inputs, as they answered.

What is not repeated here: that shipped int8 files compute what their twins do,
code by code (ShippedTest.test_files_are_what_the_manifest_says of
tools/shipped_test), and that paper/results/ is what the stored runs give
(paper/stored_results_test and paper/findings_test).
"""

import copy
import dataclasses
import pathlib
import tempfile

import golden_audits
import golden_trees
import tensorflow as tf
from absl.testing import parameterized

TREE = {
    "schema_version": 6,
    "versions": {"numpy": "2.0.0"},
    "name": "w4a4",
    "targets": [
        {
            "target": name,
            "latency_ms": 0.1,
            "leak": {
                "auc": {"value": 0.625, "low": 0.5},
                "reasons": ["2 of 3"],
            },
            "curve": [0.25, 0.5, 0.75],
        }
        for name in ("keras", "int8")
    ],
    "control": None,
}


class GoldenTest(tf.test.TestCase):
    """One run of all programs, then each of their files."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.trees, cls.texts = golden_audits.run_all(pathlib.Path(folder))
        cls.stored_trees, cls.stored_texts = golden_audits.stored()

    def test_the_same_files_are_written(self):
        self.assertEqual(set(self.trees), set(self.stored_trees))
        self.assertEqual(set(self.texts), set(self.stored_texts))

    def test_every_number_of_every_file_is_what_it_was(self):
        for name, stored in self.stored_trees.items():
            with self.subTest(name):
                differences = golden_trees.differences(stored, self.trees[name])
                self.assertSame(differences)

    def test_every_number_of_every_text_is_what_it_was(self):
        for name, stored in self.stored_texts.items():
            with self.subTest(name):
                differences = golden_trees.number_differences(
                    stored, self.texts[name]
                )
                self.assertSame(differences)

    def assertSame(self, differences):
        if differences:
            self.fail(golden_trees.message(differences))

    def test_every_attack_is_among_them(self):
        for target in self.stored_trees["quantized.audit"]["targets"][:3]:
            self.assertEqual(target["attacks_left_out"], [])
            self.assertLen(target["attacks"], 22)


class TreesTest(parameterized.TestCase, tf.test.TestCase):
    """The comparison finds what it should, and nothing else."""

    def setUp(self):
        super().setUp()
        self.tree = copy.deepcopy(TREE)
        self.target = self.tree["targets"][1]

    def assertDiffers(self, *lines, **names):
        names = {"renamed": {}, "words": {}, **names}
        names = dataclasses.replace(golden_trees.NAMES, **names)
        differences = golden_trees.differences(TREE, self.tree, names=names)
        self.assertEqual(differences, list(lines))

    def test_equal_trees_have_no_differences(self):
        self.assertDiffers()

    @parameterized.parameters(1 + 1e-6, 1 - 1e-8, -1.0, float("nan"))
    def test_a_number_that_moved_is_found(self, factor):
        moved = 0.625 * factor
        self.target["leak"]["auc"]["value"] = moved
        self.assertDiffers(f"targets[1].leak.auc.value: 0.625 -> {moved!r}")

    def test_the_last_bits_may_differ(self):
        self.target["leak"]["auc"]["value"] *= 1 + 1e-10
        self.target["curve"][0] += 1e-13
        self.assertDiffers()

    def test_a_field_that_vanished_or_came_is_found(self):
        del self.target["leak"]["auc"]["low"]
        self.tree["gates"] = []
        self.assertDiffers(
            "targets[1].leak.auc.low: 0.5 -> (absent)",
            "gates: (absent) -> []",
        )

    def test_a_shorter_and_a_longer_list_are_found(self):
        self.target["curve"].pop()
        self.tree["targets"][0]["curve"].append(1.0)
        self.assertDiffers(
            "targets[0].curve: 3 items -> 4 items",
            "targets[1].curve: 3 items -> 2 items",
        )

    @parameterized.parameters(
        (None,), (True,), ("1",), ({},), ([],), ({"a": 1},)
    )
    def test_another_type_is_found(self, value):
        self.target["leak"]["auc"]["value"] = value
        self.assertDiffers(f"targets[1].leak.auc.value: 0.625 -> {value!r}")

    def test_a_value_in_place_of_none_is_found(self):
        self.tree["control"] = {"auc": 0.5}
        self.assertDiffers("control: None -> {'auc': 0.5}")

    def test_another_word_is_found(self):
        self.target["target"] = "int8_io"
        self.assertDiffers("targets[1].target: 'int8' -> 'int8_io'")
        self.assertDiffers(words={"int8": "int8_io"})

    def test_times_and_versions_may_differ(self):
        self.tree["versions"] = {"numpy": "2.1", "scipy": "1.17"}
        self.tree["schema_version"] = 7
        del self.target["latency_ms"]
        self.assertDiffers()

    def test_of_sentences_only_the_numbers_count(self):
        self.target["leak"]["reasons"] = ["of 3 attacks, 2"]
        self.assertDiffers(
            "targets[1].leak.reasons[0]: '2 of 3' -> 'of 3 attacks, 2'"
        )
        self.target["leak"]["reasons"] = ["2 attacks of 3"]
        self.assertDiffers()

    def test_one_entry_renames_a_field_everywhere(self):
        for target in self.tree["targets"]:
            auc = target["leak"].pop("auc")
            target["leak"]["area"] = auc
            auc["lower"] = auc.pop("low")
        self.assertDiffers(renamed={"*.auc": "area", "*.low": "lower"})
        self.target["leak"]["area"]["lower"] = 0.25
        self.assertDiffers(
            "targets[1].leak.area.lower: 0.5 -> 0.25",
            renamed={"targets[].leak.auc": "area", "*.low": "lower"},
        )

    def test_one_entry_moves_a_field(self):
        for target in self.tree["targets"]:
            target["answer"] = {"auc": target["leak"].pop("auc")}
        self.assertDiffers(
            renamed={"targets[].leak.auc": "targets[].answer.auc"}
        )
        self.tree["artefacts"] = self.tree.pop("targets")
        self.assertDiffers(
            renamed={
                "targets": "artefacts",
                "targets[].leak.auc": "artefacts[].answer.auc",
            }
        )

    def test_one_entry_removes_or_adds_a_field(self):
        for target in self.tree["targets"]:
            del target["curve"]
            target["kernels"] = ["default"]
        self.assertDiffers(
            renamed={"targets[].curve": None}, added=("targets[].kernels",)
        )

    def test_a_sentence_that_is_renamed_stays_one(self):
        for target in self.tree["targets"]:
            del target["leak"]["reasons"]
            target["leak"]["causes"] = ["2 attacks of 3"]
        self.assertDiffers(renamed={"*.reasons": "causes"})

    def test_a_move_to_another_depth_is_refused(self):
        with self.assertRaisesRegex(ValueError, r"must have \[\] 1 times"):
            self.assertDiffers(renamed={"targets[].leak": "targets.leak"})

    def test_a_failure_shows_the_first_differences(self):
        differences = [f"a[{place}]: 0 -> 1" for place in range(30)]
        lines = golden_trees.message(differences).splitlines()
        self.assertEqual(
            lines,
            [
                "30 differences, stored -> current:",
                *differences[:20],
                "and 10 more",
            ],
        )

    def test_numbers_of_a_text(self):
        text = "w4a4: AUC 0.68 [-0.5, 1e-05], 5,000 of int8 in 95 %; p 0.0002."
        self.assertEqual(
            golden_trees.numbers(text),
            ["0.68", "-0.5", "1e-05", "5,000", "95", "0.0002"],
        )
        self.assertEqual(
            golden_trees.number_differences("1 of 2, 2 of 3", "2 3 2 4"),
            ["1: 1 times -> 0 times", "4: 0 times -> 1 times"],
        )


if __name__ == "__main__":
    tf.test.main()
