"""A tiny data set, and the configuration of a run on it."""

import numpy as np
import tiny_models

from qmia_tf.data.loaders import Dataset
from qmia_tf.experiments import configuration
from qmia_tf.models.resnet import Bits
from qmia_tf.training import recipes


def dataset(records=60, *, seed=0, **images) -> Dataset:
    """Images of four classes, in turn; options of tiny_models.images."""
    classes = tiny_models.CLASSES
    return Dataset(
        name="tiny",
        images=tiny_models.images(records, seed=seed, **images),
        labels=np.arange(records) % classes,
        class_names=tuple(map(str, range(classes))),
        origin=np.zeros(records, np.uint8),
    )


def config(data, *, bits=None, recipe=None, **options) -> dict:
    """As configuration.describe; w4a4 by the recipe of the digits."""
    return configuration.describe(
        data,
        recipe=recipe or recipes.get("digits"),
        bits=bits or Bits(4, 4),
        **options,
    )
