"""The part of a .tflite file that is run: its main graph, or a signature's.

Needs NumPy and ai-edge-litert only, so that it runs on a board.
"""

import numpy as np

from qmia_tf.deploy.tflite.model_file import Contents, Signature
from qmia_tf.errors import InputError, option

MOST_SHOWN = 8


class MainGraph:
    """The first graph of a file that LiteRT has loaded."""

    signature = None

    def __init__(self, lite):
        self._lite = lite
        self._shape = None

    def allocate(self) -> None:
        """Prepares the graph for its smallest input."""
        self._lite.allocate_tensors()

    def inputs(self) -> list[dict]:
        """Lists LiteRT's descriptions of the inputs."""
        return self._lite.get_input_details()

    def outputs(self) -> list[dict]:
        """Lists LiteRT's descriptions of the outputs."""
        return self._lite.get_output_details()

    def ops(self) -> list[dict]:
        """Lists the ops: op_name, inputs and outputs."""
        return self._lite._get_ops_details()

    def tensors(self) -> list[dict]:
        """Lists LiteRT's descriptions of the tensors."""
        return self._lite.get_tensor_details()

    def tensor(self, index: int) -> np.ndarray:
        """What an output of the last batch holds."""
        return self._lite.get_tensor(index)

    def run(
        self, source: int, values: np.ndarray, target: int, *, reset: bool
    ) -> np.ndarray:
        """Runs one batch [B, ...] from one tensor, by its index, to another.

        With reset, what the graph keeps from call to call is reset first.
        """
        if values.shape != self._shape:
            self._lite.resize_tensor_input(source, values.shape)
            self._lite.allocate_tensors()
            self._shape = values.shape
        if reset:
            self._lite.reset_all_variables()
        self._lite.set_tensor(source, values)
        self._lite.invoke()
        return self._lite.get_tensor(target)


class SignatureGraph(MainGraph):
    """The graph of one signature."""

    def __init__(self, lite, contents: Contents, signature: Signature):
        super().__init__(lite)
        self._contents = contents
        self._runner = lite.get_signature_runner(signature.key)
        self.signature = signature

    def allocate(self) -> None:
        """Prepares this graph; all of them if any keeps a state.

        LiteRT resets the state of all graphs at once, and fails if one of
        them was not prepared.
        """
        graphs = {self.signature.subgraph}
        if self._contents.has_state_tensors:
            graphs.update(s.subgraph for s in self._contents.signatures)
        for graph in sorted(graphs):
            self._lite._interpreter.AllocateTensors(graph)

    def inputs(self) -> list[dict]:
        """See MainGraph."""
        return list(self._runner.get_input_details().values())

    def outputs(self) -> list[dict]:
        """See MainGraph."""
        return list(self._runner.get_output_details().values())

    def ops(self) -> list[dict]:
        """See MainGraph."""
        return self._contents.ops(self.signature.subgraph)

    def tensors(self) -> list[dict]:
        """See MainGraph."""
        return self._lite.get_tensor_details(self.signature.subgraph)

    def run(self, source, values, target, *, reset) -> np.ndarray:
        """See MainGraph."""
        del source, target
        if reset:
            self._lite.reset_all_variables()
        (name,) = self.signature.inputs
        (rows,) = self._runner(**{name: values}).values()
        return rows


def choose_graph(
    lite, contents: Contents, wanted: str | None, path
) -> MainGraph:
    """Gives the graph that a file, loaded by LiteRT, is run by.

    Without the name of a signature it is the main graph, if nothing else can
    be meant.

    Raises: InputError that names the signatures, if there are several and
        none is chosen, or there is none of that name.
    """
    signatures = contents.signatures
    if wanted is None:
        ways = {
            (
                signature.subgraph,
                tuple(sorted(signature.inputs.values())),
                tuple(sorted(signature.outputs.values())),
            )
            for signature in signatures
        }
        if len(ways) < 2:
            return MainGraph(lite)
        raise InputError(
            f"{path} has {len(signatures)} signatures, and which one "
            f"classifies is not known: {_shown(lite, signatures)}: choose one "
            f"with {option('signature')}"
        )
    for signature in signatures:
        if signature.key == wanted:
            return SignatureGraph(lite, contents, signature)
    raise InputError(
        f"{path} has no signature {wanted!r}, "
        + (f"only {_shown(lite, signatures)}" if signatures else "nor another")
    )


def described(name: str, inputs: list[tuple], outputs: list[tuple]) -> str:
    """Says of a signature what goes in and what comes out.

    A tensor is its name, type and shape.
    """
    sides = (
        ", ".join(" ".join(map(str, tensor)) for tensor in side)
        for side in (inputs, outputs)
    )
    return f"{name} ({' -> '.join(sides)})"


def _shown(lite, signatures):
    texts = []
    for signature in signatures[:MOST_SHOWN]:
        runner = lite.get_signature_runner(signature.key)
        details = runner.get_input_details(), runner.get_output_details()
        texts.append(described(signature.key, *map(_facts, details)))
    more = len(signatures) - len(texts)
    return ", ".join(texts) + (f" and {more} more" if more else "")


def _facts(details):
    return [
        (
            name,
            np.dtype(tensor["dtype"]).name,
            tensor["shape_signature"].tolist(),
        )
        for name, tensor in details.items()
    ]
