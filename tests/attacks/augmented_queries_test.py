"""Augmented queries: how they are made, queried, saved and matched."""

import dataclasses
import pathlib

import integer_runs
import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized
from scipy import stats

from qmia_tf.attacks import augmentations, augmented_queries
from qmia_tf.attacks.augmentations import Augmentations, Noise
from qmia_tf.errors import InputError
from qmia_tf.targets import tflite_target
from qmia_tf.targets.keras_target import KerasTarget
from qmia_tf.training import input_pipeline

COUNT = 40


class Fixed:
    """A target whose answer follows from the sum of an image's pixels."""

    def __init__(self, *, batch_size=7, classes=5):
        self.info = {"target": "fixed", "sha256": "ab", "kernel_set": "none"}
        self.batch_size = batch_size
        self.classes = classes
        self.asked = []

    def predict(self, images, *, progress=False):
        self.asked.append(len(images))
        answers = np.zeros((len(images), self.classes), np.float32)
        answers[np.arange(len(images)), self.names(images)] = 1
        return answers

    def names(self, images):
        sums = images.reshape(len(images), -1).sum(axis=1, dtype=np.int64)
        return sums // 7 % self.classes


def a_run(count=COUNT):
    data = tiny_models.dataset(count)
    sides = tiny_models.split_of(data, np.arange(0, count, 2))
    return sides.records(data)


def moved(image, dx, dy):
    """Pixel by pixel: what comes from outside is black."""
    height, width = image.shape[:2]
    shifted = np.zeros_like(image)
    for y in range(height):
        for x in range(width):
            if 0 <= y - dy < height and 0 <= x - dx < width:
                shifted[y, x] = image[y - dy, x - dx]
    return shifted


class AugmentationsTest(parameterized.TestCase, tf.test.TestCase):
    def test_all_changes_in_order(self):
        self.assertEqual(
            Augmentations(shift=1, flip=True, rotation=2).names,
            (
                "unchanged",
                "shift(1,0)",
                "shift(0,1)",
                "shift(-1,0)",
                "shift(0,-1)",
                "flip",
                "turn(1)",
                "turn(-1)",
                "turn(2)",
                "turn(-2)",
            ),
        )
        self.assertLen(Augmentations(rotation=4).names, 6 + 2 * 4)

    @parameterized.parameters(0, 1, 2, 4, 8)
    def test_queries_are_what_their_names_say(self, distance):
        images = tiny_models.images(3, shape=(7, 5, 2))
        plan = Augmentations(shift=distance, flip=True)
        self.assertEqual(plan.names[0], "unchanged")
        copy_by_name = dict(zip(plan.names, plan.apply(images), strict=True))
        self.assertLen(copy_by_name, 4 * distance + 2)
        self.assertAllEqual(copy_by_name.pop("unchanged"), images)
        self.assertAllEqual(
            copy_by_name.pop("flip"), [np.fliplr(x) for x in images]
        )
        for name, copy in copy_by_name.items():
            dx, dy = map(int, name[len("shift(") : -1].split(","))
            self.assertEqual(abs(dx) + abs(dy), distance)
            want = [moved(image, dx, dy) for image in images]
            self.assertAllEqual(copy, want)
            self.assertEqual(copy.dtype, np.uint8)

    def test_shifts_are_among_those_of_training(self):
        """Training crops from the same frame of black."""
        image = tiny_models.images(1, shape=(6, 5, 3))
        many = tf.repeat(image, 400, axis=0)
        key = tf.constant([3, 4], tf.int64)
        seen = input_pipeline.augment(
            many, key, crop_padding=1, flip=False
        ).numpy()
        seen = {one.tobytes() for one in seen}
        plan = Augmentations(shift=1, flip=False)
        for name, copy in zip(plan.names, plan.apply(image), strict=True):
            self.assertIn(copy.tobytes(), seen, name)

    def test_quarter_turns_are_exact_and_to_the_left(self):
        images = tiny_models.images(2, shape=(6, 6, 3))
        for quarters in (1, 2, 3):
            turned = augmentations.rotated(images, 90 * quarters)
            want = [np.rot90(image, quarters) for image in images]
            self.assertAllEqual(turned, want)

    def test_small_turns_by_hand(self):
        image = tiny_models.images(1, shape=(9, 7, 1))
        turned = augmentations.rotated(image, 10)[0, :, :, 0]
        angle = np.deg2rad(-10)
        frame = np.zeros((13, 11))
        frame[2:11, 2:9] = image[0, :, :, 0]
        for y in range(9):
            for x in range(7):
                # Where the pixel came from: turned back, y pointing down.
                dx, dy = x - 3, y - 4
                back_x = 3 + np.cos(angle) * dx + np.sin(angle) * dy
                back_y = 4 - np.sin(angle) * dx + np.cos(angle) * dy
                if not (0 <= back_x <= 6 and 0 <= back_y <= 8):
                    self.assertEqual(turned[y, x], 0)
                    continue
                left, top = int(back_x), int(back_y)
                a, b = back_x - left, back_y - top
                corners = frame[top + 2 : top + 4, left + 2 : left + 4]
                want = np.array([1 - b, b]) @ corners @ np.array([1 - a, a])
                # Rounded to a whole pixel.
                self.assertAlmostEqual(turned[y, x], want, delta=0.5 + 1e-9)

    @parameterized.parameters(
        {"shift": -1},
        {"shift": 9},
        {"shift": 1.5},
        {"rotation": 16},
        {"rotation": -1},
    )
    def test_refuses(self, **options):
        (name,) = options
        with self.assertRaisesRegex(InputError, f"{name} must be in 0"):
            Augmentations(**options)


class NoiseTest(parameterized.TestCase, tf.test.TestCase):
    def test_names(self):
        names = Noise(sigmas=(0.1, 0.2), draws=2).names
        self.assertEqual(
            names,
            (
                "unchanged",
                "noise(0.1,0)",
                "noise(0.2,0)",
                "noise(0.1,1)",
                "noise(0.2,1)",
            ),
        )

    def test_is_normal_of_that_size(self):
        images = np.full((50, 16, 16, 1), 128, np.uint8)
        plan = Noise(sigmas=(0.02, 0.1), draws=2)
        _, *noisy = plan.apply(images, np.arange(50))
        for sigma, pixels in zip((0.02, 0.1) * 2, noisy, strict=True):
            off = pixels.astype(float).ravel() - 128
            # 12,800 pixels: the mean is 0 and the deviation 255 sigma within
            # five standard errors; rounding adds 1/12 to the variance.
            want = np.sqrt((255 * sigma) ** 2 + 1 / 12)
            self.assertLess(abs(off.mean()), 5 * want / np.sqrt(off.size))
            self.assertLess(abs(off.std() / want - 1), 5 / np.sqrt(2 * 12800))
            # The pieces of 50 records in a bank of 2^20 hardly overlap.
            fit = stats.kstest(
                off + np.random.default_rng(0).random(off.size) - 0.5,
                "norm",
                (0, want),
            )
            self.assertGreater(fit.pvalue, 1e-3)

    def test_pixels_stay_pixels(self):
        images = np.zeros((4, 8, 8, 1), np.uint8)
        images[2:] = 255
        *_, noisy = Noise(sigmas=(1.0,), draws=1).apply(images, np.arange(4))
        self.assertEqual(noisy.dtype, np.uint8)
        for rows in (noisy[:2], 255 - noisy[2:]):
            # Half the pixels go beyond the end and are cut off there.
            self.assertBetween(np.mean(rows == 0), 0.35, 0.65)
            self.assertGreater(rows.max(), 200)

    def test_follows_from_seed_and_record_alone(self):
        images = tiny_models.images(30)
        ids = np.random.default_rng(0).permutation(1000)[:30]
        plan = Noise(draws=2)
        first = np.array(list(plan.apply(images, ids)))
        order = np.random.default_rng(1).permutation(30)[:11]
        again = np.array(list(plan.apply(images[order], ids[order])))
        self.assertAllEqual(again, first[:, order])
        # More draws and other strengths leave the patterns.
        other = Noise(sigmas=(0.05, 0.7), draws=3)
        place, name = plan.names.index("noise(0.05,1)"), "noise(0.05,1)"
        more = list(other.apply(images, ids))[other.names.index(name)]
        self.assertAllEqual(more, first[place])
        other = list(Noise(draws=2, seed=1).apply(images, ids))
        self.assertGreater(np.mean(other[1] != first[1]), 0.5)

    def test_patterns_of_draws_and_records_differ(self):
        images = np.full((60, 8, 8, 1), 128, np.uint8)
        plan = Noise(sigmas=(0.2,), draws=3)
        noisy = np.array(list(plan.apply(images, np.arange(60))))[1:]
        rows = noisy.reshape(180, -1).astype(float)
        correlations = np.corrcoef(rows)[np.triu_indices(180, 1)]
        # 16,110 pairs of 64 pixels: standard deviation 1/8.
        self.assertLess(np.abs(correlations).max(), 5.5 / 8)
        self.assertAlmostEqual(correlations.std(), 1 / 8, delta=0.01)

    @parameterized.parameters(
        {"sigmas": ()}, {"sigmas": (0.0,)}, {"draws": 0}, {"seed": -1}
    )
    def test_refuses(self, **options):
        with self.assertRaisesRegex(InputError, "must be"):
            Noise(**options)


class QueryImagesTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(Augmentations(shift=2, rotation=1), Noise())
    def test_names_every_copy(self, plan):
        images, ids = tiny_models.images(COUNT), np.arange(COUNT) * 3
        target = Fixed()
        predicted = augmented_queries.query_images(target, images, ids, plan)
        want = [target.names(copy) for copy in plan.apply(images, ids)]
        self.assertAllEqual(predicted, np.transpose(want))
        self.assertEqual(predicted.dtype, np.int16)
        self.assertEqual(predicted.shape, (COUNT, len(plan.names)))

    @parameterized.parameters(Augmentations(), Noise())
    def test_blocks_and_batches_change_nothing(self, plan):
        images, ids = tiny_models.images(COUNT), np.arange(COUNT)
        whole = augmented_queries.query_images(
            Fixed(batch_size=100), images, ids, plan
        )
        target = Fixed(batch_size=7)
        before, augmented_queries.BLOCK = (
            augmented_queries.BLOCK,
            17 * images[0].size,
        )
        self.addCleanup(setattr, augmented_queries, "BLOCK", before)
        self.assertAllEqual(
            augmented_queries.query_images(target, images, ids, plan), whole
        )
        # Two batches of 7 fit into 17; only the last is shorter.
        queries = len(plan.names)
        want = [14] * queries * 2 + [12] * queries
        self.assertEqual(target.asked, want)

    @parameterized.named_parameters(
        ("float", {}), ("int8", {"inputs": tf.int8, "outputs": tf.int8})
    )
    def test_a_keras_model_and_its_file(self, types):
        model = tiny_models.classifier()
        path = pathlib.Path(self.create_tempdir()) / "m.tflite"
        tiny_models.write_tflite(model, path, **types)
        images, ids = tiny_models.images(COUNT), np.arange(COUNT)
        asked = {}
        for target in (
            KerasTarget(model, batch_size=16),
            tflite_target.TFLiteTarget(path, batch_size=16),
        ):
            for plan in (Augmentations(rotation=1), Noise(draws=2)):
                predicted = augmented_queries.query_images(
                    target, images, ids, plan
                )
                name = target.info["kind"], type(plan)
                asked[name] = predicted
                # The unchanged copy is what the target answers anyway.
                usual = target.predict(images).argmax(axis=1)
                self.assertAllEqual(predicted[:, 0], usual)
                self.assertGreater(np.mean(predicted != predicted[:, :1]), 0.01)
        for plan in (Augmentations, Noise):
            off = np.mean(asked["keras", plan] != asked["tflite", plan])
            # Rounded to 8 bits, the file is another model.
            self.assertLessEqual(off, 0.2 if types else 0.0)

    def test_an_integer_file_and_its_twin_name_every_copy_alike(self):
        run_dir = integer_runs.exported(
            pathlib.Path(self.create_tempdir()) / "run",
            integer_runs.small(),
            schemes=("int8",),
        )
        images, ids = integer_runs.digits().images[:100], np.arange(100)
        twin = KerasTarget(run_dir / "artifacts" / "int8_twin.keras")
        file = tflite_target.TFLiteTarget(run_dir / "artifacts" / "int8.tflite")
        for plan in (Augmentations(rotation=1), Noise(draws=2)):
            one, other = (
                augmented_queries.query_images(target, images, ids, plan)
                for target in (twin, file)
            )
            off = int(np.sum(one != other))
            self.assertEqual(off, 0, f"{off} of {one.size} differ")
            self.assertGreater(np.mean(one != one[:, :1]), 0.1)

    def test_refuses(self):
        images = tiny_models.images(3)
        with self.assertRaisesRegex(ValueError, "3 images, but 2 record"):
            augmented_queries.query_images(
                Fixed(), images, np.arange(2), Augmentations()
            )
        with self.assertRaisesRegex(InputError, "has 40000 classes"):
            augmented_queries.query_images(
                Fixed(classes=40000), images, np.arange(3), Augmentations()
            )


class AugmentedLabelsTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir()) / "int8.npz"
        self.records = a_run()

    def query(self, plan=None, *, records=None):
        chosen = self.records
        if records is not None:
            chosen = chosen.select(records)
        return augmented_queries.query(
            Fixed(), chosen, plan or Augmentations(), run="r"
        )

    def test_of_a_run(self):
        answers = self.query()
        ids = np.r_[0:COUNT:2, 1:COUNT:2]
        self.assertAllEqual(answers.record_ids, ids)
        self.assertAllEqual(answers.labels, ids % tiny_models.CLASSES)
        self.assertAllEqual(answers.members, ids % 2 == 0)
        images = tiny_models.images(COUNT)[ids]
        self.assertAllEqual(answers.predicted[:, 0], Fixed().names(images))
        self.assertEqual(
            answers.info,
            {
                **Fixed().info,
                "fingerprint": self.records.fingerprint,
                "run": "r",
                "plan": {
                    "kind": "augmentations",
                    "shift": 1,
                    "flip": True,
                    "rotation": 0,
                },
            },
        )

    def test_of_some_records(self):
        some = np.array([7, 4, 9])
        answers, whole = self.query(records=some), self.query()
        self.assertAllEqual(answers.record_ids, some)
        self.assertAllEqual(answers.members, [False, True, False])
        self.assertAllEqual(answers.predicted, whole.aligned(some))
        aligned = answers.aligned(np.array([9, 5, 7, 39]))
        self.assertEqual(aligned.dtype, np.int16)
        none = np.full(6, -1)
        want = [answers.predicted[2], none, answers.predicted[0], none]
        self.assertAllEqual(aligned, want)

    @parameterized.parameters(Augmentations(), Noise(sigmas=(0.1,), draws=1))
    def test_save_and_load(self, plan):
        answers = self.query(plan)
        answers.save(self.path)
        back = augmented_queries.load(self.path)
        for field in dataclasses.fields(answers)[:4]:
            want, got = getattr(answers, field.name), getattr(back, field.name)
            self.assertAllEqual(got, want)
            self.assertEqual(got.dtype, want.dtype)
        self.assertEqual(back.queries, plan.names)
        self.assertEqual(back.info, answers.info)
        facts = {"sha256": "ab", "kernel_set": "none"}
        self.assertTrue(back.matches(augmentations=plan, **facts))
        self.assertFalse(back.matches(augmentations=plan, sha256="cd"))
        self.assertFalse(
            back.matches(augmentations=Augmentations(shift=2), **facts)
        )
        self.assertFalse(back.matches(augmentations=Noise(seed=5), **facts))

    @parameterized.named_parameters(
        ("lacks", {"labels": None}, "lacks labels"),
        ("floats", {"predicted": np.zeros((40, 6))}, "predicted cannot be fl"),
        ("members", {"members": np.zeros(40, int)}, "members cannot be int"),
        ("queries", {"queries": np.array(["a"])}, r"shape .40, 6., not .* 1 q"),
        ("flat", {"predicted": np.zeros(40, int)}, "predicted has shape"),
        ("rows", {"labels": np.zeros(39, int)}, "labels has shape .39,., but"),
        ("twice", {"record_ids": np.zeros(40, int)}, "has a record twice"),
        ("class", {"predicted": np.full((40, 6), -1)}, "is no class number"),
        ("high", {"predicted": np.full((40, 6), 40000)}, "is no class number"),
        ("info", {"info": np.array("{")}, "info is not JSON"),
        ("list", {"info": np.array("[]")}, "info is no JSON object"),
        ("objects", {"labels": np.array([None] * 40)}, "pickle"),
    )
    def test_refuses_files(self, replaced, message):
        self.query().save(self.path)
        with np.load(self.path) as stored:
            arrays = {**stored, **replaced}
        arrays = {k: v for k, v in arrays.items() if v is not None}
        np.savez(self.path, **arrays)
        with self.assertRaisesRegex(InputError, f"int8.npz.*{message}"):
            augmented_queries.load(self.path)

    def test_refuses_damaged_files(self):
        with self.assertRaisesRegex(InputError, "cannot read .*int8.npz"):
            augmented_queries.load(self.path)
        self.path.write_bytes(b"nonsense")
        with self.assertRaisesRegex(InputError, "int8.npz is damaged"):
            augmented_queries.load(self.path)


if __name__ == "__main__":
    tf.test.main()
