"""Files of Keras models: .keras and .h5, of Keras 3 and of Keras 2.

The content says what a file is and who wrote it, not its name. Keras 2's are
opened by tf_keras, which is installed beside Keras 3.
"""

import json
import pathlib
import zipfile
import zlib

import h5py
import keras

from qmia_tf import extras, files
from qmia_tf.errors import FileFailure, InputError
from qmia_tf.models import config_safety, keras_files

CONFIG, METADATA = "config.json", "metadata.json"
# Where tf_keras has what earlier releases kept elsewhere.
PLACES = {
    "Functional": "tf_keras.src.engine.functional",
    "Sequential": "tf_keras.src.engine.sequential",
    "Model": "tf_keras.src.engine.training",
    "TFOpLambda": "tf_keras.src.layers.core.tf_op_layer",
    "SlicingOpLambda": "tf_keras.src.layers.core.tf_op_layer",
}
# What damaged archives and JSON raise; too deep a JSON, RuntimeError.
UNREADABLE = (ValueError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error)
ELSEWHERE = (
    "where it was made, save it with model.export(DIR) and give that "
    "directory, or give the .tflite made from it"
)


def load(path):
    """Loads a model for inference; no code of the file is run.

    Args:
        path: a .keras file, or an .h5 file of a whole model.
    Returns: keras.Model, or tf_keras.Model of a file that Keras 2 wrote.
    Raises: InputError if it holds weights only, or what is not Keras' own;
        FileFailure if it is damaged.
    """
    path = pathlib.Path(path)
    if zipfile.is_zipfile(path):
        return _of_archive(path)
    if path.is_file() and h5py.is_hdf5(path):
        return _of_hdf5(path)
    if path.suffix == ".keras" or not path.is_file():
        return _by_keras3(path)
    raise FileFailure(
        f"{path} is not an HDF5 file (or was cut off): save the model again "
        "with model.save('NAME.keras')"
    )


def _of_archive(path):
    version = _archived(path, METADATA).get("keras_version")
    if _release(version) == 2:
        config = _archived(path, CONFIG)
        config.pop("compile_config", None)
        library = _keras2(path, version)
        config_safety.require_stock(config, library, path)
        _locate(config)
        return _restored(path, config, version)
    if path.suffix != ".keras":
        raise InputError(
            f"{path} is a .keras file under another name: rename it to "
            f"{path.with_suffix('.keras').name}"
        )
    return _by_keras3(path)


def _archived(path, name):
    try:
        with zipfile.ZipFile(path) as archive:
            content = json.loads(archive.read(name))
        if not isinstance(content, dict):
            raise ValueError(f"{name} is not a JSON object")
        return content
    # Keras 3 says what is wrong with files that it reads.
    except KeyError:
        return {}
    except UNREADABLE as error:
        raise _damaged(path, error) from error


def _restored(path, config, version):
    """Loads a copy of the archive by tf_keras, with this configuration.

    tf_keras opens archives for writing, and wants the name .keras.
    """
    library = _keras2(path, version)
    with files.scratch_folder() as folder:
        copy = folder / "model.keras"
        try:
            with (
                zipfile.ZipFile(path) as old,
                zipfile.ZipFile(copy, "w") as new,
            ):
                for name in dict.fromkeys(old.namelist()):
                    content = old.read(name)
                    if name == CONFIG:
                        content = json.dumps(config)
                    new.writestr(name, content)
        except UNREADABLE as error:
            raise _damaged(path, error) from error
        loader = library.models.load_model
        return _loaded(path, version, loader, copy, safe_mode=True)


def _locate(config):
    """Names the modules of tf_keras where a file names those of its time."""
    waiting = [config]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, dict):
            place = PLACES.get(str(entry.get("class_name")))
            if place and entry.get("module"):
                entry["module"] = place
            waiting += entry.values()
        elif isinstance(entry, list):
            waiting += entry


def _of_hdf5(path):
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise _damaged(path, error) from error
    with file:
        config, version = _described(file, path)
        if _release(version) >= 3:
            config_safety.require_stock(config, keras, path)
            loader = keras.saving.load_model
            model = _loaded(path, version, loader, path, safe_mode=True)
            keras_files.freeze(model)
            return model
        library = _keras2(path, version)
        config_safety.require_stock(config, library, path)
        return _loaded(path, version, library.models.load_model, file)


def _described(file, path):
    """Reads the configuration of the model and the version of Keras."""
    try:
        text, version = (
            file.attrs.get(name) for name in ("model_config", "keras_version")
        )
        has_layers = "layer_names" in file.attrs or "layers" in file
    # HDF5 reads on into damage, and raises nearly anything.
    except Exception as error:
        raise _damaged(path, error) from error
    if text is None:
        if has_layers:
            raise InputError(
                f"{path} holds weights only (model.save_weights): build the "
                "network in Python, load the weights into it, and give the "
                "model to qmia_tf.audit or save it whole with "
                "model.save('NAME.keras')"
            )
        raise InputError(f"{path} is an HDF5 file, but of no Keras model")
    try:
        config = json.loads(text)
        if not isinstance(config, dict):
            raise ValueError("model_config is not a JSON object")
        return config, _text(version)
    except (*UNREADABLE, TypeError) as error:
        raise _damaged(path, error) from error


def _text(value):
    return value.decode() if isinstance(value, bytes) else value


def _release(version) -> int:
    """The first number of a version; 0 of what says none."""
    first = str(version).partition(".")[0]
    return int(first) if first.isdecimal() else 0


def _keras2(path, version):
    extras.require("tf_keras", f"{path}, which Keras {version} saved,")
    import tf_keras

    return tf_keras


def _by_keras3(path):
    model = keras_files.load(path)
    keras_files.freeze(model)
    return model


def _loaded(path, version, loader, source, **options):
    try:
        return loader(source, compile=False, **options)
    # Either Keras raises nearly anything on a file that it did not expect.
    except Exception as error:
        raise FileFailure(
            f"{path}, saved by Keras {version}, cannot be loaded as a Keras "
            f"model: {keras_files.keras_reason(error)}: {ELSEWHERE}"
        ) from error


def _damaged(path, error):
    reason = " ".join(str(error).split())[:200]
    return FileFailure(
        f"{path} is damaged or was cut off ({reason}): copy it or save it again"
    )
