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
from absl.testing import absltest
from notebook_cells import texts

from qmia_tf import files

OUT = pathlib.Path("runs/digits")
FLAGS = [
    f"--out={OUT}",
    f"--bits={notebook_cells.BITS}",
    *(f"--{name}={value}" for name, value in notebook_cells.RECIPE.items()),
    "--tensorboard",
    "--tfprivacy=off",
    f"--label_only_records={notebook_cells.AUGMENTED}",
]
INTEGERS = ["int8", "int8_io"]
TWINS = ["int8_io_twin", "int8_twin"]


class QuickstartTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        held = tempfile.TemporaryDirectory()
        cls.addClassCleanup(held.cleanup)
        cls.dir = pathlib.Path(held.name)
        process = script_calls.start("quickstart", *FLAGS, cwd=cls.dir)
        cls.text, cls.errors = process.communicate()
        cls.status = process.returncode
        cls.run_dir = cls.dir / OUT / notebook_cells.BITS

    def kept(self):
        """When each file that is not made again was written."""
        patterns = (
            *("*.keras", "*/*.tflite", "parity.json", "outputs/*.npz"),
            "augmented_queries/*.npz",
        )
        return {
            path: path.stat().st_mtime_ns
            for pattern in patterns
            for path in self.run_dir.glob(pattern)
        }

    def table(self, text):
        return [line for line in text.splitlines() if "w4a4" in line]

    def test_the_main_job(self):
        self.assertEqual(self.status, 0, self.errors)
        self.assertNotIn("Traceback", self.errors)
        self.assertEqual([p.name for p in self.dir.iterdir()], ["runs"])
        stored = files.read_json(self.run_dir / "audit.json")
        parity = {x["target"]: x["parity"] for x in stored["targets"]}
        self.assertEqual(list(parity), ["keras", "float32", *INTEGERS, *TWINS])
        for file, check in parity.items():
            self.assertEqual(check is not None, file in INTEGERS, file)
        self.assertIn("epoch 1/1", self.text)
        self.assertIn("making int8", self.text)
        self.assertIn(str(OUT / "w4a4"), self.text)
        self.assertTrue((self.run_dir / "tensorboard").is_dir())
        names = [path.name for path in (self.dir / OUT / "report").iterdir()]
        self.assertNotEmpty([n for n in names if n.endswith(".txt")])
        self.assertNotEmpty([n for n in names if n.endswith((".png", ".svg"))])

    def test_the_notebook_repeats_it(self):
        before = self.kept()
        # A model; .tflite files; one parity; outputs, the twins' too; of
        # augmented and of noisy queries.
        self.assertLen(before, 1 + 3 + 1 + 6 + 4 + 4)
        cells = self.run_notebook()
        self.assertEqual(before, self.kept())
        # What it repeats is quick: nothing is trained or made again.
        again = texts(cells["digits"], "stdout")
        self.assertNotIn("epoch 1/1", again)
        self.assertNotIn("making", again)
        self.assertContainsSubset(self.table(self.text), again.splitlines())
        twin = texts(cells["twin"], "stdout")
        self.assertNotIn("epoch", twin)
        self.assertNotIn("making", twin)
        self.assertIn("int8: 1797 records", twin)
        (shown,) = cells["report"].outputs
        page = self.dir / OUT / "report" / "report.html"
        source = re.search(r'srcdoc="([^"]*)"', shown.data["text/html"])[1]
        self.assertEqual(html.unescape(source), page.read_text())
        self.assertIn("int8_io", texts(cells["results"], "stdout"))
        self.assertRegex(texts(cells["own"], "stdout"), "sequential: .* leak")
        self.assertIn("int8_io.tflite", texts(cells["download"], "stdout"))
        # No start-up messages, and no warnings.
        for name, cell in cells.items():
            self.assertEqual(texts(cell, "stderr"), "", name)

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


if __name__ == "__main__":
    absltest.main()
