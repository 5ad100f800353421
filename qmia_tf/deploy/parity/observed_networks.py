"""Keras networks that show, beside their outputs, what they round."""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from qmia_tf import layers as ours
from qmia_tf.data.batches import reshape_images
from qmia_tf.data.pixels import scale_to_unit
from qmia_tf.deploy.flat_model import read_flat
from qmia_tf.deploy.integer.layer_ops import OPS, LayerOp
from qmia_tf.errors import InputError
from qmia_tf.models import keras_files
from qmia_tf.outputs.logits import softmax

QUANTIZERS = (
    ours.DoReFaActivation,
    ours.DoReFaAdd,
    ours.ResidualQuantizer,
    ours.RoundedAveragePooling2D,
)


class Network:
    """A Keras model that shows the results of layers beside its outputs."""

    def __init__(self, model: keras.Model, names: list[str]):
        self.model = model
        self.names = names
        layer_outputs = [model.get_layer(name).output for name in names]
        network = keras.Model(model.inputs, [*layer_outputs, model.outputs[0]])
        self._call = tf.function(
            lambda x: network([x], training=False),
            input_signature=[tf.TensorSpec(model.input_shape, tf.float32)],
        )

    def run(
        self, images: np.ndarray, *, batch_size: int | None = None
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Runs one batch.

        Args:
            images: uint8 [N, ...]; one channel may have an axis or not.
            batch_size: >= N, to fill up to. Every other batch size costs
                seconds: XLA compiles the layers for it.
        Returns: name -> float32 [N, ...], and the output [N, classes].
        """
        count = len(images)
        images = reshape_images(images, self.model.input_shape[1:])
        filled = np.resize(images, (batch_size or count, *images.shape[1:]))
        *layer_outputs, outputs = (
            part.numpy()[:count] for part in self._call(scale_to_unit(filled))
        )
        return dict(zip(self.names, layer_outputs, strict=True)), outputs


class Twin:
    """An integer twin that shows its levels and its outputs.

    The model is one that integer_network.fold gave, or the path of a saved
    one; logits says whether it outputs logits.
    """

    def __init__(self, model, *, logits: bool = False):
        if isinstance(model, (str, pathlib.Path)):
            model = keras_files.load(model)
        self.model = model
        self._logits = logits
        self._scales = {}
        self.rounded_layers = []
        graph = read_flat(model)
        for call in graph.calls:
            layer, sources = call.layer, graph.sources(call)
            if hasattr(layer, "grid"):
                self._scales[call.name] = layer.grid.scale
            elif OPS.get(type(layer), LayerOp()).moves:
                if sources[0] in self._scales:
                    self._scales[call.name] = self._scales[sources[0]]
            if isinstance(layer, ours.integer_layers.ToLevels):
                source = model.get_layer(sources[0])
                if not isinstance(source, keras.layers.InputLayer):
                    self.rounded_layers.append(source.name)
        self.names = list(self._scales)
        self._network = Network(model, self.names)

    def scale(self, name: str) -> float:
        """Returns the distance of neighbouring levels behind a layer."""
        return self._scales[name]

    def check_images(self, images: np.ndarray) -> None:
        """Raises InputError if there are no images or they do not fit."""
        shape = self.model.input_shape[1:]
        if (
            images.dtype != np.uint8
            or not len(images)
            or reshape_images(images, shape) is None
        ):
            raise InputError(
                f"the twin takes uint8 images of {list(shape)}, one or more, "
                f"got {images.dtype} {list(images.shape)}"
            )

    def run(
        self, images: np.ndarray, *, batch_size: int | None = None
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Returns name -> int16 levels [N, ...], and probabilities."""
        floats, outputs = self._network.run(images, batch_size=batch_size)
        levels = {name: part.astype(np.int16) for name, part in floats.items()}
        return levels, softmax(outputs) if self._logits else outputs


class Trained:
    """A trained model, or the path of one, that shows what it rounds."""

    def __init__(self, model):
        if isinstance(model, (str, pathlib.Path)):
            model = keras_files.load(model)
            keras_files.freeze(model)
        names = [
            layer.name
            for layer in model.layers
            if isinstance(layer, QUANTIZERS)
        ]
        self._network = Network(model, names)

    def names(self, twin: Twin) -> list[str]:
        """Lists the layers that it rounds and the twin has as well."""
        return [name for name in self._network.names if name in twin.names]

    def run(
        self, images: np.ndarray, twin: Twin, *, batch_size: int | None = None
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Returns name -> int16 levels [N, ...], and probabilities."""
        values, outputs = self._network.run(images, batch_size=batch_size)
        levels = {
            name: _levels(values[name], twin.scale(name))
            for name in self.names(twin)
        }
        return levels, outputs


def _levels(values, scale):
    return np.rint(values / np.float64(scale)).astype(np.int16)
