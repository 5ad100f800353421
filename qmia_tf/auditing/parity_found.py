"""What parity.json of a run says of one of its files."""

import dataclasses
import pathlib

from qmia_tf import runs
from qmia_tf.auditing import audit_json
from qmia_tf.errors import InputError

PARITY = "parity.json"


@dataclasses.dataclass(frozen=True)
class ParityStage:
    """Codes of one tensor, compared.

    Attributes:
        name: of the tensor, and of the twin's layer.
        codes: how many were compared.
        mismatches: how many differ.
        largest: the largest difference, in codes.
    """

    name: str
    codes: int
    mismatches: int
    largest: int


@dataclasses.dataclass(frozen=True)
class ParityComparison:
    """The file's integer twin beside one other network.

    Attributes:
        against: "keras", the trained model, or "tflite", the file.
        kernels: kernel set of the file; "" for Keras.
        num_threads: of LiteRT; 0 for Keras.
        batch_size: images a call.
        records: images.
        codes: how many were compared, over all stages.
        mismatches: how many differ.
        largest: the largest difference, in codes.
        labels_differ: records with another class on top.
        largest_probability: the largest difference of a probability.
        stages: one ParityStage a tensor, in the network's order.
    """

    against: str
    kernels: str
    num_threads: int
    batch_size: int
    records: int
    codes: int
    mismatches: int
    largest: int
    labels_differ: int
    largest_probability: float
    stages: list[ParityStage]


@dataclasses.dataclass(frozen=True)
class Parity:
    """An integer file and its twin, compared code by code.

    Attributes:
        promised: whether no code may differ under the default kernels.
        kept: whether none does; None if that was not promised or not tried.
        verdict: that in a sentence.
        float_layers: layers that the file keeps in floats.
        rounded_layers: those of them that are rounded to codes, for which
            nothing is promised.
        comparisons: one ParityComparison a network, Keras first.
    """

    promised: bool
    kept: bool | None
    verdict: str
    float_layers: list[str]
    rounded_layers: list[str]
    comparisons: list[ParityComparison]


def of_run(run_dir) -> dict[str, Parity]:
    """Reads what scripts/parity.py found.

    Args:
        run_dir: the run directory.
    Returns: dict sha256 of a file -> Parity; empty without parity.json.
    Raises: InputError if parity.json cannot be read as such.
    """
    path = pathlib.Path(run_dir) / PARITY
    if not path.is_file():
        return {}
    entries = runs.read_json(path)
    try:
        return {entry["sha256"]: _of(entry, path) for entry in entries}
    except (TypeError, KeyError, AttributeError, InputError) as error:
        raise InputError(
            f"{path} is damaged: make it again with python scripts/parity.py "
            f"--run_dir={run_dir}, or delete it"
        ) from error


def _of(entry, path):
    comparisons = [
        {**each, "stages": each["tensors"]} for each in entry["comparisons"]
    ]
    return audit_json.decode(
        Parity, {**entry, "comparisons": comparisons}, source=str(path)
    )
