"""A model of Keras 3 or of tf_keras (Keras 2). Needs TensorFlow."""

import copy
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from qmia_tf import onednn, outputs
from qmia_tf.errors import InputError
from qmia_tf.models import graph as graphs
from qmia_tf.models import keras_calls, keras_files
from qmia_tf.run_dir import TRAINED
from qmia_tf.targets import Target, file_facts, keras_inside
from qmia_tf.targets.range_choice import Choice


class KerasTarget(Target):
    """A Keras model.

    Without a choice it takes pixels / 255 and gives probabilities; logits
    then go through a softmax here.

    Attributes:
        model: the Keras model.

    Args:
        model: path of a .keras file, which is then frozen, or a model of
            Keras 3 or tf_keras, which is left as it is.
        batch_size: images a call; where there are several the last one is
            filled up, for XLA compiles each size. A model of a fixed batch
            keeps its own.
        logits: whether the model gives logits.
        choice: how records enter.
    Raises: InputError if the file cannot be loaded, or the model has not one
        input and one output.
    """

    def __init__(
        self,
        model: Any,
        *,
        name: str = TRAINED,
        batch_size: int = 250,
        logits: bool = False,
        choice: Choice | None = None,
    ):
        info = {
            "target": name,
            "kind": outputs.KERAS,
            "kernel_set": outputs.KERAS,
        }
        if isinstance(model, (str, pathlib.Path)):
            info.update(file_facts(model))
            model = keras_files.load(model)
            keras_files.freeze(model)
        require_one_port(model, name)
        info["probability_step"] = 0.0
        entry = tf.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype)
        # Where not even the number of axes is known, no record fits.
        batch, *shape = entry.shape if entry.shape.rank else (None,)
        super().__init__(
            info,
            shape=tuple(shape),
            choice=choice,
            batch_size=batch or batch_size,
            fill="always" if batch else "last",
            gives_softmax=logits and choice is None,
        )
        self.model = model
        options = keras_calls.inference_options(model)
        self._entry = entry
        self._dtype = np.dtype(entry.dtype.as_numpy_dtype)
        # An output may be a dict of one.
        self._call = tf.function(
            lambda x: tf.nest.flatten(model(x, **options))[0],
            input_signature=[entry],
        )
        self._stateful_layers = keras_calls.stateful_layers(model)

    def predict_batch(self, values: np.ndarray) -> np.ndarray:
        """See Target."""
        keras_calls.reset(self._stateful_layers)
        with onednn.explaining(self.info["target"]):
            values = values.astype(self._dtype, copy=False)
            return self._call(values).numpy()

    def observed(self, sink: Callable) -> tuple[Target, dict]:
        """See Target."""
        last = keras_inside.find(self.model)
        compiled = keras_inside.function(self.model, last, self._entry)

        def call(values):
            rows, logits, entered = compiled(values)
            count = len(values)
            sink(
                logits.numpy().reshape(count, -1).astype(np.float64),
                entered.numpy().reshape(count, -1).astype(np.float32),
            )
            return rows

        target = copy.copy(self)
        target._call = call
        return target, last.facts


def require_one_port(model: Any, name: str) -> None:
    """Refuses a model without one input, one output and layers to be read.

    Raises: InputError that says what to give instead.
    """
    is_built = graphs.has_graph(model)
    kinds = {kind.__name__ for kind in type(model).__mro__}
    if not is_built and "Sequential" not in kinds:
        raise InputError(
            f"target {name!r} is a subclassed model ({type(model).__name__}), "
            "whose layers cannot be read: give a function, such as lambda x: "
            "model.predict(x / 255), or save it with model.export(DIR) and "
            "give that directory"
        )
    for what in ("inputs", "outputs"):
        count = len(getattr(model, what, None) or ())
        if count != 1:
            raise InputError(
                f"target {name!r} has {count} {what}; a classifier with one "
                "input and one output is needed"
                + ("" if is_built else " (call the model once to build it)")
            )
