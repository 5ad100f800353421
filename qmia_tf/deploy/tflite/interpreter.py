"""A .tflite file under LiteRT: one image input, one output, checked.

Needs NumPy and ai-edge-litert only, so that it runs on a board.
"""

import contextlib
import pathlib

import numpy as np

from qmia_tf import quiet
from qmia_tf.deploy.tflite import bounds, model_file, ports, subgraphs
from qmia_tf.errors import FileFailure, InputError
from qmia_tf.outputs import repeatability

KERNELS = {
    "default": "AUTO",
    "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "reference": "BUILTIN_REF",
}

# What LiteRT raises where an allocation fails has no text.
NO_REASON = "there is not enough memory for its tensors"


class Interpreter:
    """Runs a .tflite file that has one input and one output.

    What LSTM, RNN and SVDF ops keep is reset before every record, so that no
    output depends on the record before. A file that reads and writes
    variables is queried twice about its first batch.

    Args:
        path: the file.
        num_threads: >= 1.
        kernels: a key of KERNELS.
        signature: which one to run, where a file has several.
    Raises: InputError if an argument is out of range or the file is missing,
        damaged, needs ops that LiteRT does not have, leaves open which
        signature is meant or how large an image is, or has other ports.
    """

    def __init__(
        self,
        path,
        *,
        num_threads: int = 1,
        kernels: str = "default",
        signature: str | None = None,
    ):
        if num_threads < 1:
            raise InputError(f"num_threads must be >= 1, got {num_threads}")
        if kernels not in KERNELS:
            raise InputError(
                f"kernels must be one of {tuple(KERNELS)}, got {kernels!r}"
            )
        self.path = pathlib.Path(path)
        self._kernels = kernels
        content = model_file.read(self.path)
        bounds.check(content, self.path)
        content = self._prepared(content)
        with _failing_as(self._cannot_run):
            lite = load_litert(content, num_threads, kernels)
        contents = model_file.Contents(content)
        self._graph = subgraphs.choose_graph(
            lite, contents, signature, self.path
        )
        self._keeps_state = contents.has_state_tensors
        self.has_variables = self._is_doubtful = contents.has_variables
        self.input = ports.input_port(
            self._only("input", self._graph.inputs()), self.path
        )
        self.output = ports.output_port(
            self._only_output(self._graph.outputs()), self.path
        )
        self._check_size()
        self._allocate_first()

    @property
    def signature(self) -> str | None:
        """The name of the signature that was chosen, None if none was."""
        signature = self._graph.signature
        return signature.key if signature else None

    @property
    def fixed_batch(self) -> int | None:
        """The only batch size the file takes, or None."""
        size = self.input.shape[0]
        return size if size > 0 else None

    @property
    def output_step(self) -> float:
        """Distance of neighbouring outputs, 0 if the file computes floats.

        Also of an output that is turned into floats inside the file.
        """
        for op in self.ops():
            if (
                op["op_name"] == "DEQUANTIZE"
                and self.output.index in op["outputs"]
            ):
                (source,) = op["inputs"]
                details = {tensor["index"]: tensor for tensor in self.tensors()}
                scales = details[source]["quantization_parameters"]["scales"]
                return float(scales[0]) if len(scales) == 1 else 0.0
        return self.output.step

    def ops(self) -> list[dict]:
        """Lists the ops: op_name, inputs and outputs."""
        return self._graph.ops()

    def tensors(self) -> list[dict]:
        """Lists LiteRT's descriptions of the tensors."""
        return self._graph.tensors()

    def run(self, values: np.ndarray) -> np.ndarray:
        """Runs one batch; a short one is filled up and cut again.

        Args:
            values: [B, ...] of the input's type.
        Returns: [B, classes] of the output's type.
        Raises: InputError if the file cannot run a batch of that size, or
            its outputs differ when it is queried again.
        """
        rows = self._run(values)
        if self._is_doubtful:
            self._require_alike(rows, self._run(values))
            self._is_doubtful = False
        return rows

    def _prepared(self, content):
        """The bytes that are run, in the place of the file's own."""
        return content

    def _only_output(self, details):
        return self._only("output", details)

    def _run(self, values):
        # Of a state that is kept for one record, several make no sense.
        if self._keeps_state and not self.fixed_batch:
            records = [values[row : row + 1] for row in range(len(values))]
            return np.concatenate(
                [self._outputs(record, 1) for record in records]
            )
        size = self.fixed_batch or len(values)
        filled = values
        if len(values) < size:
            filled = np.zeros((size, *values.shape[1:]), values.dtype)
            filled[: len(values)] = values
        return self._outputs(filled, size)[: len(values)]

    def _outputs(self, values, size):
        with _failing_as(lambda reason: self._fails_on_batch(size, reason)):
            rows = self._graph.run(
                self.input.index,
                values,
                self.output.index,
                reset=self._keeps_state,
            )
        rows = ports.squeezed(rows)
        if rows.ndim != 2 or len(rows) != size:
            raise self._fails_on_batch(size, f"its output is {rows.shape}")
        return rows

    def _require_alike(self, rows, again):
        repeats = repeatability.compare(
            self.output.dequantize(rows),
            self.output.dequantize(again),
            step=self.output.step,
        )
        if not repeats.are_alike:
            raise InputError(
                f"{self.path} does not answer alike when it is asked the "
                "same again: its outputs differ by up to "
                f"{repeats.largest:.2g}. It keeps variables "
                "(ASSIGN_VARIABLE) that change from query to query, so an "
                "answer depends on the records before: convert a function "
                "that only reads its variables"
            )

    def _allocate_first(self):
        # Of LiteRT's own ops the names are in capitals.
        names = {op["op_name"] for op in self.ops()}
        foreign = ", ".join(sorted(n for n in names if n != n.upper()))
        why = f"it needs {foreign}: " if foreign else ""
        # LiteRT says so when it takes its XNNPACK kernels.
        with (
            _failing_as(lambda reason: self._cannot_run(why + reason)),
            quiet.without_messages(show_if_it_fails=False),
        ):
            self._graph.allocate()

    def _check_size(self):
        shape = self.input.shape
        if len(shape) < 2 or min(shape[1:]) < 1:
            raise InputError(
                f"{self.path} takes an input of shape {list(shape)}, where -1 "
                "is open: convert the model with a fixed height, width and "
                "channels"
            )

    def _only(self, end, details):
        if len(details) != 1:
            raise InputError(
                f"{self.path} has {len(details)} {end}s; an image classifier "
                f"with one {end} is needed"
            )
        return details[0]

    def _fails_on_batch(self, size, reason):
        return InputError(
            f"{self.path} cannot run {size} images at once: {reason}"
        )

    def _cannot_run(self, reason):
        if "Flatbuffer" in reason:
            reason = f"it is damaged or cut off ({reason})"
        return FileFailure(
            f"{self.path} cannot be run by LiteRT with its {self._kernels} "
            f"kernels: {reason}"
        )


def load_litert(content: bytes, num_threads: int, kernels: str):
    """Loads a file into LiteRT's own interpreter; kernels is of KERNELS."""
    from ai_edge_litert import interpreter as litert

    return litert.Interpreter(
        model_content=content,
        num_threads=num_threads,
        experimental_op_resolver_type=getattr(
            litert.OpResolverType, KERNELS[kernels]
        ),
    )


@contextlib.contextmanager
def _failing_as(described):
    """Turns LiteRT's errors into `described(reason)`, an InputError."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise described(reason or NO_REASON) from error
