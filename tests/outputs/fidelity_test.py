"""How far two targets answer alike."""

import dataclasses

import numpy as np
import synthetic_outputs
import tensorflow as tf

from qmia_tf.outputs import Outputs, fidelity


def answered(rows, ids, target):
    rows = np.array(rows, np.float32)
    return Outputs(
        probabilities=rows,
        labels=np.zeros(len(rows), np.int64),
        members=np.arange(len(rows)) % 2 == 0,
        record_ids=np.array(ids),
        info={"target": target},
    )


class CompareTest(tf.test.TestCase):
    def test_by_record_whatever_their_order(self):
        one = answered([[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]], [7, 3, 5], "a")
        other = answered(
            [[0.375, 0.625], [0.25, 0.75], [0.25, 0.75]], [3, 9, 5], "b"
        )
        self.assertEqual(
            fidelity.compare(one, other),
            # Of the tie on record 3 the first class is the answer.
            fidelity.Agreement("a", "b", 2, 1, 0.125),
        )

    def test_is_the_same_both_ways(self):
        outputs = synthetic_outputs.outputs()
        other = synthetic_outputs.outputs(step=1 / 256, target="int8")
        one, back = (
            fidelity.compare(outputs, other),
            fidelity.compare(other, outputs),
        )
        self.assertEqual(one.labels_differ, back.labels_differ)
        self.assertEqual(one.largest_difference, back.largest_difference)
        self.assertLessEqual(one.largest_difference, 1 / 256)

    def test_no_common_record(self):
        one = answered([[1, 0]], [1], "a")
        other = answered([[1, 0]], [2], "b")
        self.assertIsNone(fidelity.compare(one, other))
        self.assertEqual(fidelity.agreements([one, other]), [])


class CounterpartTest(tf.test.TestCase):
    def others(self, *named, **options):
        """Counterparts of targets given as (name, sha256, kernels)."""
        outputs = synthetic_outputs.outputs(6, 6)
        loaded = [
            dataclasses.replace(
                outputs,
                info={"target": n, "sha256": sha, "kernel_set": kernels},
            )
            for n, sha, kernels in named
        ]
        pairs = fidelity.agreements(loaded, **options)
        return {pair.target: pair.other for pair in pairs}

    def test_kernels_captures_twins_and_the_rest(self):
        self.assertEqual(
            self.others(
                ("keras", "a", "keras"),
                ("float32", "b", "default"),
                ("int8", "c", "default"),
                ("int8.reference", "c", "reference"),
                ("int8_twin", "d", "twin"),
                ("int8.pi4", "c", "default"),
                ("int8.pi4.2", "c", "reference"),
                ("phone", None, None),
            ),
            {
                "float32": "keras",
                "int8": "keras",
                "int8.reference": "int8",
                "int8_twin": "int8",
                "int8.pi4": "int8",
                "int8.pi4.2": "int8.reference",
                "phone": "keras",
            },
        )

    def test_another_first(self):
        self.assertEqual(
            self.others(
                ("net", "a", "keras"),
                ("small", "b", "default"),
                ("phone", "b", None),
                first="net",
            ),
            {"small": "net", "phone": "small"},
        )

    def test_without_the_counterpart(self):
        self.assertEqual(
            self.others(
                ("keras", "a", "keras"),
                ("int8.builtin", "c", "builtin"),
                ("int8.reference", "c", "reference"),
                ("int8_twin", "d", "twin"),
            ),
            {
                "int8.builtin": "keras",
                "int8.reference": "int8.builtin",
                "int8_twin": "keras",
            },
        )
        self.assertEqual(self.others(("int8", "c", "default")), {})


if __name__ == "__main__":
    tf.test.main()
