"""What an attacker can query: a .tflite file, saved outputs, a Keras model.

A target has one method, `predict(images) -> probabilities`, and says what it
is in `info`. Members and nonmembers go through the same call, so what differs
between them is the target's output alone. Keras models are in keras_model.py;
the rest needs neither TensorFlow nor Keras.
"""

import copy
import pathlib
import typing

import numpy as np

from qmia_tf import files, outputs
from qmia_tf.data.records import Records
from qmia_tf.deploy.tflite.classifier import Classifier
from qmia_tf.errors import InputError


class Target(typing.Protocol):
    """Anything that can be queried.

    Attributes:
        info: dict for Outputs.info: target (a file-safe name), kind, sha256,
            size_bytes, kernel_set, probability_step.
    """

    info: dict

    def predict(self, images, *, progress=False):
        """Gives the outputs for images.

        Args:
            images: uint8 [N, height, width, channels].
            progress: shows a bar.
        Returns: float32 [N, classes] probabilities.
        """


class TFLiteTarget:
    """A .tflite file under LiteRT.

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
        path = pathlib.Path(path)
        self._classifier = Classifier(
            path,
            name=name,
            num_threads=num_threads,
            batch_size=batch_size,
            kernels=kernels,
            logits=logits,
            signature=signature,
        )
        self.interpreter = self._classifier.interpreter
        self.batch_size = self._classifier.batch_size
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

    def predict(self, images, *, progress=False):
        """See Target.

        Raises: InputError also as Classifier.predict.
        """
        return self._classifier.predict(images, progress=progress)


class SavedOutputs:
    """Outputs that were stored before, for example on a phone.

    Args:
        path: outputs/TARGET.npz; see outputs.Outputs.
    Raises: InputError if the file is damaged or something else.
    """

    def __init__(self, path):
        self.outputs = outputs.load(path)
        self.info = dict(self.outputs.info)

    def of_records(self, records):
        """Gives the same target with its outputs in another order.

        Args:
            records: int [N], indices into the data set, in the order in
                which their images will be queried.
        Raises: InputError if there is no output for one of them.
        """
        order = np.argsort(self.outputs.record_ids)
        stored = self.outputs.record_ids[order]
        places = np.searchsorted(stored, records).clip(max=len(stored) - 1)
        missing = np.asarray(records)[stored[places] != records]
        if missing.size:
            raise InputError(
                f"target {self.info['target']!r} has no saved output for "
                f"record {missing[0]} ({missing.size} such records)"
            )
        arranged = copy.copy(self)
        arranged.outputs = self.outputs.take(order[places])
        return arranged

    def predict(self, images, *, progress=False):
        """Gives the stored outputs, in their order; as many as images."""
        stored = self.outputs.probabilities
        if len(images) != len(stored):
            raise InputError(
                f"target {self.info['target']!r} has {len(stored)} saved "
                f"outputs, not {len(images)}"
            )
        return stored


def query(target, records: Records, *, run="", progress=True):
    """Queries a target about every member and nonmember.

    Args:
        target: Target.
        records: Records.
        run: name of the run, recorded.
        progress: shows a bar.
    Returns: outputs.Outputs in the order of the records, validated.
    Raises: InputError if images do not fit the target or its outputs are not
        probabilities.
    """
    if isinstance(target, SavedOutputs):
        target = target.of_records(records.record_ids)
    probabilities = target.predict(records.values, progress=progress)
    if probabilities.shape != (len(records.labels), records.classes):
        raise InputError(
            f"target {target.info['target']!r} outputs "
            f"{list(probabilities.shape)}, expected "
            f"[{len(records.labels)}, {records.classes}]: is it a model of "
            f"{records.name}?"
        )
    target_outputs = outputs.Outputs(
        probabilities=probabilities,
        labels=records.labels,
        members=records.members,
        record_ids=records.record_ids,
        info={**target.info, "fingerprint": records.fingerprint, "run": run},
    )
    return target_outputs.validate(f"target {target.info['target']!r}")


def file_facts(path):
    """Gives sha256 and size_bytes of a model file.

    Raises: InputError if it is not there.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"there is no model file {path}")
    return {"sha256": files.sha256(path), "size_bytes": path.stat().st_size}
