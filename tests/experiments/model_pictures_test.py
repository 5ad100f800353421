"""Records of one's own in audit.json: shown only where that was asked for."""

import pathlib

import numpy as np
import own_task
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

import qmia_tf
from qmia_tf.auditing import risky_members
from qmia_tf.data import loaders, sides
from qmia_tf.errors import InputError
from qmia_tf.experiments import model_audit

QUICK = {"label_only": None, "progress": None}


def brightness(images):
    """Two classes, by how bright an image is."""
    bright = images.mean(axis=(1, 2, 3))[:, None] / 255
    odds = np.exp(40 * (np.concatenate([bright, 1 - bright], axis=1) - 0.5))
    return odds / odds.sum(axis=1, keepdims=True)


def sides_of(images):
    return own_task.split(images, own_task.labelled(brightness(images)))


class OwnShowingTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.images = tiny_models.images(
            own_task.MEMBERS + own_task.NONMEMBERS, seed=4
        )
        self.sides = sides_of(self.images)

    def test_pictures_on(self):
        result = qmia_tf.audit(brightness, *self.sides, pictures="on", **QUICK)
        (target,) = result.targets
        self.assertLen(target.risky_members, 24)
        for member in target.risky_members:
            self.assertLess(member.record_id, own_task.MEMBERS)
            self.assertEqual(
                member.picture,
                risky_members.as_png(self.images[member.record_id]),
            )

    def test_names_of_classes(self):
        path = pathlib.Path(self.create_tempdir())
        for name, (values, labels) in zip("ab", self.sides, strict=True):
            np.savez(
                path / f"{name}.npz",
                images=values,
                labels=labels,
                class_names=["night", "day"],
            )
        result = qmia_tf.audit(
            brightness, path / "a.npz", path / "b.npz", **QUICK
        )
        (target,) = result.targets
        self.assertEqual(
            [class_audit.name for class_audit in target.per_class],
            ["night", "day"],
        )
        self.assertIsNone(target.risky_members[0].picture)

    @parameterized.parameters(
        ("auto", "tfds:cifar10:train", True),
        ("auto", pathlib.Path("photos"), False),
        ("auto", "mine.npz", False),
        ("auto", None, False),
        ("on", "mine.npz", True),
        ("off", "tfds:cifar10:train", False),
    )
    def test_what_is_shown(self, choice, members, shown):
        joined = sides.join(*map(loaders.load_side, self.sides))
        if members is None:
            members = self.sides[0]
        picture_of = model_audit.pictures_of(members, choice, joined)
        self.assertEqual(picture_of is not None, shown)
        if shown:
            self.assertAllEqual(
                picture_of(np.array([7, 2])), self.images[[7, 2]]
            )

    def test_tables_have_no_pictures(self):
        joined = sides.join(*map(loaders.load_side, own_task.table()))
        self.assertIsNone(
            model_audit.pictures_of("tfds:iris:train", "auto", joined)
        )
        self.assertIsNone(
            model_audit.pictures_of("tfds:iris:train", "auto", None)
        )

    @parameterized.parameters(
        ("on", 'pictures="on" has nothing to show: the records are not uint8'),
        ("maybe", "pictures must be one of auto, on, off, got 'maybe'"),
    )
    def test_refuses(self, choice, message):
        with self.assertRaises(InputError) as caught:
            qmia_tf.audit(
                own_task.linear, *own_task.table(), pictures=choice, **QUICK
            )
        self.assertIn(message, str(caught.exception))

    def test_outputs_have_no_pictures(self):
        with self.assertRaisesRegex(
            InputError, "nothing to show: only outputs are given"
        ):
            model_audit.pictures_of("members.csv", "on", None)


if __name__ == "__main__":
    tf.test.main()
