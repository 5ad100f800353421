"""One model, its optimizer, and an epoch of training steps."""

import math
import time

import keras
import numpy as np
import tensorflow as tf

from qmia_tf.data.batches import pad_batch
from qmia_tf.data.pixels import scale_to_unit
from qmia_tf.errors import InputError
from qmia_tf.training.input_pipeline import epoch_batches
from qmia_tf.training.recipes import Recipe, learning_rate_at

# As many as targets are queried at a time: XLA compiles each size once.
EVALUATION_BATCH = 250


class Trainer:
    """Trains a model epoch by epoch on records that are in memory.

    Attributes:
        model: from pixels to logits, sharing every layer with the model
            given; compiled, so that saving it saves the optimizer.
        steps: steps an epoch.

    Args:
        model: its layer "logits" gives the logits.
        members: (uint8 [N, height, width, channels], int [N]).
        recipe: how to train.
        seed: >= 0; an epoch's batches follow from (seed, epoch).
    """

    def __init__(
        self,
        model: keras.Model,
        members: tuple[np.ndarray, np.ndarray],
        recipe: Recipe,
        seed: int,
    ):
        self.recipe = recipe
        self._take(members, seed)
        self._network = model
        logits = model.get_layer("logits").output
        self.model = keras.Model(model.inputs, logits)
        self.optimizer = _optimizer(recipe)
        self.model.compile(self.optimizer, jit_compile=False)
        self.optimizer.build(self.model.trainable_variables)
        self.loss = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=recipe.label_smoothing
        )
        batch = tf.TensorSpec([None, *self.images.shape[1:]], tf.float32)
        self._predict = tf.function(
            lambda images: self.model(images, training=False),
            input_signature=[batch],
        )
        self._train_step = tf.function(
            self._step,
            input_signature=[batch, tf.TensorSpec([None], self.labels.dtype)],
        )

    def _take(self, members, seed):
        images, labels = members
        self.images = tf.constant(images)
        self.labels = tf.constant(labels)
        self.seed = seed
        self.steps = math.ceil(len(labels) / self.recipe.batch_size)

    def restart(
        self,
        model: keras.Model,
        members: tuple[np.ndarray, np.ndarray],
        seed: int,
    ):
        """Trains another model of the same network, from its first step on.

        The step is not traced again, which takes longer than an epoch of a
        small network. See kept_trainer.py, which knows what is the same.

        Args:
            model: its values are taken; copy_to gives them back.
            members: shaped as the ones before, if not as many.
            seed: as of Trainer.
        """
        self._take(members, seed)
        _copy(model.variables, self._network.variables)
        for variable in self.optimizer.variables:
            variable.assign(tf.zeros_like(variable))

    def copy_to(self, model: keras.Model):
        """Gives the values to a model that `restart` was called with."""
        if model is not self._network:
            _copy(self._network.variables, model.variables)

    @property
    def epoch(self) -> int:
        """The number of whole epochs behind it."""
        return int(self.optimizer.iterations) // self.steps

    def run_epoch(self, progress) -> dict:
        """Runs one epoch; returns its row of the history.

        Args:
            progress: tqdm bar, moved by one a step.
        Raises: InputError if the loss or, after the last step, a weight is
            not finite; the step is named.
        """
        epoch, started, waited = self.epoch, time.perf_counter(), 0.0
        loss_sum, right = 0.0, 0
        batches = iter(
            epoch_batches(
                self.images,
                self.labels,
                recipe=self.recipe,
                seed=self.seed,
                epoch=epoch,
            )
        )
        for step in range(self.steps):
            asked_at = time.perf_counter()
            images, labels = next(batches)
            waited += time.perf_counter() - asked_at
            loss, hits = self._one_step(epoch, step, images, labels)
            loss_sum += loss * len(labels)
            right += hits
            progress.update()
            progress.set_postfix_str(f"epoch {epoch + 1}, loss {loss:.3f}")
        self._check_weights()
        seconds = time.perf_counter() - started
        records = len(self.labels)
        return {
            "epoch": epoch + 1,
            "learning_rate": self._rate(self.optimizer.iterations - 1),
            "loss": loss_sum / records,
            "train_accuracy": right / records,
            "seconds": seconds,
            "images_per_second": records / seconds,
            "input_wait_share": waited / seconds,
        }

    def accuracy(self, images: np.ndarray, labels: np.ndarray) -> float:
        """The accuracy of the inference pass on uint8 images, in [0, 1]."""
        right, size = 0, min(EVALUATION_BATCH, len(labels))
        for start in range(0, len(labels), size):
            chunk = slice(start, start + size)
            batch = pad_batch(images[chunk], size)
            logits = self._predict(scale_to_unit(batch)).numpy()
            true = labels[chunk]
            right += int((logits[: len(true)].argmax(axis=1) == true).sum())
        return right / len(labels)

    def _rate(self, step):
        return learning_rate_at(self.recipe, int(step), self.steps)

    def _one_step(self, epoch, step, images, labels):
        rate = self._rate(epoch * self.steps + step)
        self.optimizer.learning_rate.assign(rate)
        loss, hits = self._train_step(images, labels)
        loss = float(loss)
        if not math.isfinite(loss):
            raise self._diverged(f"the loss is {loss}")
        return loss, int(hits)

    def _check_weights(self):
        """Sees what the last step did, before it is saved as a model."""
        for variable in self.model.variables:
            value = variable.numpy()
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise self._diverged(f"{variable.path} is not finite")

    def _diverged(self, what):
        step = int(self.optimizer.iterations)
        return InputError(
            f"{what} at step {step} (epoch {(step - 1) // self.steps + 1}, "
            f"learning rate {self._rate(step - 1):g}): train with a smaller "
            "learning_rate in another run directory"
        )

    def _step(self, images, labels):
        with tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            targets = tf.one_hot(labels, logits.shape[-1])
            loss = self.loss(targets, logits)
            total = tf.add_n([loss, *self.model.losses])
        variables = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(total, variables), variables)
        guesses = tf.argmax(logits, axis=1, output_type=labels.dtype)
        hits = tf.reduce_sum(tf.cast(guesses == labels, tf.int32))
        return total, hits


def _copy(values, variables):
    for value, variable in zip(values, variables, strict=True):
        variable.assign(value)


def _optimizer(recipe):
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(
            rate,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=decay or None,
        )
    elif recipe.optimizer == "adam":
        optimizer = keras.optimizers.Adam(rate, weight_decay=decay or None)
    else:
        optimizer = keras.optimizers.AdamW(rate, weight_decay=decay)
    if decay:
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer
