"""Reading and writing .keras files: safe mode, clear errors, whole files."""

import json
import pathlib
import re
import time
import zipfile

import keras

from qmia_tf import files, layers
from qmia_tf.errors import FileFailure, InputError
from qmia_tf.models import config_safety

# Beside what Keras keeps in a .keras file, which it passes over.
NOTE = "qmia_tf.json"
ZIP_YEARS = (1980, 2107)
WEIGHT_LAYERS = (
    layers.DoReFaConv2D,
    layers.DoReFaDepthwiseConv2D,
    layers.DoReFaDense,
)


def load(path, *, optimizer: bool = False) -> keras.Model:
    """Loads a .keras file in safe mode; this project's layers are known.

    Args:
        optimizer: also restores the optimizer and the loss, to train on;
            without, a loss of one's own is no obstacle.
    Raises: InputError if the file is missing or holds layers that are not
        known or not safe to load; FileFailure if it is damaged.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"there is no model file {path}: train it first")
    if not zipfile.is_zipfile(path):
        raise FileFailure(
            f"{path} is not a .keras file (or was cut off): save it again "
            "with model.save('NAME.keras')"
        )
    try:
        return keras.saving.load_model(path, compile=optimizer, safe_mode=True)
    # Keras raises nearly anything on a file that it did not expect.
    except Exception as error:
        raise _refusal(path, keras_reason(error)) from error


def keras_reason(error: Exception) -> str:
    """Returns why Keras could not load a file, in one line."""
    # Keras prints the whole configuration first, then what was wrong.
    reason = str(error).rpartition("Exception encountered: ")[2]
    return " ".join(reason.split())[:300]


def _refusal(path, reason):
    if "lambda" in reason.lower():
        return InputError(f"{path} {config_safety.LAMBDA}")
    for wrapper in config_safety.WRAPPERS:
        if re.search(rf"\b{wrapper}\b", reason):
            return InputError(config_safety.left_in(wrapper, path))
    text = f"{path} cannot be loaded as a Keras model: {reason}"
    if "Could not locate class" not in reason:
        return FileFailure(text)
    return InputError(
        f"{text.rstrip('.')}: the file names this class and does not hold "
        "its code; load it yourself and give the model (of a subclassed "
        "one a function) to qmia_tf.audit, or save it with "
        "model.export(DIR)"
    )


def save(model: keras.Model, path, *, note=None):
    """Saves a model, whole or not at all.

    Args:
        note: what is kept with it, of JSON types; None keeps nothing.
    Raises: InputError if the disk is full, the place is not writable, or as
        require_clock.
    """
    require_clock()
    with files.atomic(path) as temporary:
        model.save(temporary)
        if note is not None:
            with zipfile.ZipFile(temporary, "a") as file:
                file.writestr(NOTE, json.dumps(note))


def require_clock():
    """Refuses a clock whose year a .keras file, a ZIP archive, cannot hold."""
    year = time.localtime().tm_year
    if not ZIP_YEARS[0] <= year <= ZIP_YEARS[1]:
        raise InputError(
            f"the clock says that it is the year {year}, and a .keras file "
            f"holds {ZIP_YEARS[0]} to {ZIP_YEARS[1]}: set the clock"
        )


def read_note(path):
    """Reads what was kept with a model, None if nothing was.

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


def freeze(model: keras.Model):
    """Computes every quantized kernel once, for export and quick inference.

    The model is for inference from here on: see layers' freeze(). Layers that
    are not this project's stay as they are.
    """
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            freeze(layer)
        elif isinstance(layer, WEIGHT_LAYERS):
            layer.freeze()
    model.predict_function = None
