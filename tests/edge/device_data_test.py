"""Tests of the data file for a device."""

import json
import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from qmia_tf.data import draws, split
from qmia_tf.data.loaders import Dataset
from qmia_tf.edge import device_data
from qmia_tf.errors import InputError

COUNT, CLASSES = 60, 3


def a_dataset(labels=None):
    rng = np.random.default_rng(0)
    if labels is None:
        labels = np.arange(COUNT) % CLASSES
    return Dataset(
        name="tiny",
        images=rng.integers(0, 256, (len(labels), 6, 5, 1), np.uint8),
        labels=np.asarray(labels),
        class_names=("a", "b", "c"),
        origin=np.zeros(len(labels), np.uint8),
    )


def a_split(dataset, members):
    everybody = np.arange(len(dataset.labels))
    return split.Split(
        members=np.asarray(members),
        nonmembers=np.setdiff1d(everybody, members),
        seed=0,
        pool="all",
        fingerprint=dataset.fingerprint(),
    )


class Case(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path) / "d.npz"
        self.data = a_dataset()
        self.split = a_split(self.data, np.arange(0, COUNT, 2))

    def collect(self, count=None, *, seed=0):
        records = self.split.records(self.data)
        if count is None:
            return records
        return draws.draw_exactly(records, count, seed=seed)

    def assertRefused(self, pattern, call, *args, **options):
        with self.assertRaisesRegex(InputError, pattern) as caught:
            call(*args, **options)
        self.assertNotIn("\n", str(caught.exception))


class OfRunTest(Case):
    def test_all_records(self):
        collected = self.collect()
        self.assertEqual(collected.record_ids[:3].tolist(), [0, 2, 4])
        self.assertEqual(collected.record_ids[30:33].tolist(), [1, 3, 5])
        self.assertEqual(collected.members.tolist(), [True] * 30 + [False] * 30)
        for row, record in enumerate(collected.record_ids):
            self.assertEqual(collected.labels[row], record % CLASSES)
            np.testing.assert_array_equal(
                collected.values[row], self.data.images[record]
            )
        self.assertEqual(
            (collected.name, collected.fingerprint, collected.classes),
            ("tiny", self.data.fingerprint(), 3),
        )

    @parameterized.parameters(4, 12, 30, 60)
    def test_some_records(self, count):
        collected = self.collect(count=count)
        self.assertLen(np.unique(collected.record_ids), count)
        for own, side in (
            (collected.members, self.split.members),
            (~collected.members, self.split.nonmembers),
        ):
            self.assertEqual(own.sum(), count // 2)
            self.assertContainsSubset(collected.record_ids[own], side)
            shares = np.bincount(collected.labels[own], minlength=CLASSES)
            self.assertLessEqual(shares.max() - shares.min(), 1)
        np.testing.assert_array_equal(
            collected.values, self.data.images[collected.record_ids]
        )

    def test_classes_keep_their_shares(self):
        labels = np.repeat([0, 1, 2], [40, 80, 160])
        self.data = a_dataset(labels)
        self.split = a_split(self.data, np.arange(0, 280, 2))
        collected = self.collect(count=70)
        for own in (collected.members, ~collected.members):
            self.assertEqual(
                np.bincount(collected.labels[own]).tolist(), [5, 10, 20]
            )

    def test_the_seed_draws(self):
        first, again, other = (
            self.collect(count=20, seed=seed).record_ids for seed in (3, 3, 4)
        )
        self.assertEqual(first.tolist(), again.tolist())
        self.assertNotEqual(first.tolist(), other.tolist())

    @parameterized.parameters(
        ({"count": 0}, "even number of 4 or more .* got 0"),
        ({"count": 2}, "even number of 4 or more .* got 2"),
        ({"count": 7}, "even number of 4 or more .* got 7"),
        ({"count": 10, "seed": -1}, "got 10 and -1"),
        ({"count": 62}, "has 30 members, 31 of them cannot be drawn"),
    )
    def test_bad_options(self, options, message):
        self.assertRefused(message, self.collect, **options)

    def test_too_few_nonmembers(self):
        self.split = a_split(self.data, np.arange(50))
        self.assertRefused(
            "has 10 nonmembers, 20 of them .* ask for 20 records or fewer",
            self.collect,
            count=40,
        )


class FileTest(Case):
    def arrays(self, **changes):
        device_data.save(self.collect(), self.path, run="w4a4")
        with np.load(self.path, allow_pickle=False) as stored:
            arrays = {**stored, **changes}
        return {
            key: value for key, value in arrays.items() if value is not None
        }

    def refuse(self, pattern, **changes):
        np.savez(self.path, **self.arrays(**changes))
        self.assertRefused(pattern, device_data.load, self.path)

    def test_round_trip(self):
        saved = self.collect(count=20)
        device_data.save(saved, self.path, run="w4a4")
        loaded, run = device_data.load(self.path)
        self.assertEqual(run, "w4a4")
        for name in ("name", "fingerprint", "classes"):
            self.assertEqual(getattr(loaded, name), getattr(saved, name))
        for name in ("values", "labels", "members", "record_ids"):
            mine, theirs = getattr(loaded, name), getattr(saved, name)
            self.assertEqual(mine.dtype, theirs.dtype)
            np.testing.assert_array_equal(mine, theirs)
        self.assertEqual(loaded.values.dtype, np.uint8)

    def test_needs_no_pickle(self):
        kinds = {array.dtype.kind for array in self.arrays().values()}
        self.assertEqual(kinds, {"u", "i", "b", "U"})

    @parameterized.parameters(
        "images", "labels", "members", "record_ids", "info"
    )
    def test_array_that_is_missing(self, name):
        self.refuse(
            f"d.npz is not a data file for a device: it lacks {name}; make it "
            "with scripts/export_data.py",
            **{name: None},
        )

    @parameterized.named_parameters(
        ("float", {"images": np.zeros((60, 6, 5, 1))}, "images are float64"),
        (
            "flat",
            {"images": np.zeros((60, 30), np.uint8)},
            r"images are uint8 \[60, 30\], not uint8 \[N, height, width",
        ),
        ("empty", {"images": np.zeros((0, 6, 5, 1), np.uint8)}, "no images"),
        ("sizes", {"images": np.zeros((60, 0, 5, 1), np.uint8)}, "no images"),
        ("labels", {"labels": np.zeros(60)}, r"labels are float64 \[60\], not"),
        ("one_hot", {"labels": np.zeros((60, 3), int)}, r"int64 \[60, 3\]"),
        (
            "shorter",
            {"record_ids": np.arange(59)},
            r"record_ids .* \[59\], not",
        ),
        ("numbers", {"members": np.ones(60)}, "members are float64"),
        ("outside", {"labels": np.full(60, 3)}, "label 3 of row 0 .* 0..2"),
        ("negative", {"labels": np.full(60, -1)}, "label -1 of row 0"),
        ("members", {"members": np.ones(60, bool)}, "60 of them members"),
        ("nonmembers", {"members": np.zeros(60, bool)}, "0 of them members"),
        ("twice", {"record_ids": np.zeros(60, int)}, "has a record twice"),
        ("no_json", {"info": np.array("{")}, "info is not JSON"),
        ("no_object", {"info": np.array("[]")}, "info must be a JSON object"),
    )
    def test_array_that_cannot_be_used(self, changes, message):
        self.refuse(message, **changes)

    @parameterized.parameters("dataset", "fingerprint", "run", "classes")
    def test_info_that_is_not_whole(self, key):
        info = json.loads(str(self.arrays()["info"]))
        info[key] = [1]
        self.refuse(
            rf"info\['{key}'\] must be of type .*got \[1\]",
            info=np.array(json.dumps(info)),
        )
        del info[key]
        self.refuse(
            rf"info\['{key}'\] must be", info=np.array(json.dumps(info))
        )

    def test_pickled_objects(self):
        self.refuse("pickled Python objects", images=np.array([None, 1]))

    def test_damaged_or_missing(self):
        self.arrays()
        self.path.write_bytes(self.path.read_bytes()[:300])
        self.assertRefused("d.npz is damaged", device_data.load, self.path)
        self.path.unlink()
        self.assertRefused("cannot read .*d.npz", device_data.load, self.path)


if __name__ == "__main__":
    absltest.main()
