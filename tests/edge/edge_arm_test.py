"""Integer files on an emulated Cortex-A72: the codes of x86-64, bit for bit.

Runs qmia_edge.pyz and every inner tensor there and here, on the
shipped int8 files of the digits and on one made here. Skipped where the
emulator, Debian's packages or the aarch64 wheels cannot be had: see
emulated_board.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import emulated_board
import numpy as np
import slow_tests
import tensorflow as tf
import tiny_models

from qmia_tf import outputs
from qmia_tf.data import draws, loaders, split
from qmia_tf.deploy.tflite.interpreter import Interpreter
from qmia_tf.edge import device_data
from tools import edge_zipapp

CHECKOUT = emulated_board.CHECKOUT
COUNT = 40
CODES = """
import pathlib, sys
import numpy as np
from qmia_tf.deploy.tflite.observed_tensors import Observed
model, data, out = sys.argv[1:]
levels, _ = Observed(pathlib.Path(model).read_bytes()).run(
    np.load(data)["images"]
)
np.savez(out, **{str(i): part for i, part in enumerate(levels.values())})
print(*levels, sep="\\n")
"""


def digits():
    """Some records of the digits."""
    data = loaders.load("digits")
    sides = split.make_split(
        data.labels, seed=0, pool="all", fingerprint=data.fingerprint()
    )
    return draws.draw_exactly(sides.records(data), COUNT, seed=0)


@slow_tests.slow
class EmulatedBoardTest(tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.board = emulated_board.build()
        except emulated_board.Unavailable as error:
            raise unittest.SkipTest(f"no emulated board: {error}") from error
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.dir = pathlib.Path(folder.name)
        device_data.save(digits(), cls.dir / "data.npz", run="digits")
        (cls.dir / "codes.py").write_text(CODES)
        cls.program = edge_zipapp.make(cls.dir)
        logits_model = tiny_models.write_tflite(
            tiny_models.classifier(shape=(8, 8, 1), classes=10, softmax=False),
            cls.dir / "logits_int8.tflite",
            inputs=tf.uint8,
            outputs=tf.int8,
        )
        shipped = (CHECKOUT / "tflite_models").glob("digits_*int8*.tflite")
        cls.models = [logits_model, *sorted(shipped)]

    def both(self, model, program, *arguments):
        """Runs a program there and here; returns what each prints.

        OUT in an argument becomes "arm" or "x86".
        """

        def words(where):
            given = map(str, (program, *arguments))
            return [word.replace("OUT", where) for word in given]

        there = self.board.run(words("arm"), cwd=self.dir)
        here = subprocess.run(
            [sys.executable, *words("x86")],
            capture_output=True,
            text=True,
            cwd=self.dir,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )
        for done in (there, here):
            self.assertEqual(done.returncode, 0, f"{model}: {done.stderr}")
        return there.stdout, here.stdout

    def test_it_is_an_arm(self):
        code = "import platform; print(platform.machine())"
        done = self.board.run(["-c", code], cwd=self.dir)
        self.assertEqual(done.stdout, "aarch64\n", done.stderr)

    def test_codes(self):
        for model in self.models:
            with self.subTest(model.name):
                there, here = self.both(
                    model.name, "codes.py", model, "data.npz", "OUT.npz"
                )
                self.assertEqual(there, here)
                arm, x86 = (
                    np.load(self.dir / f"{name}.npz") for name in ("arm", "x86")
                )
                for key, name in enumerate(here.splitlines()):
                    self.compare(model, name, arm[str(key)], x86[str(key)])

    def compare(self, model, name, arm, x86):
        off = int(np.sum(arm != x86))
        said = f"{model.name}, {name}: {off} of {arm.size} codes differ"
        if name in softmaxes(model):
            self.assertLessEqual(np.abs(arm - x86).max(), 1, said)
        else:
            self.assertEqual(off, 0, said)

    def test_outputs(self):
        for model in self.models:
            with self.subTest(model.name):
                logits = "logits" in model.name
                self.both(
                    model.name,
                    self.program,
                    f"--model={model}",
                    "--data=data.npz",
                    "--outputs=OUT.npz",
                    "--json=OUT.json",
                    "--threads=1,2",
                    "--seconds=0",
                    f"--batch_size={COUNT // 2}",
                    "--logits" if logits else "--nologits",
                )
                summary = json.loads((self.dir / "arm.json").read_text())
                self.assertEqual(summary["device"]["machine"], "aarch64")
                arm, x86 = (
                    outputs.load(self.dir / f"{name}.npz")
                    for name in ("arm", "x86")
                )
                self.assertAllClose(
                    arm.probabilities,
                    x86.probabilities,
                    rtol=0,
                    atol=tolerance(model, x86.probability_step),
                    msg=model.name,
                )


def tolerance(model, step):
    """Says by how much probabilities may differ, see docs/edge.md.

    Logits in int8 not at all. A softmax in int8 goes through a 16-bit table
    on aarch64, which moves it by one level now and then; a head of floats
    adds in another order.
    """
    if not softmaxes(model):
        return 0
    return step or 2e-6


def softmaxes(model):
    """Names the tensors of a .tflite file that an int8 softmax gives."""
    interpreter = Interpreter(model, kernels="builtin")
    names = {
        tensor["index"]: tensor["name"] for tensor in interpreter.tensors()
    }
    return {
        names[op["outputs"][0]]
        for op in interpreter.ops()
        if op["op_name"] == "SOFTMAX"
    }


if __name__ == "__main__":
    tf.test.main()
