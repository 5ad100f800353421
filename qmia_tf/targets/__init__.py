"""What an attacker can query: one class a kind, and what they all do.

Members and nonmembers go through the same call, so what differs between them
is the target's output alone. This module needs neither TensorFlow nor Keras.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from qmia_tf import files
from qmia_tf.data.batches import in_batches, pad_batch, reshape_images
from qmia_tf.data.pixels import scale_to_unit
from qmia_tf.deploy import timing
from qmia_tf.deploy.tflite.ports import squeezed
from qmia_tf.errors import InputError
from qmia_tf.outputs.kinds import LOGITS
from qmia_tf.outputs.logits import softmax


class Target:
    """One opened model: records in, outputs out, facts of both.

    A kind of target is a subclass with `predict_batch`. Of a run it takes
    uint8 images as pixels / 255 and gives probabilities; of a user it takes
    what its `choice` says and gives what the model gives.

    Attributes:
        info: for Outputs.info: target (a file-safe name), kind, kernel_set,
            probability_step, and what else is known.
        choice: range_choice.Choice, how records enter; None of a run.
        batch_size: records a call.
        notes: lines that the user should read.
        ending: what it says of its outputs' kind, where that is open.
        gives_one_number: whether it gave one number a record.

    Args:
        shape: of one record, None or -1 where it is open; None takes any.
        fill: "always": predict_batch takes batch_size records, no other
            number; "last": the last of several batches is filled up, for XLA
            compiles each size; "never".
        gives_softmax: whether logits go through a softmax here.
        notes: lines about the model; those of the choice are added.
    """

    def __init__(
        self,
        info: dict,
        *,
        shape: tuple | None,
        choice=None,
        batch_size: int = 250,
        fill: str = "never",
        gives_softmax: bool = False,
        notes: Sequence[str] = (),
    ):
        self.info, self.choice, self.batch_size = info, choice, batch_size
        if choice is not None:
            info["input_range"] = choice.input_range
        self.notes = (*notes, *(choice.notes if choice else ()))
        self.ending = "does not say what it ends in"
        self.gives_one_number = False
        self._shape, self._fill = shape, fill
        self._gives_softmax = gives_softmax

    def take_range(self, preprocessing) -> None:
        """Prepares records in this way from now on; the members chose it."""
        self.choice = dataclasses.replace(
            self.choice, chosen=preprocessing, doubt=None, is_measured=True
        )
        self.info["input_range"] = self.choice.input_range

    def take_outputs(self, kind: str) -> None:
        """Takes what it outputs for probabilities, or for logits."""
        self.info["outputs"] = kind
        if kind == LOGITS:
            self.info["probability_step"] = 0.0

    def take_measured(self, measured: dict) -> None:
        """Takes both as they were measured before, by option."""
        if "outputs" in measured:
            self.take_outputs(measured["outputs"])
        if "input_range" in measured:
            chosen = self.choice.chosen
            end = measured["input_range"]
            self.take_range(dataclasses.replace(chosen, end=end))

    def fits(self, records: np.ndarray) -> bool:
        """Whether records [N, ...] have the shape of the input."""
        shape = self._shape
        return shape is None or reshape_images(records, shape) is not None

    def predict_batch(self, values: np.ndarray) -> np.ndarray:
        """Runs the model on prepared [B, ...]; gives [B, C] or [B, 1]."""
        raise NotImplementedError

    def measure(self, records: np.ndarray) -> timing.Timing:
        """Times the outputs for a few records, again and again."""
        return timing.measure(lambda: self.predict(records))

    def observed(self, sink: Callable) -> tuple["Target", dict]:
        """The same target once more, which shows what lies inside.

        Args:
            sink: takes the exact logits, float64 [B, C], and what enters the
                last layer [B, F], after each call of predict_batch.
        Returns: the target, and what is said of its last layer; see Inside.
        Raises: InputError that says why the inside cannot be read.
        """
        raise InputError(
            f"of a {self.info.get('kind', 'target')} only the outputs are seen"
        )

    def close(self) -> None:
        """Ends what the target holds besides memory; it answers no more."""

    def prepare(self, records: np.ndarray, preprocessing=None) -> np.ndarray:
        """Gives the numbers that the model takes, as chosen or by another."""
        if self.choice is None:
            return scale_to_unit(records)
        return (preprocessing or self.choice.chosen).apply(records)

    def predict(
        self,
        records: np.ndarray,
        *,
        progress: bool = False,
        preprocessing=None,
    ) -> np.ndarray:
        """Gives the outputs for records.

        Args:
            records: [N, ...], N >= 1; of a run uint8 images.
            preprocessing: Preprocessing, to try another than the chosen.
        Returns: float32 [N, C], probabilities or logits as info says; one
            number a record is made two classes.
        Raises: InputError if the records do not fit, or the model outputs
            something else.
        """
        records = self._require_records(records)
        return in_batches(
            records,
            functools.partial(
                self._predict_rows,
                fewest=min(self.batch_size, len(records)),
                preprocessing=preprocessing,
            ),
            size=self.batch_size,
            name=self.info["target"],
            progress=progress,
        )

    def _require_records(self, records):
        """The records in the shape of the input."""
        name, shaped = self.info["target"], records
        if self._shape is not None:
            shaped = reshape_images(records, self._shape)
        if self.choice is None:
            axes = (3, 4) if shaped is not None else (4,)
            is_images = records.dtype == np.uint8 and records.ndim in axes
            if not is_images or not len(records):
                raise InputError(
                    "images must be uint8 [N, height, width, channels], got "
                    f"{records.dtype} {list(records.shape)}"
                )
        elif not len(records):
            raise InputError(f"target {name!r} got no records: give some")
        if shaped is None:
            what = "images" if self.choice is None else "records"
            raise InputError(
                f"target {name!r} takes {what} of {list(self._shape)}, got "
                f"{list(records.shape[1:])}: is it a model of this data?"
            )
        return shaped

    def _predict_rows(self, chunk, *, fewest, preprocessing):
        count = len(chunk)
        sizes = {"always": self.batch_size, "last": fewest, "never": count}
        chunk = pad_batch(chunk, sizes[self._fill])
        values = self.prepare(chunk, preprocessing)
        rows = squeezed(np.asarray(self._only(self.predict_batch(values))))
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
        rows = rows[:count].astype(np.float32, copy=False)
        self.gives_one_number = rows.shape[1] == 1
        if self.gives_one_number:
            rows = self._both_classes(rows)
        return softmax(rows) if self._gives_softmax else rows

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
        if self.info.get("outputs") == LOGITS:
            return np.hstack([np.zeros_like(rows), rows])
        return np.hstack([1 - rows, rows])


def only_port(what: str, ports: Mapping, source: object) -> tuple:
    """Returns the name and the value of the one input or output there is.

    Raises: InputError if there are several, or none.
    """
    if len(ports) != 1:
        names = ", ".join(sorted(ports))
        raise InputError(
            f"{source} has {len(ports)} {what}s ({names}); a classifier with "
            f"one {what} is needed"
        )
    return next(iter(ports.items()))


def file_facts(path: pathlib.Path) -> dict:
    """Gives sha256 and size_bytes of a model file.

    Raises: InputError if it is not there.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"there is no model file {path}")
    return {"sha256": files.sha256(path), "size_bytes": path.stat().st_size}
