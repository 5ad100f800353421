"""A Keras model as an attacker queries it. Needs TensorFlow."""

import pathlib

import tensorflow as tf

from qmia_tf import outputs
from qmia_tf.data.batches import in_batches, pad_batch
from qmia_tf.data.image_shapes import require_shape
from qmia_tf.data.pixels import scale_to_unit
from qmia_tf.errors import InputError
from qmia_tf.models import keras_calls, keras_files
from qmia_tf.run_dir import TRAINED
from qmia_tf.targets import file_facts

SUBCLASSED = (
    "a subclassed model does not say them: give a function, such as lambda x: "
    "model(x, training=False).numpy(), or the directory that "
    "model.export(DIR) writes"
)


class KerasTarget:
    """A Keras model that takes pixels / 255 and gives probabilities.

    Args:
        model: path of a .keras file, which is then frozen, or a keras.Model,
            which is left as it is.
        name: the target's name.
        batch_size: images a call; where there are several the last one is
            filled up, for XLA compiles each size.
    Raises: InputError if the file cannot be loaded, or the model has not one
        input and one output.
    """

    def __init__(self, model, *, name=TRAINED, batch_size=250):
        self.info = {
            "target": name,
            "kind": outputs.KERAS,
            "kernel_set": outputs.KERAS,
        }
        if isinstance(model, (str, pathlib.Path)):
            self.info.update(file_facts(model))
            model = keras_files.load(model)
            keras_files.freeze(model)
        for what in ("inputs", "outputs"):
            count = len(getattr(model, what, None) or ())
            if count != 1:
                raise InputError(
                    f"target {name!r} has {count} {what}; an image "
                    "classifier with one input and one output is needed"
                    + ("" if count else f" ({SUBCLASSED})")
                )
        self.info["probability_step"] = 0.0
        self.model = model
        self.batch_size = batch_size
        options = keras_calls.inference_options(model)
        # An output may be a dict of one.
        self._call = tf.function(
            lambda x: tf.nest.flatten(model(x, **options))[0],
            input_signature=[tf.TensorSpec(model.input_shape, tf.float32)],
        )
        keeping = keras_calls.stateful_layers(model)
        self._reset = lambda: keras_calls.reset(keeping)

    def predict(self, images, *, progress=False):
        """See Target."""
        expected = self.model.input_shape[1:]
        images = require_shape(images, expected, self.info["target"])

        def predict_batch(chunk):
            self._reset()
            whole = pad_batch(chunk, min(self.batch_size, len(images)))
            return self._call(scale_to_unit(whole)).numpy()[: len(chunk)]

        return in_batches(
            images,
            predict_batch,
            size=self.batch_size,
            name=self.info["target"],
            progress=progress,
        )
