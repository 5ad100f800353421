"""A .tflite file under LiteRT. Needs NumPy and ai-edge-litert only."""

import pathlib

from qmia_tf.data.pixels import scale_to_unit
from qmia_tf.deploy.tflite import input_clipping
from qmia_tf.deploy.tflite.interpreter import Interpreter
from qmia_tf.errors import InputError
from qmia_tf.outputs.logits import check_kind
from qmia_tf.targets import Target, file_facts


class TFLiteTarget(Target):
    """A .tflite file under LiteRT.

    Without a choice float inputs get pixels / 255, and integer inputs get
    pixel / 255 rounded to the input's own scale and zero point; logits then
    go through a softmax here.

    Attributes:
        interpreter: interpreter.Interpreter.

    Args:
        path: the .tflite file, or its Interpreter.
        name: the target's name; by default the file's.
        num_threads: int >= 1.
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
        path,
        *,
        name=None,
        num_threads=2,
        batch_size=100,
        kernels="default",
        logits=False,
        signature=None,
        choice=None,
        notes=(),
    ):
        if batch_size < 1:
            raise InputError(f"batch_size must be >= 1, got {batch_size}")
        model = path
        if not isinstance(model, Interpreter):
            path = pathlib.Path(path)
            model = Interpreter(
                path,
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

    def prepare(self, records, preprocessing=None):
        """See Target; numbers of the input's type."""
        entry = self.interpreter.input
        if self.choice is None:
            if not self._is_checked:
                _require_in_limits(records, entry, self.info["target"])
            return entry.encode_pixels(records)
        return entry.encode(super().prepare(records, preprocessing))

    def predict_batch(self, values):
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


def _require_in_limits(images, entry, name):
    """Refuses an integer input that cannot hold pixels / 255."""
    if entry.step == 0 or entry.is_pixels:
        return
    grid = entry.dtype, entry.step, entry.zero_point
    low, high = input_clipping.limits(*grid)
    values = scale_to_unit(images)
    share = max(input_clipping.shares_outside(values, low, high))
    why = None
    if share >= input_clipping.NOTICEABLE:
        why = f"{100 * share:.0f} % of the pixels / 255 lie outside"
    elif input_clipping.is_wider(*grid):
        why = "pixels / 255 fill 0 to 1 only"
    if why:
        raise InputError(
            f"target {name!r} takes numbers of {low:.4g} to {high:.4g}, and "
            f"{why}: is it a file of pixels in 0..1? scripts/audit.py takes "
            "others"
        )
