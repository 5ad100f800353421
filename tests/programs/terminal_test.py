"""Tests of what is said meanwhile, in a process without TensorFlow."""

import contextlib
import io
import logging
import os
import subprocess
import sys
import time
from unittest import mock

import numpy as np
import synthetic_outputs
from absl.testing import absltest, parameterized

import qmia_tf
from qmia_tf import terminal

SECONDS = "QMIA_PROGRESS_SECONDS"


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Notebook(io.StringIO):
    """As of ipykernel: no terminal, and shows what begins with \\r."""

    __module__ = "ipykernel.iostream"


class Said(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        log = terminal.logger()
        self.addCleanup(log.setLevel, log.level)
        log.setLevel(logging.INFO)
        self.enterContext(mock.patch.dict(os.environ))
        os.environ.pop(SECONDS, None)

    def said(self, stream):
        out, errors = io.StringIO(), stream()
        with (
            contextlib.redirect_stdout(out),
            mock.patch.object(sys, "stderr", errors),
        ):
            terminal.say("a line")
            for _ in terminal.bar(range(3), desc="counting", delay=0):
                pass
            with terminal.working("thinking"):
                out.write("within ")
        return out.getvalue(), errors.getvalue()


class MessagesTest(Said):
    def test_terminal_sees_bars(self):
        out, errors = self.said(Terminal)
        self.assertEqual(out, "a line\nwithin ")
        self.assertIn("counting: 100%", errors)
        # Gone when it is done.
        self.assertEndsWith(errors, "thinking ...\r" + " " * 12 + "\r")

    def test_notebook_sees_bars(self):
        out, errors = self.said(Notebook)
        self.assertEqual(out, "a line\nwithin ")
        self.assertIn("counting: 100%", errors)
        self.assertNotIn("thinking", errors)

    def test_file_sees_nothing_of_what_is_quick(self):
        self.assertEqual(self.said(io.StringIO), ("a line\nwithin ", ""))

    @parameterized.parameters(io.StringIO, Terminal, Notebook)
    def test_quiet(self, stream):
        terminal.be_quiet()
        self.assertEqual(self.said(stream), ("within ", ""))

    def test_the_switch_of_python(self):
        logging.getLogger("qmia_tf").setLevel("WARNING")
        self.assertTrue(terminal.is_quiet())
        with contextlib.redirect_stdout(io.StringIO()) as out:
            terminal.say("a line")
            terminal.say("warning: few records")
        self.assertEqual(out.getvalue(), "warning: few records\n")

    def test_lines_go_where_the_logger_sends_them(self):
        with (
            self.assertLogs("qmia_tf", "INFO") as logs,
            contextlib.redirect_stdout(io.StringIO()) as out,
        ):
            terminal.say("100 %s done")
        self.assertEqual(logs.records[0].getMessage(), "100 %s done")
        self.assertEqual(out.getvalue(), "")

    def test_bar_that_is_not_wanted(self):
        for stream in (Terminal, io.StringIO):
            with mock.patch.object(sys, "stderr", stream()) as errors:
                with terminal.bar(total=2, delay=0, shown=False) as bar:
                    bar.update(2)
            self.assertEqual(errors.getvalue(), "")

    def test_working_on_what_fails(self):
        with mock.patch.object(sys, "stderr", Terminal()) as errors:
            with self.assertRaises(ValueError), terminal.working("x"):
                raise ValueError
        self.assertEndsWith(errors.getvalue(), "\r")


class LinesTest(Said):
    """What takes long and is written to a file."""

    def lines(self, seconds, **options):
        """Lines of a bar of 100 steps that take so long altogether."""
        clock = iter([0, *(seconds * step / 100 for step in range(1, 101))])
        with (
            mock.patch.object(sys, "stderr", io.StringIO()) as errors,
            mock.patch.object(time, "monotonic", lambda: next(clock)),
        ):
            with terminal.bar(total=100, unit="image", **options) as bar:
                for _ in range(100):
                    bar.set_postfix_str("loss 1")
                    bar.update()
        return errors.getvalue().splitlines()

    def test_a_line_now_and_then(self):
        self.assertEmpty(self.lines(1.9, desc="net"))
        # After 2 s, 5 s later, 15 s later, then every 30 s.
        lines = self.lines(100, desc="net")
        self.assertEqual(
            [line.partition(" ")[2].partition(" ")[0] for line in lines],
            ["2%", "7%", "22%", "52%", "82%"],
        )
        self.assertEqual(
            lines[1], "net: 7% (7 of 100 images), about 93 s left, loss 1"
        )
        self.assertLen(self.lines(3600, desc="net"), 99)

    def test_what_was_done_before_took_no_time(self):
        with mock.patch.object(sys, "stderr", io.StringIO()) as errors:
            os.environ[SECONDS] = "0"
            bar = terminal.bar(total=100, initial=90)
            with mock.patch.object(
                time, "monotonic", return_value=bar._start + 4
            ):
                bar.update()
        self.assertEqual(
            errors.getvalue(), "91% (91 of 100 its), about 36 s left\n"
        )

    def test_no_total(self):
        os.environ[SECONDS] = "0"
        with mock.patch.object(sys, "stderr", io.StringIO()) as errors:
            rows = terminal.bar(iter("abc"), desc="reading", unit="row")
            self.assertEqual(list(rows), ["a", "b", "c"])
        self.assertEqual(errors.getvalue(), "reading: 1 rows\n")

    def test_working(self):
        os.environ[SECONDS] = "0.01"
        with (
            mock.patch.object(sys, "stderr", io.StringIO()) as errors,
            mock.patch.object(terminal, "MOST_SECONDS", 0.2),
            terminal.working("thinking"),
        ):
            limit = time.monotonic() + 20
            while errors.getvalue().count("\n") < 2:
                self.assertLess(time.monotonic(), limit)
                time.sleep(0.01)
        first, second, *_ = errors.getvalue().splitlines()
        self.assertEqual(first, "thinking ...")
        self.assertRegex(second, r"^thinking ... \(\d+ s so far\)$")

    def test_a_program_whose_stderr_is_turned_away(self):
        body = (
            "import time\n"
            "from qmia_tf import quiet, terminal\n"
            "with terminal.working('starting'), quiet.without_messages("
            "show_if_it_fails=True):\n"
            "    time.sleep(1)"
        )
        done = subprocess.run(
            [sys.executable, "-c", body],
            capture_output=True,
            text=True,
            env={**os.environ, SECONDS: "0.01"},
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((done.stdout, done.stderr), ("", "starting ...\n"))


class AuditTest(Said):
    def test_steps_of_an_audit(self):
        some = synthetic_outputs.outputs(40, 40, classes=3)
        folder = self.create_tempdir().full_path
        sides = []
        for name, rows in (("a", some.members), ("b", ~some.members)):
            sides.append(f"{folder}/{name}.npz")
            np.savez(
                sides[-1],
                probabilities=some.probabilities[rows],
                labels=some.labels[rows],
            )
        os.environ[SECONDS] = "0"
        with mock.patch.object(sys, "stderr", io.StringIO()) as errors:
            result = qmia_tf.audit(None, *sides, progress=None)
            result.report(f"{folder}/report", formats=["csv"])
        for step in (
            "reading the outputs ...",
            "saved: attacks: ",
            "saved: testing for a leak ...",
            "comparing the targets ...",
            "drawing the report ...",
        ):
            self.assertIn(step, errors.getvalue())
        terminal.be_quiet()
        with mock.patch.object(sys, "stderr", io.StringIO()) as errors:
            qmia_tf.audit(None, *sides, progress=None)
        self.assertEqual(errors.getvalue(), "")


if __name__ == "__main__":
    absltest.main()
