"""Writes a trained model as .tflite files, each with its manifest entry."""

import contextlib
import importlib.metadata
import io
import pathlib
import tempfile

from qmia_tf import keras_files, program, runs
from qmia_tf.deploy import artifact
from qmia_tf.errors import InputError

ARTIFACTS = "artifacts"
MANIFEST = "manifest.json"
SCHEMES = ("float32",)
PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "numpy")


def export(model_path, out_dir, *, schemes=SCHEMES):
    """Writes one .tflite a scheme, and manifest.json.

    A file that is there already and was made from this very model stays as
    it is.

    Args:
        model_path: the .keras file.
        out_dir: folder for SCHEME.tflite and manifest.json.
        schemes: any of SCHEMES. "float32" computes the quantized network
            with its exact codes in float kernels.
    Returns: list of manifest entries (dicts), one a scheme.
    Raises: InputError if a scheme is unknown or the model cannot be read or
        carried by the scheme.
    """
    unknown = [scheme for scheme in schemes if scheme not in SCHEMES]
    if unknown or not schemes:
        raise InputError(
            f"unknown scheme {unknown[0] if unknown else ''!r}: choose from "
            f"{', '.join(SCHEMES)}"
        )
    model_path, out_dir = pathlib.Path(model_path), pathlib.Path(out_dir)
    entries = read_manifest(out_dir)
    model = keras_files.load(model_path)
    keras_files.freeze(model)
    source = runs.sha256(model_path)
    for scheme in schemes:
        if not _is_current(entries.get(scheme), out_dir, source):
            path = out_dir / f"{scheme}.tflite"
            runs.write_bytes(path, to_float32(model))
            entries[scheme] = _entry(path, scheme, source)
            runs.write_json(out_dir / MANIFEST, entries)
    return [entries[scheme] for scheme in schemes]


def to_float32(model):
    """Converts a frozen model to float kernels on its exact codes.

    No converter optimization is asked for: with one, TFLite would quantize
    the weights once more. Only built-in ops are allowed.

    Args:
        model: keras.Model, frozen (keras_files.freeze).
    Returns: bytes of the .tflite file; its batch size may change.
    Raises: InputError if the model has an op that TFLite does not.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        # Keras prints the signature whatever it is asked for.
        with contextlib.redirect_stdout(io.StringIO()):
            model.export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            # The converter writes its errors to the terminal as well.
            with program.without_messages(show_if_it_fails=False):
                return converter.convert()
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise InputError(
                f"TFLite cannot carry this model: {reason}"
            ) from error


def _entry(path, scheme, source):
    facts = artifact.describe(path)
    if facts["flex"]:
        raise InputError(f"{path} needs TensorFlow ops: {facts['flex']}")
    return {
        "scheme": scheme,
        **facts,
        "model_sha256": source,
        "versions": {
            name: importlib.metadata.version(name) for name in PACKAGES
        },
    }


def _is_current(entry, out_dir, source):
    if entry is None or entry.get("model_sha256") != source:
        return False
    path = out_dir / entry["file"]
    return path.is_file() and runs.sha256(path) == entry.get("sha256")


def read_manifest(out_dir):
    """Reads manifest.json.

    Args:
        out_dir: folder of the artefacts.
    Returns: dict scheme -> entry; empty if nothing was exported.
    Raises: InputError if the file is damaged or something else.
    """
    path = pathlib.Path(out_dir) / MANIFEST
    if not path.exists():
        return {}
    entries = runs.read_json(path)
    listed = list(entries.values()) if isinstance(entries, dict) else [None]
    if not all(isinstance(e, dict) and "file" in e for e in listed):
        raise InputError(f"{path} is not a manifest: delete it")
    return entries
