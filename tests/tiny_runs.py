"""The configuration of a run on a tiny data set."""

from qmia_tf.experiments import configuration
from qmia_tf.models.resnet import Bits
from qmia_tf.training import recipes


def config(data, *, bits=None, recipe=None, **options) -> dict:
    """As configuration.describe; w4a4 by the recipe of the digits."""
    return configuration.describe(
        data,
        recipe=recipe or recipes.get("digits"),
        bits=bits or Bits(4, 4),
        **options,
    )
