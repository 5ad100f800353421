"""Makes tests/golden/ anew. For maintainers alone, and seldom.

    python tests/golden/make_golden.py            results of the stored inputs
    python tests/golden/make_golden.py --inputs   inputs too: trains models

The results are what tests/golden_test.py holds the programs to. Make them anew
only where a number is meant to move, and say which and why in CHANGELOG.md; a
field that is renamed needs an entry in golden_trees.NAMES instead. --inputs
trains seven small networks and takes some minutes on two cores; the weights,
and so all numbers, differ by processor. The results take a minute.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

import golden_audits  # noqa: E402
import numpy as np  # noqa: E402

from qmia_tf import files, outputs  # noqa: E402
from qmia_tf.data import split  # noqa: E402

RECORDS, TWICE = 600, (3, 3, 40, 77, 120, 121)
DATA = "digits600.npz"
TRAIN = (f"--dataset={DATA}", "--epochs=24", "--width=8", "--keep_every=8")
COMMANDS = (
    ("train", "--run_dir=w32a32", *TRAIN),
    (
        "train",
        "--run_dir=w4a4",
        "--weight_bits=4",
        "--activation_bits=4",
        *TRAIN,
    ),
    ("export", "--run_dir=w32a32", "--schemes=int8_ptq"),
    ("export", "--run_dir=w4a4", "--schemes=int8,int8_io"),
    ("train_references", "--run_dir=w4a4", "--count=4", "--schemes=int8"),
    ("parity", "--run_dir=w4a4", "--records=200"),
    ("attack", "--run_dir=w32a32", *golden_audits.RUN),
    ("attack", "--run_dir=w4a4", *golden_audits.RUN),
    ("compare", "--full=w32a32", "--quantized=w4a4", "--out=matched"),
)
# What an audit reads of a run directory.
READ = (
    "config.json",
    "parity.json",
    "split.npz",
    "artifacts/manifest.json",
    "outputs/**/*.npz",
    "augmented_queries/*.npz",
    "references/*/config.json",
    "references/*/outputs/keras.npz",
    "references/*/outputs/int8.npz",
)
MODELS = ("model.keras", "artifacts/*.*", "checkpoints/*.keras")
SIDE, CALIBRATED, LABELLED = 200, 40, 150


def digits():
    """All of the digits: uint8 [1797, 8, 8, 1] and int64 [1797]."""
    from sklearn.datasets import load_digits

    bundle = load_digits()
    images = np.round(bundle.images * (255 / 16)).astype(np.uint8)
    return images[..., None], bundle.target


def train(folder):
    """Makes both runs, with all that belongs to them."""
    folder.mkdir()
    images, labels = digits()
    rows = [*range(RECORDS), *TWICE]
    np.savez_compressed(folder / DATA, images=images[rows], labels=labels[rows])
    for program, *flags in COMMANDS:
        subprocess.run(
            [sys.executable, ROOT / "scripts" / f"{program}.py", *flags],
            cwd=folder,
            check=True,
        )


def take(folder, inputs):
    """Copies what an audit reads; answers name stand-ins for the models."""
    shutil.copy(folder / DATA, inputs / DATA)
    hashes, models = {}, []
    for run in ("w32a32", "w4a4"):
        for pattern in MODELS:
            for path in sorted((folder / run).glob(pattern)):
                name = str(path.relative_to(folder))
                if path.suffix in (".keras", ".tflite"):
                    data = golden_audits.stand_in(name)
                    new = hashlib.sha256(data).hexdigest()
                    hashes[files.sha256(path)] = new
                    models.append(name)
        for pattern in READ:
            for path in (folder / run).glob(pattern):
                place = inputs / path.relative_to(folder)
                place.parent.mkdir(parents=True, exist_ok=True)
                _copy(path, place, hashes)
    (inputs / "models.json").write_text(json.dumps(models, indent=1) + "\n")


def _copy(path, place, hashes):
    if path.suffix == ".json":
        place.write_text(_with_new(path.read_text(), hashes))
        return
    arrays = files.read_npz(path)
    if "info" in arrays:
        arrays["info"] = np.array(_with_new(str(arrays["info"]), hashes))
    files.write_npz(place, **arrays)


def _with_new(text, hashes):
    for old, new in hashes.items():
        text = text.replace(old, new)
    return text


def save_own(inputs):
    """Writes what somebody brings: records of both sides, and outputs."""
    images, labels = digits()
    drawn = split.make_split(labels, seed=0, pool="all", fingerprint="")
    sides = {
        "members": drawn.members[:SIDE],
        "nonmembers": drawn.nonmembers[:SIDE],
        "calibration": np.concatenate(
            [drawn.members[:CALIBRATED], drawn.nonmembers[:2]]
        ),
    }
    for name, rows in sides.items():
        np.savez_compressed(
            inputs / f"{name}.npz", images=images[rows], labels=labels[rows]
        )
    answers = outputs.load(inputs / "w4a4" / "outputs" / "int8.npz")
    for name, inside in (("members", True), ("nonmembers", False)):
        rows = np.flatnonzero(answers.members == inside)[:LABELLED]
        lines = [",".join([*(f"p{k}" for k in range(10)), "label"])]
        for row in rows:
            values = (f"{p:.7g}" for p in answers.probabilities[row])
            lines.append(",".join([*values, str(answers.labels[row])]))
        (inputs / f"{name}.csv").write_text("\n".join(lines) + "\n")
    _save_captured(inputs)


def _save_captured(inputs):
    """What a board answered: as the file, but for a few other codes."""
    arrays = files.read_npz(inputs / "w4a4" / "outputs" / "int8_io.npz")
    rows = np.arange(0, len(arrays["labels"]), 100)
    arrays["probabilities"][rows] = arrays["probabilities"][rows][:, ::-1]
    info = json.loads(str(arrays["info"]))
    info |= {"target": "int8_io", "kernel_set": "builtin", "run": "pi4"}
    arrays["info"] = np.array(json.dumps(info))
    files.write_npz(inputs / "pi4.npz", **arrays)


def main(arguments):
    """Makes the results, and the inputs before them if that is asked for."""
    if arguments not in ([], ["--inputs"]):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if arguments:
            train(folder / "trained")
            shutil.rmtree(golden_audits.INPUTS, ignore_errors=True)
            golden_audits.INPUTS.mkdir()
            take(folder / "trained", golden_audits.INPUTS)
            save_own(golden_audits.INPUTS)
        os.makedirs(folder / "audited")
        golden_audits.store(*golden_audits.run_all(folder / "audited"))


if __name__ == "__main__":
    from absl import flags

    flags.FLAGS.mark_as_parsed()
    main(sys.argv[1:])
