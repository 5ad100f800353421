"""TensorFlow's converter of models into .tflite files. Imports no Keras."""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator

import numpy as np

from qmia_tf import files, quiet
from qmia_tf.errors import InputError


def one_by_one(images: np.ndarray) -> Iterator[list[np.ndarray]]:
    """Yields pixels / 255 as a converter takes its representative data."""
    for image in images:
        yield [image[np.newaxis].astype(np.float32) / np.float32(255)]


def convert(model, configure: Callable[[object], None]) -> bytes:
    """Converts a frozen keras.Model by way of a SavedModel, to built-in ops.

    Before the tf.lite.TFLiteConverter runs, it is given to configure.

    Raises: InputError as run_converter, or if temporary files have no room.
    """
    import tensorflow as tf

    with files.scratch_folder() as folder:
        # Keras prints the signature whatever it is asked for.
        with contextlib.redirect_stdout(io.StringIO()), _written_whole(model):
            model.export(str(folder), verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        configure(converter)
        return run_converter(converter)


@contextlib.contextmanager
def _written_whole(model):
    """Depthwise convolutions become one op, which nothing runs here."""
    from qmia_tf.layers import DoReFaDepthwiseConv2D

    depthwise = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, DoReFaDepthwiseConv2D)
    ]
    for layer in depthwise:
        layer.written_whole = True
    try:
        yield
    finally:
        for layer in depthwise:
            layer.written_whole = False


def run_converter(converter) -> bytes:
    """Runs a tf.lite.TFLiteConverter without its messages.

    Raises: InputError with the converter's reason.
    """
    try:
        # The converter writes its errors to the terminal as well.
        with (
            quiet.without_messages(show_if_it_fails=False),
            warnings.catch_warnings(action="ignore"),
        ):
            return converter.convert()
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"TFLite cannot carry this model: {reason}") from error
