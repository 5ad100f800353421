"""Saved outputs of one's own: CSV and .npz, each side alone or both."""

import json

import folders
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.data.records import Records
from qmia_tf.errors import InputError
from qmia_tf.outputs import csv_file, kinds, saved_outputs

ROWS = np.array([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [0, 0, 1]])
LOGITS = np.array([[1.5, -2, 0.25], [0, 3, -1], [-2, 1, 4.5]])


class Files(folders.Folder):
    def text(self, content, name="a.csv"):
        (self.dir / name).write_text(content)
        return self.dir / name

    def npz(self, name, **arrays):
        np.savez(self.dir / name, **arrays)
        return self.dir / name


class CsvTest(Files):
    def test_probabilities(self):
        path = self.text(
            "note,p1,p0,label,p2\nx,0.25,0.5,2,0.25\n\ny,0.75,.125,0,0.125\n"
        )
        columns = csv_file.read(path)
        self.assertAllEqual(columns["probabilities"], ROWS[:2])
        self.assertAllEqual(columns["labels"], [2, 0])
        self.assertNotIn("record_ids", columns)

    def test_logits_with_ids_as_a_spreadsheet_writes_them(self):
        path = self.dir / "a.csv"
        path.write_bytes(
            "\ufeffid, z0,z1,label\r\n7,-1.5,2e1,1.0\r\n3,0,1,0\r\n".encode()
        )
        columns = csv_file.read(path)
        self.assertAllEqual(columns["logits"], [[-1.5, 20], [0, 1]])
        self.assertAllEqual(columns["record_ids"], [7, 3])
        self.assertAllEqual(columns["labels"], [1, 0])

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
        rows = csv_file.read(path)["probabilities"]
        self.assertAlmostEqual(kinds.read_step(rows), step)

    @parameterized.parameters(
        "p0;p1;p2;label\n0.5;0.25;0.25;2\n0.125;.75;.125;0\n",
        "p0;p1;p2;label\n0,5;0,25;0,25;2\n0,125;,75;,125;0\n",
        "p0\tp1\tp2\tlabel\n.5\t.25\t.25\t2\n.125\t.75\t.125\t0",
        "p0|p1|p2|label\n.5|.25|.25|2\n.125|.75|.125|0\n",
        "sep=;\np0;p1;p2;label\n.5;.25;.25;2\n.125;.75;.125;0\n",
        # Counted from 1: the columns, or both.
        "p1,p2,p3,label\n.5,.25,.25,2\n.125,.75,.125,0\n",
        "p1,p2,p3,label\n.5,.25,.25,3\n.125,.75,.125,1\n",
        # Named by classes; labels are names, or places.
        "cat,dog,eel,label\n.5,.25,.25,eel\n.125,.75,.125,cat\n",
        "cat,dog,eel,label\n.5,.25,.25,2\n.125,.75,.125,0\n",
        # As pandas writes it.
        ",cat,dog,eel,note,label\n0,.5,.25,.25,a b,eel\n1,.125,.75,.125,,cat\n",
        # Without names.
        ".5,.25,.25,2\n.125,.75,.125,0\n",
        "0,5;0,25;0,25;2\n0,125;0,75;0,125;0\n",
        "2,.5,.25,.25\n0,.125,.75,.125\n",
        'note,p0,p1,p2,label\n"a\nb",.5,.25,.25,2\n,.125,.75,.125,0',
    )
    def test_other_layouts(self, content):
        columns = csv_file.read(self.text(content))
        self.assertAllEqual(columns["probabilities"], ROWS[:2])
        self.assertAllEqual(columns["labels"], [2, 0])

    def test_logits_of_named_classes(self):
        content = "cat;dog;label\n1,5;-2;dog\n-0,25;3;dog\n"
        columns = csv_file.read(self.text(content))
        self.assertAllEqual(columns["logits"], [[1.5, -2], [-0.25, 3]])
        self.assertAllEqual(columns["labels"], [1, 1])
        self.assertEqual(columns["class_names"], ("cat", "dog"))

    @parameterized.named_parameters(
        ("by_name", "loss", lambda place: 0.37 * place),
        ("by_its_numbers", "guess", lambda place: place % 2),
    )
    def test_no_other_column_becomes_a_class(self, name, cell):
        rng = np.random.default_rng(0)
        logits = rng.normal(0, 2, (30, 2))
        lines = [
            f"{one},{two},{cell(place)},{('cat', 'dog')[place % 2]}\n"
            for place, (one, two) in enumerate(logits)
        ]
        path = self.text(f"cat,dog,{name},label\n{''.join(lines)}")
        self.assertRefused(f"column '{name}' would be t", csv_file.read, path)
        # A class of that name is one, as one label says.
        lines[0] = lines[0].replace("cat", name)
        path = self.text(f"cat,dog,{name},label\n{''.join(lines)}")
        self.assertLen(csv_file.read(path)["class_names"], 3)

    def test_boolean_labels(self):
        columns = csv_file.read(self.text("p0,p1,label\n1,0,False\n0,1,True\n"))
        self.assertAllEqual(columns["labels"], [0, 1])

    def test_rows_are_counted_as_a_spreadsheet_does(self):
        """Quoted line breaks are in a row, empty lines are rows."""
        content = 'note,p0,p1,label\n"a\n\nb",1,0,0\n\n"c\nd",.5,.5,1\n,x,0,0\n'
        self.assertRefused(
            "row 5, column 'p0' is 'x'", csv_file.read, self.text(content)
        )
        columns = csv_file.read(self.text(content.replace("x", "1")))
        self.assertAllEqual(columns["rows"], [2, 4, 5])

    @parameterized.parameters(
        ("p0,p1\n1,0\n", "row 1 has no column 'label'; it is p0"),
        ("p0,p2,label\n1,0,0\n", "row 1 has no column 'p1'"),
        ("p0,label\n1,0\n", "row 1 has no column 'p1'"),
        ("a,label\n1,0\n", "row 1 has no column p0: name the columns"),
        ("p0,z0,label\n1,0,0\n", "row 1 has both p and z columns"),
        ("p0,p1,p1,label\n", "row 1 has column 'p1' twice"),
        ("p0,p1,label\n1,0,0\n.5,a,0\n", "row 3, column 'p1' is 'a', n"),
        ("p0,p1,label\n1,,0\n", "row 2, column 'p1' is '', not a nu"),
        ("z0,z1,label\n1,nan,0\n", "row 2, column 'z1' is 'nan'"),
        ("p0,p1,label\n1,0,0.5\n", "row 2, column 'label' is '0.5', not a w"),
        ("p0,p1,label\n1,0,-1\n", "row 2, column 'label' is '-1', not a wh"),
        ("p0,p1,label\n1,0,cat\n", "row 2, column 'label' is 'cat'"),
        ("id,p0,p1,label\nx,1,0,0\n", "row 2, column 'id' is 'x'"),
        ("p0,p1,label\n1,0,0\n1,0\n", "row 3 has 2 cells, and there"),
        ("p0,p1,label\n", "has no rows"),
        ("", "row 1 has no column p0.*it is nothing"),
        ("cat,dog,label\n1,0,cat\n.5,.5,eel\n",
         "row 3, column 'label' is 'eel', which is none of the columns cat"),
        ("cat,dog,label\n1,1,cat\n.5,.9,dog\n",
         "the columns cat, dog are neither probabilities nor logits: all li"),
        ("class_0,class_1,label\n1,0,0\n",
         "row 1 has no column p0: name the columns p0"),
        ("p1,p2,p3,label\n1,0,0,1\n0,1,0,2\n",
         "the columns are p1 to p3, and no label is 0 or 3, so whether"),
        ("1,0,-2\n3,1,4\n",
         "row 1 has numbers instead of names, and .*: name the columns p0"),
        ("0,1,0\n1,0,1\n", "row 1 has numbers instead of names"),
        ("p0,p1,label\n\xff\xfe,1,0\n", "is not a CSV file"),
        (None, "No such file"),
    )  # fmt: skip
    def test_bad_files(self, content, pattern):
        path = self.dir / "a.csv"
        if content is not None:
            path.write_text(content, encoding="latin-1")
        self.assertRefused(f"a.csv:? {pattern}", csv_file.read, path)


class SidesTest(Files):
    def test_csv(self):
        one = self.text("p0,p1,label\n1,0,0\n.5,.5,1\n")
        two = self.text("p0,p1,label\n0.25,0.75,1\n", "b.csv")
        outputs = saved_outputs.of_sides(one, two)
        self.assertAllEqual(
            outputs.probabilities, [[1, 0], [0.5, 0.5], [0.25, 0.75]]
        )
        self.assertAllEqual(outputs.members, [True, True, False])
        self.assertAllEqual(outputs.record_ids, [0, 1, 2])
        self.assertEqual(outputs.target, "saved")

    def test_ids_are_kept_and_may_not_be_on_both_sides(self):
        one = self.text("id,z0,z1,label\n9,1,0,0\n4,-5,5,1\n")
        two = self.text("id,z0,z1,label\n2,1,0,0\n", "b.csv")
        outputs = saved_outputs.of_sides(one, two)
        self.assertAllEqual(outputs.record_ids, [9, 4, 2])
        self.assertAllClose(outputs.logits, [[1, 0], [-5, 5], [1, 0]])
        two = self.text("id,z0,z1,label\n4,1,0,0\n", "b.csv")
        self.assertRefused(
            "record 4 is in .*a.csv and in", saved_outputs.of_sides, one, two
        )

    def test_npz_and_csv(self):
        one = self.npz("a.npz", probabilities=ROWS, y=[0, 1, 2])
        two = self.text("p0,p1,p2,label\n0.25,0.75,0,1\n", "b.csv")
        outputs = saved_outputs.of_sides(one, two)
        self.assertAllEqual(outputs.labels, [0, 1, 2, 1])
        self.assertEqual(outputs.target, "saved")

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
        self.refuse(pattern, arrays)

    def refuse(self, pattern, arrays):
        one = self.npz("a.npz", **arrays)
        two = self.npz("b.npz", probabilities=ROWS[:2], labels=[0, 1])
        self.assertRefused(pattern, saved_outputs.of_sides, one, two)

    @parameterized.parameters(
        ({"probabilities": ROWS.astype(int)}, "probabilities are int64"),
        ({"probabilities": ROWS[0]}, r"float64 \[3\], not floats .records, cl"),
        (
            {"logits": LOGITS, "labels": ROWS[0]},
            "a.npz, labels: label 0.5 of record 0 is not a whole number",
        ),
        ({"logits": LOGITS, "record_ids": ROWS[0]}, "record_ids are float64"),
        (
            {"probabilities": ROWS[:, :1]},
            r"of one number a record give those of both classes, \[1 - p, p\]",
        ),
        ({"probabilities": ROWS[:, 0]}, "of one number a record give those"),
        ({"info": '{"probability_step": "x"}'}, "probability_step.* must be"),
        ({"info": "[]"}, "info must be a JSON object"),
    )
    def test_arrays_of_another_kind(self, arrays, pattern):
        good = {"probabilities": ROWS, "labels": [0, 1, 2]}
        if "logits" in arrays:
            del good["probabilities"]
        self.refuse(pattern, {**good, **arrays})

    def test_the_same_file_twice(self):
        one = self.npz("a.npz", probabilities=ROWS, y=[0, 1, 2])
        self.assertRefused(
            "are the same file", saved_outputs.of_sides, one, one
        )

    def test_what_is_a_file_of_outputs(self):
        self.assertTrue(saved_outputs.is_outputs("x.csv"))
        path = self.npz("a.npz", logits=LOGITS)
        self.assertTrue(saved_outputs.is_outputs(path))
        path = self.npz("b.npz", x=LOGITS, labels=LOGITS)
        self.assertFalse(saved_outputs.is_outputs(path))
        self.assertFalse(saved_outputs.is_outputs((LOGITS, LOGITS)))
        self.assertFalse(saved_outputs.is_outputs(self.text("no", "c.npz")))


class RowsTest(Files):
    """Bad rows are named by their place in their own file."""

    GOOD = "p0,p1,label\n1,0,0\n.5,.5,1\n"

    @parameterized.named_parameters(
        ("sum", "p0,p1,label\n1,0,0\n\n.75,.75,1\n", "row 4 .*sum to 1.5"),
        ("label", "p0,p1,label\n1,0,0\n0,1,2\n", "row 3 .*label 2 is out"),
        ("minus", "p0,p1,label\n1,0,0\n2,-1,1\n", "row 3 .*negative: -1"),
        ("logit", "z0,z1,label\n1,-2,0\n0,1,2\n", "row 3 .*label 2 is out"),
    )
    def test_csv(self, content, pattern):
        good = self.GOOD.replace("p", "z") if "z0" in content else self.GOOD
        one, two = self.text(good), self.text(content, "b.csv")
        for sides in ((one, two), (two, one)):
            self.assertRefused(
                f"b.csv: {pattern}", saved_outputs.of_sides, *sides
            )

    def test_npz(self):
        rows = ROWS.copy()
        rows[1] = [1, 1, 0.5]
        one = self.npz("a.npz", probabilities=ROWS, labels=[0, 1, 2])
        two = self.npz("b.npz", probabilities=rows, labels=[0, 1, 2])
        self.assertRefused(
            "b.npz: row 1 .*sum to 2.5", saved_outputs.of_sides, one, two
        )

    def test_labels_beside_records(self):
        records = Records.numbered(
            "x", np.zeros((2, 2)), np.array([0, 1]), np.array([1, 0], bool)
        )
        path = self.text("p0,p1,label\n1,0,0\n\n.5,.5,0\n")
        self.assertRefused(
            "labels of row 4 are 0, those",
            saved_outputs.of_records,
            path,
            records,
        )


class NamedTest(Files):
    """Columns that are named by classes may stand in any order."""

    def test_sides(self):
        one = self.text("cat,dog,label\n1,0,cat\n.5,.5,dog\n")
        two = self.text("dog,cat,label\n.75,.25,dog\n.5,.5,cat\n", "b.csv")
        outputs = saved_outputs.of_sides(one, two)
        self.assertAllEqual(
            outputs.probabilities,
            [[1, 0], [0.5, 0.5], [0.25, 0.75], [0.5, 0.5]],
        )
        self.assertAllEqual(outputs.labels, [0, 1, 1, 0])
        for text in ("dog,eel,label\n1,0,0\n", "p0,p1,label\n1,0,0\n"):
            self.assertRefused(
                "columns of both files al",
                saved_outputs.of_sides,
                one,
                self.text(text, "b.csv"),
            )

    def test_beside_records(self):
        records = Records.numbered(
            "x",
            np.zeros((3, 2)),
            np.array([0, 1, 2]),
            np.array([True, True, False]),
            classes=3,
            class_names=("ant", "bee", "cow"),
        )
        path = self.text(
            "cow,ant,bee,label\n0,.75,.25,ant\n.25,0,.75,bee\n1,0,0,cow\n"
        )
        outputs = saved_outputs.of_records(path, records)
        self.assertAllEqual(
            outputs.probabilities, [[0.75, 0.25, 0], [0, 0.75, 0.25], [0, 0, 1]]
        )
        self.assertAllEqual(outputs.labels, [0, 1, 2])
        path = self.text("cow,dog,bee,label\n0,1,0,bee\n0,1,0,1\n0,1,0,1\n")
        self.assertRefused(
            "'label' is '1', which is none",
            saved_outputs.of_records,
            path,
            records,
        )
        path = self.text("cow,dog,bee,label\n0,1,0,1\n0,1,0,1\n0,1,0,1\n")
        self.assertRefused(
            "classes of the records are an",
            saved_outputs.of_records,
            path,
            records,
        )


class LabelsTest(Files):
    """Labels of an .npz of outputs, in every form."""

    @parameterized.named_parameters(
        ("floats", np.array([0.0, 1.0, 2.0])),
        ("column", np.array([[0.0], [1.0], [2.0]])),
        ("one_hot", np.eye(3)),
        ("names", np.array(["dog", "cat", "eel"])),
        ("bytes", np.array([b"dog", b"cat", b"eel"])),
    )
    def test_are_taken(self, labels):
        path = self.npz(
            "a.npz",
            probabilities=ROWS,
            labels=labels,
            members=[1, 0, 1],
            class_names=["dog", "cat", "eel"],
        )
        self.assertAllEqual(saved_outputs.alone(path).labels, [0, 1, 2])

    def test_names_without_an_order(self):
        path = self.npz("a.npz", probabilities=ROWS, labels=list("abc"))
        self.assertRefused(
            "a.npz: labels has a class 'a', .* add an array class_n",
            saved_outputs.alone,
            path,
        )


class RoundedTest(Files):
    """Rounded and scaled probabilities, with many classes."""

    def shares(self, classes=100):
        logits = np.random.default_rng(0).normal(0, 1, (60, classes))
        powers = np.exp(logits)
        return powers / powers.sum(axis=1, keepdims=True)

    def whole(self, rows, name="probabilities"):
        return self.npz(
            "a.npz",
            **{name: rows},
            labels=np.zeros(60, int),
            members=np.arange(60) < 30,
        )

    @parameterized.parameters(np.float64, np.float32)
    def test_two_digits_are_probabilities(self, dtype):
        rows = self.shares().round(2)
        self.assertGreater(np.abs(rows.sum(axis=1) - 1).max(), 0.1)
        outputs = saved_outputs.alone(self.whole(rows.astype(dtype)))
        self.assertEqual(outputs.probability_step, 0.01)
        lines = [",".join(map(repr, [*row.tolist(), 0])) for row in rows]
        names = ",".join([*(f"p{place}" for place in range(100)), "label"])
        one = self.text("\n".join([names, *lines[:30]]))
        two = self.text("\n".join([names, *lines[30:]]), "b.csv")
        outputs = saved_outputs.of_sides(one, two)
        self.assertAllClose(outputs.probabilities, rows, atol=1e-7)

    @parameterized.parameters(np.float16, "bf16")
    def test_16_bits(self, dtype):
        rows = self.shares(1000)
        if dtype == "bf16":
            bits = rows.astype(np.float32).view(np.uint32)
            rows = (bits & 0xFFFF0000).view(np.float32)
        else:
            rows = rows.astype(dtype)
        self.assertEqual(saved_outputs.alone(self.whole(rows)).classes, 1000)

    @parameterized.parameters(
        (100, 9, "all rows sum to 100: divide percentages by 100"),
        (100, 1, "all rows sum to 100: divide percentages by 100"),
        (100, 0, "all rows sum to 100: divide percentages by 100"),
        (255, 0, "all rows sum to 25[456]: divide them by that"),
    )
    def test_percentages_and_codes(self, scale, digits, pattern):
        rows = (self.shares(7) * scale).round(digits)
        self.assertRefused(pattern, saved_outputs.alone, self.whole(rows))
        path = self.whole(rows, "logits")
        self.assertRefused(f"no logits: .*{pattern}", saved_outputs.alone, path)

    @parameterized.named_parameters(
        ("float", 9), ("two_digits", 2), ("one_digit", 1)
    )
    def test_sigmoids_are_neither(self, digits):
        rows = np.random.default_rng(0).random((60, 5)).round(digits)
        for name in ("probabilities", "logits"):
            path = self.whole(rows, name)
            with self.assertRaisesRegex(InputError, "multi-label") as caught:
                saved_outputs.alone(path)
            self.assertNotIn("give them as 'logits'", str(caught.exception))


class AloneTest(Files):
    def test_a_file_that_says_who_is_a_member(self):
        path = self.npz(
            "pi 4.npz",
            probabilities=np.round(ROWS * 256) / 256,
            labels=[0, 1, 1],
            members=[1, 0, 1],
        )
        outputs = saved_outputs.alone(path)
        self.assertEqual(outputs.target, "pi_4")
        self.assertAllEqual(outputs.members, [True, False, True])
        self.assertEqual(outputs.probability_step, 1 / 256)

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
        outputs = saved_outputs.alone(path)
        self.assertEqual(outputs.info, info)
        self.assertAllEqual(outputs.record_ids, [5, 2, 9])

    def test_without_members(self):
        path = self.npz("a.npz", probabilities=ROWS, labels=[0, 1, 1])
        self.assertRefused(
            "no array 'members': give", saved_outputs.alone, path
        )
        path = self.npz("a.npz", x=ROWS)
        self.assertRefused(
            "holds x: a file of outputs", saved_outputs.alone, path
        )


class OfRecordsTest(Files):
    def setUp(self):
        super().setUp()
        self.records = Records.numbered(
            "x",
            np.zeros((3, 2)),
            np.array([0, 1, 2]),
            np.array([True, True, False]),
        )

    def test_rows_are_the_records_in_their_order(self):
        path = self.npz("a.npz", logits=LOGITS)
        outputs = saved_outputs.of_records(path, self.records)
        self.assertAllEqual(outputs.labels, [0, 1, 2])
        self.assertAllEqual(outputs.members, [True, True, False])
        self.assertAllEqual(outputs.record_ids, [0, 1, 2])
        self.assertEqual(outputs.info["fingerprint"], self.records.fingerprint)

    def test_another_order_by_record_ids(self):
        path = self.npz("a.npz", logits=LOGITS, record_ids=[2, 0, 1])
        outputs = saved_outputs.of_records(path, self.records)
        self.assertAllClose(outputs.logits, LOGITS[[1, 2, 0]])
        self.assertAllEqual(outputs.labels, [0, 1, 2])

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
        self.assertRefused(
            pattern, saved_outputs.of_records, path, self.records
        )


class ReferenceTest(Files):
    def setUp(self):
        super().setUp()
        arrays = {"probabilities": ROWS, "labels": [0, 1, 2]}
        path = self.npz("t.npz", members=[1, 1, 0], **arrays)
        self.answered = saved_outputs.alone(path)

    def test_labels_are_those_of_the_target(self):
        path = self.npz(
            "r1.npz", logits=LOGITS[:2], members=[0, 1], record_ids=[2, 0]
        )
        outputs = saved_outputs.reference(path, self.answered)
        self.assertAllEqual(outputs.labels, [2, 0])
        self.assertAllEqual(outputs.members, [False, True])
        self.assertEqual(outputs.target, "r1")

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
            self.assertRefused(
                pattern, saved_outputs.reference, path, self.answered
            )


if __name__ == "__main__":
    tf.test.main()
