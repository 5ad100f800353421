"""Membership decisions: bits as text and back."""

import base64

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.auditing import membership_decisions
from qmia_tf.errors import InputError


class VerdictsTest(parameterized.TestCase, tf.test.TestCase):
    def test_first_record_is_the_highest_bit(self):
        bits = np.array([1, 0, 0, 0, 0, 0, 1, 1, 0, 1], bool)
        text = membership_decisions.pack(bits)
        self.assertEqual(
            base64.b64decode(text), bytes([0b10000011, 0b01000000])
        )

    @parameterized.parameters(1, 7, 8, 9, 899)
    def test_round_trip(self, count):
        bits = np.random.default_rng(count).random(count) < 0.5
        unpacked = membership_decisions.unpack(
            membership_decisions.pack(bits), count
        )
        self.assertAllEqual(unpacked, bits)
        self.assertEqual(unpacked.dtype, bool)

    def test_of_the_judged_records(self):
        called = np.array([1, 0, 1, 1, 0], bool)
        members = np.array([1, 1, 0, 0, 0], bool)
        judged = np.array([0, 1, 1, 1, 1], bool)
        packed = membership_decisions.of_records(called, members, judged)
        self.assertAllEqual(
            membership_decisions.unpack(packed.members, 1), [False]
        )
        self.assertAllEqual(
            membership_decisions.unpack(packed.nonmembers, 3),
            [True, True, False],
        )

    @parameterized.parameters("", "AA", "AA==", "AAAAAA==", "not base 64", "é")
    def test_refuses(self, text):
        with self.assertRaisesRegex(InputError, "do not hold 10 bits"):
            membership_decisions.unpack(text, 10)


if __name__ == "__main__":
    tf.test.main()
