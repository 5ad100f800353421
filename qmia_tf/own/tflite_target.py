"""A .tflite file of one's own, opened as a target under LiteRT."""

import math

import numpy as np

from qmia_tf.deploy.interpreter import Interpreter
from qmia_tf.own import entrance
from qmia_tf.own.target import (
    LOGITS,
    MULTI_LABEL,
    PROBABILITIES,
    OwnTarget,
    chosen_outputs,
)

KERNELS = "default"
PRUNING = "prune_low_magnitude"
# What only changes the type or the shape of the answer.
PASSED = (
    *("DEQUANTIZE", "QUANTIZE", "RESHAPE", "CAST"),
    *("SQUEEZE", "EXPAND_DIMS"),
)


def open_model(path, *, name, told, is_images, num_threads) -> OwnTarget:
    """Opens a .tflite file.

    Args:
        path: the file.
        name: the target's.
        told: target.Told.
        is_images: whether pixels have to be put into its range.
        num_threads: int >= 1.
    Raises: InputError if it cannot be run, or does not say what has to be
        known.
    """
    model = Interpreter(
        path,
        num_threads=num_threads,
        kernels=KERNELS,
        signature=told.signature,
    )
    entry = model.input
    pixels = None
    if is_images and not entry.is_plain:
        read = _range(model)
        where = "does not say in its quantization"
        if read is not None:
            where = "its input's scale and zero point"
        pixels = entrance.chosen(read, told.pixels, name=name, where=where)
    read, where = _ending(model)
    outputs = chosen_outputs(read, told.outputs, name=name, where=where)

    def answer(records):
        values = entrance.fitted(records, entry.shape[1:], name)
        rows = model.run(encoded(values, entry, pixels))
        return model.output.dequantize(rows)

    return OwnTarget(
        {
            "target": name,
            "kind": "tflite",
            "kernel_set": KERNELS,
            "outputs": outputs,
            "probability_step": 0.0 if outputs == LOGITS else model.output_step,
            "pixels": pixels,
            "signature": model.signature,
        },
        answer,
        batch_size=model.fixed_batch or 100,
        notes=_notes(model),
    )


def _notes(model):
    pruned = model.has_variables and any(
        PRUNING in tensor["name"] for tensor in model.tensors()
    )
    if not pruned:
        return []
    return [
        f"{model.path} still holds the wrappers of pruning: it answers as it "
        "is, but tfmot.sparsity.keras.strip_pruning(model) before the "
        "conversion makes it smaller"
    ]


def encoded(values, entry, pixels):
    """Gives records in the type, and the range, of a file's input.

    Args:
        values: array [N, ...].
        entry: ports.Port of the input.
        pixels: one of entrance.PIXELS; None if they are no images.
    """
    if entry.is_plain:
        return entry.cast(values)
    if pixels == entrance.UNIT and entry.is_pixels:
        return values
    values = (
        entrance.in_range(values, pixels)
        if pixels
        else values.astype(np.float32)
    )
    return (
        values.astype(entry.dtype) if not entry.step else entry.quantize(values)
    )


def _range(model):
    """Reads the range of pixels off the input, or the op that rounds it."""
    entry = model.input
    if entry.step:
        return entrance.of_codes(entry.dtype, entry.step, entry.zero_point)
    for op in model.ops():
        if op["op_name"] == "QUANTIZE" and entry.index in op["inputs"]:
            made = {each["index"]: each for each in model.tensors()}
            codes = made[op["outputs"][0]]
            grid = codes["quantization_parameters"]
            if len(grid["scales"]) == 1:
                return entrance.of_codes(
                    codes["dtype"],
                    float(grid["scales"][0]),
                    int(grid["zero_points"][0]),
                )
    return None


def _ending(model):
    """Reads what a file answers off its last op; and what that is."""
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
