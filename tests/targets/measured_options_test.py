"""What nobody says: taken where the members say it, and asked for else."""

import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from colour_nets import SIDE, images, nearest

from qmia_tf.data import sides
from qmia_tf.errors import InputError
from qmia_tf.targets import listing, queries
from qmia_tf.targets.model_options import ModelOptions
from qmia_tf.targets.unopened_model import MEASURED

NAMES = ("red", "green", "blue", "yellow")


def side_of(values, labels, rows, **options):
    return sides.Side.of(
        "x.npz", values[rows], labels[rows], taken="of a test", **options
    )


def records(values, labels, **options):
    """Records as an audit reads them, of which the first half are members."""
    both = [
        side_of(values, labels, rows)
        for rows in (slice(SIDE), slice(SIDE, None))
    ]
    return sides.join(*both, **options)


class Measured(parameterized.TestCase, tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.values, cls.labels, _ = images()
        cls.net = nearest("0..1")

    def rows(self, values):
        return self.net.predict(np.float32(values) / 255, verbose=0)

    def query(self, model, data, options=None, **given):
        self.lines = []
        listed = listing.list_model(
            "m", model, options or ModelOptions(), numbers=data.numbers
        )
        folder = self.create_tempdir().full_path
        return queries.query(
            listed, data, run_dir=folder, say=self.lines.append, **given
        )

    def assertAsks(self, pattern, *arguments, **given):
        with self.assertRaisesRegex(InputError, pattern) as caught:
            self.query(*arguments, **given)
        self.assertNotIn("\n", str(caught.exception))


class OutputsTest(Measured):
    def test_probabilities_and_logits(self):
        data = records(self.values, self.labels)
        expected = self.rows(self.values)
        for function, kind, evidence in (
            (self.rows, "probabilities", "no number is negative and all rows "
             "sum to 1"),
            (lambda x: np.log(self.rows(x)) + 3, "logits", "those of record "
             ".* sum to .*, the least is -"),
        ):  # fmt: skip
            outputs = self.query(function, data)
            self.assertEqual(outputs.info["outputs"], kind)
            self.assertAllClose(outputs.probabilities, expected, atol=1e-5)
            self.assertRegex(outputs.info[MEASURED]["outputs"], evidence)
            (line,) = self.lines
            self.assertRegex(line, f'^m: outputs="{kind}" is taken: {evidence}')

    def test_one_number(self):
        """In 0..1 it is a probability if that names more than one class."""
        labels = np.isin(self.labels, (0, 3)).astype(int)
        data = records(self.values, labels)

        def probability(values):
            return self.rows(values)[:, [0, 3]].sum(axis=1)[:, None]

        outputs = self.query(probability, data)
        self.assertEqual(outputs.info["outputs"], "probabilities")
        self.assertAllClose(
            outputs.probabilities[:, 1:], probability(self.values), atol=1e-6
        )

        def logit(values):
            p = probability(values).astype(np.float64).clip(1e-6, 1 - 1e-6)
            return np.log(p / (1 - p))

        outputs = self.query(logit, data)
        self.assertEqual(outputs.info["outputs"], "logits")
        self.assertAllClose(
            outputs.probabilities[:, 1:], probability(self.values), atol=1e-5
        )
        rng = np.random.default_rng(0)
        self.assertAsks(
            r"not known, and its outputs do not say it \(.*: give outputs=.log"
            r".*\(of 100 members \d+ are right if they are probabilities, \d+ ",
            probability,
            records(self.values, rng.permutation(labels)),
        )
        self.assertAsks(
            "one number a record, .* percentage",
            lambda values: 100 * probability(values),
            data,
        )

    def test_what_is_neither(self):
        data = records(self.values, self.labels)
        self.assertAsks(
            "not known, and its outputs do not say it .*unusual of logits",
            lambda values: 9 * self.rows(values) ** 0.3 + 1,
            data,
        )
        self.assertAsks(
            "multi-label", lambda values: self.rows(values) ** 0.3, data
        )

    def test_stored_outputs_are_taken_as_they_were_measured(self):
        path = pathlib.Path(self.create_tempdir().full_path) / "m.keras"
        self.net.save(path)
        data = records(self.values, self.labels)
        folder = self.create_tempdir().full_path
        given = {"run_dir": folder, "say": lambda line: None}
        first = queries.query(self.listed(path, data), data, **given)
        model = self.listed(path, data)
        again = queries.query(model, data, **given)
        self.assertEqual(again.info, first.info)
        self.assertEqual(list(first.info[MEASURED]), ["input_range"])
        # What it answers to augmented queries follows.
        target = model.open()
        self.assertEqual(target.info["input_range"], "0..1")
        self.assertAllClose(
            target.predict(data.values[:9]), first.probabilities[:9], atol=1e-6
        )

    def listed(self, path, data):
        return listing.list_model(
            "m", path, ModelOptions(), numbers=data.numbers
        )


class LabelsTest(Measured):
    def test_labels_that_start_at_1(self):
        data = records(self.values, self.labels + 1)
        pattern = (
            r"there is a label 4: the labels may start at 1: of 100 "
            r"members \d+ are right as they are, 9\d with labels - 1: give "
            "first_label=1"
        )
        self.assertAsks(pattern, self.rows, data)
        # The range is not known either.
        self.assertAsks(pattern, self.net, data)
        outputs = self.query(
            self.rows, records(self.values, self.labels + 1, first_label=1)
        )
        self.assertAllEqual(outputs.labels, self.labels)

    def test_labels_that_start_at_1_without_the_last(self):
        kept = np.flatnonzero(self.labels < 3)
        members = kept < SIDE
        values, labels = self.values[kept], self.labels[kept] + 1
        both = [side_of(values, labels, x) for x in (members, ~members)]
        data = sides.join(*both)
        self.assertAsks(
            "chance is .*; the labels may start at 1: .* give first_label=1",
            self.rows,
            data,
        )
        self.assertAsks(
            "none is clearly right.*; the labels may start at 1: .* give first",
            self.net,
            data,
        )

    def test_numbers_that_are_right_are_left_alone(self):
        """A model with a class 0 that has no records."""
        data = records(self.values, self.labels + 1)

        def padded(values):
            rows = self.rows(values)
            return np.pad(rows, [(0, 0), (1, 0)])

        self.assertAllEqual(self.query(padded, data).labels, self.labels + 1)


class ClassOrderTest(Measured):
    def named(self, order):
        """Labels as names whose alphabet gives the order of the outputs."""
        names = np.array([f"{'abcd'[place]}" for place in order])
        return records(self.values, names[self.labels])

    def test_the_alphabet_is_taken_where_it_is_right(self):
        data = self.named([0, 1, 2, 3])
        self.assertTrue(data.is_order_assumed)
        outputs = self.query(self.rows, data)
        self.assertRegex(
            self.lines[-1],
            "^m: class_names=.sorted. is taken: in alphabetical order 9. of "
            r"100 members are right \(naming one class: \d+\)",
        )
        self.assertAllEqual(outputs.labels, self.labels)

    @parameterized.parameters(False, True)
    def test_another_order_is_named_and_not_taken(self, allow_chance):
        data = self.named([1, 2, 0, 3])
        self.assertAsks(
            r"which output of target 'm' is which class is not known: in "
            r"alphabetical order \d+ of 100 members are right; a is output 2 "
            r"for \d+ of \d+, b is output 0 for .*, c is output 1 for .*: in "
            r"the order below \d+ of 50 members that it was not read off are "
            r'right, instead of \d+: give class_names=\["b", "c", "a", "d"\]',
            self.rows,
            data,
            allow_chance=allow_chance,
        )

    def test_an_order_that_members_do_not_say(self):
        rng = np.random.default_rng(0)
        names = np.array(list("abcd"))[rng.permutation(self.labels)]
        self.assertAsks(
            "which class is not known: .*: give class_names in the order of "
            "the outputs, or class_names=.sorted",
            self.rows,
            records(self.values, names),
        )

    def test_saved_outputs(self):
        for order in ([0, 1, 2, 3], [3, 1, 2, 0]):
            data = self.named(order)
            path = pathlib.Path(self.create_tempdir().full_path) / "m.npz"
            np.savez(path, probabilities=self.rows(self.values))
            if order == [0, 1, 2, 3]:
                outputs = self.query(path, data)
                self.assertIn("class_names", outputs.info[MEASURED])
            else:
                self.assertAsks("chance|is not known", path, data)


class LayoutTest(Measured):
    def test_channels_on_the_other_side(self):
        first = np.ascontiguousarray(self.values.transpose(0, 3, 1, 2))
        data = records(first, self.labels)
        self.assertAsks(
            r"takes records of \[6, 6, 3\], got \[3, 6, 6\]: transposed \(take"
            r"n as pixels of 0..1\) 9\d of 100 members are right: give "
            "data_format=.channels_last.$",
            self.net,
            data,
        )
        moved = side_of(first, self.labels, slice(None)).in_format(
            "channels_last"
        )
        self.assertAllEqual(moved.values, self.values)
        rng = np.random.default_rng(0)
        self.assertAsks(
            r"transposed .* \d+ of 100 members are right: is it a model of t",
            self.net,
            records(first, rng.permutation(self.labels)),
        )

    @parameterized.parameters(
        ((6, 5, 3), "channels_last", (6, 5, 3)),
        ((3, 6, 5), "channels_last", (6, 5, 3)),
        ((6, 5, 3), "channels_first", (3, 6, 5)),
        ((3, 6, 5), "channels_first", (3, 6, 5)),
        ((3, 6, 4), "channels_first", None),
        ((9, 6, 9), "channels_last", None),
        ((12,), "channels_last", None),
        ((3, 6, 4), None, (3, 6, 4)),
    )
    def test_in_data_format(self, shape, data_format, expected):
        values = np.arange(2 * np.prod(shape)).reshape(2, *shape)
        moved = sides.in_data_format(values, data_format)
        if expected is None:
            self.assertIsNone(moved)
            return
        self.assertEqual(moved.shape, (2, *expected))
        axes = (0, 1, 2, 3)[: values.ndim]
        if expected != shape:
            axes = (0, 2, 3, 1) if expected[2] == 3 else (0, 3, 1, 2)
        self.assertAllEqual(moved, np.einsum(values, (0, 1, 2, 3), axes))


if __name__ == "__main__":
    tf.test.main()
