"""Tests of .tflite files that keep a state: no record sees the one before."""

import pathlib
import shutil
import tempfile

import numpy as np
import stateful_files
import tensorflow as tf
from absl.testing import parameterized
from ai_edge_litert import interpreter as litert

from qmia_tf.deploy.tflite.interpreter import Interpreter
from qmia_tf.errors import InputError


def kept(content, rows):
    """Answers as LiteRT gives them, one record after the other."""
    lite = litert.Interpreter(model_content=content)
    lite.allocate_tensors()
    (entry,), (leave,) = lite.get_input_details(), lite.get_output_details()
    answers = []
    for row in rows:
        lite.set_tensor(entry["index"], row[None])
        lite.invoke()
        answers.append(lite.get_tensor(leave["index"]).reshape(-1))
    return np.array(answers)


def tanh_cell(rows):
    """What the simple cell gives in one step from a state of zeros."""
    kernel = stateful_files.weights(stateful_files.UNITS, rows.shape[-1])
    bias = stateful_files.weights(stateful_files.UNITS)
    hidden = np.tanh(rows.reshape(len(rows), -1) @ kernel.T + bias)
    return stateful_files.expected(hidden, np.eye(stateful_files.UNITS))


class StateTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path, "m.tflite")

    def rows(self, kind):
        steps = (1,) if "SEQUENCE" in kind else ()
        return stateful_files.weights(8, *steps, 4, seed=5)

    @parameterized.product(kind=stateful_files.KINDS, batch=(None, 1, 3))
    def test_every_record_starts_anew(self, kind, batch):
        rows = self.rows(kind)
        one = stateful_files.recurrent(kind, 1)
        expected = stateful_files.fresh(one, rows)
        # What has to be kept away does happen.
        self.assertGreater(np.abs(kept(one, rows) - expected).max(), 1e-3)
        self.path.write_bytes(stateful_files.recurrent(kind, batch))
        interpreter = Interpreter(self.path)
        order = np.random.default_rng(0).permutation(len(rows))
        for places in (np.arange(len(rows)), order):
            step = interpreter.fixed_batch or 5
            answers = [
                interpreter.run(rows[places[start : start + step]])
                for start in range(0, len(rows), step)
            ]
            self.assertAllEqual(np.concatenate(answers), expected[places])

    @parameterized.parameters("RNN", "UNIDIRECTIONAL_SEQUENCE_RNN")
    def test_the_state_is_zero(self, kind):
        rows = self.rows(kind)
        self.path.write_bytes(stateful_files.recurrent(kind))
        # float32 sums in another order, and LiteRT's own tanh and exp.
        self.assertAllClose(
            Interpreter(self.path).run(rows), tanh_cell(rows), atol=1e-5
        )

    def test_padding_does_not_matter(self):
        rows = self.rows("SVDF")
        self.path.write_bytes(stateful_files.recurrent("SVDF", 3))
        interpreter = Interpreter(self.path)
        whole = interpreter.run(rows[:3])
        for row in range(3):
            self.assertAllEqual(
                interpreter.run(rows[row : row + 1])[0], whole[row]
            )


class VariablesTest(parameterized.TestCase, tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.path = cls.folder / "m.tflite"
        content, module = stateful_files.convert(
            cls.folder / "saved", "classify", "train", "prune", "count"
        )
        cls.path.write_bytes(content)
        cls.kernel, cls.mask = module.kernel.numpy(), module.mask.numpy()
        cls.rows = stateful_files.weights(6, 4, seed=7)

    def test_a_variable_that_is_filled_at_the_start(self):
        interpreter = Interpreter(self.path, signature="classify")
        names = [op["op_name"] for op in interpreter.ops()]
        self.assertContainsSubset(
            ["CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE"], names
        )
        self.assertAllClose(
            interpreter.run(self.rows),
            stateful_files.expected(self.rows, self.kernel),
            atol=1e-5,
        )

    def test_a_variable_that_is_assigned_what_it_holds(self):
        interpreter = Interpreter(self.path, signature="prune")
        names = [op["op_name"] for op in interpreter.ops()]
        self.assertIn("ASSIGN_VARIABLE", names)
        expected = stateful_files.expected(self.rows, self.kernel * self.mask)
        for size in (6, 1, 4):
            answers = interpreter.run(self.rows[:size])
            self.assertAllClose(answers, expected[:size], atol=1e-5)

    def test_a_variable_that_changes_the_answers(self):
        interpreter = Interpreter(self.path, signature="count")
        with self.assertRaisesRegex(
            InputError,
            r"m.tflite does not answer alike when it is asked the same "
            r"again: its outputs differ by up to 0\.\d+\. It keeps variables "
            r"\(ASSIGN_VARIABLE\) that change .* only reads its variables$",
        ):
            interpreter.run(self.rows)


if __name__ == "__main__":
    tf.test.main()
