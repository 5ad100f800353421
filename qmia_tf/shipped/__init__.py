"""The small models that ship with the project: made, described, checked."""

from qmia_tf.shipped.checking import LIMIT_BYTES, check
from qmia_tf.shipped.making import make
from qmia_tf.shipped.sets import SETS, ShippedSet

__all__ = ["LIMIT_BYTES", "SETS", "ShippedSet", "check", "make"]
