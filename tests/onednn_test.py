"""Tests of how TensorFlow is told, and says, whether it has oneDNN on."""

import json
import os
import pathlib
import subprocess
import sys
from unittest import mock

import tensorflow as tf
from absl.testing import absltest, parameterized

from qmia_tf import onednn, quiet, terminal
from qmia_tf.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parent.parent
SAYS = """
import json, os, sys
import qmia_tf, qmia_tf.training.resumable_loop
from qmia_tf import onednn
print(json.dumps([os.environ.get(onednn.VARIABLE), onednn.record()]))
onednn.say_if_off()
onednn.say_if_off()
"""


def process(code, **environment):
    """Runs Python without the suite's setting; returns its lines."""
    kept = {k: v for k, v in os.environ.items() if k != onednn.VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def takes_it_by_itself():
    """Whether TensorFlow takes oneDNN by itself on this processor."""
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    return "avx512" in flags or "avx_vnni" in flags


class PreferTest(absltest.TestCase):
    def test_asks_for_it(self):
        with mock.patch.dict(os.environ):
            os.environ.pop(onednn.VARIABLE, None)
            onednn.prefer()
            self.assertEqual(os.environ[onednn.VARIABLE], "1")

    def test_leaves_what_the_user_set(self):
        for value in ("0", "1", ""):
            with mock.patch.dict(os.environ, {onednn.VARIABLE: value}):
                onednn.prefer()
                self.assertEqual(os.environ[onednn.VARIABLE], value)

    def test_a_program_asks_before_tensorflow_starts(self):
        with mock.patch.dict(os.environ):
            os.environ.pop(onednn.VARIABLE, None)
            quiet.start_tensorflow()
            self.assertEqual(os.environ[onednn.VARIABLE], "1")

    def test_every_program_asks(self):
        code = (
            "import os, sys\nfrom qmia_tf.programs import program\n"
            f"def main(argv): print(os.environ['{onednn.VARIABLE}'])\n"
            "program.run(sys.modules['__main__'])"
        )
        self.assertEqual(process(code), ["1"])
        self.assertEqual(process(code, TF_ENABLE_ONEDNN_OPTS="0"), ["0"])

    def test_the_suite_asks(self):
        self.assertIn(os.environ[onednn.VARIABLE], ("0", "1"))

    def test_files_that_run_under_both_are_there(self):
        text = (ROOT / "tests" / "kernel_tests.txt").read_text()
        names = [x for x in text.splitlines() if x and not x.startswith("#")]
        self.assertNotEmpty(names)
        self.assertEqual(names, sorted(set(names)))
        for name in names:
            file, _, tests = name.partition("::")
            self.assertTrue((ROOT / file).is_file(), name)
            if tests:
                self.assertIn(f"class {tests}(", (ROOT / file).read_text())


class ProcessTest(parameterized.TestCase):
    """What TensorFlow really does, in processes of their own."""

    def test_importing_the_library_sets_nothing(self):
        (first, *_) = process(SAYS)
        value, record = json.loads(first)
        self.assertIsNone(value)
        if sys.platform == "linux" and not takes_it_by_itself():
            self.assertFalse(record["onednn"])

    @parameterized.parameters("0", "1")
    def test_setting(self, value):
        first, *said = process(
            SAYS, TF_ENABLE_ONEDNN_OPTS=value, TF_NUM_INTRAOP_THREADS="3"
        )
        self.assertEqual(
            json.loads(first),
            [
                value,
                {
                    "onednn": value == "1",
                    "intra_op_threads": 3,
                    "processor": onednn.processor(),
                },
            ],
        )
        if value == "1":
            self.assertEmpty(said)
        else:
            # Once, though it was asked to twice.
            (line,) = said
            self.assertStartsWith(line, "oneDNN is off in this TensorFlow: ")
            self.assertIn("seven times as long", line)
            self.assertIn("set TF_ENABLE_ONEDNN_OPTS=1 before", line)


class RecordTest(parameterized.TestCase):
    def test_this_process(self):
        self.assertEqual(
            onednn.record(),
            {
                "onednn": onednn.is_on(),
                "intra_op_threads": onednn.threads(),
                "processor": onednn.processor(),
            },
        )
        self.assertTrue(onednn.is_record(onednn.record()))
        self.assertEqual(onednn.is_on(), os.environ[onednn.VARIABLE] == "1")
        # The variable is read when TensorFlow starts, not later.
        other = {"0": "1", "1": "0"}[os.environ[onednn.VARIABLE]]
        before = onednn.is_on()
        with mock.patch.dict(os.environ, {onednn.VARIABLE: other}):
            self.assertEqual(onednn.is_on(), before)

    @parameterized.parameters(
        (5, "3", {0}, 5),
        (0, "3", {0}, 3),
        (0, "", {0, 1, 5}, 3),
        (0, "many", {4}, 1),
    )
    def test_threads(self, configured, variable, processors, wanted):
        threading = tf.config.threading
        with (
            mock.patch.object(
                threading,
                "get_intra_op_parallelism_threads",
                return_value=configured,
            ),
            mock.patch.dict(os.environ, {onednn.THREADS: variable}),
            mock.patch.object(
                os, "sched_getaffinity", return_value=processors, create=True
            ),
        ):
            self.assertEqual(onednn.threads(), wanted)

    @parameterized.parameters(
        (None,),
        ([],),
        ({},),
        ({"onednn": 1, "intra_op_threads": 2},),
        ({"onednn": True, "intra_op_threads": "2"},),
        ({"onednn": True},),
    )
    def test_what_is_none(self, value):
        self.assertFalse(onednn.is_record(value))

    def test_words(self):
        here = onednn.record()
        self.assertEqual(onednn.wanted(here), "")
        one = {"onednn": True, "intra_op_threads": 1}
        self.assertEqual(onednn.described(one), "oneDNN on, 1 thread")
        two = {"onednn": False, "intra_op_threads": 2}
        self.assertEqual(onednn.described(two), "oneDNN off, 2 threads")


class SayTest(parameterized.TestCase):
    @parameterized.parameters(
        ({}, True),
        ({"is_on": True}, False),
        ({"gpus": ["a GPU"]}, False),
        ({"platform": "darwin"}, False),
    )
    def test_only_where_it_could_be_on(self, changes, is_said):
        given = {"is_on": False, "gpus": [], "platform": "linux", **changes}
        onednn.say_if_off.cache_clear()
        self.addCleanup(onednn.say_if_off.cache_clear)
        with (
            mock.patch.object(onednn, "is_on", return_value=given["is_on"]),
            mock.patch.object(
                tf.config, "list_physical_devices", return_value=given["gpus"]
            ),
            mock.patch.object(sys, "platform", given["platform"]),
            mock.patch.object(terminal, "say") as say,
        ):
            onednn.say_if_off()
        self.assertEqual(say.called, is_said)


class ExplainingTest(parameterized.TestCase):
    @parameterized.parameters(
        (False, r"'m' cannot .*: it refuses NCHW; .*TF_ENABLE_ONEDNN_OPTS=1"),
        (True, r"'m' cannot be computed by TensorFlow: it refuses NCHW$"),
    )
    def test_says_what_is_refused_and_the_way_out(self, is_on, message):
        refused = tf.errors.UnimplementedError(
            None, None, "{{function_node f}} it refuses NCHW\n\t [[{{node a}}]]"
        )
        with (
            mock.patch.object(onednn, "is_on", return_value=is_on),
            self.assertRaisesRegex(InputError, message),
            onednn.explaining("m"),
        ):
            raise refused

    def test_lets_other_errors_through(self):
        with self.assertRaises(ZeroDivisionError), onednn.explaining("m"):
            raise ZeroDivisionError


if __name__ == "__main__":
    absltest.main()
