"""Codes and probabilities of two networks, compared and counted. NumPy only."""

import dataclasses

import numpy as np

PROMISED = "default"
# What a twin is compared with: the trained model, or the file.
TRAINED, FILE = "keras", "tflite"
# A head in floats adds up in an order of its own: probabilities then differ
# in their last bits. A code that differs in an integer head moves them more.
SLACK = 1e-4


@dataclasses.dataclass
class ParityStage:
    """Codes of one tensor, in two networks.

    Attributes:
        name: of the tensor, and of the twin's layer.
        codes: how many were compared.
        mismatches: how many differ.
        largest: the largest difference, in codes.
    """

    name: str
    codes: int = 0
    mismatches: int = 0
    largest: int = 0

    def count(self, ours: np.ndarray, theirs: np.ndarray) -> None:
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
class ParityComparison:
    """A file's integer twin and one other network on the same images.

    Attributes:
        against: TRAINED or FILE.
        kernels: a key of interpreter.KERNELS; "" for Keras.
        num_threads: of LiteRT; 0 for Keras.
        batch_size: images a call.
        records: images.
        codes: how many were compared, over all stages.
        mismatches: how many differ.
        largest: the largest difference, in codes.
        labels_differ: records with another class on top.
        largest_probability: the largest difference of a probability.
        stages: one a tensor, in the network's order.
    """

    against: str
    kernels: str
    num_threads: int
    batch_size: int
    records: int = 0
    codes: int = 0
    mismatches: int = 0
    largest: int = 0
    labels_differ: int = 0
    largest_probability: float = 0.0
    stages: list[ParityStage] = dataclasses.field(default_factory=list)

    def count(self, of_twin: tuple, of_other: tuple) -> None:
        """Adds a batch: name -> int16 levels [N, ...], and probabilities.

        Names that are not compared may be missing from the other network's.
        """
        (levels, probabilities), (other_levels, others) = of_twin, of_other
        for stage in self.stages:
            stage.count(levels[stage.name], other_levels[stage.name])
        self.codes = sum(stage.codes for stage in self.stages)
        self.mismatches = sum(stage.mismatches for stage in self.stages)
        self.largest = max((x.largest for x in self.stages), default=0)
        labels, largest = apart(probabilities, others)
        self.records += len(probabilities)
        self.labels_differ += labels
        self.largest_probability = max(self.largest_probability, largest)

    @property
    def differs(self) -> bool:
        """Whether a code differs, or a probability by more than SLACK."""
        return self.mismatches > 0 or self.largest_probability > SLACK


@dataclasses.dataclass
class Parity:
    """An integer file and its twin, compared code by code; see `judged`.

    Attributes:
        promised: whether no code may differ under the default kernels.
        kept: whether none does; None if that was not promised or not tried.
        verdict: that in a sentence.
        float_layers: layers that the file keeps in floats.
        rounded_layers: those of them whose sums are rounded to codes. Such
            sums depend on their order, so where there is one, no codes are
            promised.
        comparisons: one a network, Keras first.
    """

    promised: bool
    kept: bool | None
    verdict: str
    float_layers: list[str]
    rounded_layers: list[str]
    comparisons: list[ParityComparison]


@dataclasses.dataclass
class FileParity(Parity):
    """The parity of one file, and which file it is.

    Attributes:
        scheme: of the file.
        sha256: of the file.
        twin_sha256: of the twin.
    """

    scheme: str
    sha256: str
    twin_sha256: str

    @property
    def broken(self) -> list[ParityComparison]:
        """The comparisons that break the promise."""
        return _broken(self.promised, self.comparisons)

    def as_dict(self) -> dict:
        """Returns everything as plain data, for parity.json."""
        stored = dataclasses.asdict(self)
        for comparison in stored["comparisons"]:
            comparison["tensors"] = comparison.pop("stages")
        return stored


def judged(
    scheme: str,
    comparisons: list[ParityComparison],
    *,
    rounded_layers: list[str],
    **facts,
) -> FileParity:
    """Judges whether a file keeps the promise that no code differs.

    The facts are the other fields of FileParity.
    """
    promised = not rounded_layers
    is_tried = any(entry.kernels == PROMISED for entry in comparisons)
    broken = _broken(promised, comparisons)
    if not promised:
        words = (
            f"no promise, because float layers ({', '.join(rounded_layers)}) "
            "are rounded to codes"
        )
    elif not is_tried:
        words = "not tried under the default kernels"
    elif not broken:
        words = "no code differs under the default kernels"
    else:
        words = f"PROMISE BROKEN: {_worst(broken)} under the default kernels"
    return FileParity(
        promised=promised,
        kept=not broken if promised and is_tried else None,
        verdict=f"{scheme}: {words}",
        rounded_layers=rounded_layers,
        comparisons=comparisons,
        scheme=scheme,
        **facts,
    )


def _broken(promised, comparisons):
    return [
        entry
        for entry in comparisons
        if promised and entry.kernels == PROMISED and entry.differs
    ]


def _worst(broken):
    mismatches = max(entry.mismatches for entry in broken)
    if mismatches:
        return f"{mismatches} codes differ"
    largest = max(entry.largest_probability for entry in broken)
    return f"probabilities differ by up to {largest:.1e}"


def apart(ours: np.ndarray, theirs: np.ndarray) -> tuple[int, float]:
    """Compares probabilities [N, classes].

    Returns: labels that differ, and the largest difference of a probability,
        where one that is no number differs by 1.
    """
    labels = np.sum(ours.argmax(axis=1) != theirs.argmax(axis=1))
    away = np.nan_to_num(np.abs(ours - theirs), nan=1.0, posinf=1.0)
    return int(labels), float(away.max(initial=0.0))
