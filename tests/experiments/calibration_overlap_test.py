"""Calibration records among the members and the nonmembers."""

import functools
import pathlib
from unittest import mock

import numpy as np
import own_task
import tensorflow as tf
from absl.testing import parameterized

import qmia_tf
from qmia_tf.auditing import audit_result
from qmia_tf.data import loaders
from qmia_tf.deploy import timing
from qmia_tf.errors import InputError
from qmia_tf.experiments import calibration_overlap
from qmia_tf.report import verdict_sentences


class Folder(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.sides = own_task.table()
        (self.members, _), (self.nonmembers, _) = self.sides


class CompareTest(Folder):
    def compare(self, source, *, leave_out=False):
        sides = [loaders.load_side(side) for side in self.sides]
        return calibration_overlap.compare(source, *sides, leave_out=leave_out)

    def used(self):
        """Seven members, three nonmembers, and one that is of neither."""
        return np.concatenate(
            [self.members[5:12], self.nonmembers[[4, 20, 21]], np.ones((1, 5))]
        )

    def test_counts_both_sides(self):
        overlap, nonmembers = self.compare(self.used())
        self.assertEqual(
            (overlap.records, overlap.members, overlap.nonmembers), (11, 7, 3)
        )
        self.assertFalse(overlap.left_out)
        self.assertStartsWith(
            overlap.warning,
            "3 of 50 nonmembers, such as nonmember 4, are among the calib",
        )
        self.assertAllEqual(nonmembers.values, self.nonmembers)

    def test_leaves_out(self):
        overlap, nonmembers = self.compare(self.used(), leave_out=True)
        self.assertEqual((overlap.nonmembers, overlap.left_out), (3, True))
        self.assertEqual(overlap.warning, "")
        kept = np.setdiff1d(np.arange(50), [4, 20, 21])
        self.assertAllEqual(nonmembers.values, self.nonmembers[kept])
        self.assertAllEqual(nonmembers.labels, self.sides[1][1][kept])
        self.assertIn(
            "3 nonmembers, which are left",
            calibration_overlap.sentence(overlap),
        )

    def test_none_is_no_warning(self):
        overlap, _ = self.compare(self.members[:9])
        self.assertEqual((overlap.members, overlap.nonmembers), (9, 0))
        self.assertEqual(overlap.warning, "")

    def test_a_record_that_is_there_more_often_counts_each_time(self):
        labels = self.sides[1][1]
        twice = np.concatenate([self.nonmembers, self.nonmembers[:1]])
        self.sides = self.sides[0], (twice, np.append(labels, labels[0]))
        overlap, _ = self.compare(np.repeat(self.nonmembers[:1], 3, axis=0))
        self.assertEqual((overlap.records, overlap.nonmembers), (3, 2))

    def test_the_narrower_type_and_zeros_decide(self):
        values = self.nonmembers.copy()
        values[0] = 0
        self.sides = self.sides[0], (values, self.sides[1][1])
        used = values[:2].astype(np.float32)
        used[0] *= -1
        overlap, _ = self.compare(used)
        self.assertEqual(overlap.nonmembers, 2)

    @parameterized.parameters(
        "array", "pair", "npz", "npz_labels", "npy", "both"
    )
    def test_sources(self, kind):
        used, labels = self.nonmembers[:4], np.zeros(4, int)
        path = self.dir / f"used.{kind[:3]}"
        if kind.startswith("npz"):
            more = {"y": labels} if kind == "npz_labels" else {}
            np.savez(path, x=used, **more)
        elif kind in ("npy", "both"):
            path = self.dir / "used.npy"
            np.save(path, used)
            np.save(self.dir / "y.npy", labels)
        given = {
            "array": used,
            "pair": (used, labels),
            "both": f"{path}:{self.dir}/y.npy",
        }.get(kind, str(path))
        overlap, _ = self.compare(given)
        self.assertEqual((overlap.records, overlap.nonmembers), (4, 4))

    def test_what_cannot_be_compared(self):
        for used, pattern in (
            (
                self.nonmembers[:, :4],
                r"are float64 \[4\], those of arrays float64",
            ),
            (
                np.ones((3, 5), np.uint8),
                r"uint8 \[5\], those of arrays float64",
            ),
            (np.ones(5), "records are float64 .5., not numbers"),
            (str(self.dir / "gone.npz"), "gone.npz"),
        ):
            with self.assertRaisesRegex(InputError, pattern) as caught:
                self.compare(used)
            self.assertNotIn("\n", str(caught.exception))
        with self.assertRaisesRegex(InputError, "all 50 nonmembers are calib"):
            self.compare(self.nonmembers, leave_out=True)


class AuditTest(Folder):
    def setUp(self):
        super().setUp()
        self.lines = []
        quick = functools.partial(timing.measure, seconds=0, least=1, warmup=1)
        self.enter_context(mock.patch.object(timing, "measure", quick))

    def audit(self, **options):
        return qmia_tf.audit(
            own_task.linear,
            *self.sides,
            out=self.dir,
            progress=self.lines.append,
            **options,
        )

    def test_is_said_everywhere(self):
        used = np.concatenate([self.members[:9], self.nonmembers[:2]])
        result = self.audit(calibration=used)
        self.assertEqual(audit_result.load(self.dir), result)
        self.assertEqual(result.calibration.members, 9)
        self.assertEqual(result.targets[0].nonmembers, 50)
        self.assertIn(
            "calibration: of 11 records 9 are members and 2 nonmembers",
            self.lines,
        )
        self.assertIn(f"warning: {result.calibration.warning}", self.lines)
        self.assertIn(
            f"Warning: {result.calibration.warning}.",
            verdict_sentences.verdict(result),
        )

    def test_left_out(self):
        result = self.audit(
            calibration=self.nonmembers[10:], leave_out_calibration=True
        )
        self.assertEqual(result.targets[0].nonmembers, 10)
        self.assertEqual(result.split["nonmembers"], 10)
        self.assertTrue(result.calibration.left_out)
        self.assertNotIn(
            "calibration", " ".join(verdict_sentences.verdict(result))
        )
        fewer = qmia_tf.audit(
            own_task.linear,
            self.sides[0],
            tuple(part[:10] for part in self.sides[1]),
            progress=None,
        )
        self.assertEqual(
            result.targets[0].attack("loss").auc,
            fewer.targets[0].attack("loss").auc,
        )

    def test_without_is_not_known(self):
        self.assertIsNone(self.audit().calibration)

    def test_what_does_not_go_together(self):
        with self.assertRaisesRegex(InputError, "needs calibration"):
            self.audit(leave_out_calibration=True)
        options = {"calibration": self.members, "leave_out_calibration": True}
        with self.assertRaisesRegex(
            InputError, "what r.npz holds is about all"
        ):
            self.audit(references=["r.npz"], **options)
        with self.assertRaisesRegex(
            InputError, "what a.npz holds is about all"
        ):
            qmia_tf.audit("a.npz", *self.sides, **options)
        for name in "ab":
            (self.dir / f"{name}.csv").write_text(f"p0,p1,label\n1,0,0\n{name}")
        with self.assertRaisesRegex(InputError, "only outputs are given: give"):
            qmia_tf.audit(
                None,
                self.dir / "a.csv",
                self.dir / "b.csv",
                calibration=self.members,
            )


if __name__ == "__main__":
    tf.test.main()
