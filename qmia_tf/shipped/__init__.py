"""The small models that ship with the project."""

from qmia_tf.shipped.manifest_check import LIMIT_BYTES, check
from qmia_tf.shipped.model_build import make
from qmia_tf.shipped.sets import SETS, ShippedSet

__all__ = ["LIMIT_BYTES", "SETS", "ShippedSet", "check", "make"]
