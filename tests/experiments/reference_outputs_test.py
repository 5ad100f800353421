"""What reference models answered: whose answers, and under which names."""

import pathlib

import synthetic_outputs
import tensorflow as tf
import tiny_models
import tiny_runs

from qmia_tf import outputs
from qmia_tf.errors import InputError
from qmia_tf.experiments import reference_outputs
from qmia_tf.models.network_bits import Bits
from qmia_tf.run_dir import RunDir


class AnswersTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)

    def save(self, folder, *targets, **info):
        info = {"fingerprint": "d" * 64, **info}
        for target in targets:
            answers = synthetic_outputs.outputs(target=target, **info)
            answers.save(self.dir / folder / "outputs" / f"{target}.npz")
        return self.dir / folder

    def read(self, *paths, target="int8", fingerprint="d" * 64):
        references = reference_outputs.load(
            paths, target, fingerprint=fingerprint
        )
        return [reference.target for reference in references]

    def test_the_same_file_if_every_reference_has_it(self):
        one = self.save("r00", "keras", "int8")
        other = self.save("r01", "keras", "int8")
        self.assertEqual(self.read(one, other), ["r00.int8", "r01.int8"])
        third = self.save("r02", "keras")
        self.assertEqual(
            self.read(one, other, third),
            ["r00.keras", "r01.keras", "r02.keras"],
        )
        self.assertEqual(self.read(), [])

    def test_files_of_outputs(self):
        answers = synthetic_outputs.outputs(target="shadow")
        path = self.dir / "mine.npz"
        answers.save(path)
        folder = self.save("r00", "keras", "int8")
        self.assertEqual(
            self.read(path, str(folder)), ["mine.shadow", "r00.int8"]
        )
        reference = reference_outputs.load(
            [path], "int8", fingerprint="d" * 64
        )[0].load()
        self.assertAllEqual(reference.members, answers.members)
        self.assertAllEqual(reference.members, answers.members)
        self.assertAllClose(reference.probabilities, answers.probabilities)

    def test_runs_of_one_name(self):
        folders = [self.save(f"seed{n}/w4a4", "keras") for n in range(3)]
        self.assertEqual(
            self.read(*folders),
            ["w4a4.keras", "w4a4.keras.2", "w4a4.keras.3"],
        )
        dotted = self.save("w4.v2", "keras")
        self.assertEqual(self.read(dotted), ["w4.v2.keras"])

    def test_refuses(self):
        folder = self.save("r00", "keras")
        with self.assertRaisesRegex(
            InputError,
            r"r00/outputs/keras.npz: the reference is about data "
            "with fingerprint dddddddddddd, the run about eeeeeeeeeeee",
        ):
            self.read(folder, fingerprint="e" * 64)
        with self.assertRaisesRegex(InputError, "given 2 times as a reference"):
            self.read(folder, folder)
        with self.assertRaisesRegex(InputError, "keras.npz: no such file"):
            self.read(self.dir)
        with self.assertRaisesRegex(InputError, "nothing: no such file"):
            self.read(self.dir / "nothing")
        path = self.dir / "x.npz"
        path.write_bytes(b"PK")
        with self.assertRaisesRegex(InputError, "x.npz is damaged"):
            self.read(path)

    def test_data_of_unknown_make_are_left_to_the_labels(self):
        answers = synthetic_outputs.outputs()
        answers.save(self.dir / "x.npz")
        self.assertIsNone(
            outputs.load(self.dir / "x.npz").info.get("fingerprint")
        )
        self.assertEqual(self.read(self.dir / "x.npz"), ["x.keras"])


class RunReferencesTest(tf.test.TestCase):
    """Matched and mismatched references, and which are compared."""

    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.data = tiny_models.dataset(8, shape=(8, 8, 1))
        self.run = self.make(self.dir / "run", "w4a4")

    def make(self, folder, bits, *targets, files=()):
        config = tiny_runs.config(self.data, bits=Bits.parse(bits))
        made = RunDir(folder).open(config)
        for target in targets:
            answers = synthetic_outputs.outputs(target=target)
            answers.save(made.outputs_of(target))
        made.artifacts.mkdir()
        for name in files:
            (made.artifacts / f"{name}.tflite").touch()
        return made

    def references(self, *, references=None, mismatched=None):
        return reference_outputs.RunReferences(
            self.run, references, mismatched=mismatched, fingerprint="d" * 64
        )

    def kinds(self, found, target="keras", kind="keras"):
        """(bits, target, names) of each kind of mismatched references."""
        target_outputs = synthetic_outputs.outputs(target=target, kind=kind)
        return [
            (kind.bits, kind.target, [x.target for x in loaded])
            for kind, loaded in found.mismatched_of(target_outputs)
        ]

    def test_the_runs_own(self):
        for folder, bits, *targets in (
            ("references/r00", "w4a4", "keras", "int8"),
            ("references/r01", "w4a4", "keras", "int8"),
            ("references_w32a32/r00", "w32a32", "keras"),
            ("references_w32a32/r01", "w32a32"),
            ("references_w8a8/r00", "w8a8", "keras"),
        ):
            self.make(self.run.path / folder, bits, *targets)
        (self.run.path / "references_old").mkdir()
        found = self.references()
        file = synthetic_outputs.outputs(target="int8", kind="tflite")
        matched = found.kind_of(file)
        self.assertEqual((matched.models, matched.available), (2, 2))
        self.assertEqual((matched.bits, matched.target), (["w4a4"], "int8"))
        self.assertEqual(
            [x.target for x in found.of(file)], ["r00.int8", "r01.int8"]
        )
        # The one that was not queried yet is none.
        self.assertEqual(
            self.kinds(found),
            [
                (["w32a32"], "keras", ["w32a32.r00.keras"]),
                (["w8a8"], "keras", ["w8a8.r00.keras"]),
            ],
        )
        self.assertEqual(self.kinds(self.references(mismatched=[])), [])

    def test_a_file_is_compared_with_files_where_there_are_some(self):
        folder = self.run.path / "references_w32a32"
        exported = "float32", "int8_ptq"
        for number in ("r00", "r01"):
            self.make(
                *(folder / number, "w32a32", "keras", *exported, "twin"),
                files=(*exported, "unqueried"),
            )
        found = self.references()
        targets = [
            (["w32a32"], name, [f"w32a32.r{n}.{name}" for n in ("00", "01")])
            for name in ("float32", "int8_ptq", "keras")
        ]
        self.assertEqual(self.kinds(found), targets[2:])
        self.assertEqual(self.kinds(found, "int8", "tflite"), targets[:2])
        self.assertEqual(self.kinds(found, "float32", "tflite"), targets[:1])
        # Where one lacks it, none has it.
        (folder / "r01" / "outputs" / "int8_ptq.npz").unlink()
        found = self.references()
        self.assertEqual(self.kinds(found, "int8", "tflite"), targets[:1])

    def test_others(self):
        other = self.dir / "w32a32" / "references"
        for number in ("r00", "r01"):
            self.make(other / number, "w32a32", "keras")
        path = self.dir / "mine.npz"
        synthetic_outputs.outputs(target="shadow").save(path)
        found = self.references(mismatched=[str(other), path])
        self.assertEqual(
            self.kinds(found),
            [
                (["w32a32"], "keras", ["w32a32.r00.keras", "w32a32.r01.keras"]),
                ([], None, ["unknown_bits.mine.shadow"]),
            ],
        )
        # As the references of all attacks they are of these bits.
        found = self.references(references=[other])
        kind = found.kind_of(synthetic_outputs.outputs())
        self.assertEqual((kind.models, kind.bits), (2, ["w32a32"]))

    def test_matched_ones_are_not_mismatched(self):
        self.make(self.dir / "w4a4" / "r00", "w4a4", "keras")
        with self.assertRaisesRegex(
            InputError, "r00 is not mismatched: it has the bits of .*run, w4a4"
        ):
            self.references(mismatched=[self.dir / "w4a4"])


if __name__ == "__main__":
    tf.test.main()
