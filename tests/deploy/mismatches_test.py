"""Tests of what is counted, and of what breaks a promise."""

import json

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.deploy.parity.mismatches import (
    SLACK,
    ParityComparison,
    ParityStage,
    apart,
    judged,
)

SURE = np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]], np.float32)


def levels(seed=0, shape=(2, 4, 3)):
    rng = np.random.default_rng(seed)
    return rng.integers(-255, 256, shape).astype(np.int16)


def compared(kernels="default", *, codes=0, away=0.0, threads=1):
    """A comparison of one tensor of 100 codes."""
    counts = (100, codes, min(codes, 7))
    return ParityComparison(
        *("tflite" if kernels else "keras", kernels, threads, 64, 0, *counts),
        largest_probability=away,
        stages=[ParityStage("conv", *counts)],
    )


def parity(*comparisons, rounded=()):
    return judged(
        "int8",
        list(comparisons),
        sha256="a",
        twin_sha256="b",
        float_layers=["stem", "logits"],
        rounded_layers=list(rounded),
    )


class CountTest(tf.test.TestCase):
    def test_counts_what_differs(self):
        ours, stage = levels(), ParityStage("conv")
        theirs = ours.copy()
        theirs[0, 1, 2] += 1
        theirs[1, 3, 0] -= 5
        stage.count(ours, theirs)
        self.assertEqual(stage, ParityStage("conv", 24, 2, 5))
        stage.count(ours[:1], ours[:1])
        self.assertEqual(stage, ParityStage("conv", 36, 2, 5))
        theirs[0, 0, 0] += 9
        stage.count(theirs, ours)
        self.assertEqual(stage, ParityStage("conv", 60, 5, 9))
        stage.count(ours[:1], ours[:1] + np.int16(1))
        self.assertEqual(stage, ParityStage("conv", 72, 17, 9))
        # Between the ends of int8.
        stage.count(np.array([-255], np.int16), np.array([255], np.int16))
        self.assertEqual(stage.largest, 510)

    def test_two_shapes_are_a_mistake(self):
        for other in (levels(shape=(2, 1, 3)), levels(shape=(24,))):
            with self.assertRaisesRegex(ValueError, "conv"):
                ParityStage("conv").count(levels(), other)

    def test_comparison_adds_batches_up(self):
        stages = [ParityStage("a"), ParityStage("b")]
        comparison = ParityComparison("tflite", "default", 1, 2, stages=stages)
        ours = {"a": levels(1), "b": levels(2), "c": levels(3)}
        theirs = {"a": levels(1), "b": levels(2) + np.int16(2)}
        comparison.count((ours, SURE), (theirs, SURE[:, ::-1]))
        comparison.count((ours, SURE), (ours, SURE + np.float32(0.25)))
        self.assertEqual(comparison.records, 4)
        self.assertEqual(comparison.codes, 96)
        self.assertEqual(comparison.mismatches, 24)
        self.assertEqual(comparison.largest, 2)
        self.assertEqual(comparison.labels_differ, 2)
        self.assertAllClose(comparison.largest_probability, 0.9)

    def test_nothing_compared(self):
        comparison = ParityComparison("keras", "", 0, 64)
        comparison.count(({}, SURE), ({}, SURE))
        self.assertEqual((comparison.codes, comparison.mismatches), (0, 0))
        self.assertEqual(comparison.largest, 0)
        self.assertFalse(comparison.differs)

    def test_probabilities(self):
        theirs = np.array([[0.4, 0.5, 0.1], [0.2, 0.3, 0.5]], np.float32)
        labels, largest = apart(SURE, theirs)
        self.assertEqual(labels, 1)
        self.assertAllClose(largest, 0.5)
        self.assertEqual(apart(SURE, SURE), (0, 0.0))
        # What is no number is far away.
        for wrong in (np.nan, np.inf, -np.inf):
            theirs[1, 1] = wrong
            largest = apart(SURE, theirs)[1]
            self.assertGreaterEqual(largest, 1.0)
            self.assertTrue(np.isfinite(largest))


UNDER = "under the default kernels"


class JudgedTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        (
            [
                compared("", codes=9, away=0.9),
                compared(away=SLACK / 2),
                compared("builtin", codes=30, away=0.5),
                compared("reference", codes=40, away=0.5),
            ],
            *(True, 0, f"no code differs {UNDER}"),
        ),
        (
            [compared(), compared(codes=3), compared(codes=8, threads=2)],
            *(False, 2, f"PROMISE BROKEN: 8 codes differ {UNDER}"),
        ),
        (
            # All inner codes agree, what the file itself outputs does not.
            [compared(away=0.25), compared(away=1 / 256)],
            *(False, 2),
            f"PROMISE BROKEN: probabilities differ by up to 2.5e-01 {UNDER}",
        ),
        ([compared("")], None, 0, f"not tried {UNDER}"),
        ([compared("builtin")], None, 0, f"not tried {UNDER}"),
    )
    def test_promise(self, comparisons, kept, broken, verdict):
        judgement = parity(*comparisons)
        self.assertTrue(judgement.promised)
        self.assertIs(judgement.kept, kept)
        first = len(comparisons) - broken
        self.assertEqual(judgement.broken, comparisons[first:])
        self.assertEqual(judgement.verdict, f"int8: {verdict}")

    def test_no_promise(self):
        judgement = parity(compared(codes=3), rounded=["stem"])
        self.assertFalse(judgement.promised)
        self.assertEmpty(judgement.broken)
        self.assertIsNone(judgement.kept)
        self.assertEqual(
            judgement.verdict,
            "int8: no promise, because float layers (stem) are rounded to "
            "codes",
        )

    def test_as_plain_data(self):
        judgement = parity(compared(""), compared(codes=3, away=0.5))
        stored = json.loads(json.dumps(judgement.as_dict(), allow_nan=False))
        counts = {"codes": 100, "mismatches": 3, "largest": 3}
        second = {
            "against": "tflite",
            "kernels": "default",
            "num_threads": 1,
            "batch_size": 64,
            "records": 0,
            "labels_differ": 0,
            "largest_probability": 0.5,
            "tensors": [{"name": "conv", **counts}],
            **counts,
        }
        self.assertEqual(stored.pop("comparisons")[1], second)
        self.assertEqual(
            stored,
            {
                "scheme": "int8",
                "sha256": "a",
                "twin_sha256": "b",
                "float_layers": ["stem", "logits"],
                "rounded_layers": [],
                "promised": True,
                "kept": False,
                "verdict": judgement.verdict,
            },
        )


if __name__ == "__main__":
    tf.test.main()
