"""What reference models answered: whose answers, and under which names."""

import pathlib

import synthetic_outputs
import tensorflow as tf

from qmia_tf import outputs
from qmia_tf.errors import InputError
from qmia_tf.experiments import reference_outputs


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


if __name__ == "__main__":
    tf.test.main()
