"""Who waits, runs, is done or failed, and what is shown of it."""

import io
import os
import pathlib
import sys
import time
from unittest import mock

from absl.testing import absltest

from qmia_tf import terminal
from qmia_tf.errors import InputError
from qmia_tf.experiments.executors import Job
from qmia_tf.experiments.executors.job import Outcome
from qmia_tf.experiments.executors.job_board import JobBoard


class Terminal(io.StringIO):
    def isatty(self):
        return True


class BoardTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.now = 100.0
        self.enterContext(
            mock.patch.object(time, "monotonic", lambda: self.now)
        )
        # Lines at once, and as often as there is something new.
        self.enterContext(
            mock.patch.dict(os.environ, {"QMIA_PROGRESS_SECONDS": "0"})
        )
        self.enterContext(mock.patch.object(terminal, "FIRST_SECONDS", 0))
        self.lines = []
        self.enterContext(mock.patch.object(terminal, "say", self.lines.append))

    def job(self, name, *after, function="m:f"):
        return Job(name, function, {}, self.dir / f"{name}.log", after)

    def board(self, *jobs):
        return JobBoard(jobs, noun="model")

    def shown(self, board, taken, stream=io.StringIO):
        with mock.patch.object(sys, "stderr", stream()) as errors:
            board.look(taken)
        return errors.getvalue()

    def test_in_order_and_after_what_a_job_needs(self):
        board = self.board(
            self.job("a"), self.job("b", "a"), self.job("c"), self.job("d", "b")
        )
        a, c = board.take(), board.take()
        self.assertEqual([a.name, c.name], ["a", "c"])
        self.assertIsNone(board.take())
        board.end(a, Outcome())
        b = board.take()
        self.assertEqual(b.name, "b")
        # One that has not begun is next again.
        board.put_back(b)
        self.assertIs(board.take(), b)
        self.assertEqual(board.waiting, 1)

    def test_what_needs_a_failed_one_fails_and_no_other(self):
        board = self.board(
            self.job("a"), self.job("b", "a"), self.job("c", "b"), self.job("d")
        )
        board.end(board.take(), Outcome("no memory"))
        self.assertEqual(
            board.failed,
            {
                "a": "no memory",
                "b": "needs a, which failed",
                "c": "needs b, which failed",
            },
        )
        self.assertEqual(
            self.lines[0],
            f"model a failed: no memory (log: {self.dir}/a.log); 0 of 4 done, "
            "1 failed",
        )
        self.assertEqual(board.take().name, "d")

    def test_time_left(self):
        slow = [self.job(name) for name in "abcd"]
        board = self.board(*slow, self.job("e", function="m:quick"))
        a, b = board.take(), board.take()
        self.assertIsNone(board.seconds_left())
        for job in (a, b):
            job.log.write_text("== begun")
        self.shown(board, [a, b])
        self.now += 30
        board.end(a, Outcome(seconds=30))
        # Of b nothing, 30 s each of c, d and e, two at a time.
        self.assertEqual(board.seconds_left(), 45)
        self.assertEqual(
            self.lines,
            ["model a done; 1 of 5 done, 1 running, about 45 s left"],
        )
        self.now += 10
        board.end(b, Outcome(seconds=40))
        self.assertEqual(board.seconds_left(), (2 * 35 + 35) / 2)
        for _ in "cd":
            board.end(board.take(), Outcome(seconds=35))
        board.end(board.take(), Outcome(seconds=1))
        self.assertEqual(self.lines[-1], "model e done; 5 of 5 done")

    def test_kinds_of_jobs_take_their_own_time(self):
        board = self.board(
            *(self.job(name) for name in "ab"),
            *(self.job(name, function="m:quick") for name in "cd"),
        )
        board.end(board.take(), Outcome(seconds=100))
        b = board.take()
        board.end(board.take(), Outcome(seconds=4))
        self.assertEqual(board.seconds_left(), 104)
        board.end(b, Outcome(seconds=100))
        self.assertEqual(board.seconds_left(), 4)

    def test_in_a_file_a_line_now_and_then(self):
        jobs = [self.job(name) for name in "abcdef"]
        board = self.board(*jobs)
        taken = [board.take() for _ in jobs]
        self.assertEqual(self.shown(board, taken), "models: 0 of 6 done\n")
        for job in taken[1:]:
            job.log.write_text("== begun")
        self.assertEqual(
            self.shown(board, taken),
            "models: 0 of 6 done, 5 running (b, c, d, e, ...)\n",
        )
        with mock.patch.object(terminal, "is_quiet", return_value=True):
            self.assertEqual(self.shown(board, taken), "")
        self.assertEqual(self.shown(board, []), "")

    def test_seldom_in_a_file(self):
        board = self.board(self.job("a"))
        taken, count = [board.take()], 0
        with mock.patch.object(terminal, "FIRST_SECONDS", 5):
            board._status = terminal.Status()
            for _ in range(100):
                count += bool(self.shown(board, taken))
                self.now += 1
        # After 0, 5, 20, 50 and 80 s.
        self.assertEqual(count, 5)

    def test_in_a_terminal_one_line_that_makes_room_for_others(self):
        a, b = self.job("a"), self.job("b")
        board = self.board(a, b)
        taken = [board.take(), board.take()]
        a.log.write_text("== begun")
        size = os.terminal_size((40, 20))
        with (
            mock.patch.object(sys, "stderr", Terminal()) as errors,
            mock.patch.object(
                terminal.shutil, "get_terminal_size", return_value=size
            ),
            mock.patch.object(
                terminal, "say", lambda line: errors.write(f"{line}\n")
            ),
        ):
            board.look(taken)
            b.log.write_text("== begun")
            board.look(taken)
            board.end(a, Outcome(seconds=2))
            board.end(b, Outcome(seconds=2))
        first = "models: 0 of 2 done, 1 running (a)"
        second = "models: 0 of 2 done, 2 running (a, b)"
        self.assertEqual(
            errors.getvalue(),
            f"\r{first}\r{second}\r{' ' * len(second)}\r"
            "model a done; 1 of 2 done, 1 running, about 2 s left\n"
            "model b done; 2 of 2 done\n",
        )

    def test_a_terminal_that_is_narrow_has_no_second_line(self):
        board = self.board(self.job("a" * 100))
        job = board.take()
        job.log.write_text("== begun")
        size = os.terminal_size((40, 20))
        with mock.patch.object(
            terminal.shutil, "get_terminal_size", return_value=size
        ):
            self.assertLen(self.shown(board, [job], Terminal), 1 + 39)

    def test_jobs_that_cannot_be(self):
        with self.assertRaisesRegex(InputError, "two jobs are called a"):
            self.board(self.job("a"), self.job("a"))
        with self.assertRaisesRegex(InputError, "a needs b before it"):
            self.board(self.job("a", "b"), self.job("b"))


if __name__ == "__main__":
    absltest.main()
