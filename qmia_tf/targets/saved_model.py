"""A SavedModel directory, opened as a target by one of its signatures."""

import hashlib
import pathlib
from typing import Any

import numpy as np

from qmia_tf import files
from qmia_tf.deploy.tflite.subgraphs import described
from qmia_tf.errors import InputError, option
from qmia_tf.targets import Target, only_port, range_choice
from qmia_tf.targets.model_options import TEXT, Opening
from qmia_tf.targets.preprocessing import InputFacts
from qmia_tf.targets.unopened_model import TargetKind

PROGRAM = "saved_model.pb"
SIGNATURE = "serving_default"
KERNELS = "tensorflow"
WARNING = (
    "warning: {} is a SavedModel: the program in it is run as it is (only "
    ".keras files have a safe mode): audit it only if you trust its source"
)


class SavedModelTarget(Target):
    """A signature of a SavedModel, run by TensorFlow.

    Args:
        signature: what tf.saved_model.load(DIR).signatures holds.
        opening: how it is opened.
        source: what it is of, for messages.
    Raises: InputError if it has not one input and one output, or does not
        say what has to be known.
    """

    def __init__(
        self,
        signature: Any,
        opening: Opening,
        source: pathlib.Path | None = None,
    ):
        self._source = source or f"target {opening.name!r}"
        inputs = signature.structured_input_signature[1]
        self._keyword, entry = only_port("input", inputs, self._source)
        only_port("output", signature.structured_outputs, self._source)
        dtype = np.dtype(entry.dtype.as_numpy_dtype)
        if dtype.kind not in "fiu" or not entry.shape.rank:
            raise InputError(
                f"{self._source} takes {entry.dtype.name} {entry.shape}: an "
                f"input of numbers [N, ...] is needed: {TEXT}"
            )
        facts = InputFacts(dtype, where="a SavedModel does not say")
        choice = range_choice.choose(facts, opening)
        where = "a signature without a layer"
        outputs = opening.choose_outputs(None, where)
        batch, *shape = entry.shape
        super().__init__(
            {
                "target": opening.name,
                "kind": "savedmodel",
                "kernel_set": KERNELS,
                "outputs": outputs,
                "probability_step": 0.0,
            },
            shape=tuple(shape),
            choice=choice,
            batch_size=batch or 250,
            fill="always" if batch else "never",
        )
        self.ending = f"ends in {where}"
        self._signature, self._dtype = signature, dtype

    def predict_batch(self, values: np.ndarray) -> np.ndarray:
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


def directory_facts(path: pathlib.Path) -> dict:
    """Sha256 and size of all paths of a directory, in order of their names.

    The hash is that of the lines "SHA256 NAME", one a file.
    """
    paths = sorted(file for file in path.rglob("*") if file.is_file())
    lines = "".join(
        f"{files.sha256(file)} {file.relative_to(path).as_posix()}\n"
        for file in paths
    )
    return {
        "sha256": hashlib.sha256(lines.encode()).hexdigest(),
        "size_bytes": sum(file.stat().st_size for file in paths),
    }


def _open(source, opening):
    """Opens a directory, by serving_default if not by another, or a signature.

    Raises: InputError if it cannot be loaded, or has no such signature.
    """
    if not files.is_path(source):
        return SavedModelTarget(source, opening)
    chosen = opening.options.signature or SIGNATURE
    model, signature = _loaded(source, chosen)
    target = SavedModelTarget(signature, opening, source)
    target.info["signature"] = chosen
    # The signature does not keep the variables alive.
    target.model = model
    return target


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
            _ports(signature.structured_input_signature[1]),
            _ports(signature.structured_outputs),
        )
        for name, signature in sorted(signatures.items())
    )
    raise InputError(
        f"{path} has no signature {chosen!r}, only {choices}: choose one with "
        f"{option('signature')}"
    )


def _ports(tensors):
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


def _line(error):
    return " ".join(str(error).split())[:300]


def _fits(source):
    """Whether something is a SavedModel directory, or a loaded signature."""
    if files.is_path(source):
        return (pathlib.Path(source) / PROGRAM).is_file()
    input_spec = getattr(source, "structured_input_signature", None)
    return callable(source) and input_spec is not None and not input_spec[0]


KIND = TargetKind(
    fits=_fits,
    kernel_set=KERNELS,
    open_model=_open,
    has_signatures=True,
    facts=directory_facts,
    warning=WARNING,
    module="tensorflow",
)
