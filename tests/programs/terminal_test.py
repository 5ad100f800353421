"""Tests of what is said meanwhile, in a process without TensorFlow."""

import contextlib
import io
import sys
from unittest import mock

from absl import logging
from absl.testing import absltest, parameterized

from qmia_tf import terminal


class Terminal(io.StringIO):
    def isatty(self):
        return True


class MessagesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(logging.set_verbosity, logging.get_verbosity())
        logging.set_verbosity(logging.WARNING)

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

    def test_terminal_sees_bars(self):
        out, errors = self.said(Terminal)
        self.assertEqual(out, "a line\nwithin ")
        self.assertIn("counting: 100%", errors)
        # Gone when it is done.
        self.assertEndsWith(errors, "thinking ...\r" + " " * 12 + "\r")

    def test_file_sees_lines_alone(self):
        self.assertEqual(self.said(io.StringIO), ("a line\nwithin ", ""))

    @parameterized.parameters(-2, -3)
    def test_quiet(self, verbosity):
        logging.set_verbosity(verbosity)
        self.assertEqual(self.said(Terminal), ("within ", ""))

    @parameterized.parameters(-1, 0, 1)
    def test_not_quiet(self, verbosity):
        logging.set_verbosity(verbosity)
        self.assertEqual(self.said(io.StringIO), ("a line\nwithin ", ""))

    def test_bar_that_is_not_wanted(self):
        with mock.patch.object(sys, "stderr", Terminal()) as errors:
            with terminal.bar(total=2, delay=0, shown=False) as bar:
                bar.update(2)
        self.assertEqual(errors.getvalue(), "")

    def test_working_on_what_fails(self):
        with mock.patch.object(sys, "stderr", Terminal()) as errors:
            with self.assertRaises(ValueError), terminal.working("x"):
                raise ValueError
        self.assertEndsWith(errors.getvalue(), "\r")


if __name__ == "__main__":
    absltest.main()
