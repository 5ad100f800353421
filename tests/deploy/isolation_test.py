"""Tests of a .tflite file in a process of its own."""

import os
import pathlib
import signal
import sys
import time
import unittest
from unittest import mock

import hostile_files
import numpy as np
from absl.testing import absltest, parameterized

from qmia_tf.deploy.tflite import worker
from qmia_tf.deploy.tflite.interpreter import Interpreter
from qmia_tf.deploy.tflite.isolation import IsolatedInterpreter, Limits
from qmia_tf.errors import FileFailure, InputError

SHIPPED = pathlib.Path(__file__).parents[2] / "tflite_models"
ROWS = np.float32([[0, 1, 2], [3, 1, 0]])
ON_LINUX = unittest.skipUnless(sys.platform == "linux", "limits are Linux'")


class IsolationTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path, "m.tflite")

    def opened(self, content, **limits):
        self.path.write_bytes(content)
        model = IsolatedInterpreter(self.path, limits=Limits(**limits))
        self.addCleanup(model.close)
        return model

    def fails(self, pattern):
        return self.assertRaisesRegex(FileFailure, rf"m.tflite {pattern}")

    @parameterized.parameters("digits_w2a2_int8", "digits_w32a32_float32")
    def test_outputs_and_facts_are_those_of_this_process(self, name):
        file = SHIPPED / f"{name}.tflite"
        here, apart = (
            Interpreter(file),
            IsolatedInterpreter(file, limits=Limits()),
        )
        self.addCleanup(apart.close)
        for fact in (
            *("input", "output", "signature", "fixed_batch"),
            *("output_step", "has_variables"),
        ):
            self.assertEqual(getattr(apart, fact), getattr(here, fact), fact)
        names = [op["op_name"] for op in here.ops()]
        self.assertEqual([op["op_name"] for op in apart.ops()], names)
        self.assertEqual(
            [(x["name"], x["dtype"]) for x in apart.tensors()],
            [(x["name"], x["dtype"]) for x in here.tensors()],
        )
        pixels = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 1))
        values = here.input.encode_pixels(pixels.astype(np.uint8))
        for batch in (values, values[:1], values):
            rows = apart.run(batch)
            self.assertEqual(rows.dtype, here.output.dtype)
            np.testing.assert_array_equal(rows, here.run(batch))
        self.assertGreater(apart.measure(values[:1]).median_ms, 0)

    def test_errors_of_the_file_are_those_of_this_process(self):
        model = self.opened(hostile_files.softmax())
        for make in (Interpreter, IsolatedInterpreter):
            options = {} if make is Interpreter else {"limits": Limits()}
            with self.assertRaisesRegex(InputError, "no signature 'x', only"):
                make(self.path, signature="x", **options)
        with self.assertRaisesRegex(InputError, "cannot run 1 images at once"):
            model.run(ROWS[:1, :2])
        # And it goes on.
        self.assertEqual(model.run(ROWS).shape, ROWS.shape)

    def test_loop_without_end_is_ended(self):
        model = self.opened(hostile_files.endless(), timeout=2)
        start = time.monotonic()
        with self.fails(
            "made the TFLite runtime take more than 2 s at record 0, .* give "
            "file_timeout"
        ):
            model.run(ROWS[:1])
        self.assertLess(time.monotonic() - start, 10)
        with self.assertRaisesRegex(FileFailure, "has ended: open it again"):
            model.run(ROWS[:1])

    @ON_LINUX
    def test_huge_tensor_is_refused(self):
        with self.fails(
            "made the TFLite runtime run out of memory when it was opened: "
            "give file_memory"
        ):
            self.opened(hostile_files.huge())

    @ON_LINUX
    def test_memory_may_be_given(self):
        content = hostile_files.huge(5_500)
        with self.fails(".* out of memory when it was opened"):
            self.opened(content, memory=10)
        self.opened(content, memory=2000)

    def test_crash_is_one_line(self):
        """What LiteRT does with the file is not defined: mostly it crashes."""
        with self.fails(
            r"(made the TFLite runtime crash \(signal \d+, SIG\w+\) when it "
            "was opened: the file is damaged|cannot be run by LiteRT)"
        ) as caught:
            self.opened(hostile_files.crashing())
        self.assertNotIn("\n", str(caught.exception))

    @ON_LINUX
    def test_death_at_the_opening(self):
        program = self.path.with_name("dies")
        program.write_text("#!/bin/sh\nkill -SEGV $$\n")
        program.chmod(0o755)
        with (
            mock.patch.object(sys, "executable", str(program)),
            self.fails(r".* crash \(signal 11, SIGSEGV\) when it was opened"),
        ):
            self.opened(hostile_files.softmax())

    @ON_LINUX
    def test_death_names_the_records(self):
        model = self.opened(hostile_files.softmax())
        model.run(ROWS)
        os.kill(model._process.pid, signal.SIGSEGV)
        with self.fails(r".* crash \(signal 11, SIGSEGV\) at records 2 to 3"):
            model.run(ROWS)

    def test_senseless_answer_is_one_line(self):
        model = self.opened(hostile_files.softmax())
        for shape, message in (
            ([2, 10**9], r"outputs \[2, 1000000000\]: more than"),
            ([1, 3], "made the TFLite runtime answer something senseless"),
        ):
            answer = {"shape": shape, "dtype": "<f4"}
            with (
                mock.patch.object(model, "_ask", return_value=answer),
                self.fails(message),
            ):
                model.run(ROWS)

    @ON_LINUX
    def test_lower_limits_of_the_system_stay(self):
        import resource

        low = (500_000, 500_000)
        with (
            mock.patch.object(resource, "getrlimit", return_value=low),
            mock.patch.object(resource, "setrlimit") as limit,
            mock.patch.object(pathlib.Path, "write_text"),
        ):
            worker._restrain()
            worker._allow(10**9)
        limit.assert_any_call(resource.RLIMIT_FSIZE, low)
        limit.assert_any_call(resource.RLIMIT_AS, low)

    @ON_LINUX
    def test_process_ends_with_its_owner(self):
        model = self.opened(hostile_files.softmax())
        pid = model._process.pid
        del model
        self.doCleanups()
        self.assertFalse(pathlib.Path(f"/proc/{pid}").exists())

    def test_time_follows_the_sizes(self):
        records = np.zeros((20, 224, 224, 3), np.float32)
        limits = Limits()
        # ResNet-50, on a core that ten programs shared: 0.4 s a record, 1.0
        # with the builtin kernels, 16 with the reference ones.
        seconds = limits.seconds(102 * 10**6, records)
        self.assertBetween(seconds, 5 * 20 * 1.0, 200)
        seconds = limits.seconds(102 * 10**6, records, kernels="reference")
        self.assertGreater(seconds, 4 * 20 * 16)
        # A small file that hangs.
        digits = np.zeros((80, 8, 8, 1), np.float32)
        self.assertLess(limits.seconds(10**5, digits), 75)
        self.assertEqual(Limits(timeout=2).seconds(10**5, digits), 2)

    @parameterized.parameters("timeout", "memory")
    def test_limits(self, name):
        with self.assertRaisesRegex(
            InputError, f"file_{name} must be a number > 0"
        ):
            Limits(**{name: 0})


if __name__ == "__main__":
    absltest.main()
