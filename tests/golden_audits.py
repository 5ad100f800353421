"""The audits whose numbers may not move: programs on stored inputs.

golden/inputs/ holds two run directories without their models: w32a32 and w4a4
of a ResNet-18 on 606 of the digits, six of them twice. Everything that a model
answered is stored there, and in the place of each model stands STAND_IN, whose
hash the answers name; a program that opens it fails. So an audit is NumPy and
SciPy alone. The one model that does answer is
tflite_models/digits_w4a4_int8_io.tflite, which ends in an int8 softmax: codes
are the same everywhere, what a float softmax gives is not.

golden/results/ holds what the programs wrote and printed.
"""

import contextlib
import csv
import functools
import json
import lzma
import os
import pathlib
import shutil
from unittest import mock

import script_calls

from qmia_tf import report

FOLDER = pathlib.Path(__file__).resolve().parent / "golden"
INPUTS, RESULTS = FOLDER / "inputs", FOLDER / "results"
FILE = FOLDER.parents[1] / "tflite_models" / "digits_w4a4_int8_io.tflite"
STAND_IN = b"Stands for a model of the golden audits. No audit opens it.\n"
# Those of tensorflow-privacy's attacks that train no classifier: what
# scikit-learn's solvers end at depends on the processor, as that of white_box.
COMMON = (
    *("--tfprivacy=threshold", "--num_threads=1"),
    *("--noinside", "--nooutput_forms"),
)
RUN = (*COMMON, "--label_only_records=200", "--pictures=off")
SAVED = ("w4a4/outputs/int8_io.npz", "w32a32/outputs/keras.npz")
# Program, flags, JSON and CSV files that it writes, and texts: of report.txt
# and of what it prints.
PROGRAMS = {
    "full_precision": (
        "attack",
        ("--run_dir=w32a32", *RUN),
        ("w32a32/audit.json",),
        (),
    ),
    "quantized": (
        "attack",
        (
            "--run_dir=w4a4",
            "--parent=w32a32",
            "--outputs=pi4.npz",
            "--fail_if_auc_above=0.99",
            *RUN,
        ),
        ("w4a4/audit.json",),
        (),
    ),
    "report": (
        "report",
        ("--run_dirs=w32a32,w4a4", "--format=csv", "--out=report"),
        (),
        (),
    ),
    "exposed": (
        "risk",
        (
            "--run_dir=w4a4",
            "--score=lira_online",
            "--baseline=w4a4",
            "--baseline_target=int8_io",
            "--images=false",
            "--out=exposed",
        ),
        ("exposed/records.csv",),
        (),
    ),
    "matched": (
        "compare",
        ("--full=w32a32", "--quantized=w4a4", "--out=matched"),
        ("matched/matched.json",),
        (),
    ),
    "own_file": (
        "audit",
        (
            f"--model={FILE}",
            "--members=members.npz",
            "--nonmembers=nonmembers.npz",
            "--calibration=calibration.npz",
            "--label_only_records=100",
            "--out=own_file",
            *COMMON,
        ),
        ("own_file/audit.json",),
        (),
    ),
    "own_npz": (
        "audit",
        (
            f"--model={','.join(SAVED)}",
            "--references=r00.npz,r01.npz",
            "--strata=none",
            "--out=own_npz",
            *COMMON,
        ),
        ("own_npz/audit.json",),
        ("own_npz/report/report.txt",),
    ),
    "own_csv": (
        "audit",
        (
            "--members=members.csv",
            "--nonmembers=nonmembers.csv",
            "--audit_seed=1",
            "--out=own_csv",
            *COMMON,
        ),
        ("own_csv/audit.json",),
        ("own_csv/report/report.txt",),
    ),
}


def run_all(folder):
    """Runs every program, in order, on a copy of the inputs.

    Args:
        folder: pathlib.Path, empty; becomes the working directory meanwhile.
    Returns: dict name -> JSON tree, and dict name -> text.
    Raises: RuntimeError if a program does not end with status 0.
    """
    prepare(folder)
    trees, texts = {}, {}
    tables_alone = functools.partial(report.make_report, formats=("csv",))
    with (
        contextlib.chdir(folder),
        mock.patch.object(report, "make_report", tables_alone),
    ):
        for name, (program, flags, files, pages) in PROGRAMS.items():
            status, out, errors = script_calls.call(program, *flags)
            if status:
                raise RuntimeError(f"{program} ended with {status}: {errors}")
            for path in map(pathlib.Path, files):
                trees[f"{name}.{path.stem}"] = _read(path)
            texts[f"{name}.printed"] = out
            for path in map(pathlib.Path, pages):
                texts[f"{name}.{path.stem}"] = path.read_text()
    return trees, texts


def prepare(folder):
    """Copies the inputs, with stand-ins in the place of the models."""
    shutil.copytree(INPUTS, folder, dirs_exist_ok=True)
    for name in json.loads((folder / "models.json").read_text()):
        os.makedirs(folder / pathlib.Path(name).parent, exist_ok=True)
        (folder / name).write_bytes(stand_in(name))
    for name in ("r00", "r01"):
        answers = folder / "w4a4" / "references" / name / "outputs"
        shutil.copy(answers / "keras.npz", folder / f"{name}.npz")


def stored():
    """Reads what is stored: dict name -> JSON tree, dict name -> text."""
    trees = {
        path.name.removesuffix(".json.xz"): json.loads(
            lzma.decompress(path.read_bytes())
        )
        for path in sorted(RESULTS.glob("*.json.xz"))
    }
    texts = {
        path.stem: path.read_text() for path in sorted(RESULTS.glob("*.txt"))
    }
    return trees, texts


def store(trees, texts):
    """Writes what stored reads, and nothing else stays there."""
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir()
    for name, tree in trees.items():
        data = lzma.compress(json.dumps(tree).encode(), preset=9)
        (RESULTS / f"{name}.json.xz").write_bytes(data)
    for name, text in texts.items():
        (RESULTS / f"{name}.txt").write_text(text)


def stand_in(name):
    """Gives the bytes that stand for a model file: others for each name."""
    return STAND_IN + name.encode() + b"\n"


def _read(path):
    """A JSON file, or a CSV file as a list of dicts, numbers as such."""
    if path.suffix == ".json":
        return json.loads(path.read_text())
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{key: _number(x) for key, x in row.items()} for row in rows]


def _number(text):
    try:
        return float(text)
    except ValueError:
        return text
