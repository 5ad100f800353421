"""A SavedModel directory, opened as a target by one of its signatures."""

import hashlib
import pathlib

import numpy as np

from qmia_tf import files
from qmia_tf.deploy.tflite.subgraphs import described
from qmia_tf.errors import InputError
from qmia_tf.targets import Target, range_choice
from qmia_tf.targets.model_options import TEXT, choose_outputs
from qmia_tf.targets.preprocessing import InputFacts

PROGRAM = "saved_model.pb"
SIGNATURE = "serving_default"
WARNING = (
    "warning: {} is a SavedModel: the program in it is run as it is (only "
    ".keras files have a safe mode): audit it only if you trust its source"
)


class SavedModelTarget(Target):
    """A signature of a SavedModel, run by TensorFlow.

    Args:
        signature: what tf.saved_model.load(DIR).signatures holds, of one
            input and one output.
        info: see Target.
        choice: range_choice.Choice, how records enter.
        source: what it is of, for messages.
    """

    def __init__(self, signature, info, *, choice, source):
        ((keyword, entry),) = signature.structured_input_signature[1].items()
        batch, *shape = entry.shape
        super().__init__(
            info,
            shape=tuple(shape),
            choice=choice,
            batch_size=batch or 250,
            fill="always" if batch else "never",
        )
        self._signature, self._source = signature, source
        self._keyword, self._dtype = keyword, entry.dtype.as_numpy_dtype

    def predict_batch(self, values):
        """See Target.

        Raises: InputError if TensorFlow cannot compute it.
        """
        import tensorflow as tf

        values = tf.constant(values.astype(self._dtype, copy=False))
        try:
            (rows,) = self._signature(**{self._keyword: values}).values()
        except tf.errors.OpError as error:
            raise InputError(
                f"{self._source} fails on {len(values)} records: {_line(error)}"
            ) from error
        return rows.numpy()


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


def open_model(path, *, name, options, numbers) -> SavedModelTarget:
    """Opens a SavedModel directory.

    Args:
        path: the directory.
        name: the target's.
        options: model_options.ModelOptions.
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
) -> SavedModelTarget:
    """Opens a signature of a SavedModel that is loaded.

    Args:
        signature: what tf.saved_model.load(DIR).signatures holds.
        name: the target's.
        options: model_options.ModelOptions.
        numbers: value_ranges.RecordNumbers of the records.
        source: what it is of, for messages.
    Raises: InputError as open_model.
    """
    path = source or f"target {name!r}"
    inputs = signature.structured_input_signature[1]
    entry = _only("input", inputs, path)
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
    info = {
        "target": name,
        "kind": "savedmodel",
        "kernel_set": "tensorflow",
        "outputs": outputs,
        "probability_step": 0.0,
        "input_range": choice.input_range,
    }
    return SavedModelTarget(signature, info, choice=choice, source=path)


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
