"""The main job in a process of its own, and the notebook that repeats it."""

import html
import os
import pathlib
import re
import sys
import tempfile

import nbclient
import notebook_cells
import script_calls
import slow_tests
from absl.testing import absltest
from notebook_cells import texts

import qmia_tf
from qmia_tf import files
from qmia_tf.data import loaders
from qmia_tf.experiments import configuration

OUT = pathlib.Path("runs/digits")
KINDS = ("honest", "memorizing")
MOST_LINES = 40


class QuickstartTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        held = tempfile.TemporaryDirectory()
        cls.addClassCleanup(held.cleanup)
        cls.dir = pathlib.Path(held.name)
        process = script_calls.start(
            "quickstart", *notebook_cells.FLAGS, cwd=cls.dir
        )
        cls.text, cls.errors = process.communicate()
        cls.status = process.returncode
        cls.run_dirs = [
            cls.dir / OUT / kind / notebook_cells.BITS for kind in KINDS
        ]

    def kept(self):
        """When each file that is not made again was written."""
        patterns = (
            *("*.keras", "*/*.tflite", "parity.json", "outputs/*.npz"),
            "augmented_queries/*.npz",
        )
        return {
            path: path.stat().st_mtime_ns
            for pattern in patterns
            for run_dir in self.run_dirs
            for path in run_dir.glob(pattern)
        }

    def table(self, text):
        """The lines of the table, from its head on."""
        found = re.search(r"(?ms)^  target .*?(?=^$)", text)
        self.assertIsNotNone(found, text)
        return found[0]

    def test_the_main_job(self):
        self.assertEqual(self.status, 0, self.errors)
        self.assertEqual(self.errors, "")
        self.assertEqual([p.name for p in self.dir.iterdir()], ["runs"])
        self.assertLessEqual(self.text.count("\n"), MOST_LINES)
        self.assertLen(re.findall(r"^  (?:keras|int8) ", self.text, re.M), 4)
        self.assertEqual(
            re.findall(r"(?m)^Digits.*w=4.*", self.text),
            [
                "Digits; w=4, a=4; w4a4",
                "Digits, wrong labels 30 %; w=4, a=4; w4a4",
            ],
        )
        for run_dir in self.run_dirs:
            stored = files.read_json(run_dir / "audit.json")
            parity = {x["target"]: x["parity"] for x in stored["targets"]}
            self.assertEqual(list(parity), ["keras", "int8", "int8_twin"])
            self.assertEqual(
                [name for name, check in parity.items() if check], ["int8"]
            )
            self.assertTrue((run_dir / "tensorboard").is_dir())
        names = [path.name for path in (self.dir / OUT / "report").iterdir()]
        self.assertContainsSubset(
            ["report.txt", "report.html", "verdicts.png"], names
        )
        for path in re.findall(r": +(runs/\S+)$", self.text, re.M):
            self.assertTrue((self.dir / path).is_file(), path)

    def test_runs_are_what_the_text_says(self):
        honest, memorizing = map(configuration.read, self.run_dirs)
        self.assertNotIn("label_noise", honest["dataset"])
        self.assertEqual(honest["recipe"]["crop_padding"], 1)
        self.assertEqual(honest["split"]["member_fraction"], 0.75)
        self.assertEqual(memorizing["dataset"]["label_noise"]["share"], 0.3)
        self.assertEqual(memorizing["split"]["member_fraction"], 0.25)
        # A flag that is given counts for both.
        for config in (honest, memorizing):
            self.assertEqual(config["recipe"]["epochs"], 1)
        outputs = qmia_tf.load_audit(self.run_dirs[1])
        self.assertEqual(outputs.config["dataset"], memorizing["dataset"])
        noisy = configuration.load_data(memorizing)
        clean = loaders.load("digits")
        self.assertEqual(
            int((noisy.labels != clean.labels).sum()), round(0.3 * 1797)
        )

    def test_the_notebook_repeats_it(self):
        before = self.kept()
        # Of each: a model; a .tflite file; parity; outputs, the twin's too;
        # of augmented and of noisy queries.
        self.assertLen(before, 2 * (1 + 1 + 1 + 3 + 2 + 2))
        cells = self.run_notebook()
        self.assertEqual(before, self.kept())
        # A notebook gives programs a terminal, whose lines end in \r\n.
        again = texts(cells["digits"], "stdout").replace("\r\n", "\n")
        self.assertEqual(self.table(again), self.table(self.text))
        (shown,) = cells["report"].outputs
        page = self.dir / OUT / "report" / "report.html"
        source = re.search(r'srcdoc="([^"]*)"', shown.data["text/html"])[1]
        self.assertEqual(html.unescape(source), page.read_text())
        self.assertRegex(
            texts(cells["own"], "stdout"), "clear leak|severe leak"
        )
        # No start-up messages, and no warnings; a slow machine shows bars.
        for name, cell in cells.items():
            bars = r"[^\r\n]*\d+%\|[^\r\n]*\]"
            said = re.sub(bars, "", texts(cell, "stderr")).strip()
            self.assertEqual(said, "", name)

    def run_notebook(self):
        """Runs the cells in the folder of the main job; by id."""
        (self.dir / "scripts").symlink_to(script_calls.SCRIPTS)
        stored = notebook_cells.shortened()
        # `!python` is the Python that runs the tests.
        environment = {
            **os.environ,
            "PATH": os.pathsep.join(
                [os.path.dirname(sys.executable), os.environ["PATH"]]
            ),
            "PYTHONPATH": str(notebook_cells.ROOT),
            "IPYTHONDIR": str(self.dir / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(self.dir / "jupyter"),
        }
        client = nbclient.NotebookClient(
            stored,
            timeout=500,
            kernel_name="python3",
            resources={"metadata": {"path": str(self.dir)}},
        )
        with client.setup_kernel(env=environment):
            for index, cell in enumerate(stored.cells):
                client.execute_cell(cell, index)
        return {cell.id: cell for cell in stored.cells}


@slow_tests.slow
class AnswerTest(absltest.TestCase):
    """As people run it, with either kernels: the answer does not flip."""

    def test_memorizing_is_severe_and_honest_is_not(self):
        for onednn in ("0", "1"):
            with self.subTest(onednn=onednn):
                self.check({**os.environ, "TF_ENABLE_ONEDNN_OPTS": onednn})

    def check(self, environment):
        with tempfile.TemporaryDirectory() as folder:
            process = script_calls.start(
                "quickstart", cwd=folder, env=environment
            )
            text, errors = process.communicate()
            self.assertEqual((process.returncode, errors), (0, ""))
            self.assertLessEqual(text.count("\n"), MOST_LINES)
            results = [
                qmia_tf.load_audit(pathlib.Path(folder, OUT, kind, bits))
                for kind in KINDS
                for bits in ("w32a32", "w4a4")
            ]
        for kind, result in zip(
            [*KINDS[:1] * 2, *KINDS[1:] * 2], results, strict=True
        ):
            expected = {"honest": "no leak found"}.get(kind, "severe leak")
            for target in result.targets:
                self.assertEqual(target.leak.verdict, expected, target.target)


if __name__ == "__main__":
    absltest.main()
