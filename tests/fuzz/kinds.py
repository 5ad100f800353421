"""The kinds of file that are damaged: a good one, and what reads it."""

import dataclasses
import functools
import io
import json
import pathlib
from collections.abc import Callable

import numpy as np
import synthetic_audits
import synthetic_outputs

from qmia_tf import outputs, run_config, typed_json
from qmia_tf.attacks import augmented_queries
from qmia_tf.auditing import audit_result, run_outputs
from qmia_tf.data import split
from qmia_tf.deploy import manifest
from qmia_tf.experiments import (
    configuration,
    reference_models,
    run_comparison,
)
from qmia_tf.outputs import output_file, saved_outputs
from qmia_tf.run_dir import RunDir
from qmia_tf.targets import run_targets
from qmia_tf.training import history

TESTS = pathlib.Path(__file__).parent.parent
GOLDEN = TESTS / "golden" / "inputs" / "w4a4"
CORPUS = TESTS / "fuzz" / "corpus"


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes:
        path: in a run directory.
        good: gives the bytes of a good one.
        read: reads that run directory, as programs do.
    """

    path: str
    good: Callable[[], bytes]
    read: Callable[[pathlib.Path], object]

    @property
    def suffix(self):
        return pathlib.Path(self.path).suffix


def _golden(path):
    return (GOLDEN / path).read_bytes


@functools.cache
def _outputs():
    file = io.BytesIO()
    some = synthetic_outputs.outputs(6, 6, classes=3)
    arrays = {k: v for k, v in vars(some).items() if v is not None}
    np.savez_compressed(file, **{**arrays, "info": json.dumps(some.info)})
    return file.getvalue()


def _csv():
    some = synthetic_outputs.outputs(6, 6, classes=3)
    rows = np.column_stack([some.probabilities, some.labels, some.record_ids])
    lines = [",".join(f"{x:.9g}" for x in row) for row in rows.tolist()]
    return "\n".join(["p0,p1,p2,label,id", *lines]).encode()


def _history():
    return (
        ",".join(history.COLUMNS)
        + "\n1,0.01,1.6,0.4,,0,58.1,516.7,0.005"
        + "\n2,0.01,1.3,0.5,0.46,5000,64.7,463.7,0.007\n"
    ).encode()


@functools.cache
def _audit():
    audit = synthetic_audits.result()
    return json.dumps(typed_json.encode(audit)).encode()


def _read_config(folder):
    run_config.read(folder)
    config = configuration.read(folder)
    configuration.recipe_of(config)
    run_comparison.model_name(config)
    reference_models.plan(config, 2)
    config.pop("tensorflow", None)
    RunDir(folder).open(config)


def _read_manifest(folder):
    entries = manifest.read_manifest(folder / "artifacts")
    manifest.table(entries.values())
    run_targets.list_targets(folder)


def _read_split(folder):
    split.load(folder / "split.npz", _fingerprint())


@functools.cache
def _fingerprint():
    with np.load(GOLDEN / "split.npz") as stored:
        return str(stored["fingerprint"])


def _read_augmented(folder):
    labels = augmented_queries.load(folder / "augmented.npz")
    labels.aligned(np.arange(5))


def _read_outputs(folder):
    saved_outputs.is_outputs(folder / "o.npz")
    saved_outputs.require_known_arrays(folder / "o.npz")
    outputs.load(folder / "o.npz").in_record_order()


def _read_output_file(folder):
    saved_outputs.alone(folder / "o.npz")


def _read_csv(folder):
    file = output_file.OutputFile.read(folder / "o.csv")
    file.check_rows()


AUGMENTED = next((GOLDEN / "augmented_queries").glob("*.npz"))
KINDS = {
    "config": Kind("config.json", _golden("config.json"), _read_config),
    "history": Kind(
        "history.csv", _history, lambda run: history.read(run / "history.csv")
    ),
    "manifest": Kind(
        "artifacts/manifest.json",
        _golden("artifacts/manifest.json"),
        _read_manifest,
    ),
    "split": Kind("split.npz", _golden("split.npz"), _read_split),
    "augmented": Kind("augmented.npz", AUGMENTED.read_bytes, _read_augmented),
    "outputs": Kind("o.npz", _outputs, _read_outputs),
    "output_file": Kind("o.npz", _outputs, _read_output_file),
    "csv": Kind("o.csv", _csv, _read_csv),
    "parity": Kind("parity.json", _golden("parity.json"), run_outputs.parities),
    "audit": Kind("audit.json", _audit, audit_result.load),
}


def read(kind: Kind, content: bytes, folder: pathlib.Path) -> None:
    """Reads a file of a kind in an empty run directory."""
    path = folder / kind.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    kind.read(folder)


def corpus(name: str) -> list[pathlib.Path]:
    """The damaged files that were once read wrongly."""
    return sorted((CORPUS / name).glob("*"))
