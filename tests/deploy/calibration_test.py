"""Tests of the settings of conversions and of what they calibrate on."""

import dataclasses
import json
from unittest import mock

import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf.deploy.calibration_images import Members, draw
from qmia_tf.deploy.export_settings import Settings
from qmia_tf.errors import InputError
from qmia_tf.training import recipes


class DrawTest(parameterized.TestCase, tf.test.TestCase):
    def draw(self, images, count=5, seed=0):
        return draw(images, count=count, seed=seed, shape=(6, 5, 1))

    def test_draws_without_repetition(self):
        images = tiny_models.images(23)
        drawn = self.draw(images, count=10)
        self.assertEqual(drawn.shape, (10, 6, 5, 1))
        self.assertEqual(drawn.dtype, np.uint8)
        known = {image.tobytes() for image in images}
        distinct = {image.tobytes() for image in drawn}
        self.assertLen(distinct, 10)
        self.assertContainsSubset(distinct, known)

    def test_seed_decides(self):
        images = tiny_models.images(23)
        self.assertAllEqual(self.draw(images), self.draw(images))
        other = self.draw(images, seed=1)
        self.assertNotAllEqual(self.draw(images), other)

    def test_fewer_than_asked_for(self):
        images = tiny_models.images(4)
        drawn = self.draw(images, count=500)
        self.assertAllEqual(
            sorted(image.tobytes() for image in drawn),
            sorted(image.tobytes() for image in images),
        )

    @parameterized.parameters(
        (np.zeros((0, 6, 5, 1), np.uint8), "there are no calibration images"),
        (np.zeros((3, 6, 5, 1), np.float32), "are float32, not uint8"),
        (
            np.zeros((3, 6, 6, 1), np.uint8),
            r"the shape \[6, 6, 1\], the model takes \[6, 5, 1\]",
        ),
        (np.zeros((3, 5, 6), np.uint8), r"the shape \[5, 6\]"),
    )
    def test_images_that_do_not_fit(self, images, message):
        with self.assertRaisesRegex(InputError, message):
            self.draw(images)

    def test_one_channel_has_an_axis_or_not(self):
        images = tiny_models.images(4)
        flat = draw(images, count=4, seed=0, shape=images.shape[1:3])
        self.assertEqual(flat.shape, images.shape[:3])
        full = draw(images[..., 0], count=4, seed=0, shape=images.shape[1:])
        self.assertAllEqual(full[..., 0], flat)

    def test_size_that_may_change(self):
        images = tiny_models.images(4)
        drawn = draw(images, count=4, seed=0, shape=(None, None, 1))
        self.assertLen(drawn, 4)


class MembersTest(tf.test.TestCase):
    def test_loads_once_and_late(self):
        load = mock.Mock(return_value=("images", "labels"))
        members = Members(load, "these")
        load.assert_not_called()
        self.assertEqual(members.records, ("images", "labels"))
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
