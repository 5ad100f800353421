"""A .tflite file in a process of its own, which shows what lies inside."""

from collections.abc import Callable

import numpy as np

from qmia_tf.deploy.tflite.isolation import IsolatedInterpreter


class ObservedInterpreter(IsolatedInterpreter):
    """IsolatedInterpreter that shows what lies inside of each batch.

    Attributes:
        layer: what is said of the last layer; see last_layer.LastLayer.facts.

    Args:
        sink: takes the exact logits, float64 [B, C], and what enters the last
            layer [B, F], of each batch.
        others: as of IsolatedInterpreter.
    Raises: InputError as IsolatedInterpreter, or that says why the inside
        cannot be read.
    """

    _shows_inside = True

    def __init__(self, path, sink: Callable, **options):
        self._sink = sink
        super().__init__(path, **options)

    def run(self, values: np.ndarray) -> np.ndarray:
        """Runs one batch; see Interpreter."""
        with self._batch(values):
            answer = self._ask(self._request("run_inside", values), values)
            rows, logits, entered = (
                self._receive(shape, dtype, len(values))
                for shape, dtype in answer["arrays"]
            )
        self._answered += len(values)
        self._sink(logits, entered)
        return rows
