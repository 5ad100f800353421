"""Recognizes Keras models in memory, of Keras 3 or tf_keras.

Nothing is imported here: whoever gives a model has imported its library.
"""

import functools
import sys

LIBRARIES = ("keras", "tf_keras")
# Methods that compute what the model itself does.
METHODS = ("__call__", "call", "predict", "predict_on_batch")
# Options that change nothing about their outputs.
HARMLESS = ("verbose", "batch_size", "training")


def library_of(given) -> str | None:
    """Names the library of a model: "keras", "tf_keras", or None."""
    for name in LIBRARIES:
        model = getattr(sys.modules.get(name), "Model", None)
        if model is not None and isinstance(given, model):
            return name
    return None


def model_of(given):
    """Finds the model that a target is, or is a method of.

    Args:
        given: a model; a bound method such as model.predict, as the library
            has it; tf.function of either; functools.partial of these, with
            options that do not change the outputs; or anything else.
    Returns: the model, None if there is none.
    """
    if isinstance(given, functools.partial):
        options = given.keywords
        if given.args or set(options) - set(HARMLESS):
            return None
        return None if options.get("training") else model_of(given.func)
    if library_of(given):
        return given
    # What tf.function made.
    if callable(getattr(given, "python_function", None)):
        return model_of(given.python_function)
    model = getattr(given, "__self__", None)
    library = library_of(model)
    if library is None or getattr(given, "__name__", None) not in METHODS:
        return None
    # A method of one's own may prepare the records.
    is_stock = str(given.__func__.__module__).startswith(f"{library}.")
    return model if is_stock else None
