"""Device outputs: whose they are and what they are called."""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.auditing import device_outputs
from qmia_tf.data.loaders import Dataset
from qmia_tf.data.split import Split
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs

RECORDS = 30
LABELS = np.arange(RECORDS) % 3


class DeviceOutputs(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.data = Dataset(
            name="tiny",
            images=np.zeros((RECORDS, 4, 4, 1), np.uint8),
            labels=LABELS,
            class_names=tuple("abc"),
            origin=np.zeros(RECORDS, np.uint8),
        )
        self.split = Split(
            members=np.arange(0, RECORDS, 2),
            nonmembers=np.arange(1, RECORDS, 2),
            seed=0,
            pool="all",
            fingerprint="a" * 64,
        )

    def write(self, name, *, records=None, target="int8", changes=(), **info):
        records = np.arange(RECORDS) if records is None else records
        outputs = Outputs(
            probabilities=np.full((len(records), 3), 1 / 3, np.float32),
            labels=LABELS[records],
            members=records % 2 == 0,
            record_ids=records,
            info={"target": target, "fingerprint": "a" * 64, **info},
        )
        outputs = dataclasses.replace(outputs, **dict(changes))
        outputs.save(self.folder / name)
        return self.folder / name

    def open(self, *paths, used_names=("keras", "int8", "int8.reference")):
        return device_outputs.load_device_outputs(
            paths, self.split.records(self.data), used_names=set(used_names)
        )


class NameTest(DeviceOutputs):
    @parameterized.parameters(
        ("pi4.npz", "int8", "int8.pi4"),
        ("int8.pi4.npz", "int8", "int8.pi4"),
        ("int8-pi4.npz", "int8", "int8.pi4"),
        ("int8.npz", "int8", "int8.captured"),
        ("reference.npz", "int8", "int8.reference.2"),
        ("my board (2).npz", "int8", "int8.my_board_2"),
        ("x.npz", "phone", "phone"),
    )
    def test_is_its_own(self, file, target, name):
        (outputs,) = self.open(self.write(file, target=target))
        self.assertEqual(outputs.target, name)
        outputs.validate()

    def test_two_of_one_name(self):
        paths = []
        for place in ("one", "two"):
            (self.folder / place).mkdir()
            paths.append(self.write(f"{place}/pi4.npz"))
        names = [outputs.target for outputs in self.open(*paths)]
        self.assertEqual(names, ["int8.pi4", "int8.pi4.2"])

    def test_file_stays_as_it_is(self):
        path = self.write("pi4.npz", kind="tflite", latency_ms=3.5)
        before = path.read_bytes()
        (outputs,) = self.open(path)
        self.assertEqual(outputs.info["kind"], "tflite")
        self.assertEqual(outputs.info["latency_ms"], 3.5)
        self.assertEqual(path.read_bytes(), before)


class CheckTest(DeviceOutputs):
    def test_part_of_the_records_will_do(self):
        path = self.write("pi4.npz", records=np.array([7, 2, 4, 9]))
        (outputs,) = self.open(path)
        self.assertAllEqual(outputs.record_ids, [7, 2, 4, 9])

    def test_data_need_not_be_named(self):
        (outputs,) = self.open(self.write("pi4.npz", fingerprint=None))
        self.assertLen(outputs.labels, RECORDS)

    @parameterized.parameters(
        ({"fingerprint": "b" * 64}, {}, "fingerprint bbbbbbbbbbbb, .* aaaa"),
        ({}, {"record_ids": np.arange(RECORDS) + 2}, "30 is no member .*1 su"),
        (
            {},
            {"members": np.arange(RECORDS) % 2 == 1},
            "record 1 is no member of this run .15 such",
        ),
        (
            {},
            {"labels": np.roll(LABELS, 1)},
            "record 0 has label 2, in tiny it has 0 .30 such",
        ),
    )
    def test_refuses(self, info, changes, message):
        path = self.write("pi4.npz", changes=changes.items(), **info)
        with self.assertRaisesRegex(InputError, f"pi4.npz: .*{message}"):
            self.open(path)

    def test_refuses_other_classes(self):
        wider = np.full((RECORDS, 4), 0.25, np.float32)
        path = self.write("pi4.npz", changes={"probabilities": wider}.items())
        with self.assertRaisesRegex(InputError, "4 classes, tiny has 3"):
            self.open(path)

    def test_refuses_what_is_no_outputs(self):
        path = self.folder / "pi4.npz"
        np.savez(path, images=np.zeros(3))
        with self.assertRaisesRegex(InputError, "not a file of outputs"):
            self.open(path)


if __name__ == "__main__":
    tf.test.main()
