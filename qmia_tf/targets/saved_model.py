"""A SavedModel directory, opened as a target by one of its signatures."""

import hashlib
import pathlib

import numpy as np

from qmia_tf import files
from qmia_tf.deploy.tflite.subgraphs import described
from qmia_tf.errors import InputError
from qmia_tf.targets import input_forms, range_choice
from qmia_tf.targets.model_target import TEXT, ModelTarget, choose_outputs
from qmia_tf.targets.preprocessing import InputFacts

PROGRAM = "saved_model.pb"
SIGNATURE = "serving_default"
WARNING = (
    "warning: {} is a SavedModel: the program in it is run as it is (only "
    ".keras files have a safe mode): audit it only if you trust its source"
)


def is_saved_model(path) -> bool:
    """Whether a path is a SavedModel directory."""
    return (pathlib.Path(path) / PROGRAM).is_file()


def facts(path) -> dict:
    """Sha256 and size of all paths of the directory, in order of their names.

    The hash is that of the lines "SHA256 NAME", one a file.
    """
    path = pathlib.Path(path)
    paths = sorted(file for file in path.rglob("*") if file.is_file())
    lines = "".join(
        f"{files.sha256(file)} {file.relative_to(path).as_posix()}\n"
        for file in paths
    )
    return {
        "sha256": hashlib.sha256(lines.encode()).hexdigest(),
        "size_bytes": sum(file.stat().st_size for file in paths),
    }


def open_model(path, *, name, options, numbers) -> ModelTarget:
    """Opens a SavedModel directory.

    Args:
        path: the directory.
        name: the target's.
        options: model_target.ModelOptions.
        numbers: value_ranges.RecordNumbers of the records.
    Raises: InputError if it cannot be loaded, has no signature of that name
        (serving_default, by default) with one input and one output, or
        does not say what has to be known.
    """
    chosen = options.signature or SIGNATURE
    model, signature = _loaded(path, chosen)
    target = open_signature(
        signature, name=name, options=options, numbers=numbers, source=path
    )
    target.info["signature"] = chosen
    # The signature does not keep the variables alive.
    target.model = model
    return target


def is_signature(target) -> bool:
    """Whether something is a signature of a loaded SavedModel."""
    input_spec = getattr(target, "structured_input_signature", None)
    return callable(target) and input_spec is not None and not input_spec[0]


def open_signature(
    signature, *, name, options, numbers, source=None
) -> ModelTarget:
    """Opens a signature of a SavedModel that is loaded.

    Args:
        signature: what tf.saved_model.load(DIR).signatures holds.
        name: the target's.
        options: model_target.ModelOptions.
        numbers: value_ranges.RecordNumbers of the records.
        source: what it is of, for messages.
    Raises: InputError as open_model.
    """
    path = source or f"target {name!r}"
    inputs = signature.structured_input_signature[1]
    entry = _only("input", inputs, path)
    (keyword,) = inputs
    _only("output", signature.structured_outputs, path)
    dtype, rank = np.dtype(entry.dtype.as_numpy_dtype), entry.shape.rank
    if dtype.kind not in "fiu" or not rank:
        raise InputError(
            f"{path} takes {entry.dtype.name} {entry.shape}: an input of "
            f"numbers [N, ...] is needed: {TEXT}"
        )
    facts = InputFacts(dtype, where="a SavedModel does not say")
    choice = range_choice.choose(numbers, facts, options.input_range, name=name)
    outputs = choose_outputs(
        None, options.outputs, name=name, where="a signature without a layer"
    )
    shape = tuple(entry.shape)

    def predict_batch(records):
        import tensorflow as tf

        values = input_forms.reshape_records(records, shape[1:], name)
        values = tf.constant(values.astype(dtype, copy=False))
        try:
            (rows,) = signature(**{keyword: values}).values()
        except tf.errors.OpError as error:
            raise InputError(
                f"{path} fails on {len(values)} records: {_line(error)}"
            ) from error
        return rows.numpy()

    return ModelTarget(
        {
            "target": name,
            "kind": "savedmodel",
            "kernel_set": "tensorflow",
            "outputs": outputs,
            "probability_step": 0.0,
            "pixels": choice.input_range,
        },
        predict_batch,
        choice=choice,
        batch_size=shape[0] or 250,
        is_fixed=shape[0] is not None,
    )


def _loaded(path, chosen):
    import tensorflow as tf

    try:
        model = tf.saved_model.load(str(path))
    # A damaged directory or an unknown op raises nearly anything.
    except Exception as error:
        raise InputError(
            f"{path} cannot be loaded as a SavedModel: {_line(error)}"
        ) from error
    signatures = dict(model.signatures)
    if chosen in signatures:
        return model, signatures[chosen]
    if not signatures:
        raise InputError(
            f"{path} has no signature {chosen!r}, nor another: save it with "
            "model.export(DIR)"
        )
    choices = ", ".join(
        described(
            name,
            _facts(signature.structured_input_signature[1]),
            _facts(signature.structured_outputs),
        )
        for name, signature in signatures.items()
    )
    raise InputError(
        f"{path} has no signature {chosen!r}, only {choices}: choose one with "
        "--signature (signature= in Python)"
    )


def _facts(tensors):
    return [
        (
            name,
            tensor.dtype.name,
            [-1 if size is None else size for size in tensor.shape]
            if tensor.shape.rank is not None
            else ["?"],
        )
        for name, tensor in tensors.items()
    ]


def _only(what, tensors, path):
    if len(tensors) != 1:
        raise InputError(
            f"{path} has {len(tensors)} {what}s; a classifier with one "
            f"{what} is needed"
        )
    (tensor,) = tensors.values()
    return tensor


def _line(error):
    return " ".join(str(error).split())[:300]
