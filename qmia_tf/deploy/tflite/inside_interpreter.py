"""A .tflite file that shows what lies inside while it runs.

The tensors at its last layer become outputs of a copy of the file, beside the
file's own one; its ops, and so the kernels that run, stay what they are. Needs
NumPy, flatbuffers and ai-edge-litert only.
"""

import numpy as np

from qmia_tf.deploy.tflite import flatbuffer, last_layer
from qmia_tf.deploy.tflite.interpreter import Interpreter
from qmia_tf.deploy.tflite.model_file import Contents
from qmia_tf.errors import InputError


class InsideInterpreter(Interpreter):
    """Interpreter of a file with one graph whose last layer is understood.

    Args: as of Interpreter.
    Raises: InputError as Interpreter, or that says why the inside cannot be
        read.
    """

    def __init__(self, path, *, signature: str | None = None, **options):
        self._wanted = signature
        super().__init__(path, **options)

    def run_inside(
        self, values: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Runs one batch [B, ...] and shows what lies inside.

        Returns: the outputs [B, classes], as `run` gives them; the exact
            logits, float64 [B, C]; and what enters the last layer [B, F]; see
            last_layer.LastLayer.read.
        """
        rows = self.run(values)
        seen = [self._graph.tensor(index) for index in self.layer.tensors]
        entry, result = (*seen, None)[:2]
        size = self.fixed_batch or len(values)
        logits, entered = self.layer.read(entry, result, size)
        return rows, logits[: len(values)], entered[: len(values)]

    def _prepared(self, content):
        contents = Contents(content)
        if contents.has_state_tensors or contents.has_variables:
            raise InputError("it keeps a state from record to record")
        model = flatbuffer.unpack(content)
        if len(model.subgraphs) != 1:
            raise InputError(f"it has {len(model.subgraphs)} subgraphs")
        self._end_index = self._output_of(contents, model.subgraphs[0])
        self.layer = last_layer.find(model, self._end_index)
        wanted = dict.fromkeys([self._end_index, *self.layer.tensors])
        return flatbuffer.with_output_indices(model, list(wanted))

    def _output_of(self, contents, graph):
        """The tensor that the file is audited by."""
        ends = list(graph.outputs)
        for signature in contents.signatures:
            if signature.key == self._wanted:
                ends = list(signature.outputs.values())
        if len(ends) != 1:
            raise InputError(f"it has {len(ends)} outputs")
        return int(ends[0])

    def _only_output(self, details):
        return next(x for x in details if x["index"] == self._end_index)
