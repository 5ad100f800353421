"""Reading and writing .keras files: safe mode, clear errors, whole files."""

import json
import pathlib
import zipfile

import keras

from qmia_tf import files, layers
from qmia_tf.errors import InputError

# Beside what Keras keeps in a .keras file, which it passes over.
NOTE = "qmia_tf.json"
PRUNING = "PruneLowMagnitude"
WEIGHT_LAYERS = (
    layers.DoReFaConv2D,
    layers.DoReFaDepthwiseConv2D,
    layers.DoReFaDense,
)


def load(path, *, optimizer=False):
    """Loads a .keras file in safe mode; this project's layers are known.

    Args:
        path: the file.
        optimizer: also restores the optimizer and the loss, to train on;
            without, a loss of one's own is no obstacle.
    Returns: keras.Model.
    Raises: InputError if the file is missing, damaged, not a .keras file, or
        holds layers that are not known or not safe to load.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"there is no model file {path}: train it first")
    if not zipfile.is_zipfile(path):
        raise InputError(
            f"{path} is not a .keras file (or was cut off): save it again "
            "with model.save('NAME.keras')"
        )
    try:
        return keras.saving.load_model(path, compile=optimizer, safe_mode=True)
    # Keras raises nearly anything on a file that it did not expect.
    except Exception as error:
        # Keras prints the whole configuration first, then what was wrong.
        reason = str(error).rpartition("Exception encountered: ")[2]
        reason = " ".join(reason.split())[:300]
        if PRUNING in reason:
            reason = (
                "its layers are still wrapped for pruning: save what "
                "tfmot.sparsity.keras.strip_pruning(model) gives"
            )
        raise InputError(
            f"{path} cannot be loaded as a Keras model: {reason}"
        ) from error


def save(model, path, *, note=None):
    """Saves a model, whole or not at all.

    Args:
        model: keras.Model.
        path: the .keras file.
        note: what is kept with it, of JSON types; None keeps nothing.
    Raises: InputError if the disk is full or the place is not writable.
    """
    with files.atomic(path) as temporary:
        model.save(temporary)
        if note is not None:
            with zipfile.ZipFile(temporary, "a") as file:
                file.writestr(NOTE, json.dumps(note))


def read_note(path):
    """Reads what was kept with a model.

    Args:
        path: the .keras file.
    Returns: the object; None if there is none.
    Raises: InputError if the file is damaged.
    """
    try:
        with zipfile.ZipFile(path) as file:
            if NOTE not in file.namelist():
                return None
            return json.loads(file.read(NOTE))
    # A damaged file makes zipfile and zlib raise nearly anything.
    except Exception as error:
        raise InputError(
            f"{path}: what was kept with the model is damaged ({error})"
        ) from error


def freeze(model):
    """Computes every quantized kernel once, for export and quick inference.

    The model is for inference from here on: see layers' freeze().

    Args:
        model: keras.Model; layers that are not this project's stay as they
            are.
    """
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            freeze(layer)
        elif isinstance(layer, WEIGHT_LAYERS):
            layer.freeze()
    model.predict_function = None
