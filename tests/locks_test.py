"""Tests of the locks: one writer, who it is, and what is left of it."""

import errno
import json
import pathlib
import signal
import subprocess
import sys
import threading
from unittest import mock

import filelock
from absl.testing import absltest, parameterized

from qmia_tf import locks
from qmia_tf.errors import InputError

HOLDER = """
import sys, time
from qmia_tf import locks
with locks.writing(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


class LocksTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.product = self.dir / "new" / "audit.json"

    def start_holder(self):
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(self.product)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(holder.stdout.close)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        self.assertEqual(holder.stdout.readline(), "held\n")
        return holder

    def test_second_process_is_told_who_writes(self):
        holder = self.start_holder()
        with self.assertRaisesRegex(
            InputError,
            rf"audit.json is being written by process {holder.pid} on \S+ since"
            r" \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S+ \(-c .*\): wait",
        ):
            with locks.writing(self.product):
                pass
        with locks.writing(self.product.with_name("manifest.json")):
            pass

    def test_killed_process_holds_nothing(self):
        holder = self.start_holder()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        self.assertTrue(locks.lock_file(self.product).exists())
        with locks.writing(self.product):
            pass
        self.assertEmpty(list(self.product.parent.glob("*")))

    def test_failed_work_leaves_no_folder(self):
        with self.assertRaises(ZeroDivisionError):
            with locks.writing(self.product):
                1 / 0  # noqa: B018
        self.assertFalse(self.product.parent.exists())

    def test_thread_may_enter_again_and_others_not(self):
        refused = []

        def enter():
            try:
                with locks.writing(self.product):
                    pass
            except InputError as error:
                refused.append(str(error))

        with locks.writing(self.product):
            with locks.writing(self.product):
                pass
            other = threading.Thread(target=enter)
            other.start()
            other.join()
        self.assertLen(refused, 1)
        self.assertEmpty(list(self.product.parent.glob("*")))

    def test_short_writes_are_waited_for(self):
        counter = self.dir / "counter"
        counter.write_text("0")

        def count():
            for _ in range(10):
                with locks.writing(counter, wait=locks.SHORT):
                    counter.write_text(str(int(counter.read_text()) + 1))

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(counter.read_text(), "40")

    @parameterized.parameters(
        "", "[]", "{", '{"pid": 1}', json.dumps([[]] * 9), "\x00"
    )
    def test_damaged_lock_file_names_nobody(self, text):
        holder = filelock.FileLock(locks.lock_file(self.product))
        self.product.parent.mkdir()
        with holder:
            locks.lock_file(self.product).write_text(text)
            with self.assertRaisesRegex(InputError, "written by another proc"):
                with locks.writing(self.product):
                    pass

    def test_long_command_is_cut(self):
        with (
            mock.patch.object(sys, "argv", ["train.py", "x" * 1000]),
            locks.writing(self.product),
        ):
            shown = locks._holder(locks.lock_file(self.product))
        self.assertLess(len(shown), 300)

    @parameterized.parameters(errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
    def test_file_system_without_locks(self, number):
        with (
            mock.patch("fcntl.flock", side_effect=OSError(number, "none")),
            mock.patch.object(locks.terminal, "say") as say,
            locks.writing(self.product),
        ):
            self.product.write_text("written")
        say.assert_called_once()
        self.assertIn("file system without locks", say.call_args[0][0])
        self.assertEqual(list(self.product.parent.glob("*")), [self.product])

    def test_board_without_the_package(self):
        with (
            mock.patch.dict(sys.modules, filelock=None),
            mock.patch.object(locks.terminal, "say") as say,
            locks.writing(self.dir / "board.npz"),
        ):
            pass
        say.assert_called_once_with(
            "the package filelock is not installed: see that no other process "
            "writes board.npz meanwhile"
        )
        self.assertEmpty(list(self.dir.iterdir()))

    def test_place_that_cannot_be_written(self):
        (self.dir / "new").write_text("a file")
        with self.assertRaisesRegex(InputError, "cannot write .*: choose an"):
            with locks.writing(self.product):
                pass

    def test_full_disk_does_not_keep_the_lock_away(self):
        full = OSError(errno.ENOSPC, "full")
        with (
            mock.patch.object(pathlib.Path, "write_text", side_effect=full),
            locks.writing(self.product),
        ):
            pass
        self.assertEmpty(list(self.product.parent.glob("*")))


if __name__ == "__main__":
    absltest.main()
