"""The notebook: stripped, and its digits part run as it stands but smaller."""

import html
import os
import pathlib
import re
import sys

import nbclient
import nbformat
from absl.testing import absltest

from qmia_tf import files

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATH = ROOT / "notebooks" / "qmia_tf_colab.ipynb"
# What the test does instead: nothing is installed, and little is trained.
INSTEAD = {
    "install": "",
    'BITS = ["w32a32", "w4a4"]': 'BITS = ["w32a32"]',
    "RECIPE = {}": 'RECIPE = {"epochs": 1, "width": 4}',
    "AUGMENTED = 500": "AUGMENTED = 8",
    "epochs=10,": "epochs=1,",
    # The script has drawn it already.
    '(run_dirs, "runs/digits/report")': (
        '(run_dirs, "runs/digits/report", formats=())'
    ),
}
RUN = {"install", "settings", "digits"}
NOT_RUN = {"cifar10", "colab"}


def notebook():
    return nbformat.read(PATH, as_version=4)


def tags(cell):
    return set(cell.metadata.get("tags", ()))


def texts(cell, kind):
    """What a cell wrote to stdout or stderr."""
    return "".join(
        output.text
        for output in cell.outputs
        if output.output_type == "stream" and output.name == kind
    )


class StoredTest(absltest.TestCase):
    def test_outputs_are_stripped(self):
        for cell in notebook().cells:
            if cell.cell_type == "code":
                self.assertEqual(cell.outputs, [], cell.id)
                self.assertIsNone(cell.execution_count, cell.id)

    def test_it_is_a_notebook_that_colab_opens(self):
        stored = notebook()
        nbformat.validate(stored)
        self.assertEqual(stored.metadata.kernelspec.name, "python3")
        self.assertIn("colab", stored.metadata)

    def test_every_code_cell_says_who_runs_it(self):
        for cell in notebook().cells:
            if cell.cell_type == "code":
                self.assertLen(tags(cell), 1, cell.id)
                self.assertContainsSubset(tags(cell), RUN | NOT_RUN)

    def test_what_the_test_replaces_is_there(self):
        source = "\n".join(cell.source for cell in notebook().cells)
        for line in set(INSTEAD) - {"install"}:
            self.assertEqual(source.count(line), 1, line)

    def test_the_install_cell_leaves_packages_alone(self):
        (cell,) = [c for c in notebook().cells if "install" in tags(c)]
        (line,) = re.findall(r"%pip .*", cell.source)
        self.assertNotIn("constraints", line)
        self.assertNotIn("--upgrade", line)


class RunTest(absltest.TestCase):
    def test_digits(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        (folder / "scripts").symlink_to(ROOT / "scripts")
        stored = notebook()
        stored.cells = [
            self.replaced(cell)
            for cell in stored.cells
            if cell.cell_type == "code" and tags(cell) <= RUN
        ]
        # `!python` is the Python that runs the tests.
        environment = {
            **os.environ,
            "PATH": os.pathsep.join(
                [os.path.dirname(sys.executable), os.environ["PATH"]]
            ),
            "PYTHONPATH": str(ROOT),
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(folder / "jupyter"),
        }
        client = nbclient.NotebookClient(
            stored,
            timeout=500,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
        )
        with client.setup_kernel(env=environment):
            for index, cell in enumerate(stored.cells):
                client.execute_cell(cell, index)
        self.check(folder, {cell.id: cell for cell in stored.cells})

    def replaced(self, cell):
        if "install" in tags(cell):
            cell.source = INSTEAD["install"]
        for ours, instead in INSTEAD.items():
            cell.source = cell.source.replace(ours, instead)
        return cell

    def check(self, folder, cells):
        run = folder / "runs" / "digits" / "w32a32"
        audit = files.read_json(run / "audit.json")
        names = [target["target"] for target in audit["targets"]]
        self.assertIn("int8_ptq", names)
        self.assertTrue((run / "tensorboard").is_dir())
        self.assertIn("making int8_ptq", texts(cells["digits"], "stdout"))
        # The script trained and exported already.
        twin = texts(cells["twin"], "stdout")
        self.assertNotIn("epoch", twin)
        self.assertNotIn("making", twin)
        self.assertIn("int8_ptq: 1797 records", twin)
        (shown,) = cells["report"].outputs
        page = folder / "runs" / "digits" / "report" / "report.html"
        source = re.search(r'srcdoc="([^"]*)"', shown.data["text/html"])[1]
        self.assertEqual(html.unescape(source), page.read_text())
        self.assertIn("int8_ptq", texts(cells["results"], "stdout"))
        self.assertIn("Estimate(", texts(cells["own"], "stdout"))
        self.assertIn("int8_io.tflite", texts(cells["download"], "stdout"))
        # No start-up messages, and no warnings.
        for name, cell in cells.items():
            self.assertEqual(texts(cell, "stderr"), "", name)


if __name__ == "__main__":
    absltest.main()
