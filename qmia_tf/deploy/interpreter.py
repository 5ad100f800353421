"""A .tflite file under LiteRT: one image input, one output, checked.

Needs NumPy and ai-edge-litert only, so that it runs on a board.
"""

import contextlib
import dataclasses
import pathlib

import numpy as np

from qmia_tf import program
from qmia_tf.errors import InputError

KERNELS = {
    "default": "AUTO",
    "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "reference": "BUILTIN_REF",
}
FILE_IDENTIFIER = b"TFL3"
# What they hold changes from query to query, or was never put in.
STATEFUL_OPS = ("CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE")


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or output tensor.

    Attributes:
        index: LiteRT's tensor index.
        shape: tuple of int; -1 where it may change.
        dtype: NumPy type.
        step: scale of its quantization, 0 for floats.
        zero_point: code of the value 0.
    """

    index: int
    shape: tuple
    dtype: type
    step: float
    zero_point: int

    @property
    def is_pixels(self):
        """Whether a code is the pixel itself: uint8, scale 1/255, zero 0."""
        return (
            self.dtype == np.uint8
            and self.zero_point == 0
            and abs(self.step * 255 - 1) < 1e-6
        )

    def quantize(self, values):
        """Rounds float32 values to codes of this port's type."""
        limits = np.iinfo(self.dtype)
        codes = np.rint(values / np.float32(self.step)) + self.zero_point
        return np.clip(codes, limits.min, limits.max).astype(self.dtype)

    def dequantize(self, codes):
        """Turns codes into float32 values; floats pass."""
        if self.step == 0:
            return np.array(codes, np.float32)
        shifted = codes.astype(np.int32) - self.zero_point
        return shifted.astype(np.float32) * np.float32(self.step)


class Interpreter:
    """Runs a .tflite file that has one input and one output.

    Args:
        path: the file.
        num_threads: int >= 1.
        kernels: a key of KERNELS.
    Raises: InputError if an argument is out of range or the file is missing,
        damaged, needs ops that LiteRT does not have, keeps a state, leaves
        the image size open, or has other ports.
    """

    def __init__(self, path, *, num_threads=1, kernels="default"):
        if num_threads < 1:
            raise InputError(f"num_threads must be >= 1, got {num_threads}")
        if kernels not in KERNELS:
            raise InputError(
                f"kernels must be one of {tuple(KERNELS)}, got {kernels!r}"
            )
        self.path = pathlib.Path(path)
        self._lite = _load(_read(self.path), self.path, num_threads, kernels)
        _check_state(self.path, self.ops())
        self.input = self._port("input", self._lite.get_input_details())
        self.output = self._port("output", self._lite.get_output_details())
        _check_size(self.path, self.input)
        self._allocate_first(kernels)
        self._batch = None

    @property
    def fixed_batch(self):
        """The only batch size the file takes, or None."""
        size = self.input.shape[0]
        return size if size > 0 else None

    @property
    def output_step(self):
        """Distance of neighbouring outputs, 0 if the file computes floats.

        Also of an output that is turned into floats inside the file.
        """
        for op in self.ops():
            if (
                op["op_name"] == "DEQUANTIZE"
                and self.output.index in (op["outputs"])
            ):
                (source,) = op["inputs"]
                details = {each["index"]: each for each in self.tensors()}
                scales = details[source]["quantization_parameters"]["scales"]
                return float(scales[0]) if len(scales) == 1 else 0.0
        return self.output.step

    def run(self, values):
        """Runs one batch; a short one is filled up and cut again.

        Args:
            values: array [B, ...] of the input's type.
        Returns: array [B, classes] of the output's type.
        Raises: InputError if the file cannot answer a batch of that size.
        """
        size = self.fixed_batch or len(values)
        filled = values
        if len(values) < size:
            filled = np.zeros((size, *values.shape[1:]), values.dtype)
            filled[: len(values)] = values
        with _failing_as(lambda reason: self._cannot_answer(size, reason)):
            if size != self._batch:
                self._lite.resize_tensor_input(self.input.index, filled.shape)
                self._lite.allocate_tensors()
                self._batch = size
            self._lite.set_tensor(self.input.index, filled)
            self._lite.invoke()
        answers = self._lite.get_tensor(self.output.index)
        if answers.ndim != 2 or len(answers) != size:
            raise self._cannot_answer(size, f"its output is {answers.shape}")
        return answers[: len(values)]

    def ops(self):
        """Lists the ops: dicts with op_name, inputs and outputs."""
        return self._lite._get_ops_details()

    def tensors(self):
        """Lists the tensors: LiteRT's dicts with index, dtype, shape."""
        return self._lite.get_tensor_details()

    def _allocate_first(self, kernels):
        # Of LiteRT's own ops the names are in capitals.
        names = {op["op_name"] for op in self.ops()}
        foreign = ", ".join(sorted(n for n in names if n != n.upper()))
        why = f"it needs {foreign}: " if foreign else ""

        def described(reason):
            return _cannot_run(self.path, kernels, why + reason)

        # LiteRT says so when it takes its XNNPACK kernels.
        quiet = program.without_messages(show_if_it_fails=False)
        with _failing_as(described), quiet:
            self._lite.allocate_tensors()

    def _cannot_answer(self, size, reason):
        return InputError(
            f"{self.path} cannot answer {size} images at once: {reason}"
        )

    def _port(self, what, details):
        if len(details) != 1:
            raise InputError(
                f"{self.path} has {len(details)} {what}s; an image classifier "
                f"with one {what} is needed"
            )
        (detail,) = details
        scales = detail["quantization_parameters"]["scales"]
        zeros = detail["quantization_parameters"]["zero_points"]
        dtype = detail["dtype"]
        is_float = np.issubdtype(dtype, np.floating)
        if not is_float and not (len(scales) == 1 and 0 < scales[0] < np.inf):
            raise InputError(
                f"{self.path}: the {what} is {np.dtype(dtype)} and its scale "
                f"is unknown (scales: {list(map(float, scales))}); convert "
                "the model with one scale, or with floats there"
            )
        return Port(
            index=detail["index"],
            shape=tuple(int(size) for size in detail["shape_signature"]),
            dtype=dtype,
            step=0.0 if is_float else float(scales[0]),
            zero_point=0 if is_float else int(zeros[0]),
        )


def _read(path):
    if not path.is_file():
        raise InputError(f"there is no model file {path}")
    content = path.read_bytes()
    if content[4:8] != FILE_IDENTIFIER:
        raise InputError(f"{path} is not a .tflite file")
    return content


def _load(content, path, num_threads, kernels):
    from ai_edge_litert import interpreter as litert

    def described(reason):
        if "Flatbuffer" in reason:
            reason = f"it is damaged or cut off ({reason})"
        return _cannot_run(path, kernels, reason)

    with _failing_as(described):
        return litert.Interpreter(
            model_content=content,
            num_threads=num_threads,
            experimental_op_resolver_type=getattr(
                litert.OpResolverType, KERNELS[kernels]
            ),
        )


def _cannot_run(path, kernels, reason):
    return InputError(
        f"{path} cannot be run by LiteRT with its {kernels} kernels: {reason}"
    )


def _check_state(path, ops):
    found = sorted({op["op_name"] for op in ops} & set(STATEFUL_OPS))
    if found:
        raise InputError(
            f"{path} keeps variables that change or were never filled "
            f"({', '.join(found)}), so its answers mean nothing: convert the "
            "model from a SavedModel (model.export), which freezes them"
        )


def _check_size(path, entry):
    if len(entry.shape) < 2 or min(entry.shape[1:]) < 1:
        raise InputError(
            f"{path} takes an input of shape {list(entry.shape)}, where -1 is "
            "open: convert the model with a fixed height, width and channels"
        )


@contextlib.contextmanager
def _failing_as(described):
    """Turns LiteRT's errors into `described(reason)`, an InputError."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise described(" ".join(str(error).split())[:300]) from error
