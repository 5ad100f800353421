"""Tests of the parity of a run's files, and of its table."""

import pathlib
import shutil
import tempfile
from unittest import mock

import integer_runs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import files
from qmia_tf.deploy.parity import mismatches
from qmia_tf.errors import InputError
from qmia_tf.experiments import parity_run
from qmia_tf.models import keras_files
from qmia_tf.run_dir import RunDir

QUICK = {
    "kernels": ("default",),
    "threads": (1,),
    "records": 20,
    "progress": False,
}


class Runs(parameterized.TestCase, tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.whole = integer_runs.exported(
            cls.folder / "run",
            integer_runs.small(),
            schemes=("float32", "int8", "int8_io"),
        )

    def setUp(self):
        super().setUp()
        self.run_dir = pathlib.Path(self.create_tempdir().full_path) / "run"
        shutil.copytree(self.whole, self.run_dir)
        self.artifacts = self.run_dir / "artifacts"

    def check(self, **options):
        return parity_run.check_run(
            self.run_dir, integer_runs.digits(), **{**QUICK, **options}
        )

    def refuse(self, pattern, **options):
        with self.assertRaises(InputError) as caught:
            self.check(**options)
        self.assertRegex(str(caught.exception), pattern)
        self.assertNotIn("\n", str(caught.exception))


class CheckRunTest(Runs):
    def test_every_file_that_has_a_twin(self):
        checks = self.check(kernels=("default", "reference"), threads=(1, 2))
        self.assertEqual([one.scheme for one in checks], ["int8", "int8_io"])
        for one in checks:
            name = f"{one.scheme}.tflite"
            self.assertEqual(one.sha256, files.sha256(self.artifacts / name))
            self.assertIs(one.kept, True)
            self.assertEqual(
                [
                    (c.against, c.kernels, c.num_threads, c.batch_size)
                    for c in one.comparisons
                ],
                [
                    ("keras", "", 0, 64),
                    ("tflite", "default", 1, 64),
                    ("tflite", "default", 2, 64),
                    ("tflite", "reference", 1, 64),
                    ("tflite", "default", 1, 1),
                    ("tflite", "default", 2, 1),
                    ("tflite", "reference", 1, 1),
                ],
            )
            for entry in one.comparisons:
                self.assertEqual(entry.records, 20)

    def test_files_that_are_asked_for(self):
        (one,) = self.check(schemes=["int8_io"])
        self.assertEqual(one.scheme, "int8_io")
        self.assertEqual(one.float_layers, [])
        both = self.check(schemes=["int8_io", "int8", "int8_io"])
        self.assertEqual([one.scheme for one in both], ["int8_io", "int8"])

    def test_what_is_named_twice_is_done_once(self):
        (one, _) = self.check(kernels=("default",) * 2, threads=(1, 1))
        self.assertLen(one.comparisons, 3)

    def test_logits(self):
        folder = self.create_tempdir().full_path
        self.run_dir = integer_runs.exported(
            folder,
            integer_runs.small(),
            schemes=("int8_io",),
            int8_output="logits",
        )
        (one,) = self.check()
        self.assertIs(one.kept, True)
        self.assertEqual(one.comparisons[0].against, "keras")
        self.assertLess(one.comparisons[0].largest_probability, 0.2)

    def test_records_are_drawn(self):
        seen = []

        def noted(images):
            seen.append(images)
            return []

        pixels = integer_runs.digits().images
        for seed, records in ((0, 20), (0, 20), (1, 20), (0, 5000)):
            with self.images_given(noted):
                self.check(seed=seed, records=records, schemes=["int8"])
        self.assertAllEqual(seen[0], seen[1])
        self.assertNotAllEqual(seen[0], seen[2])
        self.assertEqual(seen[0].shape, (20, 8, 8, 1))
        self.assertAllEqual(seen[3], pixels)
        known = {image.tobytes() for image in pixels}
        for images in seen:
            drawn = {image.tobytes() for image in images}
            self.assertLen(drawn, len(images))
            self.assertContainsSubset(drawn, known)

    def images_given(self, noted):
        return mock.patch.object(
            parity_run.code_parity,
            "check",
            lambda twin, file, images, **options: noted(images),
        )


class RefusalTest(Runs):
    @parameterized.parameters(
        ({"kernels": ("gpu",)}, "kernels are any of default.* got 'gpu'"),
        ({"kernels": ("default", "")}, "kernels are any of .* got ''"),
        ({"kernels": ()}, "kernels are any of .* got ''"),
        ({"threads": (2, 0)}, r"threads must be 1 or more, got \[2, 0\]"),
        ({"threads": ()}, r"threads must be 1 or more, got \[\]"),
        ({"records": 0}, "records must be 1 or more, got 0"),
        ({"seed": -1}, "seed must be 0 or more, got -1"),
        ({"schemes": ["float32"]}, "has no integer file float32: make one w"),
        ({"schemes": ["int8", "int9"]}, "no integer file int9: .*qmia export"),
    )
    def test_options(self, options, pattern):
        self.refuse(pattern, **options)

    def test_not_a_run(self):
        self.run_dir = self.run_dir / "nothing"
        self.refuse("nothing is not a run directory")

    def test_nothing_exported(self):
        shutil.rmtree(self.artifacts)
        self.refuse("no integer file at all: make .*--schemes=int8,int8_io")

    def test_no_integer_file(self):
        for scheme in ("int8", "int8_io"):
            integer_runs.state(self.run_dir, scheme, twin=None)
        self.refuse("has no integer file at all")

    @parameterized.parameters("int8.tflite", "int8_twin.keras")
    def test_file_that_is_gone(self, name):
        (self.artifacts / name).unlink()
        self.refuse(f"{name} is gone: export it again")

    @parameterized.parameters("int8_io.tflite", "int8_io_twin.keras")
    def test_file_that_is_not_the_exported_one(self, name):
        path = self.artifacts / name
        path.write_bytes(path.read_bytes() + b"\0")
        self.refuse(f"{name} is not the file that was exported: export it")
        self.check(schemes=["int8"])

    def test_model_that_was_trained_again(self):
        keras_files.save(integer_runs.small(seed=1), RunDir(self.run_dir).model)
        self.refuse("int8.tflite was made from another model.keras: export it")

    def test_model_that_is_gone(self):
        RunDir(self.run_dir).model.unlink()
        self.refuse("no model file .*model.keras: train it first")

    def test_damaged_file_with_its_own_hash(self):
        path = self.artifacts / "int8.tflite"
        path.write_bytes(path.read_bytes()[:2000])
        integer_runs.state(self.run_dir, "int8", sha256=files.sha256(path))
        self.refuse("int8.tflite cannot be run by LiteRT")

    def test_file_of_another_run(self):
        other = integer_runs.exported(
            self.run_dir.parent / "other",
            integer_runs.small(width=7),
            schemes=("int8",),
        )
        path = self.artifacts / "int8.tflite"
        shutil.copy(other / "artifacts" / "int8.tflite", path)
        integer_runs.state(self.run_dir, "int8", sha256=files.sha256(path))
        self.refuse("int8.tflite is not this twin's file .'act' is")


class TableTest(Runs):
    def test_a_line_for_each_comparison(self):
        stages = [
            mismatches.ParityStage("a", 1_000_000, 12, 3),
            mismatches.ParityStage("b", 234_567, 4000, 200),
        ]
        comparisons = [
            mismatches.ParityComparison(
                *("keras", "", 0, 64, 500, 1_234_567, 4012, 200, 2, 0.031),
                stages,
            ),
            mismatches.ParityComparison(
                *("tflite", "default", 2, 1, 50, 1_000_000, 12, 3, 0, 0.0),
                stages[:1],
            ),
        ]
        checks = [
            mismatches.judged(
                name,
                comparisons,
                sha256="",
                twin_sha256="",
                float_layers=[],
                rounded_layers=[],
            )
            for name in ("int8", "int8_io")
        ]
        text = parity_run.table(checks)
        lines = [line.split() for line in text.splitlines()]
        expected = (
            "trained model - 64 500 1,234,567 4,012 200 2 3.1e-02",
            "default kernels 2 1 50 1,000,000 12 3 0 0.0e+00",
        )
        for one in checks:
            for line in expected:
                self.assertIn([one.scheme, *line.split()], lines)
            self.assertIn(one.verdict.split(), lines)
        self.assertIn("PROMISE BROKEN: 12 codes", text)


if __name__ == "__main__":
    tf.test.main()
