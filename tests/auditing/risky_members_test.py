"""The members at highest risk in audit.json, and their pictures."""

import base64
import io
import pathlib

import numpy as np
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from qmia_tf.auditing import audit, audit_result, risky_members
from qmia_tf.data import loaders
from qmia_tf.run_dir import RunDir


def opened(picture):
    """The pixels of a picture of audit.json."""
    file = io.BytesIO(base64.b64decode(picture, validate=True))
    with Image.open(file, formats=["PNG"]) as image:
        return np.asarray(image)


def margin(probabilities, labels):
    """log p_y - log(sum of the others), one record at a time."""
    margins = []
    for row, label in zip(
        probabilities.astype(np.float64), labels, strict=True
    ):
        others = np.delete(row, label).sum()
        margins.append(np.log(row[label]) - np.log(others))
    return np.array(margins)


class RiskyMembersTest(tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.outputs = synthetic_outputs.outputs(90, 70).in_record_order()
        cls.risky = risky_members.of_target(cls.outputs, seed=0)

    def test_are_members_the_highest_risk_first(self):
        self.assertLen(self.risky, 24)
        members = set(self.outputs.record_ids[self.outputs.members].tolist())
        ids = [member.record_id for member in self.risky]
        self.assertLen(set(ids), 24)
        self.assertContainsSubset(ids, members)
        keys = [
            (-x.probability.value, -x.score, x.record_id) for x in self.risky
        ]
        self.assertEqual(keys, sorted(keys))
        # No member of a higher probability is missing: scores of a half
        # rise with it.
        lowest = min(member.probability.value for member in self.risky)
        self.assertGreater(lowest, 0.5)

    def test_what_is_said_of_one(self):
        scores = margin(self.outputs.probabilities, self.outputs.labels)
        for member in self.risky:
            (row,) = np.flatnonzero(self.outputs.record_ids == member.record_id)
            self.assertEqual(member.label, self.outputs.labels[row])
            self.assertEqual(
                member.predicted, self.outputs.probabilities[row].argmax()
            )
            self.assertAllClose(member.score, scores[row], atol=1e-4)
            # No ties: as many as do not score higher.
            self.assertEqual(member.rank, np.sum(scores <= scores[row]))
            self.assertBetween(
                member.probability.value,
                member.probability.low,
                member.probability.high,
            )
            self.assertIsNone(member.picture)

    def test_fewer_members_than_are_listed(self):
        outputs = synthetic_outputs.outputs(5, 40)
        self.assertLen(risky_members.of_target(outputs, seed=0), 5)

    def test_pictures_are_those_of_the_records(self):
        images = np.random.default_rng(0).integers(
            0, 256, (1600, 6, 5, 3), np.uint8
        )
        risky = risky_members.of_target(
            self.outputs, seed=0, pictures=images.__getitem__
        )
        for member, plain in zip(risky, self.risky, strict=True):
            self.assertEqual(member.record_id, plain.record_id)
            self.assertAllEqual(
                opened(member.picture), images[member.record_id]
            )


class RunTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir()) / "run"
        RunDir(self.dir).open({"dataset": {}})

    def save(self, *targets):
        for target in targets:
            synthetic_outputs.outputs(30, 30, target=target).save(
                self.dir / "outputs" / f"{target}.npz"
            )

    def test_of_the_keras_model_alone(self):
        self.save("float32", "keras", "int8")
        result = audit.audit_outputs(self.dir)
        counts = {
            target.target: len(target.risky_members)
            for target in result.targets
        }
        self.assertEqual(counts, {"keras": 24, "float32": 0, "int8": 0})
        self.assertEqual(
            result.targets[0].risky_members,
            risky_members.of_target(synthetic_outputs.outputs(30, 30), seed=0),
        )

    def test_of_the_keras_model_wherever_it_stands(self):
        # Models of one's own come in the order in which they were given.
        loaded = [
            synthetic_outputs.outputs(9, 9, target=name)
            for name in ("int8", "keras")
        ]
        result = audit.audit_outputs(self.dir, loaded, run_config={})
        self.assertEqual([len(x.risky_members) for x in result.targets], [0, 9])

    def test_of_the_first_if_there_is_none(self):
        self.save("float32", "int8")
        shown = np.zeros((600, 4, 4, 1), np.uint8)
        result = audit.audit_outputs(
            self.dir,
            records=audit.RecordFacts(
                pictures=shown.__getitem__, class_names=list("abcde")
            ),
        )
        self.assertEqual(
            [len(x.risky_members) for x in result.targets], [24, 0]
        )
        self.assertAllEqual(
            opened(result.targets[0].risky_members[0].picture), shown[0, ..., 0]
        )
        self.assertEqual(
            [[x.name for x in target.per_class] for target in result.targets],
            [list("abcde")] * 2,
        )
        self.assertEqual(audit_result.load(self.dir), result)
        first = (self.dir / "audit.json").read_bytes()
        audit.audit_outputs(
            self.dir,
            records=audit.RecordFacts(
                pictures=shown.__getitem__, class_names=list("abcde")
            ),
        )
        self.assertEqual((self.dir / "audit.json").read_bytes(), first)


class PicturesTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        ((8, 8, 1), (8, 8)),
        ((32, 32, 3), (32, 32, 3)),
        ((48, 20, 3), (48, 20, 3)),
        ((9, 7, 4), (9, 7, 3)),
        ((9, 7, 2), (9, 7)),
    )
    def test_small_images_are_kept_as_they_are(self, shape, wanted):
        image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        picture = opened(risky_members.as_png(image))
        self.assertEqual(picture.shape, wanted)
        self.assertAllEqual(
            picture, image[..., :3] if len(wanted) == 3 else image[..., 0]
        )

    @parameterized.parameters(
        ((96, 96, 3), (48, 48, 3)),
        ((224, 100, 1), (48, 21)),
        ((2, 500, 1), (1, 48)),
    )
    def test_large_ones_are_made_smaller(self, shape, wanted):
        image = np.full(shape, 200, np.uint8)
        picture = opened(risky_members.as_png(image))
        self.assertEqual(picture.shape, wanted)
        self.assertAllEqual(picture, np.full(wanted, 200))

    def test_made_smaller_they_are_means(self):
        image = np.random.default_rng(0).integers(0, 256, (96, 96, 1), np.uint8)
        means = image.reshape(48, 2, 48, 2).mean(axis=(1, 3))
        picture = opened(risky_members.as_png(image)).astype(float)
        # Pillow rounds after each of the two directions.
        self.assertAllClose(picture, means, atol=1.01)

    def test_noise_stays_small(self):
        image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        self.assertLess(24 * len(risky_members.as_png(image)), 230_000)

    def test_published(self):
        folder = pathlib.Path(self.create_tempdir())
        for name, wanted in (
            ("digits", True),
            ("cifar10", True),
            ("emnist/letters", True),
            ("mine.npz", False),
            (str(folder), False),
            ("./photos", False),
            ("~/photos", False),
        ):
            self.assertEqual(loaders.is_published(name), wanted, name)


if __name__ == "__main__":
    tf.test.main()
