"""Tests of the file of outputs: round trip, and what it refuses."""

import dataclasses
import json

import folders
import numpy as np
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized
from scipy import special

from qmia_tf import outputs
from qmia_tf.errors import InputError


def changed(row=3, **values):
    """Good outputs with probabilities[row], labels[row]... replaced."""
    answers = synthetic_outputs.outputs(6, 6)
    for name, value in values.items():
        array = getattr(answers, name).copy()
        array[row] = value
        answers = dataclasses.replace(answers, **{name: array})
    return answers


def with_logits():
    answers = synthetic_outputs.outputs(6, 6)
    return outputs.Outputs.from_logits(
        (np.log(answers.probabilities) - 2).astype(np.float32),
        labels=answers.labels,
        members=answers.members,
        record_ids=answers.record_ids,
        info={"target": "keras"},
    )


class OutputsTest(folders.Folder):
    def setUp(self):
        super().setUp()
        self.path = self.dir / "int8.npz"

    def arrays(self, **changes):
        answers = synthetic_outputs.outputs(6, 6)
        arrays = {
            field.name: getattr(answers, field.name)
            for field in dataclasses.fields(answers)
        }
        arrays["info"] = np.array(json.dumps(answers.info))
        del arrays["logits"]
        return {**arrays, **changes}

    def write(self, **changes):
        arrays = self.arrays(**changes)
        np.savez(
            self.path, **{k: v for k, v in arrays.items() if v is not None}
        )

    def test_save_and_load(self):
        answers = synthetic_outputs.outputs(7, 5, sha256="a" * 64, size_bytes=9)
        answers.save(self.path)
        back = outputs.load(self.path)
        self.assertIsNone(back.logits)
        with np.load(self.path) as stored:
            self.assertNotIn("logits", stored.files)
        for field in dataclasses.fields(answers)[:4]:
            want, got = getattr(answers, field.name), getattr(back, field.name)
            self.assertAllEqual(got, want)
            self.assertEqual(got.dtype, want.dtype)
        self.assertEqual(back.info, answers.info)
        self.assertEqual(back.target, "keras")
        self.assertEqual(back.classes, 5)
        self.assertAllEqual(back.predicted, np.argmax(answers.probabilities, 1))
        self.assertFalse(back.tied.any())

    def test_a_file_names_its_target_if_info_does_not(self):
        self.write(info=np.array("{}"), members=np.arange(12) % 2)
        back = outputs.load(self.path)
        self.assertEqual(back.target, "int8")
        self.assertAllEqual(back.members, np.arange(12) % 2 == 1)
        self.assertEqual(back.members.dtype, bool)

    def test_in_record_order(self):
        answers = synthetic_outputs.outputs(7, 5)
        ordered = answers.in_record_order()
        self.assertAllEqual(ordered.record_ids, sorted(answers.record_ids))
        row = list(answers.record_ids).index(ordered.record_ids[4])
        self.assertAllEqual(
            ordered.probabilities[4], answers.probabilities[row]
        )
        self.assertEqual(ordered.members[4], answers.members[row])

    def test_rounded_probabilities_may_miss_one_by_half_a_step_each(self):
        answers = synthetic_outputs.outputs(500, 500, classes=10, step=1 / 256)
        off = np.abs(answers.probabilities.sum(axis=1) - 1).max()
        self.assertGreater(off, 1e-3)
        self.assertIs(answers.validate(), answers)
        with self.assertRaisesRegex(InputError, "probability_step"):
            dataclasses.replace(answers, info={"target": "keras"}).validate()

    @parameterized.named_parameters(
        ("nan", {"probabilities": np.nan}, r"row 3 .*not finite"),
        ("infinity", {"probabilities": np.inf}, r"row 3 .*not finite"),
        ("sum", {"probabilities": 0.3}, r"row 3 .*sum to 1.5, not to 1"),
        (
            "negative",
            {"probabilities": [-0.25, 0.5, 0.25, 0.25, 0.25]},
            r"row 3 .*negative: -0.25",
        ),
        ("label", {"labels": 5}, r"row 3 .*label 5 is outside 0\.\.4"),
        ("negative_label", {"labels": -1}, r"row 3 .*label -1 is outside"),
    )
    def test_refuses_values(self, values, message):
        with self.assertRaisesRegex(InputError, f"somewhere: {message}"):
            changed(**values).validate("somewhere")

    def test_counts_the_bad_rows(self):
        answers = changed(row=slice(2, 5), labels=7)
        with self.assertRaisesRegex(InputError, "row 2 .*; 3 such rows"):
            answers.validate()

    def test_refuses_a_record_that_is_there_twice(self):
        answers = synthetic_outputs.outputs(6, 6)
        again = answers.take(np.r_[0:12, 4])
        with self.assertRaisesRegex(InputError, "row 12 .*there twice"):
            again.validate()

    @parameterized.named_parameters(
        ("length", {"labels": np.arange(4)}, "labels has shape .4,., but"),
        ("one_class", {"probabilities": np.ones((12, 1), "f")}, "two classes"),
        ("flat", {"probabilities": np.ones(12, "f")}, "two classes"),
        ("all_members", {"members": np.ones(12, bool)}, "not one nonmember"),
        ("no_members", {"members": np.zeros(12, bool)}, "not one member"),
        ("empty", {"probabilities": np.ones((0, 5), "f")}, "0 rows"),
        ("float_labels", {"labels": np.ones(12)}, "labels must be integers"),
        ("integers", {"probabilities": np.ones((12, 5), int)}, "be floats"),
        ("float_members", {"members": np.ones(12)}, "members must be bool"),
        ("missing", {"record_ids": None}, "lacks record_ids and holds"),
        ("info", {"info": np.array("{")}, "info is not JSON"),
        ("info_list", {"info": np.array("[]")}, "must be a JSON object"),
        ("target", {"info": np.array('{"target": "../x"}')}, "name of letters"),
        ("size", {"info": np.array('{"size_bytes": "9"}')}, "of type int"),
        ("step", {"info": np.array('{"probability_step": 2}')}, "in 0..1"),
        ("slow", {"info": np.array('{"latency_ms": "3"}')}, "milliseconds"),
        ("slower", {"info": np.array('{"latency_ms": -1}')}, "milliseconds"),
        ("forever", {"info": np.array('{"latency_ms": NaN}')}, "NaN is not"),
        ("halves", {"info": np.array('{"latency_threads": 1.5}')}, "type int"),
    )
    def test_refuses_files(self, changes, message):
        self.write(**changes)
        self.assertRefused(f"int8.npz: .*{message}", outputs.load, self.path)

    def test_refuses_objects(self):
        np.savez(self.path, **self.arrays(labels=np.array([None] * 12)))
        self.assertRefused("pickle", outputs.load, self.path)

    def test_refuses_damaged_files(self):
        self.assertRefused("no such file.*qmia attack", outputs.load, self.path)
        self.write()
        whole = self.path.read_bytes()
        spoiled = bytearray(whole)
        spoiled[200:260] = b"?" * 60
        for data in (b"", b"nonsense", whole[: len(whole) // 2], spoiled):
            self.path.write_bytes(bytes(data))
            self.assertRefused(
                "int8.npz.*(damaged|not)", outputs.load, self.path
            )

    def test_never_saves_what_it_would_not_load(self):
        with self.assertRaisesRegex(InputError, "label 9"):
            changed(labels=9).save(self.path)
        self.assertFalse(self.path.exists())

    def test_logits_are_saved_beside_their_probabilities(self):
        answers = with_logits()
        answers.save(self.path)
        back = outputs.load(self.path)
        self.assertAllEqual(back.logits, answers.logits)
        self.assertEqual(back.logits.dtype, np.float32)
        self.assertAllEqual(back.probabilities, answers.probabilities)
        self.assertEqual(back.info["outputs"], "logits")

    def test_a_file_may_hold_logits_alone(self):
        answers = with_logits()
        for info in ({}, {"outputs": "logits", "probability_step": 0.0}):
            self.write(
                probabilities=None,
                logits=answers.logits.astype(np.float64),
                info=np.array(json.dumps(info)),
            )
            back = outputs.load(self.path)
            self.assertAllEqual(back.logits, answers.logits)
            want = special.softmax(answers.logits.astype(np.float64), axis=1)
            self.assertAllClose(back.probabilities, want, atol=1e-7)
            self.assertEqual(back.info["outputs"], "logits")

    def test_logits_go_with_their_records(self):
        answers = with_logits()
        order = np.random.default_rng(0).permutation(12)
        for reordered in (
            answers.take(order),
            answers.take(order).in_record_order(),
        ):
            rows = [
                list(answers.record_ids).index(i) for i in reordered.record_ids
            ]
            self.assertAllEqual(reordered.logits, answers.logits[rows])

    @parameterized.named_parameters(
        ("shape", np.ones((12, 4), "f"), r".*of the shape .*\(12, 5\)"),
        ("integers", np.ones((12, 5), int), "logits must be floats"),
        ("nan", np.full((12, 5), np.nan), "row 0 .*a logit is not finite"),
        ("others", np.eye(12, 5) * -9, "row 0 .*off its probabilities"),
    )
    def test_refuses_logits_beside_probabilities(self, logits, message):
        self.write(logits=logits)
        self.assertRefused(f"int8.npz: {message}", outputs.load, self.path)

    def test_quantized_probabilities_may_be_two_steps_off_their_logits(self):
        answers = synthetic_outputs.outputs(60, 60, gain=(9.0, 8.0))
        # An int8 softmax of these logits, 255/256 at most.
        codes = np.minimum(np.round(answers.probabilities * 256), 255)
        stored = dataclasses.replace(
            answers,
            probabilities=(codes / 256).astype(np.float32),
            logits=np.log(answers.probabilities) + np.float32(3),
            info={"target": "t", "probability_step": 1 / 256},
        )
        self.assertIs(stored.validate(), stored)
        codes[7] = np.roll(codes[7], 1)
        wrong = dataclasses.replace(stored, probabilities=codes / 256)
        with self.assertRaisesRegex(InputError, "row 7 .*softmax.*off its"):
            wrong.validate()

    @parameterized.named_parameters(
        ("float", 0.0), ("int8", 1 / 256), ("uint8", 1 / 255)
    )
    def test_refuses_probabilities_called_logits(self, step):
        answers = synthetic_outputs.outputs(60, 60, classes=10, step=step)
        arrays = {
            name: getattr(answers, name)
            for name in ("labels", "members", "record_ids")
        }
        self.write(probabilities=None, logits=answers.probabilities, **arrays)
        message = "int8.npz: the logits are probabilities.*give them as 'prob"
        self.assertRefused(message, outputs.load, self.path)

    @parameterized.named_parameters(
        ("step", {"probability_step": 1 / 256}, "'probability_step'. is 0.003"),
        ("kind", {"outputs": "probabilities"}, "'outputs'. is 'probabilities'"),
    )
    def test_refuses_logits_that_info_calls_something_else(self, info, message):
        self.write(
            probabilities=None,
            logits=with_logits().logits,
            info=np.array(json.dumps(info)),
        )
        self.assertRefused(
            f"holds logits, .*{message}", outputs.load, self.path
        )

    @parameterized.parameters(((12,),), ((12, 1),), ((0, 5),))
    def test_refuses_logits_of_another_shape(self, shape):
        self.write(probabilities=None, logits=np.zeros(shape, "f"))
        self.assertRefused("logits must be .records", outputs.load, self.path)

    def test_logits_alone_must_be_finite(self):
        logits = with_logits().logits
        logits[3, 1] = np.nan
        self.write(probabilities=None, logits=logits, info=np.array("{}"))
        self.assertRefused("row 3 .*is not finite", outputs.load, self.path)


if __name__ == "__main__":
    tf.test.main()
