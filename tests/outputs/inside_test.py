"""Tests of what the holder reads, as arrays and as files."""

import dataclasses
import pathlib

import numpy as np
import simulated_margins
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.errors import InputError
from qmia_tf.outputs import inside

OUTPUTS = synthetic_outputs.outputs(30, 20, gain=(3.0, 2.0)).in_record_order()


def layer_of(one_unit=False, has_bias=True):
    """An inside of random numbers and the labels of its records."""
    rng = np.random.default_rng(3)
    activations = rng.normal(size=(8, 5)).astype(np.float32)
    logits = 6 * rng.normal(size=(8, 2 if one_unit else 4))
    if one_unit:
        logits[:, 0] = 0
    info = {
        **{"one_unit": one_unit, "has_bias": has_bias, "activations": 5},
        **{"step": 0.0, "zero_point": 0, "op": "Dense", "numbers": "floats"},
    }
    squares = np.square(activations.astype(np.float64)).sum(axis=1)
    read = inside.Inside(logits, squares, np.arange(8), info)
    return read, activations, rng.integers(0, logits.shape[1], 8)


class InsideTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(one_unit=(False, True), has_bias=(False, True))
    def test_gradient_norms_are_those_of_a_tape(self, one_unit, has_bias):
        read, activations, labels = layer_of(one_unit, has_bias)
        norms = []
        for h, z, y in zip(activations, read.logits, labels, strict=True):
            weights = tf.Variable(np.zeros((5, 1 if one_unit else 4)))
            bias = tf.Variable(np.zeros(weights.shape[1]))
            with tf.GradientTape() as tape:
                own = tf.linalg.matvec(weights, tf.cast(h, tf.float64), True)
                # At the logits that were read, whatever the weights are.
                own = own + bias + (z[1:] if one_unit else z)
                if one_unit:
                    loss = tf.nn.sigmoid_cross_entropy_with_logits(
                        labels=np.float64([y]), logits=own
                    )
                else:
                    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(
                        labels=y, logits=own
                    )
            kinds = [weights, bias] if has_bias else [weights]
            norms.append(tf.linalg.global_norm(tape.gradient(loss, kinds)))
        self.assertAllClose(read.gradient_norms(labels), norms, rtol=1e-12)

    def test_gradient_norms_where_p_rounds_to_one(self):
        read, _, _ = layer_of()
        sure = dataclasses.replace(
            read, logits=np.full((8, 4), [60.0, 0.0, 0.0, 0.0])
        )
        norms = sure.gradient_norms(np.zeros(8, int))
        expected = np.exp(-60) * np.sqrt((9 + 3) * (read.squared_norms + 1))
        self.assertAllClose(norms / expected, np.ones(8), rtol=1e-12)

    def test_codes_are_numbers_by_step_and_zero_point(self):
        info = {"step": 0.5, "zero_point": -3}
        codes = np.int8([[-128, -3, 127]])
        self.assertAllEqual(inside.values_of(codes, info), [[-62.5, 0, 65]])

    def test_records_in_another_order(self):
        whole = simulated_margins.inside_of(OUTPUTS)
        ids = OUTPUTS.record_ids[[9, 2, 40]]
        some = whole.of_records(ids)
        self.assertAllEqual(some.record_ids, ids)
        self.assertAllEqual(some.logits, whole.logits[[9, 2, 40]])
        ((part, values),) = some.blocks()
        self.assertAllEqual(values, whole.stored[[9, 2, 40]])
        self.assertEqual(part.start, 0)
        with self.assertRaisesRegex(InputError, "other records"):
            whole.of_records(np.array([10**6]))

    def test_blocks_are_all_records_once(self):
        whole = simulated_margins.inside_of(OUTPUTS)
        with self.subTest("small blocks"):
            before, inside.BLOCK = inside.BLOCK, 18
            self.addCleanup(setattr, inside, "BLOCK", before)
            parts = [values for _, values in whole.blocks()]
            self.assertLen(parts, 17)
            self.assertAllEqual(np.concatenate(parts), whole.stored)

    def test_outputs_of_the_holder_have_no_step(self):
        rounded = synthetic_outputs.outputs(
            30, 20, gain=(3.0, 2.0), step=1 / 256
        ).in_record_order()
        exact = simulated_margins.inside_of(OUTPUTS).outputs_of(rounded)
        self.assertEqual(exact.probability_step, 0)
        self.assertAllClose(exact.probabilities, OUTPUTS.probabilities)
        self.assertEqual(exact.logits.dtype, np.float64)


class FileTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path, "t.npz")
        self.whole = simulated_margins.inside_of(OUTPUTS)
        self.whole.save(self.path)

    def test_saved_and_loaded(self):
        np.save(inside.activations_file(self.path), self.whole.stored)
        loaded = inside.load(self.path)
        for name in inside.ARRAYS:
            self.assertAllEqual(
                getattr(loaded, name), getattr(self.whole, name)
            )
        self.assertEqual(loaded.info, self.whole.info)
        self.assertIsInstance(loaded.stored, np.memmap)
        self.assertAllEqual(loaded.stored, self.whole.stored)

    @parameterized.parameters("absent", "short", "damaged")
    def test_activations_that_are_not_there(self, how):
        place = inside.activations_file(self.path)
        if how == "short":
            np.save(place, self.whole.stored[:3])
        elif how == "damaged":
            place.write_bytes(b"nothing")
        loaded = inside.load(self.path)
        self.assertIsNone(loaded.stored)
        with self.assertRaisesRegex(InputError, "was not kept"):
            list(loaded.blocks())

    def test_damaged(self):
        np.savez(self.path, logits=np.zeros((2, 3)))
        with self.assertRaisesRegex(InputError, "lacks squared_norms, record"):
            inside.load(self.path)
        logits = np.full((50, 5), np.nan)
        dataclasses.replace(self.whole, logits=logits).save(self.path)
        with self.assertRaisesRegex(InputError, "not finite: delete it"):
            inside.load(self.path)


if __name__ == "__main__":
    tf.test.main()
