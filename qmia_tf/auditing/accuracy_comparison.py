"""What comparing training runs at equal accuracy finds: matched.json."""

import dataclasses

from qmia_tf import files
from qmia_tf.auditing import accuracy_matching, audit_json
from qmia_tf.statistics.intervals import Estimate

SCHEMA_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Curve:
    """A training run, epoch by epoch.

    Attributes:
        run: the name of its directory.
        model: what tables call the model.
        points: by epoch; the last is the trained model.
    """

    run: str
    model: str
    points: list[accuracy_matching.Point]


@dataclasses.dataclass(frozen=True)
class Compared:
    """One quantized model against one full-precision run.

    Attributes:
        run: the quantized model's.
        model: what tables call it.
        full: the full-precision run.
        epoch: of the quantized model.
        trained: whether that is the last one.
        matches: the nearest epoch and, where there is one, the interpolation.
    """

    run: str
    model: str
    full: str
    epoch: int
    trained: bool
    matches: list[accuracy_matching.Match]


@dataclasses.dataclass(frozen=True)
class Mean:
    """The mean of paired differences over several seeds.

    Attributes:
        model: what tables call the quantized model.
        way: as of Match.
        score: a key of matched.SCORES.
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
        compared: what was held against what.
        means: over several full-precision runs; empty of one.
        notes: what the reader has to know.
    """

    schema_version: int
    level: float
    dataset: str
    full: list[Curve]
    quantized: list[Curve]
    compared: list[Compared]
    means: list[Mean]
    notes: list[str]

    def save(self, path):
        """Writes matched.json, whole or not at all."""
        files.write_json(path, audit_json.encode(self))
