"""Saved outputs of one's own: CSV and .npz, each side alone or both."""

import json
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.errors import InputError
from qmia_tf.own import answers, csv_file
from qmia_tf.own.records import Records

ROWS = np.array([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [0, 0, 1]])
LOGITS = np.array([[1.5, -2, 0.25], [0, 3, -1], [-2, 1, 4.5]])


class Folder(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)

    def text(self, content, name="a.csv"):
        (self.dir / name).write_text(content)
        return self.dir / name

    def npz(self, name, **arrays):
        np.savez(self.dir / name, **arrays)
        return self.dir / name


class CsvTest(Folder):
    def test_probabilities(self):
        path = self.text(
            "note,p1,p0,label,p2\nx,0.25,0.5,2,0.25\n\ny,0.75,.125,0,0.125\n"
        )
        found = csv_file.read(path)
        self.assertAllEqual(found["probabilities"], ROWS[:2])
        self.assertAllEqual(found["labels"], [2, 0])
        self.assertNotIn("record_ids", found)

    def test_logits_with_ids_as_a_spreadsheet_writes_them(self):
        path = self.dir / "a.csv"
        path.write_bytes(
            "\ufeffid, z0,z1,label\r\n7,-1.5,2e1,1.0\r\n3,0,1,0\r\n".encode()
        )
        found = csv_file.read(path)
        self.assertAllEqual(found["logits"], [[-1.5, 20], [0, 1]])
        self.assertAllEqual(found["record_ids"], [7, 3])
        self.assertAllEqual(found["labels"], [1, 0])

    @parameterized.parameters(
        ([[0.31, 0.69], [0.5, 0.5]], 0.01),
        ([[0.3125, 0.6875], [0.5, 0.5]], 1 / 256),
        ([[1 / 3, 2 / 3], [0.5, 0.5]], 0.0),
        ([[0.333, 0.667], [0.5, 0.5]], 0.001),
        ([[85 / 255, 170 / 255], [1, 0]], 1 / 255),
    )
    def test_the_step_of_rounded_numbers(self, rows, step):
        lines = [f"{one!r},{two!r},0" for one, two in rows]
        path = self.text("\n".join(["p0,p1,label", *lines]))
        self.assertAlmostEqual(csv_file.read(path)["step"], step)

    @parameterized.named_parameters(
        ("no_label", "p0,p1\n1,0\n", "row 1 has no column 'label'; it is p0"),
        ("gap", "p0,p2,label\n1,0,0\n", "row 1 has no column 'p1'"),
        ("one", "p0,label\n1,0\n", "row 1 has no column 'p1'"),
        ("no_p", "a,label\n1,0\n", "row 1 has no column p0: name the columns"),
        ("both", "p0,z0,label\n1,0,0\n", "row 1 has both p and z columns"),
        ("twice", "p0,p1,p1,label\n", "row 1 has column 'p1' twice"),
        (
            "cell",
            "p0,p1,label\n1,0,0\n.5,a,0\n",
            "row 3, column 'p1' is 'a', n",
        ),
        ("empty", "p0,p1,label\n1,,0\n", "row 2, column 'p1' is '', not a nu"),
        ("nan", "z0,z1,label\n1,nan,0\n", "row 2, column 'z1' is 'nan'"),
        (
            "label",
            "p0,p1,label\n1,0,0.5\n",
            "row 2, column 'label' is '0.5', not a w",
        ),
        (
            "minus",
            "p0,p1,label\n1,0,-1\n",
            "row 2, column 'label' is '-1', not a wh",
        ),
        ("word", "p0,p1,label\n1,0,cat\n", "row 2, column 'label' is 'cat'"),
        ("id", "id,p0,p1,label\nx,1,0,0\n", "row 2, column 'id' is 'x'"),
        ("short", "p0,p1,label\n1,0,0\n1,0\n", "row 3 has 2 cells, and there"),
        ("no_rows", "p0,p1,label\n", "has no rows"),
        ("nothing", "", "row 1 has no column p0.*it is nothing"),
    )
    def test_bad_files(self, content, pattern):
        path = self.text(content)
        with self.assertRaisesRegex(InputError, f"a.csv:? {pattern}") as caught:
            csv_file.read(path)
        self.assertNotIn("\n", str(caught.exception))

    def test_not_text_or_not_there(self):
        (self.dir / "b.csv").write_bytes(b"p0,p1,label\n\xff\xfe\x00,1,0\n")
        with self.assertRaisesRegex(InputError, "b.csv is not a CSV file"):
            csv_file.read(self.dir / "b.csv")
        with self.assertRaisesRegex(InputError, "cannot read .*gone.csv"):
            csv_file.read(self.dir / "gone.csv")


class SidesTest(Folder):
    def test_csv(self):
        one = self.text("p0,p1,label\n1,0,0\n.5,.5,1\n")
        two = self.text("p0,p1,label\n0.25,0.75,1\n", "b.csv")
        found = answers.of_sides(one, two)
        self.assertAllEqual(
            found.probabilities, [[1, 0], [0.5, 0.5], [0.25, 0.75]]
        )
        self.assertAllEqual(found.members, [True, True, False])
        self.assertAllEqual(found.record_ids, [0, 1, 2])
        self.assertEqual(found.target, "saved")

    def test_ids_are_kept_and_may_not_be_on_both_sides(self):
        one = self.text("id,z0,z1,label\n9,1,0,0\n4,-5,5,1\n")
        two = self.text("id,z0,z1,label\n2,1,0,0\n", "b.csv")
        found = answers.of_sides(one, two)
        self.assertAllEqual(found.record_ids, [9, 4, 2])
        self.assertAllClose(found.logits, [[1, 0], [-5, 5], [1, 0]])
        two = self.text("id,z0,z1,label\n4,1,0,0\n", "b.csv")
        with self.assertRaisesRegex(
            InputError, "record 4 is in .*a.csv and in"
        ):
            answers.of_sides(one, two)

    def test_npz_and_csv(self):
        one = self.npz("a.npz", probabilities=ROWS, y=[0, 1, 2])
        two = self.text("p0,p1,p2,label\n0.25,0.75,0,1\n", "b.csv")
        found = answers.of_sides(one, two)
        self.assertAllEqual(found.labels, [0, 1, 2, 1])
        self.assertEqual(found.target, "saved")

    @parameterized.named_parameters(
        ("labels", {"probabilities": ROWS}, "a.npz: the labels are missing"),
        ("said", {"probabilities": ROWS, "labels": [0, 1, 2],
                  "members": [True, False, True]}, "as the members, but its"),
        ("rows", {"probabilities": ROWS, "labels": [0, 1]},
         r"labels has shape \[2\], but there are 3 rows"),
        ("kinds", {"logits": LOGITS, "labels": [0, 1, 2]},
         r"holds logits \[3\] a record, .*probabilities \[3\]"),
        ("classes", {"probabilities": ROWS[:, :2], "labels": [0, 1, 1]},
         r"holds probabilities \[2\] a record"),
        ("sums", {"probabilities": ROWS * 1.5, "labels": [0, 1, 2]},
         "sum to 1.5, not to 1"),
        ("info", {"probabilities": ROWS, "labels": [0, 1, 2], "info": "{"},
         "info is not JSON"),
    )  # fmt: skip
    def test_bad_sides(self, arrays, pattern):
        one = self.npz("a.npz", **arrays)
        two = self.npz("b.npz", probabilities=ROWS[:2], labels=[0, 1])
        with self.assertRaisesRegex(InputError, pattern):
            answers.of_sides(one, two)

    @parameterized.parameters(
        ({"probabilities": ROWS.astype(int)}, "probabilities are int64"),
        ({"probabilities": ROWS[0]}, r"float64 \[3\], not floats .records, cl"),
        ({"logits": LOGITS, "labels": ROWS[0]}, "labels are float64, not int"),
        ({"logits": LOGITS, "record_ids": ROWS[0]}, "record_ids are float64"),
        ({"info": '{"probability_step": "x"}'}, "probability_step.* must be"),
        ({"info": "[]"}, "info must be a JSON object"),
    )
    def test_arrays_of_another_kind(self, arrays, pattern):
        good = {"probabilities": ROWS, "labels": [0, 1, 2]}
        if "logits" in arrays:
            del good["probabilities"]
        one = self.npz("a.npz", **{**good, **arrays})
        two = self.npz("b.npz", probabilities=ROWS[:2], labels=[0, 1])
        with self.assertRaisesRegex(InputError, pattern):
            answers.of_sides(one, two)

    def test_the_same_file_twice(self):
        one = self.npz("a.npz", probabilities=ROWS, y=[0, 1, 2])
        with self.assertRaisesRegex(InputError, "are the same file"):
            answers.of_sides(one, one)

    def test_what_is_a_file_of_outputs(self):
        self.assertTrue(answers.is_answers("x.csv"))
        path = self.npz("a.npz", logits=LOGITS)
        self.assertTrue(answers.is_answers(path))
        path = self.npz("b.npz", x=LOGITS, labels=LOGITS)
        self.assertFalse(answers.is_answers(path))
        self.assertFalse(answers.is_answers((LOGITS, LOGITS)))
        self.assertFalse(answers.is_answers(self.text("no", "c.npz")))


class AloneTest(Folder):
    def test_a_file_that_says_who_is_a_member(self):
        path = self.npz(
            "pi 4.npz",
            probabilities=np.round(ROWS * 256) / 256,
            labels=[0, 1, 1],
            members=[1, 0, 1],
        )
        found = answers.alone(path)
        self.assertEqual(found.target, "pi_4")
        self.assertAllEqual(found.members, [True, False, True])
        self.assertEqual(found.probability_step, 1 / 256)

    def test_info_is_kept(self):
        info = {"target": "int8", "sha256": "ab", "probability_step": 0.25}
        path = self.npz(
            "a.npz",
            probabilities=ROWS,
            labels=[0, 1, 1],
            members=[1, 0, 1],
            record_ids=[5, 2, 9],
            info=json.dumps(info),
        )
        found = answers.alone(path)
        self.assertEqual(found.info, info)
        self.assertAllEqual(found.record_ids, [5, 2, 9])

    def test_without_members(self):
        path = self.npz("a.npz", probabilities=ROWS, labels=[0, 1, 1])
        with self.assertRaisesRegex(InputError, "no array 'members': give"):
            answers.alone(path)
        path = self.npz("a.npz", x=ROWS)
        with self.assertRaisesRegex(InputError, "holds x: a file of outputs"):
            answers.alone(path)


class OfRecordsTest(Folder):
    def setUp(self):
        super().setUp()
        self.records = Records(
            "x",
            np.zeros((3, 2)),
            np.array([0, 1, 2]),
            np.array([True, True, False]),
            None,
        )

    def test_rows_are_the_records_in_their_order(self):
        path = self.npz("a.npz", logits=LOGITS)
        found = answers.of_records(path, self.records)
        self.assertAllEqual(found.labels, [0, 1, 2])
        self.assertAllEqual(found.members, [True, True, False])
        self.assertAllEqual(found.record_ids, [0, 1, 2])
        self.assertEqual(found.info["fingerprint"], self.records.fingerprint())

    def test_another_order_by_record_ids(self):
        path = self.npz("a.npz", logits=LOGITS, record_ids=[2, 0, 1])
        found = answers.of_records(path, self.records)
        self.assertAllClose(found.logits, LOGITS[[1, 2, 0]])
        self.assertAllEqual(found.labels, [0, 1, 2])

    @parameterized.named_parameters(
        ("count", {"logits": LOGITS[:2]}, "2 rows of outputs, and there are 3"),
        ("ids", {"logits": LOGITS, "record_ids": [1, 2, 3]}, "must be pos"),
        ("labels", {"logits": LOGITS, "labels": [0, 2, 2]},
         "labels of row 1 are 2, those of the records 1"),
        ("members", {"logits": LOGITS, "members": [True, False, False]},
         "members of row 1 are False"),
        ("data", {"logits": LOGITS, "info": '{"fingerprint": "0123"}'},
         "records with fingerprint 0123, not"),
    )  # fmt: skip
    def test_about_others(self, arrays, pattern):
        path = self.npz("a.npz", **arrays)
        with self.assertRaisesRegex(InputError, pattern):
            answers.of_records(path, self.records)


class ReferenceTest(Folder):
    def setUp(self):
        super().setUp()
        arrays = {"probabilities": ROWS, "labels": [0, 1, 2]}
        path = self.npz("t.npz", members=[1, 1, 0], **arrays)
        self.answered = answers.alone(path)

    def test_labels_are_those_of_the_target(self):
        path = self.npz(
            "r1.npz", logits=LOGITS[:2], members=[0, 1], record_ids=[2, 0]
        )
        found = answers.reference(path, self.answered)
        self.assertAllEqual(found.labels, [2, 0])
        self.assertAllEqual(found.members, [False, True])
        self.assertEqual(found.target, "r1")

    def test_bad_references(self):
        for path, pattern in (
            (self.npz("r.npz", logits=LOGITS), "no array 'members'"),
            (
                self.npz("q.npz", logits=LOGITS, members=[1, 0, 1],
                         record_ids=[0, 1, 7]),
                "records that are not audited",
            ),
            (self.dir / "r.csv", "r.csv is not an .npz"),
        ):  # fmt: skip
            with self.assertRaisesRegex(InputError, pattern):
                answers.reference(path, self.answered)


if __name__ == "__main__":
    tf.test.main()
