"""Tests of the settings of conversions and of what they calibrate on."""

import dataclasses
import json
from unittest import mock

import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf.deploy.conversion_job import Members, Settings, draw
from qmia_tf.errors import InputError
from qmia_tf.training import recipes


def drawn(images, count=5, seed=0, shape=tiny_models.SHAPE):
    return draw(images, count=count, seed=seed, shape=shape)


def as_bytes(images):
    return sorted(image.tobytes() for image in images)


class DrawTest(parameterized.TestCase, tf.test.TestCase):
    def test_draws_without_repetition(self):
        images = tiny_models.images(23)
        some = drawn(images, count=10)
        self.assertEqual((some.shape, some.dtype), ((10, 6, 5, 1), np.uint8))
        self.assertLen(set(as_bytes(some)), 10)
        self.assertContainsSubset(as_bytes(some), as_bytes(images))
        self.assertEqual(as_bytes(drawn(images, 500)), as_bytes(images))

    def test_seed_decides(self):
        images = tiny_models.images(23)
        self.assertAllEqual(drawn(images), drawn(images))
        self.assertNotAllEqual(drawn(images), drawn(images, seed=1))

    @parameterized.parameters(
        ((0, 6, 5, 1), np.uint8, "there are no calibration images"),
        ((3, 6, 5, 1), np.float32, "are float32, not uint8"),
        (
            *((3, 6, 6, 1), np.uint8),
            r"the shape \[6, 6, 1\], the model takes \[6, 5, 1\]",
        ),
        ((3, 5, 6), np.uint8, r"the shape \[5, 6\]"),
    )
    def test_images_that_do_not_fit(self, shape, dtype, message):
        with self.assertRaisesRegex(InputError, message):
            drawn(np.zeros(shape, dtype))

    def test_one_channel_has_an_axis_or_not(self):
        images = tiny_models.images(4)
        flat = drawn(images, shape=images.shape[1:3])
        self.assertEqual(flat.shape, images.shape[:3])
        self.assertAllEqual(drawn(images[..., 0])[..., 0], flat)

    def test_size_that_may_change(self):
        self.assertLen(drawn(tiny_models.images(4), shape=(None, None, 1)), 4)


class MembersTest(tf.test.TestCase):
    def test_loads_once_and_late(self):
        load = mock.Mock(return_value=("images", "labels"))
        members = Members(load, "these")
        load.assert_not_called()
        for _ in range(2):
            self.assertEqual(members.records, ("images", "labels"))
        load.assert_called_once_with()


class SettingsTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"calibration_records": 0}, "calibration_records .*1 or more, got 0"),
        ({"calibration_records": 2.5}, "calibration_records .*got 2.5"),
        ({"calibration_seed": -1}, "calibration_seed .*0 or more, got -1"),
        ({"tfmot_epochs": -1}, "tfmot_epochs .*0 or more, got -1"),
        ({"seed": -1}, "seed .*got -1"),
        ({"int8_output": "float"}, "one of softmax, logits, got 'float'"),
    )
    def test_out_of_range(self, given, message):
        with self.assertRaisesRegex(InputError, message):
            Settings(**given)

    def test_chosen_are_json(self):
        settings = Settings(
            recipe=recipes.get("paper_cifar10"), calibration_records=7
        )
        names = [field.name for field in dataclasses.fields(settings)]
        chosen = settings.chosen(names)
        self.assertEqual(json.loads(json.dumps(chosen)), chosen)
        self.assertEqual(chosen["calibration_records"], 7)
        self.assertEqual(chosen["recipe"]["milestones"], [20])
        self.assertEqual(settings.chosen(["seed"]), {"seed": 0})


if __name__ == "__main__":
    tf.test.main()
