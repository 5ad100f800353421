"""What an attacker can query: a Keras model, a .tflite file, saved outputs.

A target answers one question, `predict(images) -> probabilities`, and says
what it is in `info`. Members and nonmembers go through the same call, so what
differs between them is the target's answer alone. The TFLite side needs
neither TensorFlow nor Keras.
"""

import copy
import pathlib
import typing

import numpy as np

from qmia_tf import messages, outputs, runs
from qmia_tf.deploy import clipping
from qmia_tf.deploy.interpreter import Interpreter
from qmia_tf.errors import InputError
from qmia_tf.image_shapes import fitted
from qmia_tf.logits import check_kind, softmax

PIXEL_STEPS = 255
SUBCLASSED = (
    "a subclassed model does not say them: give a function, such as lambda x: "
    "model(x, training=False).numpy(), or the directory that "
    "model.export(DIR) writes"
)


class Target(typing.Protocol):
    """Anything that answers queries.

    Attributes:
        info: dict for Outputs.info: target (a file-safe name), kind, sha256,
            size_bytes, kernel_set, probability_step.
    """

    info: dict

    def predict(self, images, *, progress=False):
        """Answers a query.

        Args:
            images: uint8 [N, height, width, channels].
            progress: shows a bar.
        Returns: float32 [N, classes] probabilities.
        """


class KerasTarget:
    """A Keras model that takes pixels / 255 and gives probabilities.

    Args:
        model: path of a .keras file, which is then frozen, or a keras.Model,
            which is left as it is.
        name: the target's name.
        batch_size: images a call; where there are several the last one is
            filled up, for XLA compiles each size.
    Raises: InputError if the file cannot be loaded, or the model has not one
        input and one output.
    """

    def __init__(self, model, *, name="keras", batch_size=250):
        import tensorflow as tf

        from qmia_tf import keras_calls, keras_files

        self.info = {"target": name, "kind": "keras", "kernel_set": "keras"}
        if isinstance(model, (str, pathlib.Path)):
            self.info.update(file_facts(model))
            model = keras_files.load(model)
            keras_files.freeze(model)
        for what in ("inputs", "outputs"):
            count = len(getattr(model, what, None) or ())
            if count != 1:
                raise InputError(
                    f"target {name!r} has {count} {what}; an image "
                    "classifier with one input and one output is needed"
                    + ("" if count else f" ({SUBCLASSED})")
                )
        self.info["probability_step"] = 0.0
        self.model = model
        self.batch_size = batch_size
        options = keras_calls.inference_options(model)
        # An output may be a dict of one.
        self._answer = tf.function(
            lambda x: tf.nest.flatten(model(x, **options))[0],
            input_signature=[tf.TensorSpec(model.input_shape, tf.float32)],
        )
        keeping = keras_calls.keeping_layers(model)
        self._reset = lambda: keras_calls.reset(keeping)

    def predict(self, images, *, progress=False):
        """See Target."""
        expected = self.model.input_shape[1:]
        images = _fitted(images, expected, self.info["target"])

        def answer(chunk):
            self._reset()
            whole = filled(chunk, min(self.batch_size, len(images)))
            return self._answer(as_unit(whole)).numpy()[: len(chunk)]

        return in_batches(images, answer, self, progress)


class TFLiteTarget:
    """A .tflite file under LiteRT.

    Float inputs get pixels / 255; integer inputs get the pixel / 255 rounded
    to the input's own scale and zero point. Integer outputs are turned into
    numbers by the output's.

    Args:
        path: the .tflite file.
        name: the target's name; by default the file's.
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
        self.info = {
            "target": name or path.stem,
            "kind": "tflite",
            "kernel_set": kernels,
            **file_facts(path),
            "outputs": "logits" if logits else "probabilities",
            "probability_step": 0.0 if logits else self.interpreter.output_step,
        }
        if signature is not None:
            self.info["signature"] = signature
        self._logits = logits
        self._judged = False

    def predict(self, images, *, progress=False):
        """See Target.

        Raises: InputError also if the first batch's answers are no
            probabilities, or with logits=True, if they are; and if the input
            cannot hold pixels / 255.
        """
        expected = self.interpreter.input.shape[1:]
        images = _fitted(images, expected, self.info["target"])
        return in_batches(images, self._answer, self, progress)

    def _answer(self, chunk):
        entry = self.interpreter.input
        if entry.is_plain:
            values = entry.cast(chunk)
        elif entry.step == 0:
            values = as_unit(chunk)
        elif entry.is_pixels:
            values = chunk
        else:
            values = as_unit(chunk)
            if not self._judged:
                _require_held(values, entry, self.info["target"])
            values = entry.quantize(values)
        answers = self.interpreter.run(values)
        answers = self.interpreter.output.dequantize(answers)
        if not self._judged:
            check_kind(
                answers,
                name=self.info["target"],
                step=self.interpreter.output_step,
                as_logits=self._logits,
            )
            self._judged = True
        return softmax(answers) if self._logits else answers


class SavedOutputs:
    """Answers that were captured before, for example on a phone.

    Args:
        path: outputs/TARGET.npz; see outputs.Outputs.
    Raises: InputError if the file is damaged or something else.
    """

    def __init__(self, path):
        self.outputs = outputs.load(path)
        self.info = dict(self.outputs.info)

    def of_records(self, records):
        """Gives the same target with its answers in another order.

        Args:
            records: int [N], indices into the data set, in the order in
                which their images are going to be asked.
        Raises: InputError if there is no answer for one of them.
        """
        order = np.argsort(self.outputs.record_ids)
        stored = self.outputs.record_ids[order]
        found = np.searchsorted(stored, records).clip(max=len(stored) - 1)
        missing = np.asarray(records)[stored[found] != records]
        if missing.size:
            raise InputError(
                f"target {self.info['target']!r} has no saved answer for "
                f"record {missing[0]} ({missing.size} such records)"
            )
        arranged = copy.copy(self)
        arranged.outputs = self.outputs.take(order[found])
        return arranged

    def predict(self, images, *, progress=False):
        """Gives the stored answers, in their order; as many as images."""
        stored = self.outputs.probabilities
        if len(images) != len(stored):
            raise InputError(
                f"target {self.info['target']!r} has {len(stored)} saved "
                f"answers, not {len(images)}"
            )
        return stored


def query(target, dataset, split, *, run="", progress=True):
    """Asks a target about every member and nonmember of a run.

    Args:
        target: Target.
        dataset: datasets.Dataset.
        split: split.Split of that data set.
        run: name of the run, recorded.
        progress: shows a bar.
    Returns: outputs.Outputs, members first, validated.
    Raises: InputError if images do not fit the target or its answers are not
        probabilities.
    """
    records = np.concatenate([split.members, split.nonmembers])
    images, labels = dataset.take(records)
    if isinstance(target, SavedOutputs):
        target = target.of_records(records)
    probabilities = target.predict(images, progress=progress)
    if probabilities.shape != (len(records), dataset.classes):
        raise InputError(
            f"target {target.info['target']!r} answers "
            f"{list(probabilities.shape)}, expected "
            f"[{len(records)}, {dataset.classes}]: is it a model of "
            f"{dataset.name}?"
        )
    answers = outputs.Outputs(
        probabilities=probabilities,
        labels=labels,
        members=np.arange(len(records)) < len(split.members),
        record_ids=records,
        info={**target.info, "fingerprint": split.fingerprint, "run": run},
    )
    return answers.validate(f"target {target.info['target']!r}")


def as_unit(images):
    """Turns uint8 pixels into float32 pixels / 255."""
    return images.astype(np.float32) / np.float32(PIXEL_STEPS)


def filled(batch, size):
    """Repeats the first record until a batch is as large as the others.

    XLA compiles a quantized network for every size of batch.

    Args:
        batch: array [B, ...], B >= 1.
        size: int.
    Returns: array [max(B, size), ...], the batch first.
    """
    missing = size - len(batch)
    if missing <= 0:
        return batch
    return np.concatenate([batch, np.repeat(batch[:1], missing, axis=0)])


def in_batches(images, answer, target, progress):
    """Asks about target.batch_size records at a time, under a bar.

    Args:
        images: array [N, ...].
        answer: callable, array [B, ...] -> array [B, classes].
        target: has info["target"] and batch_size.
        progress: shows a bar after two seconds.
    Returns: float32 [N, classes].
    """
    bar = messages.bar(
        total=len(images),
        unit="image",
        desc=target.info["target"],
        shown=progress,
    )
    answers = None
    with bar:
        for start in range(0, len(images), target.batch_size):
            chunk = images[start : start + target.batch_size]
            rows = answer(chunk)
            if answers is None:
                shape = (len(images), *rows.shape[1:])
                answers = np.empty(shape, np.float32)
            answers[start : start + len(chunk)] = rows
            bar.update(len(chunk))
    return answers


def _require_held(values, entry, name):
    low, high = clipping.limits(entry.dtype, entry.step, entry.zero_point)
    share = max(clipping.shares_outside(values, low, high))
    why = None
    if share >= clipping.NOTICEABLE:
        why = f"{100 * share:.0f} % of the pixels / 255 lie outside"
    elif clipping.is_wider(entry.dtype, entry.step, entry.zero_point):
        why = "pixels / 255 fill 0 to 1 only"
    if why:
        raise InputError(
            f"target {name!r} takes numbers of {low:.4g} to {high:.4g}, and "
            f"{why}: is it a file of pixels in 0..1? scripts/audit.py takes "
            "others"
        )


def _fitted(images, expected, name):
    """Images in the shape of an input; refuses those that do not fit."""
    fits = fitted(images, expected)
    are_images = images.ndim == 4 or (images.ndim == 3 and fits is not None)
    if images.dtype != np.uint8 or not are_images or not len(images):
        raise InputError(
            "images must be uint8 [N, height, width, channels], got "
            f"{images.dtype} {list(images.shape)}"
        )
    if fits is None:
        raise InputError(
            f"target {name!r} takes images of {list(expected)}, got "
            f"{list(images.shape[1:])}: is it a model of this data set?"
        )
    return fits


def file_facts(path):
    """Gives sha256 and size_bytes of a model file.

    Raises: InputError if it is not there.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"there is no model file {path}")
    return {"sha256": runs.sha256(path), "size_bytes": path.stat().st_size}
