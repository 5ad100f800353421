"""The comparison of training runs at equal accuracy: matched.json."""

import dataclasses

from qmia_tf import files, typed_json
from qmia_tf.auditing import accuracy_matching
from qmia_tf.statistics.intervals import Estimate

SCHEMA_VERSION = 1


@dataclasses.dataclass(frozen=True)
class TrainingCurve:
    """The accuracy and leak of a training run, by epoch.

    Attributes:
        run: the name of its directory.
        model: what tables call the model.
        points: by epoch; the last is the trained model.
    """

    run: str
    model: str
    points: list[accuracy_matching.Point]


@dataclasses.dataclass(frozen=True)
class ModelComparison:
    """One quantized model against one full-precision run.

    Attributes:
        run: the quantized model's.
        model: what tables call it.
        full: the full-precision run.
        epoch: of the quantized model.
        trained: whether that is the last epoch.
        matches: the nearest epoch and, where there is one, the interpolation.
    """

    run: str
    model: str
    full: str
    epoch: int
    trained: bool
    matches: list[accuracy_matching.Match]


@dataclasses.dataclass(frozen=True)
class MeanDifference:
    """The mean of paired differences over several seeds.

    Attributes:
        model: what tables call the quantized model.
        way: as of Match.
        score: a key of accuracy_matching.SCORES.
        pairs: how many pairs of runs have a match.
        difference: mean leak minus full precision's, Student's interval
            between the pairs, None of one pair.
    """

    model: str
    way: str
    score: str
    pairs: int
    difference: Estimate


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What matched.json holds.

    Attributes:
        schema_version: of this layout, 1.
        level: coverage of every interval.
        dataset: name of the data set.
        full: the full-precision runs.
        quantized: the others.
        compared: one ModelComparison a pair of models.
        means: over several full-precision runs; empty of one.
        notes: sentences for the reader.
    """

    schema_version: int
    level: float
    dataset: str
    full: list[TrainingCurve]
    quantized: list[TrainingCurve]
    compared: list[ModelComparison]
    means: list[MeanDifference]
    notes: list[str]

    def save(self, path):
        """Writes matched.json, whole or not at all."""
        files.write_json(path, typed_json.encode(self))
