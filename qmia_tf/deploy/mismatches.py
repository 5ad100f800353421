"""Codes and probabilities of two networks, compared and counted. NumPy only."""

import dataclasses

import numpy as np

PROMISED = "default"


@dataclasses.dataclass
class TensorParity:
    """Codes of one tensor, in two networks.

    Attributes:
        name: of the tensor, and of the twin's layer.
        codes: int, compared.
        mismatches: int, that differ.
        largest: int, the largest difference, in codes.
    """

    name: str
    codes: int = 0
    mismatches: int = 0
    largest: int = 0

    def count(self, ours, theirs):
        """Adds a batch: two integer-valued arrays of one shape."""
        apart = np.abs(ours - theirs)
        self.codes += apart.size
        self.mismatches += int(np.count_nonzero(apart))
        self.largest = max(self.largest, int(apart.max(initial=0)))


@dataclasses.dataclass
class Comparison:
    """Two networks' answers to the same images.

    Attributes:
        against: what the twin is compared with: "keras" or "tflite".
        kernels: a key of interpreter.KERNELS; "" for Keras.
        num_threads: int; 0 for Keras.
        batch_size: int, images a call.
        records: int.
        tensors: list of TensorParity.
        labels_differ: int, records with another class on top.
        largest_probability: float, the largest difference of a probability.
    """

    against: str
    kernels: str
    num_threads: int
    batch_size: int
    records: int
    tensors: list
    labels_differ: int
    largest_probability: float

    @property
    def codes(self) -> int:
        """Codes compared."""
        return sum(tensor.codes for tensor in self.tensors)

    @property
    def mismatches(self) -> int:
        """Codes that differ."""
        return sum(tensor.mismatches for tensor in self.tensors)

    @property
    def largest(self) -> int:
        """The largest difference, in codes."""
        return max((tensor.largest for tensor in self.tensors), default=0)


@dataclasses.dataclass
class Parity:
    """What was found out about one file.

    Attributes:
        scheme: of the file.
        sha256: of the file.
        twin_sha256: of the twin.
        float_layers: layers that the file keeps in float32.
        promised: whether no code may differ under the default kernels: not
            where a float layer stands before an integer one.
        comparisons: list of Comparison, Keras first.
    """

    scheme: str
    sha256: str
    twin_sha256: str
    float_layers: list
    promised: bool
    comparisons: list

    @property
    def broken(self) -> list:
        """The comparisons that break the promise."""
        return [
            found
            for found in self.comparisons
            if self.promised and found.kernels == PROMISED and found.mismatches
        ]

    def as_dict(self) -> dict:
        """Returns everything as plain data, for JSON."""
        found = dataclasses.asdict(self)
        for entry, comparison in zip(
            found["comparisons"], self.comparisons, strict=True
        ):
            entry["codes"] = comparison.codes
            entry["mismatches"] = comparison.mismatches
        return {**found, "kept": not self.broken}


def apart(ours, theirs):
    """Compares probabilities.

    Args:
        ours: float [N, classes].
        theirs: the same shape.
    Returns: (labels that differ, largest difference of a probability).
    """
    labels = np.sum(ours.argmax(axis=1) != theirs.argmax(axis=1))
    return int(labels), float(np.abs(ours - theirs).max(initial=0.0))
