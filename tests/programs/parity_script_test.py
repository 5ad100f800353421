"""Tests of scripts/parity.py: its table, its JSON and its exit status."""

import pathlib
import shutil
import tempfile

import integer_runs
import tensorflow as tf
from absl.testing import parameterized
from script_calls import call, start

from qmia_tf import files

QUICK = ("--records=20", "--kernels=default", "--threads=1")


class Runs(parameterized.TestCase, tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.whole = integer_runs.exported(
            cls.folder / "run", integer_runs.small()
        )

    def setUp(self):
        super().setUp()
        self.run_dir = pathlib.Path(self.create_tempdir().full_path) / "run"
        shutil.copytree(self.whole, self.run_dir)
        self.json = self.run_dir / "parity.json"

    def change(self, name="act/bias", more=5000):
        """Changes one number of int8.tflite, behind the manifest's back."""

        def edit(numbers, quantization):
            del quantization
            numbers[3] += more

        integer_runs.change(
            self.run_dir / "artifacts" / "int8.tflite",
            name,
            edit,
            run_dir=self.run_dir,
        )

    def parity(self, *arguments):
        return call("parity", f"--run_dir={self.run_dir}", *arguments)


class ParityScriptTest(Runs):
    def test_promise_that_is_kept(self):
        status, out, errors = self.parity("--records=20")
        self.assertEqual((status, errors), (0, ""))
        for scheme in ("int8", "int8_io"):
            self.assertIn(
                f"\n{scheme}: no code differs under the default kernels\n", out
            )
        self.assertEndsWith(out, f"\n{self.json} is written\n")
        stored = files.read_json(self.json)
        self.assertEqual([one["scheme"] for one in stored], ["int8", "int8_io"])
        for one in stored:
            self.assertIs(one["kept"], True)
            self.assertIs(one["promised"], True)
            # The model; 2 + 1 + 1 ways in two batch sizes.
            self.assertLen(one["comparisons"], 1 + 4 * 2)
            for entry in one["comparisons"]:
                self.assertEqual(entry["records"], 20)
                self.assertIn(f"{entry['codes']:,}", out)
                if entry["kernels"] == "default":
                    self.assertEqual(entry["mismatches"], 0)
                    self.assertEqual(entry["largest"], 0)

    def test_promise_that_is_broken(self):
        self.change()
        status, out, errors = self.parity(*QUICK)
        self.assertEqual((status, errors), (1, ""))
        self.assertRegex(out, r"\nint8: PROMISE BROKEN: \d+ codes differ under")
        self.assertIn("\nint8_io: no code differs", out)
        broken, kept = files.read_json(self.json)
        self.assertIs(broken["kept"], False)
        self.assertIs(kept["kept"], True)
        wrong = [e for e in broken["comparisons"] if e["kernels"] == "default"]
        self.assertLen(wrong, 2)
        for entry in wrong:
            self.assertGreater(entry["mismatches"], 0)
            self.assertIn(f"{entry['mismatches']:,}", out)
        # Without the broken file all is well.
        status, out, _ = self.parity(*QUICK, "--schemes=int8_io")
        self.assertEqual(status, 0)
        self.assertNotIn("BROKEN", out)

    def test_head_that_gives_no_numbers(self):
        self.change("logits/bias", float("nan"))
        status, out, _ = self.parity(*QUICK)
        self.assertEqual(status, 1)
        self.assertIn("BROKEN: probabilities differ by up to 1.0e+00", out)
        self.assertIs(files.read_json(self.json)[0]["kept"], False)

    def test_no_promise(self):
        run_dir = self.run_dir.parent / "float_stem"
        integer_runs.exported(
            run_dir, integer_runs.small(first=32), schemes=("int8",)
        )
        status, out, errors = call("parity", f"--run_dir={run_dir}", *QUICK)
        self.assertEqual((status, errors), (0, ""))
        self.assertIn(
            "int8: no promise, because float layers (stem) are rounded to "
            "codes\n",
            out,
        )
        (one,) = files.read_json(run_dir / "parity.json")
        self.assertIs(one["promised"], False)
        self.assertIsNone(one["kept"])
        self.assertEqual(one["rounded_layers"], ["stem"])

    def test_default_kernels_left_out(self):
        self.change()
        status, out, _ = self.parity("--kernels=reference", "--records=20")
        self.assertEqual(status, 0)
        self.assertIn("int8: not tried under the default kernels", out)
        self.assertIsNone(files.read_json(self.json)[0]["kept"])

    def test_json_that_cannot_be_written(self):
        """It is said before the work of minutes."""
        status, out, errors = self.parity(*QUICK, "--json=/proc/no/it.json")
        self.assertEqual(status, 2)
        self.assertRegex(errors, r"\Aerror: cannot write /proc/no.*\n\Z")
        self.assertNotIn("int8", out)

    def test_json_elsewhere(self):
        place = self.run_dir.parent / "found.json"
        status, out, _ = self.parity(*QUICK, f"--json={place}")
        self.assertEqual(status, 0)
        self.assertIn(f"{place} is written", out)
        self.assertLen(files.read_json(place), 2)
        self.assertFalse(self.json.exists())


class RefusalTest(Runs):
    def refuse(self, pattern, *arguments):
        status, out, errors = self.parity(*QUICK, *arguments)
        self.assertEqual((status, out), (2, ""))
        self.assertRegex(errors, r"\Aerror: [^\n]+\n\Z")
        self.assertRegex(errors, pattern)
        self.assertFalse(self.json.exists())

    def test_no_run_dir(self):
        status, _, errors = call("parity")
        self.assertEqual(status, 2)
        self.assertEqual(errors, "error: --run_dir is missing\n")

    @parameterized.parameters(
        ("--kernels=gpu", "kernels are any of .* got 'gpu'"),
        ("--kernels=", "kernels are any of"),
        ("--records=0", "records must be 1 or more, got 0"),
        ("--seed=-1", "seed must be 0 or more, got -1"),
        ("--threads=0", "--threads takes integers from 1 on, got 0"),
        ("--threads=1,two", "--threads takes integers from 1 on, got 1,two"),
        ("--threads=", "--threads takes integers from 1 on, got none"),
        ("--schemes=float32", "no integer file float32: make one with"),
    )
    def test_flags(self, argument, pattern):
        self.refuse(pattern, argument)

    def test_run_without_integer_files(self):
        shutil.rmtree(self.run_dir / "artifacts")
        self.refuse(
            f"no integer file at all: .*qmia export --run_dir={self.run_dir} "
            "--schemes=int8,int8_io"
        )

    @parameterized.parameters("int8.tflite", "int8_twin.keras")
    def test_missing_file(self, name):
        (self.run_dir / "artifacts" / name).unlink()
        self.refuse(f"{name} is gone: export it again")

    def test_changed_file(self):
        path = self.run_dir / "artifacts" / "int8.tflite"
        content = bytearray(path.read_bytes())
        content[-1000] ^= 1
        path.write_bytes(content)
        self.refuse("int8.tflite is not the file that was exported: export it")

    def test_file_of_another_run(self):
        other = integer_runs.exported(
            self.run_dir.parent / "other",
            integer_runs.small(prefix="other_"),
            schemes=("int8",),
        )
        path = self.run_dir / "artifacts" / "int8.tflite"
        shutil.copy(other / "artifacts" / "int8.tflite", path)
        integer_runs.state(self.run_dir, "int8", sha256=files.sha256(path))
        self.refuse("int8.tflite is not this twin's file .*export both again")


class ProcessTest(Runs):
    """In processes of its own: LiteRT and TensorFlow speak once in each."""

    def start(self, *arguments):
        process = start("parity", f"--run_dir={self.run_dir}", *arguments)
        out, errors = process.communicate()
        return process.returncode, out, errors

    def test_is_quiet(self):
        status, out, errors = self.start("--records=20")
        self.assertEqual((status, errors), (0, ""))
        self.assertStartsWith(out, "Codes of the integer files, one by one")

    def test_broken_promise(self):
        self.change()
        status, out, errors = self.start(*QUICK)
        self.assertEqual((status, errors), (1, ""))
        self.assertIn("PROMISE BROKEN", out)


if __name__ == "__main__":
    tf.test.main()
