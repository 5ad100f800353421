"""A Python function as a target."""

import numpy as np

from qmia_tf.targets import Target, range_choice
from qmia_tf.targets.model_options import PROBABILITIES
from qmia_tf.targets.preprocessing import InputFacts


class FunctionTarget(Target):
    """A Python function, which gets the records as they are said to enter.

    Args:
        function: callable, records [B, ...] -> numbers [B, C].
        info: see Target.
        shape: of one record.
        choice: range_choice.Choice, how records enter.
    """

    def __init__(self, function, info, *, shape, choice):
        super().__init__(info, shape=shape, choice=choice)
        self._function = function

    def predict_batch(self, values):
        """See Target; the function may write into its copy."""
        return self._function(np.array(values))


def facts(*, is_method) -> InputFacts:
    """What a function says of its input, or a method of an unread model."""
    if not is_method:
        return InputFacts(None)
    where = "is a method of a model that does not say"
    return InputFacts(np.dtype(np.float32), where=where)


def open_model(function, *, facts, name, options, numbers) -> FunctionTarget:
    """Opens a function; it gives probabilities unless the user says otherwise.

    Args:
        function: callable, records [B, ...] -> numbers [B, C].
        facts: InputFacts.
        name: the target's.
        options: model_options.ModelOptions.
        numbers: value_ranges.RecordNumbers of the records.
    Raises: InputError if the user has to say the range, or the records do
        not fit.
    """
    choice = range_choice.choose(numbers, facts, options.input_range, name=name)
    info = {
        "target": name,
        "kind": "callable",
        "kernel_set": "callable",
        "outputs": options.outputs or PROBABILITIES,
        "probability_step": 0.0,
        "input_range": choice.input_range,
    }
    return FunctionTarget(function, info, shape=numbers.shape, choice=choice)
