"""Tests of the TensorBoard callback, its event files, and training with it."""

import itertools
import pathlib
import struct
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf.data.pixels import scale_to_unit
from qmia_tf.errors import InputError
from qmia_tf.models import keras_files
from qmia_tf.training import (
    recipes,
    resumable_loop,
    tensorboard_callback,
    tensorboard_events,
)

MEMBERSHIP = {
    "accuracy_members",
    "accuracy_nonmembers",
    "accuracy_gap",
    "gap_attack",
    "confidence_auc",
    "confidence_held_out",
}


def records(count, seed):
    """Float images and labels that nothing ties to them."""
    labels = np.random.default_rng(seed).integers(0, tiny_models.CLASSES, count)
    return scale_to_unit(tiny_models.images(count, seed=seed)), labels


def compiled(**options):
    model = tiny_models.classifier(**options)
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=not options.get("softmax", True)
    )
    model.compile("sgd", loss, metrics=["accuracy"], jit_compile=False)
    return model


class ScalarsTest(tf.test.TestCase):
    def test_numbers(self):
        rng = np.random.default_rng(0)
        # Eighths, so that there are ties.
        codes = rng.multinomial(8, [0.5, 0.3, 0.2], 60)
        probabilities, labels = codes / 8, rng.integers(0, 3, 60)
        members = np.arange(60) % 3 > 0
        scalars = tensorboard_callback.membership_scalars(
            probabilities, labels, members
        )
        right = [
            max(range(3), key=row.tolist().__getitem__) == label
            for row, label in zip(codes, labels, strict=True)
        ]
        inside = np.mean(list(itertools.compress(right, members)))
        outside = np.mean(list(itertools.compress(right, ~members)))
        self.assertAllClose(scalars["membership/accuracy_members"], inside)
        self.assertAllClose(scalars["membership/accuracy_nonmembers"], outside)
        self.assertAllClose(
            scalars["membership/accuracy_gap"], inside - outside
        )
        self.assertAllClose(
            scalars["membership/gap_attack"], (inside + 1 - outside) / 2
        )
        tops = codes.max(axis=1)
        won = [
            1.0 if a > b else 0.5 if a == b else 0.0
            for a in tops[members]
            for b in tops[~members]
        ]
        self.assertAllClose(scalars["membership/confidence_auc"], np.mean(won))
        for name in ("confidence_auc", "confidence_held_out"):
            low, high = (scalars[f"interval/{name}_{end}"] for end in LOW_HIGH)
            self.assertBetween(scalars[f"membership/{name}"], low, high)

    def test_members_that_are_surer(self):
        top = np.concatenate([np.full(40, 0.9), np.full(40, 0.6)])
        scalars = tensorboard_callback.membership_scalars(
            np.stack([top, 1 - top], axis=1), np.zeros(80, int), top > 0.8
        )
        self.assertEqual(scalars["membership/confidence_held_out"], 1)
        self.assertEqual(scalars["membership/confidence_auc"], 1)
        self.assertEqual(scalars["membership/gap_attack"], 0.5)


LOW_HIGH = ("low", "high")


class Folder(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.members, self.nonmembers = records(40, 1), records(30, 2)

    def log(self, **options):
        return tensorboard_callback.MembershipLog(
            self.dir, self.members, self.nonmembers, **options
        )

    def steps(self, tag, folder=""):
        events = tensorboard_events.read(self.dir / folder)
        return [step for name, step, _ in events if name == tag]


class CallbackTest(Folder):
    def test_fit_writes_what_the_model_gives_away(self):
        model = compiled()
        model.fit(
            *self.members,
            epochs=3,
            callbacks=[self.log(every=2, batch_size=16)],
            verbose=0,
        )
        for name in ("loss", "accuracy"):
            self.assertEqual(self.steps(f"training/{name}"), [1, 2, 3])
        events = tensorboard_events.read(self.dir)
        for name in MEMBERSHIP:
            # Every second, and the last.
            self.assertEqual(self.steps(f"membership/{name}"), [2, 3], name)
        both = [
            np.concatenate(side)
            for side in zip(self.members, self.nonmembers, strict=True)
        ]
        wanted = tensorboard_callback.membership_scalars(
            model.predict(both[0], verbose=0), both[1], np.arange(70) < 40
        )
        last = {tag: value for tag, step, value in events if step == 3}
        # The file holds float32.
        for tag, value in wanted.items():
            self.assertAllClose(last[tag], value, atol=1e-6, msg=tag)

    def test_loss_traces_from_the_fourth_epoch_on(self):
        model, log = compiled(), self.log()
        rows = []
        both = [
            np.concatenate(side)
            for side in zip(self.members, self.nonmembers, strict=True)
        ]
        keep = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: rows.append(
                model.predict(both[0], verbose=0)
            )
        )
        with self.assertRaisesRegex(ValueError, "4 epochs or more"):
            log.loss_trace_iqr()
        model.fit(*self.members, epochs=5, callbacks=[keep, log], verbose=0)
        losses = [-np.log(x[np.arange(70), both[1]]) for x in rows]
        want = [
            np.percentile(trace, 75) - np.percentile(trace, 25)
            for trace in np.transpose(losses)
        ]
        # float32's last bits of probabilities near 1.
        self.assertAllClose(log.loss_trace_iqr(), want, atol=1e-5)
        self.assertEqual(self.steps("membership/loss_trace_auc"), [4, 5])
        inside, outside = np.split(log.loss_trace_iqr(), [40])
        above = inside[:, None] - outside[None]
        events = tensorboard_events.read(self.dir)
        (value,) = (
            x
            for tag, step, x in events
            if tag == "membership/loss_trace_auc" and step == 5
        )
        self.assertAllClose(value, (np.sign(above) / 2 + 0.5).mean())

    def test_no_loss_traces_where_a_training_goes_on(self):
        compiled().fit(
            *self.members,
            initial_epoch=1,
            epochs=6,
            callbacks=[self.log()],
            verbose=0,
        )
        self.assertLen(self.steps("membership/gap_attack"), 5)
        self.assertEmpty(self.steps("membership/loss_trace_auc"))

    def test_tensorboard_itself_reads_it(self):
        from tensorboard.backend.event_processing import event_accumulator

        compiled().fit(
            *self.members, epochs=2, callbacks=[self.log()], verbose=0
        )
        shown = event_accumulator.EventAccumulator(str(self.dir)).Reload()
        events = shown.Tensors("membership/confidence_auc")
        self.assertEqual([event.step for event in events], [1, 2])

    def test_logits(self):
        model = compiled(softmax=False)
        log = self.log(outputs="logits")
        log.set_model(model)
        scalars = log._measure()
        log = self.log()
        softmax = keras.layers.Softmax()(model.output)
        log.set_model(keras.Model(model.input, softmax))
        self.assertAllClose(scalars, log._measure(), atol=1e-6)

    @parameterized.parameters(
        (False, "probabilities", "does not output probabilities"),
        (True, "logits", "outputs probabilities, not logits"),
    )
    def test_answers_of_the_other_kind(self, softmax, outputs, message):
        log = self.log(outputs=outputs)
        log.set_model(compiled(softmax=softmax))
        with self.assertRaisesRegex(InputError, message):
            log._measure()

    def test_model_that_diverged_goes_on_without(self):
        log = self.log()
        model = compiled()
        model.set_weights([w * np.nan for w in model.get_weights()])
        log.set_model(model)
        self.assertEqual(log._measure(), {})

    @parameterized.parameters(
        ({"every": 0}, "every must be >= 1, got 0"),
        ({"batch_size": 0}, "batch_size must be >= 1, got 0"),
        ({"outputs": "logit"}, "one of probabilities, logits, got 'logit'"),
        ({"members": np.zeros(3)}, r"members must be a pair \(x, y\)"),
        (
            {"nonmembers": (np.zeros((3, 2)), np.zeros((3, 4), int))},
            r"nonmembers must be .* got x \[3, 2\] and y int64 \[3, 4\]",
        ),
        (
            {"members": (np.zeros((3, 2)), np.zeros(2, int))},
            "members must be a pair",
        ),
        (
            {"members": (np.zeros((1, 2)), np.zeros((1, 1), int))},
            "members must be 2 records or more, got 1",
        ),
    )
    def test_bad_arguments(self, given, message):
        given = {
            "members": self.members,
            "nonmembers": self.nonmembers,
            **given,
        }
        with self.assertRaisesRegex(InputError, message):
            tensorboard_callback.MembershipLog(self.dir, **given)

    def test_package_that_is_not_there(self):
        with (
            mock.patch("importlib.util.find_spec", return_value=None),
            self.assertRaisesRegex(
                InputError, r'pip install "qmia_tf\[tensorboard\]"'
            ),
        ):
            self.log()


class GoingOnTest(Folder):
    def fit(self, first, epochs):
        compiled().fit(
            *self.members,
            initial_epoch=first,
            epochs=epochs,
            callbacks=[self.log()],
            verbose=0,
        )

    def test_no_step_is_there_twice(self):
        other = self.dir / "events.out.tfevents.1.other"
        other.write_bytes(b"of somebody else")
        self.fit(0, 3)
        self.fit(2, 4)
        for tag in ("training/loss", "membership/confidence_auc"):
            self.assertEqual(self.steps(tag), [1, 2, 3, 4])
        self.fit(0, 1)
        self.assertEqual(self.steps("training/loss"), [1])
        self.assertEqual(other.read_bytes(), b"of somebody else")

    def test_file_that_was_cut_off(self):
        self.fit(0, 3)
        (path,) = self.dir.glob("events*")
        whole = path.read_bytes()
        (length,) = struct.unpack("<Q", whole[:8])
        self.assertLess(length, len(whole))
        path.write_bytes(whole[:-5])
        self.fit(3, 4)
        steps = self.steps("membership/confidence_auc")
        self.assertContainsSubset([1, 2, 4], steps)
        self.assertLen(set(steps), len(steps))


class TrainTest(Folder):
    """The training loop of scripts/train.py."""

    def train(self, **options):
        recipe = recipes.Recipe(
            name="tests",
            dataset="digits",
            optimizer="sgd",
            learning_rate=0.05,
            batch_size=16,
            epochs=3,
        )
        images = tiny_models.images(40, seed=1)
        return resumable_loop.train(
            tiny_models.classifier(),
            (images, self.members[1]),
            recipe=recipe,
            seed=5,
            run_dir=self.dir / "run",
            callbacks=[self.log()],
            **options,
        )

    def test_killed_before_the_checkpoint(self):
        save, saved = keras_files.save, []

        def failing(model, path, **options):
            saved.append(path)
            if len(saved) == 2:
                raise KeyboardInterrupt
            save(model, path, **options)

        with (
            mock.patch.object(keras_files, "save", failing),
            self.assertRaises(KeyboardInterrupt),
        ):
            self.train()
        self.assertEqual(self.steps("training/loss"), [1, 2])
        self.assertTrue(self.train())
        for tag in ("training/loss", "membership/accuracy_gap"):
            self.assertEqual(self.steps(tag), [1, 2, 3])
        names = {tag for tag, _, _ in tensorboard_events.read(self.dir)}
        self.assertIn("training/learning_rate", names)
        # Nobody was measured, so there is nothing to show.
        self.assertNotIn("training/nonmember_accuracy", names)


if __name__ == "__main__":
    tf.test.main()
