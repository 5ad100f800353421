"""Tests of asking about many images, also by a process that is killed."""

import pathlib
import signal
import subprocess
import sys
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from qmia_tf import files
from qmia_tf.edge import resumable_queries
from qmia_tf.errors import InputError

IMAGES = np.arange(23 * 2, dtype=np.uint8).reshape(23, 2, 1, 1)
KEY = {"model": "abc", "threads": 2}


class Target:
    """Answers with the image and its place in the batch.

    Args:
        stop_at: raises at the call of that number; -1 never.
        error: what it raises.
    """

    batch_size = 5

    def __init__(self, *, stop_at=-1, error=None):
        self.info = {"target": "fake"}
        self.calls, self.stop_at, self.error = [], stop_at, error

    def predict(self, images):
        if len(self.calls) == self.stop_at:
            raise self.error
        self.calls.append(len(images))
        place = np.arange(len(images))
        return np.stack([images[:, 0, 0, 0], place], 1).astype(np.float32)


EXPECTED = np.stack([np.arange(0, 46, 2), np.arange(23) % 5], 1)


class AskTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path) / "o.partial"

    def ask(self, target, key=None, classes=2):
        return resumable_queries.query_all(
            target,
            IMAGES,
            classes=classes,
            partial=self.path,
            key=key or KEY,
            progress=False,
        )

    def test_asks_in_batches(self):
        target = Target()
        answers, start = self.ask(target)
        np.testing.assert_array_equal(answers, EXPECTED)
        self.assertEqual(answers.dtype, np.float32)
        self.assertEqual((start, target.calls), (0, [5, 5, 5, 5, 3]))
        self.assertFalse(self.path.exists())

    def test_interrupted_it_goes_on(self):
        with self.assertRaises(KeyboardInterrupt):
            self.ask(Target(stop_at=3, error=KeyboardInterrupt))
        target = Target()
        answers, start = self.ask(target)
        np.testing.assert_array_equal(answers, EXPECTED)
        self.assertEqual((start, target.calls), (15, [5, 3]))

    def test_killed_it_goes_on(self):
        code = f"""
import os, sys, signal
sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})
import querying_test as test
from qmia_tf.edge import resumable_queries
resumable_queries.SECONDS_BETWEEN_SAVES = -1
class Target(test.Target):
    def predict(self, images):
        if len(self.calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict(images)
resumable_queries.query_all(Target(), test.IMAGES, classes=2,
             partial={str(self.path)!r}, key=test.KEY, progress=False)
"""
        done = subprocess.run([sys.executable, "-c", code])
        self.assertEqual(done.returncode, -signal.SIGKILL)
        target = Target()
        answers, start = self.ask(target)
        np.testing.assert_array_equal(answers, EXPECTED)
        self.assertEqual((start, target.calls), (10, [5, 5, 3]))

    @parameterized.parameters(
        {"model": "abd"}, {"threads": 1}, {"kernels": "reference"}
    )
    def test_another_question_starts_anew(self, **change):
        with self.assertRaises(KeyboardInterrupt):
            self.ask(Target(stop_at=3, error=KeyboardInterrupt))
        answers, start = self.ask(Target(), {**KEY, **change})
        np.testing.assert_array_equal(answers, EXPECTED)
        self.assertEqual(start, 0)

    @parameterized.parameters(b"", b"PK\x03\x04 cut off")
    def test_damaged_file_starts_anew(self, content):
        self.path.write_bytes(content)
        answers, start = self.ask(Target())
        np.testing.assert_array_equal(answers, EXPECTED)
        self.assertEqual(start, 0)

    def test_saves_now_and_then(self):
        clock = iter(range(0, 1000, 8))
        with (
            mock.patch.object(
                resumable_queries.time, "monotonic", lambda: next(clock)
            ),
            mock.patch.object(files, "write_npz") as write,
        ):
            self.ask(Target())
        # Every 8 s a batch: after the third and, from there, no more.
        self.assertLen(write.call_args_list, 1)
        self.assertLen(write.call_args.kwargs["answers"], 15)

    def test_errors(self):
        target = Target(stop_at=1, error=InputError("bad image"))
        with self.assertRaisesRegex(InputError, "bad image"):
            self.ask(target)
        pattern = r"target 'fake' outputs \[5, 2\], expected \[5, 10\]"
        with self.assertRaisesRegex(InputError, pattern):
            self.ask(Target(), classes=10)


if __name__ == "__main__":
    absltest.main()
