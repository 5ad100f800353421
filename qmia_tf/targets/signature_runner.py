"""A signature of an interpreter in memory, opened as a target.

What interpreter.get_signature_runner(NAME) gives, of ai_edge_litert or of
tf.lite. It is called as it is, so its ops are not known.
"""

import contextlib
from typing import Any

import numpy as np

from qmia_tf.deploy.tflite import ports
from qmia_tf.errors import InputError
from qmia_tf.targets import Target, only_port, range_choice
from qmia_tf.targets.model_options import Opening
from qmia_tf.targets.preprocessing import Preprocessing
from qmia_tf.targets.tflite_facts import port_facts
from qmia_tf.targets.unopened_model import TargetKind

KERNELS = "interpreter"
DETAILS = ("get_input_details", "get_output_details")


class RunnerTarget(Target):
    """A signature runner of one input and one output.

    Raises: InputError if it has other inputs or outputs, or does not say
        what has to be known.
    """

    def __init__(self, runner: Any, opening: Opening):
        self._runner, self._source = runner, f"target {opening.name!r}"
        self._keyword, details = only_port(
            "input", runner.get_input_details(), self._source
        )
        self._input = ports.input_port(details, self._source)
        _, details = only_port(
            "output", runner.get_output_details(), self._source
        )
        self._output = ports.output_port(details, self._source)
        batch, *shape = self._input.shape
        super().__init__(
            {
                "target": opening.name,
                "kind": "tflite",
                "kernel_set": KERNELS,
                "outputs": None,
                "probability_step": self._output.step,
            },
            shape=tuple(shape),
            choice=range_choice.choose(port_facts(self._input), opening),
            batch_size=batch if batch > 0 else 100,
            fill="always" if batch > 0 else "never",
        )
        if opening.options.outputs:
            self.take_outputs(opening.options.outputs)

    def prepare(
        self, records: np.ndarray, preprocessing: Preprocessing | None = None
    ) -> np.ndarray:
        """See Target; numbers of the input's type."""
        return self._input.encode(super().prepare(records, preprocessing))

    def predict_batch(self, values: np.ndarray) -> np.ndarray:
        """See Target.

        Raises: InputError if the interpreter cannot compute it.
        """
        try:
            _reset(getattr(self._runner, "_interpreter", None))
            (rows,) = self._runner(**{self._keyword: values}).values()
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise InputError(
                f"{self._source} fails on {len(values)} records: {reason}"
            ) from error
        return self._output.dequantize(rows)


def _reset(interpreter):
    """Resets what LSTM, RNN and SVDF ops keep from call to call."""
    if interpreter is None:
        return
    # It fails where a graph was never prepared, and so has nothing to reset.
    # What is kept all the same shows when records are queried again.
    with contextlib.suppress(ValueError, RuntimeError):
        interpreter.reset_all_variables()


def _fits(source):
    return callable(source) and all(
        callable(getattr(source, name, None)) for name in DETAILS
    )


KIND = TargetKind(fits=_fits, kernel_set=KERNELS, open_model=RunnerTarget)
