"""Codes and probabilities of two networks, compared and counted. NumPy only."""

import dataclasses

import numpy as np

PROMISED = "default"
# A head in floats adds up in an order of its own: probabilities then differ
# in their last bits. A code that differs in an integer head moves them more.
SLACK = 1e-4


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
        """Adds a batch: two int16 arrays of one shape, of int8's levels.

        Raises: ValueError if they have two.
        """
        if ours.shape != theirs.shape:
            raise ValueError(f"{self.name}: {ours.shape} and {theirs.shape}")
        self.codes += ours.size
        differ = ours != theirs
        if differ.any():
            away = np.abs(ours[differ] - theirs[differ])
            self.mismatches += away.size
            self.largest = max(self.largest, int(away.max()))


@dataclasses.dataclass
class Comparison:
    """Two networks' answers to the same images.

    Attributes:
        against: what the twin is compared with: "keras" or "tflite".
        kernels: a key of interpreter.KERNELS; "" for Keras.
        num_threads: int; 0 for Keras.
        batch_size: int, images a call.
        tensors: list of TensorParity.
        records: int, images so far.
        labels_differ: int, records with another class on top.
        largest_probability: float, the largest difference of a probability.
    """

    against: str
    kernels: str
    num_threads: int
    batch_size: int
    tensors: list
    records: int = 0
    labels_differ: int = 0
    largest_probability: float = 0.0

    def count(self, ours, theirs):
        """Adds a batch.

        Args:
            ours: what the twin gives: a dict name -> int16 levels [N, ...],
                and probabilities float [N, classes].
            theirs: what the other gives; names that are not compared may be
                missing.
        """
        (levels, mine), (others, answers) = ours, theirs
        for tensor in self.tensors:
            tensor.count(levels[tensor.name], others[tensor.name])
        labels, largest = apart(mine, answers)
        self.records += len(mine)
        self.labels_differ += labels
        self.largest_probability = max(self.largest_probability, largest)

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

    @property
    def differs(self) -> bool:
        """Whether a code differs, or a probability by more than SLACK."""
        return self.mismatches > 0 or self.largest_probability > SLACK


@dataclasses.dataclass
class Parity:
    """What was found out about one file.

    Attributes:
        scheme: of the file.
        sha256: of the file.
        twin_sha256: of the twin.
        float_layers: layers that the file keeps in float32.
        rounded_layers: those of them whose sums are rounded to codes. Such
            sums depend on their order, so where there is one, no codes are
            promised.
        comparisons: list of Comparison, Keras first.
    """

    scheme: str
    sha256: str
    twin_sha256: str
    float_layers: list
    rounded_layers: list
    comparisons: list

    @property
    def promised(self) -> bool:
        """Whether no code may differ under the default kernels."""
        return not self.rounded_layers

    @property
    def broken(self) -> list:
        """The comparisons that break the promise."""
        return [
            found for found in self._judged if self.promised and found.differs
        ]

    @property
    def kept(self) -> bool | None:
        """Whether the promise holds; None if there is none, or no test."""
        if not (self.promised and self._judged):
            return None
        return not self.broken

    @property
    def verdict(self) -> str:
        """One line for people."""
        if not self.promised:
            return (
                f"{self.scheme}: no promise, because float layers "
                f"({', '.join(self.rounded_layers)}) are rounded to codes"
            )
        if not self._judged:
            return f"{self.scheme}: not tried under the default kernels"
        if not self.broken:
            return f"{self.scheme}: no code differs under the default kernels"
        worst = max(self.broken, key=lambda found: found.mismatches)
        what = f"{worst.mismatches} codes differ"
        if not worst.mismatches:
            largest = max(found.largest_probability for found in self.broken)
            what = f"probabilities differ by up to {largest:.1e}"
        return (
            f"{self.scheme}: PROMISE BROKEN: {what} under the default kernels"
        )

    @property
    def _judged(self):
        return [
            found for found in self.comparisons if found.kernels == PROMISED
        ]

    def as_dict(self) -> dict:
        """Returns everything as plain data, for JSON."""
        found = dataclasses.asdict(self)
        for entry, comparison in zip(
            found["comparisons"], self.comparisons, strict=True
        ):
            for name in ("codes", "mismatches", "largest"):
                entry[name] = getattr(comparison, name)
        return {
            **found,
            "promised": self.promised,
            "kept": self.kept,
            "verdict": self.verdict,
        }


def apart(ours, theirs):
    """Compares probabilities.

    Args:
        ours: float [N, classes].
        theirs: the same shape.
    Returns: (labels that differ, largest difference of a probability), where
        one that is no number differs by 1.
    """
    labels = np.sum(ours.argmax(axis=1) != theirs.argmax(axis=1))
    away = np.nan_to_num(np.abs(ours - theirs), nan=1.0, posinf=1.0)
    return int(labels), float(away.max(initial=0.0))
