"""A Python function as a target."""

from collections.abc import Callable

import numpy as np

from qmia_tf.models import keras_calls
from qmia_tf.targets import Target, range_choice
from qmia_tf.targets.model_options import Opening
from qmia_tf.targets.preprocessing import InputFacts
from qmia_tf.targets.unopened_model import TargetKind

KERNELS = "callable"


class FunctionTarget(Target):
    """A Python function, which gets the records as they are said to enter.

    Args:
        function: records [B, ...] -> numbers [B, C].
        opening: how it is opened.
    """

    def __init__(self, function: Callable, opening: Opening):
        info = {
            "target": opening.name,
            "kind": "callable",
            "kernel_set": KERNELS,
            "outputs": opening.options.outputs,
            "probability_step": 0.0,
        }
        choice = range_choice.choose(_facts(function), opening)
        super().__init__(info, shape=opening.numbers.shape, choice=choice)
        self._function = function

    def predict_batch(self, values: np.ndarray) -> np.ndarray:
        """See Target; the function may write into its copy."""
        return self._function(np.array(values))


def _facts(function):
    """What a function says of its input, or a method of an unread model."""
    if keras_calls.model_of(function) is None:
        return InputFacts(None)
    where = "is a method of a model that does not say"
    return InputFacts(np.dtype(np.float32), where=where)


KIND = TargetKind(
    fits=callable,
    kernel_set=KERNELS,
    open_model=FunctionTarget,
)
