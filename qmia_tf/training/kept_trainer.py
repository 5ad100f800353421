"""One Trainer for many models of one network: its step is traced once."""

import json

import keras
import numpy as np

from qmia_tf.training.epoch_loop import Trainer
from qmia_tf.training.recipes import Recipe


class KeptTrainer:
    """Keeps the Trainer of the last model, for more of the same network."""

    def __init__(self):
        self._kind, self._trainer = None, None

    def get(
        self,
        model: keras.Model,
        members: tuple[np.ndarray, np.ndarray],
        recipe: Recipe,
        seed: int,
    ) -> Trainer:
        """Gives a Trainer that has done no step.

        That of the model before if networks, apart from their seeds, recipes
        and kinds of images are the same; the weights come out equal. It may
        train on in the layers of the first model, so save a model, and let go
        of it, before the next.

        Args: as of Trainer.
        """
        images, labels = members
        kind = (
            json.dumps(_without_seeds(model.get_config()), sort_keys=True),
            recipe,
            *(images.dtype, images.shape[1:], labels.dtype),
        )
        if self._trainer is not None and kind == self._kind:
            self._trainer.restart(model, members, seed)
        else:
            self._trainer = Trainer(model, members, recipe, seed)
            self._kind = kind
        return self._trainer


def _without_seeds(config):
    """Without what only decides the first values of variables."""
    if isinstance(config, dict):
        return {
            key: _without_seeds(value)
            for key, value in config.items()
            if key != "seed"
        }
    if isinstance(config, (list, tuple)):
        return [_without_seeds(value) for value in config]
    return config
