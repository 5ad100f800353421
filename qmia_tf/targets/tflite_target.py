"""A .tflite file under LiteRT. Needs NumPy and ai-edge-litert only."""

import pathlib
from collections.abc import Sequence

import numpy as np

from qmia_tf.deploy.tflite import input_clipping
from qmia_tf.deploy.tflite.interpreter import Interpreter
from qmia_tf.errors import InputError
from qmia_tf.files import is_path
from qmia_tf.outputs.logits import check_kind
from qmia_tf.targets import Target, file_facts


class TFLiteTarget(Target):
    """A .tflite file under LiteRT.

    Without a choice float inputs get pixels / 255, and integer inputs get
    pixel / 255 rounded to the input's own scale and zero point; logits then
    go through a softmax here.

    Args:
        path: the .tflite file, or its interpreter.
        name: the target's; by default the file's.
        batch_size: images a call; a file with a fixed batch keeps its own.
        kernels: "default" (XNNPACK where it applies), "builtin" (without
            delegates) or "reference".
        logits: whether the file's output is logits.
        signature: name of the signature to run, where a file has several.
        choice: range_choice.Choice, how records enter.
        notes: lines that the user should read.
    Raises: InputError if the file cannot be run or an argument is out of
        range.
    """

    def __init__(
        self,
        path: pathlib.Path | Interpreter,
        *,
        name: str | None = None,
        num_threads: int = 2,
        batch_size: int = 100,
        kernels: str = "default",
        logits: bool = False,
        signature: str | None = None,
        choice=None,
        notes: Sequence[str] = (),
    ):
        if batch_size < 1:
            raise InputError(f"batch_size must be >= 1, got {batch_size}")
        model = path
        if is_path(path):
            model = Interpreter(
                pathlib.Path(path),
                num_threads=num_threads,
                kernels=kernels,
                signature=signature,
            )
        info = {
            "target": name or model.path.stem,
            "kind": "tflite",
            "kernel_set": kernels,
            **file_facts(model.path),
            "outputs": "logits" if logits else "probabilities",
            "probability_step": 0.0 if logits else model.output_step,
        }
        if signature is not None:
            info["signature"] = signature
        super().__init__(
            info,
            shape=model.input.shape[1:],
            choice=choice,
            batch_size=model.fixed_batch or batch_size,
            gives_softmax=logits and choice is None,
            notes=notes,
        )
        self.interpreter = model
        self._logits = logits
        # What a user's target outputs is checked when it is queried.
        self._is_checked = choice is not None

    def prepare(self, records: np.ndarray, preprocessing=None) -> np.ndarray:
        """See Target; numbers of the input's type."""
        entry = self.interpreter.input
        if self.choice is None:
            if not self._is_checked:
                input_clipping.require_unit_pixels(
                    records, entry, self.info["target"]
                )
            return entry.encode_pixels(records)
        return entry.encode(super().prepare(records, preprocessing))

    def predict_batch(self, values: np.ndarray) -> np.ndarray:
        """See Target.

        Raises: InputError if the first outputs are no probabilities, or,
            with logits, if they are.
        """
        rows = self.interpreter.output.dequantize(self.interpreter.run(values))
        if not self._is_checked:
            check_kind(
                rows,
                name=self.info["target"],
                step=self.interpreter.output_step,
                as_logits=self._logits,
            )
            self._is_checked = True
        return rows
