"""Keras models as targets: recognized without Keras, opened with it."""

import pathlib

from qmia_tf.files import is_path
from qmia_tf.models import graph as graphs
from qmia_tf.models import keras_calls
from qmia_tf.outputs import KERAS
from qmia_tf.targets.unopened_model import TargetKind

FILES = (".keras", ".h5", ".hdf5")


def _fits(source):
    """Whether something is a model, a method that stands for it, or a file."""
    if is_path(source):
        path = pathlib.Path(source)
        return path.suffix in FILES and path.is_file()
    model = keras_calls.model_of(source)
    return model is not None and (model is source or graphs.has_graph(model))


def _open(source, opening):
    from qmia_tf.targets import keras_facts

    if is_path(source):
        from qmia_tf.models import model_formats

        model = model_formats.load(source)
    else:
        model = keras_calls.model_of(source)
    return keras_facts.open_model(model, opening)


KIND = TargetKind(
    fits=_fits, kernel_set=KERAS, open_model=_open, module="keras"
)
