"""Margins of references: in memory and in files, read one by one."""

import dataclasses
import functools
import json
import pathlib
from unittest import mock

import numpy as np
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import files, outputs
from qmia_tf.auditing import reference_margins
from qmia_tf.errors import InputError
from qmia_tf.outputs.unread_outputs import UnreadOutputs

RECORDS, MODELS = 40, 4


class ReferenceMarginsTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.target = dataclasses.replace(
            synthetic_outputs.outputs(RECORDS // 2, RECORDS // 2),
            record_ids=np.arange(RECORDS),
        )
        self.given = [self.reference(n) for n in range(MODELS)]

    def reference(self, number):
        """Outputs of one model about the target's records; all but three."""
        one = synthetic_outputs.outputs(
            RECORDS // 2, RECORDS // 2, seed=number + 1, target=f"r{number}"
        )
        order = np.random.default_rng(number).permutation(RECORDS)
        one = dataclasses.replace(
            one,
            labels=self.target.labels,
            members=order % 2 == 0,
            record_ids=np.arange(RECORDS),
        )
        return one.take(order[3:])

    def unread(self):
        """The same outputs in files."""
        found = []
        for one in self.given:
            path = self.dir / f"{one.target}.npz"
            if not path.exists():
                one.save(path)
            read = functools.partial(outputs.load, path)
            found.append(UnreadOutputs.checked(path, read))
        return found

    def kept(self, references=None, target=None):
        return reference_margins.references_of(
            references or self.unread(),
            target or self.target,
            folder=self.dir / "margins",
        )

    @property
    def folder(self):
        (folder,) = (x for x in (self.dir / "margins").iterdir() if x.is_dir())
        return folder

    def count_loads(self, call):
        """How often a reference's outputs were read."""
        loads = []
        load = UnreadOutputs.load
        with mock.patch.object(
            UnreadOutputs,
            "load",
            lambda self: loads.append(self.target) or load(self),
        ):
            call()
        return loads

    def assertAlike(self, one, other):
        for name in ("margins", "inside", "outside"):
            self.assertAllEqual(getattr(one, name), getattr(other, name))
        for temperature in (2.0, 3.0):
            self.assertAllEqual(
                one.margins_at(temperature), other.margins_at(temperature)
            )

    def test_float64_by_the_formula(self):
        references = reference_margins.references_of(self.given, self.target)
        for temperature in (1.0, 2.0, 3.0):
            margins = references.margins_at(temperature)
            self.assertEqual(margins.dtype, np.float64)
            for row, one in enumerate(self.given):
                p = one.probabilities.astype(np.float64) ** (1 / temperature)
                right = np.arange(len(p)), one.labels
                others = p.sum(axis=1) - p[right]
                want = np.zeros(RECORDS)
                want[one.record_ids] = np.log(p[right] / others)
                # Sums in another order.
                self.assertAllClose(margins[row], want, atol=1e-9, rtol=0)
                unknown = ~(references.inside | references.outside)[row]
                self.assertEqual(unknown.sum(), 3)
                self.assertFalse(unknown[one.record_ids].any())

    def test_float32_probabilities_near_1_do_not_tie(self):
        # p_y rounds to 1 in every row: only the others differ.
        others = np.geomspace(1e-38, 1e-9, RECORDS).astype(np.float32)
        labels = np.zeros(RECORDS, np.int64)
        sure = dataclasses.replace(
            self.given[0].take(np.arange(0)),
            probabilities=np.stack([np.ones(RECORDS), others], axis=1).astype(
                np.float32
            ),
            labels=labels,
            members=np.arange(RECORDS) % 3 == 0,
            record_ids=np.arange(RECORDS),
        )
        target = dataclasses.replace(
            sure, members=np.arange(RECORDS) % 2 == 0
        ).renamed("keras")
        margins = reference_margins.references_of([sure], target).margins
        self.assertLen(np.unique(margins), RECORDS)
        self.assertAllClose(
            margins[0], -np.log(others.astype(np.float64)), rtol=1e-12, atol=0
        )

    def test_files_hold_what_memory_does(self):
        in_memory = reference_margins.references_of(self.given, self.target)
        self.assertAlike(self.kept(), in_memory)
        # And when they are used again.
        self.assertAlike(self.kept(), in_memory)
        self.assertIsInstance(self.kept().margins.base, np.memmap)

    def test_each_is_read_once_and_then_not_again(self):
        references = self.unread()
        names = [one.target for one in references]
        made = self.count_loads(lambda: self.kept(references).margins_at(2.0))
        self.assertEqual(made, names)
        again = self.count_loads(lambda: self.kept(references).margins_at(2.0))
        # The first alone, to compare.
        self.assertEqual(set(again), {"r0"})

    def test_more_references_and_other_records_are_made_anew(self):
        self.kept()
        self.given.append(self.reference(MODELS))
        more = self.kept()
        self.assertAlike(
            more, reference_margins.references_of(self.given, self.target)
        )
        self.assertLen(more.margins, MODELS + 1)
        fewer = self.target.take(np.arange(5, 35))
        self.assertAlike(
            self.kept(target=fewer),
            reference_margins.references_of(self.given, fewer),
        )
        self.assertLen(list(self.folder.glob("*.npy")), 4)

    @parameterized.named_parameters(
        ("byte", lambda data: data[:-8] + b"\0" * 8),
        ("cut", lambda data: data[:-8]),
        ("gone", None),
    )
    def test_a_damaged_file_is_made_anew(self, damage):
        self.kept()
        path = self.folder / "margins_at_1.0.npy"
        if damage:
            path.write_bytes(damage(path.read_bytes()))
        else:
            path.unlink()
        self.assertAlike(
            self.kept(),
            reference_margins.references_of(self.given, self.target),
        )

    def test_margins_that_are_computed_otherwise_now_are_made_anew(self):
        self.kept()
        path = self.folder / "margins_at_1.0.npy"
        np.save(path, np.load(path) + 1e-9)
        record = json.loads((self.folder / "made_from.json").read_text())
        record["files"][path.name] = files.sha256(path)
        files.write_json(self.folder / "made_from.json", record)
        self.assertAlike(
            self.kept(),
            reference_margins.references_of(self.given, self.target),
        )

    @parameterized.parameters("", "[]", '{"references": 1}')
    def test_a_damaged_record_is_made_anew(self, text):
        self.kept()
        (self.folder / "made_from.json").write_text(text)
        self.assertAlike(
            self.kept(),
            reference_margins.references_of(self.given, self.target),
        )

    def test_a_file_changed_meanwhile(self):
        references = self.unread()
        self.given[1].take(np.arange(20)).save(self.dir / "r1.npz")
        with self.assertRaisesRegex(
            InputError, r"r1.npz was changed during the audit: run"
        ):
            self.kept(references)
        self.assertFalse(any((self.dir / "margins").rglob("*.npy")))

    def test_no_space_left(self):
        def full(self, number, data=None):
            raise OSError(28, "No space left on device")

        references = self.unread()
        with (
            mock.patch.object(np.lib.format, "write_array_header_1_0", full),
            self.assertRaisesRegex(
                InputError, r"cannot save .*sides.npy: the disk is full"
            ),
        ):
            self.kept(references)
        self.assertFalse(any((self.dir / "margins").rglob("*.npy")))


if __name__ == "__main__":
    tf.test.main()
