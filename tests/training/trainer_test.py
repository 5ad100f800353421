"""Tests of the training steps against optimizers written out in NumPy."""

import types
from unittest import mock

import keras
import numpy as np
import slow_tests
import tensorflow as tf
import tqdm
from absl.testing import parameterized

from qmia_tf.errors import InputError
from qmia_tf.models import resnet
from qmia_tf.training import epoch_loop as trainers
from qmia_tf.training import recipes
from qmia_tf.training.epoch_loop import Trainer
from qmia_tf.training.input_pipeline import epoch_batches

SHAPE, CLASSES, RECORDS = (4, 4, 1), 3, 50
SILENT = tqdm.tqdm(disable=True)


def a_recipe(**fields):
    given = {
        "name": "tests",
        "dataset": "digits",
        "optimizer": "sgd",
        "learning_rate": 0.001,
        "batch_size": 16,
        "epochs": 2,
        **fields,
    }
    return recipes.Recipe(**given)


def some_members(count=RECORDS, shape=SHAPE):
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (count, *shape), np.uint8)
    return images, rng.integers(0, CLASSES, count)


def linear_model(**dense):
    """Softmax regression: its gradient is known by heart."""
    pixels = keras.Input(SHAPE)
    x = keras.layers.Flatten()(pixels)
    x = keras.layers.Dense(
        CLASSES,
        name="logits",
        kernel_initializer=keras.initializers.HeNormal(7),
        **dense,
    )(x)
    return keras.Model(pixels, keras.layers.Activation("softmax")(x))


def norm_model():
    """A convolution, batch norm and dropout: training differs from rest."""
    pixels = keras.Input(SHAPE)
    x = keras.layers.Conv2D(4, 3)(pixels)
    x = keras.layers.BatchNormalization(momentum=0.5)(x)
    x = keras.layers.Dropout(0.5, seed=3)(keras.layers.Flatten()(x))
    x = keras.layers.Dense(CLASSES, name="logits")(x)
    return keras.Model(pixels, keras.layers.Activation("softmax")(x))


def batches_of(members, recipe, *, seed, epoch):
    images, labels = members
    batches = epoch_batches(
        tf.constant(images),
        tf.constant(labels),
        recipe=recipe,
        seed=seed,
        epoch=epoch,
    )
    return [(x.numpy(), y.numpy()) for x, y in batches]


class NumpySoftmaxRegression:
    """Softmax regression with its optimizer, in float64, from the papers."""

    def __init__(self, kernel, bias, recipe, penalty=0.0):
        self.values = [kernel.astype(np.float64), bias.astype(np.float64)]
        self.first = [np.zeros_like(value) for value in self.values]
        self.second = [np.zeros_like(value) for value in self.values]
        self.recipe, self.penalty, self.steps = recipe, penalty, 0

    def step(self, pixels, labels, rate):
        """One step; returns the loss and the hits before it."""
        x = pixels.reshape(len(pixels), -1).astype(np.float64)
        kernel, bias = self.values
        logits = x @ kernel + bias
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        smooth = self.recipe.label_smoothing
        wanted = np.full(shares.shape, smooth / CLASSES)
        wanted[np.arange(len(x)), labels] += 1 - smooth
        loss = -(wanted * np.log(shares)).sum(axis=1).mean()
        loss += self.penalty * (kernel**2).sum()
        off = (shares - wanted) / len(x)
        gradients = [x.T @ off + 2 * self.penalty * kernel, off.sum(axis=0)]
        self.steps += 1
        self.values[0] = kernel * (1 - rate * self.recipe.weight_decay)
        for index, gradient in enumerate(gradients):
            self.values[index] += self._change(index, gradient, rate)
        return loss, (logits.argmax(axis=1) == labels).sum()

    def _change(self, index, gradient, rate):
        if self.recipe.optimizer == "sgd":
            momentum = self.recipe.momentum
            speed = momentum * self.first[index] - rate * gradient
            self.first[index] = speed
            ahead = momentum * speed - rate * gradient
            return ahead if self.recipe.nesterov else speed
        first = 0.9 * self.first[index] + 0.1 * gradient
        second = 0.999 * self.second[index] + 0.001 * gradient**2
        self.first[index], self.second[index] = first, second
        root = np.sqrt(second / (1 - 0.999**self.steps))
        return -rate * first / (1 - 0.9**self.steps) / (root + 1e-7)


class StepTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.named_parameters(
        ("sgd", {}),
        ("momentum", {"momentum": 0.9}),
        ("nesterov", {"momentum": 0.9, "nesterov": True}),
        ("adam", {"optimizer": "adam"}),
        ("sgd_decay", {"momentum": 0.9, "weight_decay": 0.1}),
        ("adam_decay", {"optimizer": "adam", "weight_decay": 0.1}),
        ("adamw", {"optimizer": "adamw", "weight_decay": 0.1}),
        ("smoothing", {"label_smoothing": 0.2}),
        ("regularizer", {}, 0.01),
        (
            "schedule",
            {"schedule": "steps", "milestones": (1,), "decay": 0.1},
        ),
        ("cosine", {"schedule": "cosine", "warmup_epochs": 1}),
    )
    def test_two_epochs_equal_numpy(self, fields, penalty=0.0):
        recipe = a_recipe(learning_rate=0.05, crop_padding=1, **fields)
        members = some_members()
        regularizer = keras.regularizers.L2(penalty) if penalty else None
        model = linear_model(kernel_regularizer=regularizer)
        twin = NumpySoftmaxRegression(*model.get_weights(), recipe, penalty)
        trained = Trainer(model, members, recipe, seed=4)
        self.assertEqual(trained.steps, 4)
        for epoch in range(2):
            self.assertEqual(trained.epoch, epoch)
            row = trained.run_epoch(SILENT)
            loss = hits = 0.0
            for pixels, labels in batches_of(
                members, recipe, seed=4, epoch=epoch
            ):
                rate = recipes.learning_rate_at(recipe, twin.steps, 4)
                one_loss, one_hits = twin.step(pixels, labels, rate)
                loss += one_loss * len(labels) / RECORDS
                hits += one_hits / RECORDS
            # float32 sums of 16 products against float64.
            self.assertAllClose(row["loss"], loss, rtol=1e-5)
            self.assertAllClose(row["train_accuracy"], hits, atol=1e-9)
            self.assertAllClose(row["learning_rate"], rate, rtol=1e-12)
            self.assertEqual(row["epoch"], epoch + 1)
        for ours, theirs in zip(model.get_weights(), twin.values, strict=True):
            self.assertAllClose(ours, theirs, atol=2e-5, rtol=0)

    @parameterized.parameters("sgd", "adam", "adamw")
    def test_norms_and_biases_do_not_decay(self, optimizer):
        weights = {}
        for decay in (0.0, 0.1):
            recipe = a_recipe(
                optimizer=optimizer,
                batch_size=RECORDS,
                learning_rate=0.1,
                weight_decay=decay,
            )
            keras.utils.set_random_seed(0)
            model = norm_model()
            before = {v.path: v.numpy() for v in model.trainable_variables}
            Trainer(model, some_members(), recipe, seed=0).run_epoch(SILENT)
            weights[decay] = {
                v.name + str(v.shape): (v.numpy(), first)
                for v, first in zip(
                    model.trainable_variables, before.values(), strict=True
                )
            }
        for name, (decayed, first) in weights[0.1].items():
            plain, _ = weights[0.0][name]
            lost = 0.1 * 0.1 * first if name.startswith("kernel") else 0.0
            self.assertAllClose(plain - decayed, lost + 0 * plain, atol=1e-6)

    def test_the_given_model_is_the_one_that_learns(self):
        model = norm_model()
        before = [value.copy() for value in model.get_weights()]
        trained = Trainer(model, some_members(), a_recipe(), seed=0)
        trained.run_epoch(SILENT)
        changed = [
            not np.array_equal(old, new)
            for old, new in zip(before, model.get_weights(), strict=True)
        ]
        # All but the state of the dropout's seed generator must have moved.
        self.assertGreaterEqual(sum(changed), len(changed) - 1)
        pixels = np.zeros((2, *SHAPE), np.float32)
        logits = trained.model(pixels).numpy()
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        self.assertAllClose(model(pixels), shares, atol=1e-6)

    def test_progress_moves_by_one_a_step(self):
        bar = mock.Mock()
        Trainer(linear_model(), some_members(), a_recipe(), 0).run_epoch(bar)
        self.assertEqual(bar.update.call_args_list, [mock.call()] * 4)


class AccuracyTest(tf.test.TestCase):
    def test_is_that_of_the_inference_pass(self):
        model = norm_model()
        trained = Trainer(model, some_members(), a_recipe(), 0)
        trained.run_epoch(SILENT)
        # More than one chunk, and the last one ragged.
        images, labels = some_members(trainers.EVALUATION_BATCH * 2 + 3)
        guesses = model.predict(images / np.float32(255), verbose=0)
        right = (guesses.argmax(axis=1) == labels).mean()
        self.assertAllClose(trained.accuracy(images, labels), right, atol=1e-9)
        self.assertBetween(right, 0.2, 0.5)


def first_bad_step(values, members, recipe):
    """Softmax regression in float32, by hand, until its loss overflows."""
    kernel, bias = (value.astype(np.float32) for value in values)
    rate = np.float32(recipe.learning_rate)
    step = 0
    for epoch in range(recipe.epochs):
        for pixels, labels in batches_of(members, recipe, seed=0, epoch=epoch):
            step += 1
            rows = np.arange(len(labels))
            x = pixels.reshape(len(pixels), -1)
            logits = x @ kernel + bias
            logits -= logits.max(axis=1, keepdims=True)
            shares = np.exp(logits)
            total = shares.sum(axis=1)
            losses = np.log(total) - logits[rows, labels]
            if not np.isfinite(losses.mean()):
                return step, epoch + 1
            shares /= total[:, None]
            shares[rows, labels] -= 1
            kernel -= rate * (x.T @ shares) / np.float32(len(x))
            bias -= rate * shares.mean(axis=0)
    raise AssertionError("the loss stayed finite")


class NotANumberTest(tf.test.TestCase):
    def test_stops_and_names_the_step(self):
        recipe = a_recipe(learning_rate=1e38)
        members = some_members()
        model = linear_model()
        with np.errstate(all="ignore"):
            step, epoch = first_bad_step(model.get_weights(), members, recipe)
        self.assertGreater(step, 1)
        trained = Trainer(model, members, recipe, seed=0)
        with self.assertRaisesRegex(
            InputError,
            rf"the loss is (nan|inf) at step {step} \(epoch {epoch}, "
            r"learning rate 1e\+38\): train with a smaller learning_rate",
        ):
            for _ in range(recipe.epochs):
                trained.run_epoch(SILENT)

    def test_weights_that_only_the_last_step_broke(self):
        # One step an epoch: its loss is fine, what it leaves is not.
        recipe = a_recipe(batch_size=RECORDS, learning_rate=1e38)
        model = linear_model(kernel_regularizer=keras.regularizers.L2(1e3))
        trained = Trainer(model, some_members(), recipe, seed=0)
        with self.assertRaisesRegex(
            InputError, r"logits/kernel is not finite at step 1 \(epoch 1, "
        ):
            trained.run_epoch(SILENT)


class InputWaitTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.named_parameters(
        ("slow_input", 3.0, 0.0, 1.0),
        ("slow_step", 0.0, 3.0, 0.0),
        ("both", 1.0, 3.0, 0.25),
    )
    def test_share_is_that_of_the_input(self, input_s, step_s, share):
        # A clock of its own: on a busy machine nothing takes what it should.
        clock = types.SimpleNamespace(now=100.0)
        clock.perf_counter = lambda: clock.now
        trained = Trainer(linear_model(), some_members(), a_recipe(), 0)
        trained.steps = 10

        def batches(*args, **kwargs):
            for _ in range(10):
                clock.now += input_s
                yield None, range(5)

        def one_step(*args):
            clock.now += step_s
            trained.optimizer.iterations.assign_add(1)
            return 0.0, 0

        with (
            mock.patch.object(trainers, "time", clock),
            mock.patch.object(trainers, "epoch_batches", batches),
            mock.patch.object(trained, "_one_step", one_step),
        ):
            row = trained.run_epoch(SILENT)
        self.assertAllClose(row["input_wait_share"], share)
        self.assertAllClose(row["seconds"], 10 * (input_s + step_s))
        self.assertAllClose(
            row["images_per_second"], RECORDS / row["seconds"], rtol=1e-9
        )

    @slow_tests.slow
    def test_real_input_keeps_up_with_real_steps(self):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (12800, 32, 32, 3), np.uint8)
        labels = rng.integers(0, 10, len(images))
        recipe = recipes.get("paper_cifar10", width=16)
        model = resnet.resnet18((32, 32, 3), 10, stem="imagenet", width=16)
        trained = Trainer(model, (images, labels), recipe, 0)
        shares = [
            trained.run_epoch(SILENT)["input_wait_share"] for _ in range(4)
        ]
        # Other work on the machine can only make an epoch wait longer.
        self.assertLess(min(shares), 0.05, shares)


if __name__ == "__main__":
    tf.test.main()
