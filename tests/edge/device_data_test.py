"""Tests of the data file for a device."""

import json

import folders
import numpy as np
import other_writer
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.data.records import Records
from qmia_tf.edge import device_data

COUNT = 60


class FileTest(folders.Folder):
    def setUp(self):
        super().setUp()
        self.path = self.dir / "d.npz"
        rng = np.random.default_rng(0)
        self.records = Records(
            name="tiny",
            values=rng.integers(0, 256, (COUNT, 6, 5, 1), np.uint8),
            labels=np.arange(COUNT) % 3,
            members=np.arange(COUNT) < 30,
            record_ids=np.arange(COUNT)[::-1] * 2,
            fingerprint="f" * 64,
            classes=3,
        )

    def arrays(self, **changes):
        device_data.save(self.records, self.path, run="w4a4")
        with np.load(self.path, allow_pickle=False) as stored:
            arrays = {**stored, **changes}
        return {
            key: value for key, value in arrays.items() if value is not None
        }

    def refuse(self, pattern, **changes):
        np.savez(self.path, **self.arrays(**changes))
        self.assertRefused(pattern, device_data.load, self.path)

    def test_round_trip(self):
        saved = self.records
        device_data.save(saved, self.path, run="w4a4")
        loaded, run = device_data.load(self.path)
        self.assertEqual(run, "w4a4")
        for name in ("name", "fingerprint", "classes"):
            self.assertEqual(getattr(loaded, name), getattr(saved, name))
        for name in ("values", "labels", "members", "record_ids"):
            mine, theirs = getattr(loaded, name), getattr(saved, name)
            self.assertEqual(mine.dtype, theirs.dtype)
            self.assertAllEqual(mine, theirs)

    def test_second_writer_stops(self):
        with other_writer.writing(self.path):
            self.assertRefused(
                "d.npz is being written by process",
                *(device_data.save, self.records, self.path),
                run="w4a4",
            )
        self.assertFalse(self.path.exists())

    def test_needs_no_pickle(self):
        kinds = {array.dtype.kind for array in self.arrays().values()}
        self.assertEqual(kinds, {"u", "i", "b", "U"})

    @parameterized.parameters(*device_data.ARRAYS)
    def test_array_that_is_missing(self, name):
        self.refuse(
            f"d.npz is not a data file for a device: it lacks {name}; make it "
            "with qmia export_data",
            **{name: None},
        )

    @parameterized.parameters(
        ({"images": np.zeros((60, 6, 5, 1))}, "images are float64"),
        ({"images": np.zeros((60, 30), np.uint8)},
         r"images are uint8 \[60, 30\], not uint8 \[N, height, width"),
        ({"images": np.zeros((0, 6, 5, 1), np.uint8)}, "no images"),
        ({"images": np.zeros((60, 0, 5, 1), np.uint8)}, "no images"),
        ({"images": np.array([None, 1])}, "pickled Python objects"),
        ({"labels": np.zeros(60)}, r"labels are float64 \[60\], not"),
        ({"labels": np.zeros((60, 3), int)}, r"int64 \[60, 3\]"),
        ({"labels": np.full(60, 3)}, "label 3 of record 0 .* 0..2; make it"),
        ({"labels": np.full(60, -1)}, "label -1 of record 0"),
        ({"record_ids": np.arange(59)}, r"record_ids .* \[59\], not"),
        ({"record_ids": np.zeros(60, int)}, "has a record twice"),
        ({"members": np.ones(60)}, "members are float64"),
        ({"members": np.ones(60, bool)}, "60 of them members"),
        ({"members": np.zeros(60, bool)}, "0 of them members"),
        ({"info": np.array("{")}, "info is not JSON"),
        ({"info": np.array("[]")}, "info must be a JSON object"),
    )  # fmt: skip
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

    def test_damaged_or_missing(self):
        self.arrays()
        self.path.write_bytes(self.path.read_bytes()[:300])
        self.assertRefused("d.npz is damaged", device_data.load, self.path)
        self.path.unlink()
        self.assertRefused("cannot read .*d.npz", device_data.load, self.path)


if __name__ == "__main__":
    tf.test.main()
