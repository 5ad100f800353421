"""The kinds of file that are damaged: a good one, and what reads it."""

import dataclasses
import functools
import io
import json
import pathlib
from collections.abc import Callable

import hostile_files
import numpy as np
import synthetic_audits
import synthetic_outputs

from qmia_tf import outputs, run_config, typed_json
from qmia_tf.attacks import augmented_queries
from qmia_tf.auditing import run_outputs
from qmia_tf.data import loaders, sides, split
from qmia_tf.data.value_ranges import RecordNumbers
from qmia_tf.deploy import manifest
from qmia_tf.deploy.tflite import bounds
from qmia_tf.deploy.tflite.isolation import BY_SIZES, Limits
from qmia_tf.experiments import (
    configuration,
    reference_models,
    run_comparison,
)
from qmia_tf.outputs import output_file, saved_outputs
from qmia_tf.report.reported_audit import Audit
from qmia_tf.run_dir import RunDir
from qmia_tf.targets import listing, run_targets
from qmia_tf.targets.model_options import ModelOptions
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
        apart: whether in a process of its own, which it may kill.
        share: of the usual number of examples; what is slow gets fewer.
    """

    path: str
    good: Callable[[], bytes]
    read: Callable[[pathlib.Path], object]
    apart: bool = False
    share: float = 1.0

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
        + "\n1,0.01,1.6,0.4,,0,58.1,516.7,0.005,901"
        + "\n2,0.01,1.3,0.5,0.46,5000,64.7,463.7,0.007,902\n"
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


@functools.cache
def _rows():
    rng = np.random.default_rng(0)
    return rng.random((12, 3)).astype(np.float32), np.arange(12) % 3


def _records():
    file = io.BytesIO()
    values, labels = _rows()
    np.savez_compressed(
        file, x=values, y=labels, class_names=np.array(["a", "b", "c"])
    )
    return file.getvalue()


def _dataset():
    file = io.BytesIO()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 4, 4, 1), np.uint8)
    np.savez_compressed(file, images=images, labels=_rows()[1])
    return file.getvalue()


def _values():
    file = io.BytesIO()
    np.save(file, _rows()[0])
    return file.getvalue()


def _join(side):
    sides.join(side, loaders.load_side(_rows()), class_names=None)


def _read_values(folder):
    np.save(folder / "labels.npy", _rows()[1])
    _join(loaders.load_side(f"{folder / 'm.npy'}:{folder / 'labels.npy'}"))
    loaders.load_values(folder / "m.npy")


def _read_dataset(folder):
    loaders.load(str(folder / "m.npz")).fingerprint()


def _read_model(name, file_limits=BY_SIZES):
    """Opens a model file and queries it, as an audit does."""

    def read_model(folder):
        values, _ = _rows()
        target = listing.list_model(
            "m",
            folder / name,
            ModelOptions(outputs="probabilities"),
            numbers=RecordNumbers.of(values, is_images=False),
            num_threads=1,
            file_limits=file_limits,
        ).open()
        try:
            target.predict(values)
        finally:
            target.close()

    return read_model


def _read_bounds(folder):
    path = folder / "m.tflite"
    bounds.check(path.read_bytes(), path)


def _read_audit(folder):
    result = Audit.load(folder)
    result.summary()
    result.to_dataframe()


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
    "audit": Kind("audit.json", _audit, _read_audit),
    "records": Kind(
        "m.npz", _records, lambda run: _join(loaders.load_side(run / "m.npz"))
    ),
    "values": Kind("m.npy", _values, _read_values),
    "dataset": Kind("m.npz", _dataset, _read_dataset),
    "tflite_bounds": Kind("m.tflite", hostile_files.softmax, _read_bounds),
}
GOOD = TESTS / "fuzz" / "good"
MODELS = {
    "keras": Kind(
        "m.keras",
        (GOOD / "net.keras").read_bytes,
        _read_model("m.keras"),
        apart=True,
    ),
    "hdf5": Kind(
        "m.h5", (GOOD / "net.h5").read_bytes, _read_model("m.h5"), apart=True
    ),
    # Each starts a process of its own.
    "tflite": Kind(
        "m.tflite",
        hostile_files.softmax,
        _read_model("m.tflite"),
        apart=True,
        share=0.1,
    ),
    "tflite_loop": Kind(
        "m.tflite",
        hostile_files.endless,
        _read_model("m.tflite", Limits(timeout=5)),
        apart=True,
        share=0.03,
    ),
}
ALL = KINDS | MODELS


def read(kind: Kind, content: bytes, folder: pathlib.Path, reader=None) -> None:
    """Reads a file of a kind in an empty run directory.

    Args:
        reader: instead of the kind's own.
    """
    path = folder / kind.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    (reader or kind.read)(folder)


def corpus(name: str) -> list[pathlib.Path]:
    """The damaged files that were once read wrongly."""
    return sorted((CORPUS / name).glob("*"))
