"""What a .tflite file says of itself; opens it by that."""

import math
import pathlib

import numpy as np

from qmia_tf.deploy.tflite import input_clipping, model_file
from qmia_tf.deploy.tflite.isolation import IsolatedInterpreter
from qmia_tf.deploy.tflite.ports import Port
from qmia_tf.files import is_path
from qmia_tf.targets import input_forms, range_choice
from qmia_tf.targets.isolated_tflite import IsolatedTFLiteTarget
from qmia_tf.targets.model_options import (
    LOGITS,
    MULTI_LABEL,
    PROBABILITIES,
    Opening,
)
from qmia_tf.targets.preprocessing import InputFacts
from qmia_tf.targets.unopened_model import TargetKind

SUFFIXES = (".tflite", ".lite", ".task")
KERNELS = "default"
PRUNING = "prune_low_magnitude"
# What only changes the type or the shape of the output.
PASSED = (
    *("DEQUANTIZE", "QUANTIZE", "RESHAPE", "CAST"),
    *("SQUEEZE", "EXPAND_DIMS"),
)


def open_model(path: pathlib.Path, opening: Opening) -> IsolatedTFLiteTarget:
    """Opens a .tflite file.

    Raises: InputError if it cannot be run, or does not say what has to be
        known.
    """
    name, options = opening.name, opening.options
    model = IsolatedInterpreter(
        path,
        limits=opening.file_limits,
        num_threads=opening.num_threads,
        kernels=KERNELS,
        signature=options.signature,
    )
    choice = range_choice.choose(_facts(model), opening)
    read, where = _ending(model)
    outputs = opening.choose_outputs(read, where)
    target = IsolatedTFLiteTarget(
        model,
        limits=opening.file_limits,
        name=name,
        kernels=KERNELS,
        logits=outputs == LOGITS,
        choice=choice,
        notes=_notes(model),
    )
    target.ending = f"ends in {where}"
    target.info.update(signature=model.signature, outputs=outputs)
    return target


def _notes(model):
    pruned = model.has_variables and any(
        PRUNING in tensor["name"] for tensor in model.tensors()
    )
    if not pruned:
        return []
    return [
        f"{model.path} still holds the wrappers of pruning: it works as it "
        "is, but tfmot.sparsity.keras.strip_pruning(model) before the "
        "conversion makes it smaller"
    ]


def _facts(model):
    """What the file says of its input, or the op that rounds it."""
    if model.input.step:
        return port_facts(model.input)
    return port_facts(
        model.input, _rounded(model), takes_indices=_is_looked_up(model)
    )


def port_facts(
    entry: Port, grid: tuple | None = None, *, takes_indices: bool = False
) -> InputFacts:
    """What an input says of the numbers that it takes.

    Args:
        entry: the input.
        grid: (dtype, scale, zero point) that a float input is rounded to
            at once; None if it is not.
        takes_indices: whether a float input is made integers at once.
    """
    if entry.step:
        grid = entry.dtype, entry.step, entry.zero_point
    where = "does not say in its quantization"
    if grid is None:
        return InputFacts(
            np.dtype(entry.dtype), where=where, takes_indices=takes_indices
        )
    limits = input_clipping.limits(*grid)
    read = input_forms.range_of_codes(*grid)
    if read is not None:
        where = "its input's scale and zero point"
    elif input_forms.is_symmetric(*grid):
        where = (
            "says in its scale only the largest absolute value, "
            f"{limits[1]:.4g}, not"
        )
    return InputFacts(
        np.dtype(entry.dtype),
        read,
        where,
        limits=limits,
        has_codes=bool(entry.step),
    )


def _readers(model):
    """Lists the ops that read the input, without the delegate's copy."""
    return [
        op
        for op in model.ops()
        if model.input.index in op["inputs"]
        and op["op_name"] == op["op_name"].upper()
        and op["op_name"] != "DELEGATE"
    ]


def _rounded(model):
    """The grid that a float input is rounded to by all that read it."""
    readers = _readers(model)
    quantizing = [op for op in readers if op["op_name"] == "QUANTIZE"]
    if not quantizing or len(quantizing) < len(readers):
        return None
    tensors = {tensor["index"]: tensor for tensor in model.tensors()}
    codes = tensors[quantizing[0]["outputs"][0]]
    grid = codes["quantization_parameters"]
    if len(grid["scales"]) != 1:
        return None
    return (
        codes["dtype"],
        float(grid["scales"][0]),
        int(grid["zero_points"][0]),
    )


def _is_looked_up(model):
    """Whether a float input is made integers, or looked up, at once."""
    readers = _readers(model)
    dtypes = {tensor["index"]: tensor["dtype"] for tensor in model.tensors()}
    return bool(readers) and all(
        op["op_name"] == "CAST"
        and np.issubdtype(dtypes[op["outputs"][0]], np.integer)
        for op in readers
    )


def _ending(model):
    """Reads what a file outputs off its last op, and names the op."""
    made_by = {}
    for op in model.ops():
        for index in op["outputs"]:
            # The file's own ops come before the delegate's.
            made_by.setdefault(index, op)
    op = made_by.get(model.output.index)
    while op is not None and op["op_name"] in PASSED:
        op = made_by.get(op["inputs"][0])
    last = op["op_name"] if op is not None else "its input"
    if last == "SOFTMAX":
        return PROBABILITIES, "SOFTMAX"
    units = math.prod(model.output.shape[1:])
    if last == "LOGISTIC" and min(model.output.shape[1:]) > 0:
        if units == 1:
            return PROBABILITIES, "LOGISTIC"
        return MULTI_LABEL, f"{units} sigmoids (LOGISTIC)"
    return None, last


def _fits(source):
    return (
        is_path(source)
        and pathlib.Path(source).exists()
        and (
            pathlib.Path(source).suffix in SUFFIXES
            or model_file.is_model_file(source)
        )
    )


KIND = TargetKind(
    fits=_fits,
    kernel_set=KERNELS,
    open_model=open_model,
    has_signatures=True,
    uses_litert=True,
)
