"""Wrong flags and paths are refused before TensorFlow is started.

Every program in a process of its own, where importing TensorFlow fails.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import script_calls
from absl.testing import absltest, parameterized

from qmia_tf import cli

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Prints the status, and what heavy modules were imported.
CALLS = """
import json, sys
from absl import app, flags, logging
from qmia_tf.programs import program

def modules():
    heavy = ("tensorflow", "keras", "pandas", "sklearn")
    return sorted({*heavy, "scipy.stats"} & set(sys.modules))

name, calls = json.load(sys.stdin)
app.define_help_flags()
before = set(flags.FLAGS)
for arguments in calls:
    for flag in set(flags.FLAGS) - before:
        delattr(flags.FLAGS, flag)
    module = program.load(name)
    try:
        left = program.parse(module, [name, *arguments])
        program.guarded(module.main, left)
    except SystemExit as end:
        print(end.code, *modules(), sep=",")
    else:
        print("it went on")
"""
AUDIT = ("--model=no.keras", "--members=a.npz", "--nonmembers=b.npz")
# Program -> (flags, what the line says). {run} is a run that is trained.
CASES = {
    "attack": [
        ([], "--run_dir is missing"),
        (["--run_dir=no"], "no is not a run directory"),
        (["--run_dir={run}", "--kernels=gpu"], "--kernels must be one of"),
        (["--run_dir={run}", "--num_threads=0"], "not a positive integer"),
        (["--run_dir={run}", "--file_timeout=-1"], "must be a number > 0"),
        (["--run_dir={run}", "--pictures=maybe"], "one of <auto.on.off>"),
        (["--run_dir={run}", "--parent=no"], "no is not a run directory"),
        (["--run_dir={run}", "--references=no"], "no is not a run directory"),
        (["--run_dir={run}", "--mismatched_references=no"], "no is not a run"),
        (["--run_dir={run}", "--outputs=no.npz"], "no.npz: no such file"),
        (["--run_dir={run}", "--fail_if_tpr_above=2"], "is written TPR@FPR"),
        (["--run_dir={run}", "--label_only_records=3"], "8 records or more"),
        (["--run_dir={run}", "--tfprivacy_attacks=svm"], "got svm"),
        (["--run_dir={run}", "--tfprivacy=all"], "one of <off.threshold.trai"),
    ],
    "audit": [
        (AUDIT, "--out is missing"),
        (["--out=o", *AUDIT], "there is no model no.keras"),
        (["--out=o", *AUDIT[1:]], "cannot read a.npz: No such file"),
        (["--out=o", "--model={run}/model.keras", *AUDIT[1:]], "read a.npz"),
        (["--out=o", "--members=x.csv"], "cannot read x.csv: No such file"),
        (["--out=o", "--members=tfds:no:test"], "'no' is not prepared in"),
        (["--out=o", "--members=no"], "no is not there; give"),
        (["--out=o", "--fail_if_auc_above=2"], "a number from 0.5"),
        (["--out=o", "--references=r.npz"], "r.npz: no such file"),
        (
            ["--out=o", "--model={run}/model.keras", "--input_range=5..4"],
            "input_range must be one of",
        ),
    ],
    "compare": [
        ([], "--full is missing"),
        (
            ["--full=no", "--quantized={run}", "--out=o"],
            "no is not a run directory",
        ),
        (
            ["--full={run}", "--quantized=no", "--out=o"],
            "no is not a run directory",
        ),
    ],
    "demo": [(["--out="], "--out is missing")],
    "evaluate_edge": [
        ([], "--model is missing"),
        (
            ["--model=m.tflite", "--data=no.npz", "--outputs=o.npz"],
            "cannot read no.npz: No such file",
        ),
        (
            [
                "--model=m.tflite",
                "--data=no.npz",
                "--outputs=o.npz",
                "--threads=two",
            ],
            "--threads must be numbers",
        ),
    ],
    "export": [
        ([], "--run_dir is missing"),
        (["--run_dir=no"], "no is not a run directory"),
        (["--run_dir={run}", "--schemes=int3"], "unknown scheme 'int3'"),
        (["--run_dir={run}", "--int8_output=x"], "one of <softmax.logits>"),
        (["--run_dir={run}", "--tfmot_epochs=-1"], "0 or more, got -1"),
    ],
    "export_data": [
        ([], "--run_dir is missing"),
        (["--run_dir=no", "--out=o.npz"], "no is not a run directory"),
        (["--run_dir={run}", "--out=o.txt"], "--out is an .npz file"),
        (
            ["--run_dir={run}", "--out=o.npz", "--records=0"],
            "not a positive integer",
        ),
    ],
    "parity": [
        ([], "--run_dir is missing"),
        (["--run_dir=no"], "no is not a run directory"),
        (["--run_dir={run}", "--kernels=gpu"], "kernels are any of"),
        (["--run_dir={run}", "--threads=0"], "--threads takes integers"),
        (["--run_dir={run}", "--records=0"], "records must be 1 or more"),
        (["--run_dir={run}", "--schemes=int9"], "no integer file int9"),
    ],
    "quickstart": [
        (["--bits=4x4"], "bits are written like w4a4"),
        (["--label_noise=1"], "label_noise must lie in"),
        (["--schemes=int9"], "unknown scheme 'int9'"),
        (["--recipe=papr"], "no recipe 'papr'"),
        (["--dataset=/no/such.npz"], "cannot read /no/such.npz"),
        (["--kernels=gpu"], "--kernels must be one of"),
    ],
    "report": [
        ([], "--run_dirs is missing"),
        (["--run_dirs={run},no", "--out=o"], "audit.json: no such file"),
        (["--run_dirs=no", "--out=o"], "no: no such file"),
        (
            ["--run_dirs={audit}", "--out=o", "--format=pdf"],
            "no report format is called 'pdf'",
        ),
    ],
    "risk": [
        ([], "--run_dir is missing"),
        (["--run_dir=no", "--out=o"], "no is not a run directory"),
        (["--run_dir={run}", "--out=o", "--top=0"], "range .1, 200."),
        (
            ["--run_dir={run}", "--out=o", "--target=int9"],
            "holds no outputs of 'int9'",
        ),
    ],
    "sweep": [
        ([], "--out is missing"),
        (["--out=r", "--bits=4x4"], "bits are written like w4a4"),
        (["--out=r", "--seeds=0,1,0"], "seeds has 0 twice"),
        (["--out=r", "--seeds=x"], "--seeds takes integers from 0 on"),
        (["--out=r", "--widths=0"], "--widths takes integers from 1 on"),
        (["--out=r", "--recipes=papr"], "no recipe 'papr'"),
        (["--out=r", "--dataset=/no.npz"], "cannot read /no.npz"),
        (["--out=r", "--dataset=a/x.npz,b/x.npz"], "have the same folder, x"),
        (["--out=r", "--schemes=int3"], "unknown scheme 'int3'"),
        (["--out=r", "--kernels=gpu"], "--kernels must be one of"),
        (["--out=r", "--epochs=0"], "epochs must be"),
        (["--out=r", "--jobs=0"], "positive integer"),
    ],
    "train": [
        ([], "--run_dir is missing"),
        (["--run_dir=r", "--weight_bits=0"], "weight_bits must be in 1..32"),
        (["--run_dir=r", "--recipe=papr"], "no recipe 'papr'"),
        (["--run_dir=r", "--epochs=0"], "epochs must be"),
        (["--run_dir=r", "--seed=-1"], "seed must be in 0.."),
        (["--run_dir=r", "--member_fraction=1"], "member_fraction must lie"),
        (["--run_dir=r", "--dataset=/no.npz"], "cannot read /no.npz"),
        (["--run_dir=r", "--dataset=./no/x"], "there is no folder no/x"),
        (
            ["--run_dir=r", "--dataset=cifar1"],
            "mean cifar10..: give",
        ),
    ],
    "train_references": [
        ([], "--run_dir is missing"),
        (["--run_dir=no"], "no is not a run directory"),
        (["--run_dir={run}", "--count=3"], "come in pairs"),
        (["--run_dir={run}", "--schemes=int3"], "unknown scheme 'int3'"),
        (["--run_dir={run}", "--reference_bits=32"], "written like w4a4, got"),
        (["--run_dir={run}", "--reference_bits=w0a4"], "in 1..32, got 0"),
    ],
}


class EarlyTest(script_calls.Folder):
    def test_every_program_is_here(self):
        names = [module.__name__.split(".")[-1] for module in cli.COMMANDS]
        self.assertCountEqual(CASES, names)

    @parameterized.parameters(*CASES)
    def test_before_tensorflow(self, name):
        run_dir = self.finished_run()
        audit = self.dir / "audit.json"
        audit.write_text("{}")
        prepared = self.dir / "data" / "cifar10"
        prepared.mkdir(parents=True)
        calls = [
            [flag.format(run=run_dir, audit=audit) for flag in given]
            for given, _ in CASES[name]
        ]
        done = subprocess.run(
            [sys.executable, "-c", CALLS],
            input=json.dumps([name, calls]),
            capture_output=True,
            text=True,
            cwd=self.dir,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "TFDS_DATA_DIR": str(prepared.parent),
            },
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stderr.splitlines()
        self.assertLen(lines, len(calls), done.stderr)
        # Status 2, and nothing heavy imported.
        self.assertEqual(done.stdout.splitlines(), ["2"] * len(calls))
        for line, (given, pattern) in zip(lines, CASES[name], strict=True):
            with self.subTest(given):
                self.assertStartsWith(line, "error: ")
                self.assertRegex(line, pattern)
        self.assertFalse((self.dir / "r").exists())
        shutil.rmtree(prepared.parent)


if __name__ == "__main__":
    absltest.main()
