"""A folder for each test, and errors that are one line."""

import pathlib

import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.errors import InputError


class Folder(parameterized.TestCase, tf.test.TestCase):
    """A test with a folder of its own, self.dir."""

    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)

    def assertRefused(self, pattern, call, *args, **options):
        """An InputError of one line, which the pattern is found in."""
        with self.assertRaisesRegex(InputError, pattern) as caught:
            call(*args, **options)
        self.assertNotIn("\n", str(caught.exception))
