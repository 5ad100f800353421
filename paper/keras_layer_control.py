"""The control that (32, 32) is the same as Keras' own layers.

The full-precision network of this project is made of the DoReFa layers at 32
bits, so that every model runs through one code path. Here the same network is
built of Keras' own Conv2D, ReLU and Dense, both are trained on the same
batches, and their weights are compared bit for bit.
"""

import keras
import numpy as np

from qmia_tf import layers, terminal
from qmia_tf.experiments import training_run
from qmia_tf.layers import portable_convolutions
from qmia_tf.models import resnet
from qmia_tf.training import resumable_loop
from qmia_tf.training.epoch_loop import Trainer


class _Convolution(keras.layers.Conv2D):
    """Keras' own, but for the gradients that oneDNN cannot compute safely."""

    def convolution_op(self, inputs, kernel):
        """Convolves."""
        names = ("strides", "padding", "dilation_rate", "data_format")
        windows = {name: getattr(self, name) for name in names}
        kernel = keras.ops.convert_to_tensor(kernel)
        return portable_convolutions.conv2d(inputs, kernel, **windows)


def check(dataset, config, recipe, place, *, steps) -> dict:
    """Trains both networks for some steps.

    Args:
        dataset: Dataset of the full-precision run.
        config: its configuration.
        recipe: its Recipe.
        place: its run directory, for its split.
        steps: int >= 1.
    Returns: dict: steps, records, layers (how many were replaced), weights
        (how many numbers), differ (how many are not equal), largest (the
        largest difference).
    """
    resumable_loop.make_deterministic(config["seed"])
    split = training_run.open_split(place, dataset, config)
    needed = split.members[: steps * recipe.batch_size]
    members = dataset.take(needed)
    ours = resnet.resnet18(
        dataset.image_shape,
        dataset.classes,
        seed=config["seed"],
        **config["model"],
    )
    theirs, replaced = with_keras_layers(ours)
    ended = [
        _train(model, members, recipe, config["seed"])
        for model in (ours, theirs)
    ]
    apart = [np.abs(a - b) for a, b in zip(*ended, strict=True)]
    return {
        "steps": steps,
        "records": len(needed),
        "layers": replaced,
        "weights": sum(gaps.size for gaps in apart),
        "differ": sum(int(np.count_nonzero(gaps)) for gaps in apart),
        "largest": max(float(gaps.max()) for gaps in apart),
    }


def with_keras_layers(model):
    """Builds a full-precision network of Keras' own layers.

    Args:
        model: resnet.resnet18 at (32, 32) without the clip.
    Returns: keras.Model with the same weights, and how many layers of it
        were replaced.
    """
    replaced = []

    def own(layer):
        kinds = {
            layers.DoReFaConv2D: keras.layers.Conv2D,
            layers.DoReFaDense: keras.layers.Dense,
            layers.DoReFaActivation: keras.layers.ReLU,
        }
        kind = kinds.get(type(layer))
        if kind is None:
            return type(layer).from_config(layer.get_config())
        replaced.append(layer.name)
        if kind is keras.layers.Conv2D and portable_convolutions.is_unsafe(
            layer.kernel.shape, layer.strides
        ):
            kind = _Convolution
        config = layer.get_config()
        if kind is keras.layers.ReLU:
            return kind(name=layer.name)
        known = keras.layers.Layer.__init__.__code__.co_varnames
        arguments = {*kind.__init__.__code__.co_varnames, *known}
        own_config = {key: config[key] for key in config if key in arguments}
        return kind.from_config(own_config)

    twin = keras.models.clone_model(model, clone_function=own)
    twin.set_weights(model.get_weights())
    return twin, len(replaced)


def _train(model, members, recipe, seed):
    trainer = Trainer(model, members, recipe, seed)
    with terminal.bar(shown=False) as bar:
        trainer.run_epoch(bar)
    return [variable.numpy() for variable in model.weights]
