"""A model that can be queried: records in, numbers out, facts of both."""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np

from qmia_tf.data.batches import in_batches
from qmia_tf.data.pixels import AUTO, INPUT_RANGES, range_name
from qmia_tf.deploy.tflite.ports import squeezed
from qmia_tf.errors import InputError

PROBABILITIES, LOGITS = "probabilities", "logits"
KINDS = (PROBABILITIES, LOGITS)
# What to do with a model that takes text.
TEXT = "give a function that turns records (word ids, for example) into outputs"
# What a model outputs that ends in several sigmoids.
MULTI_LABEL = "multi-label"


@dataclasses.dataclass(frozen=True)
class ModelOptions:
    """What the user says of a model because it does not say it itself.

    "auto" and None leave it to the model.

    Attributes:
        input_range: (0, 1), (0, 255) or (-1, 1), or one of INPUT_RANGES;
            afterwards one of INPUT_RANGES or None.
        outputs: "probabilities" or "logits".
        signature: name of the signature to run.
    Raises: InputError if one of the first two is something else.
    """

    input_range: str | tuple[float, float] | None = None
    outputs: str | None = None
    signature: str | None = None

    def __post_init__(self):
        for name in ("input_range", "outputs", "signature"):
            value = getattr(self, name)
            if isinstance(value, str) and value == AUTO:
                object.__setattr__(self, name, None)
        if self.input_range is not None:
            try:
                name = range_name(self.input_range)
            except ValueError as error:
                raise _unknown(
                    "input_range", INPUT_RANGES, self.input_range
                ) from error
            object.__setattr__(self, "input_range", name)
        if self.outputs not in (None, *KINDS):
            raise _unknown("outputs", KINDS, self.outputs)


def _unknown(name, known, value):
    return InputError(
        f"--{name} must be one of {', '.join(known)}, or {AUTO!r} where the "
        f"model says it, got {value!r}"
    )


class ModelTarget:
    """One opened model.

    Args:
        info: dict for Outputs.info: target, kind, kernel_set, outputs and
            probability_step, ...
        predict_batch: callable, array [B, ...] -> numbers [B, C] or [B, 1].
        choice: range_choice.Choice, how records enter; None as they are.
        batch_size: records a call.
        is_fixed: whether predict_batch takes no other number of records.
        notes: lines that the user should read.
    """

    def __init__(
        self,
        info,
        predict_batch,
        *,
        choice=None,
        batch_size=250,
        is_fixed=False,
        notes=(),
    ):
        self.info = info
        self.choice = choice
        self.notes = (*notes, *(choice.notes if choice else ()))
        self.batch_size = batch_size
        self._predict_batch, self._is_fixed = predict_batch, is_fixed

    def predict(
        self, images, *, progress=False, preprocessing=None
    ) -> np.ndarray:
        """Gives the outputs for records.

        Args:
            images: array [N, ...]: images or other records.
            progress: shows a bar.
            preprocessing: Preprocessing, to try another than the chosen.
        Returns: float32 [N, C], probabilities or logits as info says; one
            number a record is made two classes.
        Raises: InputError if the model outputs something else.
        """
        predict_rows = functools.partial(
            self._predict_rows, preprocessing=preprocessing
        )
        return in_batches(
            images,
            predict_rows,
            size=self.batch_size,
            name=self.info["target"],
            progress=progress,
        )

    def _predict_rows(self, chunk, preprocessing=None):
        count = len(chunk)
        if self._is_fixed and count < self.batch_size:
            filler = np.zeros_like(chunk[:1])
            filler = np.repeat(filler, self.batch_size - count, axis=0)
            chunk = np.concatenate([chunk, filler])
        if self.choice is not None:
            chunk = (preprocessing or self.choice.chosen).apply(chunk)
        rows = squeezed(np.asarray(self._only(self._predict_batch(chunk))))
        if rows.ndim != 2 or len(rows) != len(chunk) or not rows.shape[1]:
            raise InputError(
                f"target {self.info['target']!r} outputs {list(rows.shape)} "
                f"for {len(chunk)} records: an output must be [records, "
                "classes]"
            )
        if rows.dtype.name == "bfloat16":
            rows = rows.astype(np.float32)
        if rows.dtype.kind not in "fiu":
            raise InputError(
                f"target {self.info['target']!r} outputs {rows.dtype}, not "
                "numbers"
            )
        rows = rows[:count].astype(np.float32)
        return self._both_classes(rows) if rows.shape[1] == 1 else rows

    def _only(self, output):
        """The one output of a dict or list of outputs."""
        names, outputs = None, [output]
        if isinstance(output, Mapping):
            names, outputs = list(output), list(output.values())
        elif isinstance(output, (list, tuple)) and len(output):
            shapes = [np.shape(part) for part in output]
            is_one = len(shapes) == 1 and len(shapes[0]) > 1
            # Else a list of rows.
            if is_one or len(set(shapes)) > 1:
                outputs = output
        if len(outputs) == 1:
            return outputs[0]
        output_text = ", ".join(
            map(str, names or map(list, map(np.shape, outputs)))
        )
        raise InputError(
            f"target {self.info['target']!r} gives {len(outputs)} outputs "
            f"({output_text}), and one is needed: give a function that returns "
            "that of the classes"
        )

    def _both_classes(self, rows):
        """Of class 1 alone: p -> [1 - p, p], z -> [0, z]."""
        if self.info["outputs"] == LOGITS:
            return np.hstack([np.zeros_like(rows), rows])
        return np.hstack([1 - rows, rows])


def choose_outputs(read, given, *, name, where) -> str:
    """Probabilities or logits: what the model says itself, or the user.

    Args:
        read: "probabilities", "multi-label", or None.
        given: "probabilities" or "logits", by the user, or None.
        name: the target's.
        where: what it ends in, for messages.
    Raises: InputError if nothing says it, the two differ, or the outputs
        are of several labels a record.
    """
    if read == MULTI_LABEL:
        raise InputError(
            f"target {name!r} ends in {where}: each is a label of its own "
            "(multi-label), and only one class a record can be audited yet: "
            "give a function that returns [1 - p, p] of one of them, and its "
            "labels 0 and 1"
        )
    if read is None and given is None:
        raise InputError(
            f"target {name!r} ends in {where}, so whether it outputs "
            "probabilities or logits is not known: give "
            f"--outputs={LOGITS} or --outputs={PROBABILITIES}"
        )
    if read is not None and given not in (None, read):
        raise InputError(
            f"target {name!r} ends in {where}, so it outputs {read}, but "
            f"--outputs={given}: leave it out (for one of several models: "
            f"{AUTO!r})"
        )
    return read or given
