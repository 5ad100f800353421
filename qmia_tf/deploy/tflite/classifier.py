"""A .tflite image classifier: uint8 images -> probabilities."""

import pathlib

from qmia_tf.data.batches import in_batches
from qmia_tf.data.image_shapes import require_shape
from qmia_tf.data.pixels import scale_to_unit
from qmia_tf.deploy.tflite import input_clipping
from qmia_tf.deploy.tflite.interpreter import Interpreter
from qmia_tf.errors import InputError
from qmia_tf.outputs.logits import check_kind, softmax


class Classifier:
    """A .tflite file under LiteRT.

    Float inputs get pixels / 255; integer inputs get the pixel / 255 rounded
    to the input's own scale and zero point. Integer outputs are turned into
    numbers by the output's.

    Attributes:
        interpreter: interpreter.Interpreter.
        batch_size: images a call.

    Args:
        path: the .tflite file.
        name: what messages call it; by default the file's name.
        num_threads: int >= 1.
        batch_size: images a call; a file with a fixed batch keeps its own.
        kernels: "default" (XNNPACK where it applies), "builtin" (without
            delegates) or "reference".
        logits: whether the file's output is logits, which then go through a
            softmax here.
        signature: name of the signature to run, where a file has several.
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
    ):
        if batch_size < 1:
            raise InputError(f"batch_size must be >= 1, got {batch_size}")
        path = pathlib.Path(path)
        self.interpreter = Interpreter(
            path, num_threads=num_threads, kernels=kernels, signature=signature
        )
        self.batch_size = self.interpreter.fixed_batch or batch_size
        self._name = name or path.stem
        self._logits = logits
        self._is_checked = False

    def predict(self, images, *, progress=False):
        """Runs the file.

        Args:
            images: uint8 [N, height, width, channels].
            progress: shows a bar.
        Returns: float32 [N, classes] probabilities.
        Raises: InputError if the images do not fit, the first batch's
            outputs are no probabilities, or with logits=True, if they are;
            and if the input cannot hold pixels / 255.
        """
        expected = self.interpreter.input.shape[1:]
        return in_batches(
            require_shape(images, expected, self._name),
            self._predict_batch,
            size=self.batch_size,
            name=self._name,
            progress=progress,
        )

    def _predict_batch(self, chunk):
        outputs = self.interpreter.run(self._as_input(chunk))
        outputs = self.interpreter.output.dequantize(outputs)
        if not self._is_checked:
            check_kind(
                outputs,
                name=self._name,
                step=self.interpreter.output_step,
                as_logits=self._logits,
            )
            self._is_checked = True
        return softmax(outputs) if self._logits else outputs

    def _as_input(self, chunk):
        """Images as numbers of the input's type."""
        entry = self.interpreter.input
        if entry.is_plain:
            return entry.cast(chunk)
        if entry.step == 0:
            return scale_to_unit(chunk)
        if entry.is_pixels:
            return chunk
        values = scale_to_unit(chunk)
        if not self._is_checked:
            _require_in_limits(values, entry, self._name)
        return entry.quantize(values)


def _require_in_limits(values, entry, name):
    low, high = input_clipping.limits(entry.dtype, entry.step, entry.zero_point)
    share = max(input_clipping.shares_outside(values, low, high))
    why = None
    if share >= input_clipping.NOTICEABLE:
        why = f"{100 * share:.0f} % of the pixels / 255 lie outside"
    elif input_clipping.is_wider(entry.dtype, entry.step, entry.zero_point):
        why = "pixels / 255 fill 0 to 1 only"
    if why:
        raise InputError(
            f"target {name!r} takes numbers of {low:.4g} to {high:.4g}, and "
            f"{why}: is it a file of pixels in 0..1? scripts/audit.py takes "
            "others"
        )
