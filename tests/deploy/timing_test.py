"""Tests of the timing, on a clock that the test moves."""

from unittest import mock

import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.deploy import timing


class Clock:
    """A clock that only calls move, each by the next duration."""

    def __init__(self, durations):
        self.now, self.calls, self.durations = 100.0, 0, durations

    def call(self):
        last = len(self.durations) - 1
        self.now += self.durations[min(self.calls, last)]
        self.calls += 1


class MeasureTest(parameterized.TestCase, tf.test.TestCase):
    def measure(self, durations, **options):
        clock = Clock(durations)
        with mock.patch.object(
            timing.time, "perf_counter", side_effect=lambda: clock.now
        ):
            return timing.measure(clock.call, **options), clock.calls

    def test_numbers(self):
        # Slow start, two warm-up calls, then 1 to 20 ms.
        durations = [5.0, 3.0, 3.0] + [i / 1000 for i in range(1, 21)]
        latency, calls = self.measure(durations, seconds=0.0, least=20)
        self.assertEqual(calls, 23)
        self.assertEqual(latency.runs, 20)
        self.assertAlmostEqual(latency.first_ms, 5000)
        self.assertAlmostEqual(latency.median_ms, 10.5)
        # A twentieth of the way between 19 and 20 ms: 0.95 * 19 = 18.05.
        self.assertAlmostEqual(latency.p95_ms, 19.05)

    @parameterized.parameters(
        # seconds a call, options, counted runs
        (0.5, {}, 10),  # at least 10, however slow
        (0.001, {}, 200),  # at most 200, however quick
        (0.015625, {}, 64),  # what fits into one second
        (0.125, {"seconds": 3.0}, 24),
        (0.125, {"least": 2, "seconds": 0.0}, 2),
    )
    def test_how_often(self, seconds, options, expected):
        latency, calls = self.measure([seconds], **options)
        self.assertEqual(latency.runs, expected)
        self.assertEqual(calls, expected + 3)
        self.assertAlmostEqual(latency.median_ms, seconds * 1e3)

    @parameterized.parameters(1, 5)
    def test_warm_up(self, warmup):
        _, calls = self.measure([0.5], warmup=warmup)
        self.assertEqual(calls, 10 + warmup)

    def test_warm_up_takes_no_time_from_the_rest(self):
        latency, _ = self.measure([50.0, 50.0, 50.0, 0.0625])
        self.assertEqual(latency.runs, 16)

    def test_the_real_clock(self):
        latency = timing.measure(lambda: None, seconds=0.0)
        self.assertGreater(latency.median_ms, 0)
        self.assertLess(latency.median_ms, 100)
        self.assertLessEqual(latency.median_ms, latency.p95_ms)

    @parameterized.parameters(
        {"seconds": -1.0},
        {"least": 0},
        {"least": 201},
        {"warmup": 0},
    )
    def test_bad_options(self, **options):
        with self.assertRaisesRegex(ValueError, "seconds must be >= 0"):
            timing.measure(lambda: None, **options)


if __name__ == "__main__":
    tf.test.main()
