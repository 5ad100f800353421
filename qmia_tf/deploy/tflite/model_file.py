"""The bytes of a .tflite file, and what LiteRT's calls do not say of them.

Needs NumPy and ai-edge-litert only, so that it runs on a board.
"""

import dataclasses
import functools
import pathlib
import zipfile
from collections.abc import Iterator

from qmia_tf.errors import FileFailure, InputError

IDENTIFIER = b"TFL3"
HEAD = 8
# A bundle may hold bundles.
BUNDLES = (".task", ".zip")


@dataclasses.dataclass(frozen=True)
class Signature:
    """A named way to run a file.

    Attributes:
        key: its name.
        subgraph: index of the subgraph that it runs.
        inputs: name -> index of a tensor of that subgraph.
        outputs: likewise.
    """

    key: str
    subgraph: int
    inputs: dict[str, int]
    outputs: dict[str, int]


def is_model_file(path) -> bool:
    """Whether a file begins as a .tflite file does, whatever its name."""
    path = pathlib.Path(path)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _is_head(file.read(HEAD))


def read(path) -> bytes:
    """Reads a .tflite file.

    Raises: InputError if it is missing; of a bundle, such as a .task file, it
        names the .tflite files inside. FileFailure if it is something else.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"there is no model file {path}")
    content = path.read_bytes()
    if _is_head(content):
        return content
    names = _bundled(path)
    if names:
        raise InputError(
            f"{path} is a bundle (a zip file), not a .tflite file: it holds "
            f"{', '.join(names)}: unzip it and give one of these"
        )
    what = "not a .tflite file" if content else "empty"
    raise FileFailure(f"{path} is {what}: copy it or export it again")


def _is_head(content):
    return content[4:HEAD] == IDENTIFIER


def _bundled(path):
    """Names the .tflite files, and the bundles, that a zip file holds."""
    if not zipfile.is_zipfile(path):
        return []
    names = []
    with zipfile.ZipFile(path) as bundle:
        for name in bundle.namelist():
            try:
                with bundle.open(name) as entry:
                    is_model = _is_head(entry.read(HEAD))
            # Encrypted, damaged, or packed in a way that Python lacks.
            except (RuntimeError, NotImplementedError, zipfile.BadZipFile):
                is_model = name.endswith(".tflite")
            if is_model or name.endswith(BUNDLES):
                names.append(name)
    return names


class Contents:
    """What the flatbuffer of a file says, read without unpacking it.

    Args:
        content: of a file that LiteRT has verified.
    """

    def __init__(self, content: bytes):
        from ai_edge_litert import schema_py_generated as schema

        self._kinds = schema.BuiltinOperator
        self._model = schema.Model.GetRootAs(content, 0)

    @functools.cached_property
    def signatures(self) -> list[Signature]:
        """The signatures, in the file's order."""
        return [
            Signature(
                key=definition.SignatureKey().decode(),
                subgraph=definition.SubgraphIndex(),
                inputs=_tensors(definition, "Inputs"),
                outputs=_tensors(definition, "Outputs"),
            )
            for definition in _each(self._model, "SignatureDefs")
        ]

    @functools.cached_property
    def has_state_tensors(self) -> bool:
        """Whether a tensor keeps its value until it is reset.

        Those of LSTM, RNN and SVDF ops.
        """
        return any(
            tensor.IsVariable()
            for graph in _each(self._model, "Subgraphs")
            for tensor in _each(graph, "Tensors")
        )

    @functools.cached_property
    def has_variables(self) -> bool:
        """Whether an op reads or writes variables (VAR_HANDLE)."""
        return any(
            _builtin(code) == self._kinds.VAR_HANDLE
            for code in _each(self._model, "OperatorCodes")
        )

    def ops(self, subgraph: int) -> list[dict]:
        """The ops of a subgraph: dicts with op_name, inputs and outputs."""
        return [
            {
                "op_name": self._op_name(op.OpcodeIndex()),
                "inputs": list(_each(op, "Inputs")),
                "outputs": list(_each(op, "Outputs")),
            }
            for op in _each(self._model.Subgraphs(subgraph), "Operators")
        ]

    def _op_name(self, index):
        code = self._model.OperatorCodes(index)
        custom = code.CustomCode()
        if custom is not None:
            return custom.decode()
        return self._names[_builtin(code)]

    @functools.cached_property
    def _names(self):
        return {
            value: name
            for name, value in vars(self._kinds).items()
            if isinstance(value, int)
        }


def _builtin(code):
    # Older files know the second field only.
    return max(code.BuiltinCode(), code.DeprecatedBuiltinCode())


def _each(table, field) -> Iterator:
    """The entries of a flatbuffer's vector."""
    count = getattr(table, f"{field}Length")()
    return map(getattr(table, field), range(count))


def _tensors(definition, field):
    return {
        entry.Name().decode(): entry.TensorIndex()
        for entry in _each(definition, field)
    }
