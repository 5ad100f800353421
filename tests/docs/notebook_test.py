"""The notebook as it is stored; programs/quickstart_test.py runs it."""

import re

import nbformat
import notebook_cells
from absl.testing import absltest
from notebook_cells import tags


class StoredTest(absltest.TestCase):
    def test_outputs_are_stripped(self):
        for cell in notebook_cells.notebook().cells:
            if cell.cell_type == "code":
                self.assertEqual(cell.outputs, [], cell.id)
                self.assertIsNone(cell.execution_count, cell.id)

    def test_it_is_a_notebook_that_colab_opens(self):
        stored = notebook_cells.notebook()
        nbformat.validate(stored)
        self.assertEqual(stored.metadata.kernelspec.name, "python3")
        self.assertIn("colab", stored.metadata)

    def test_every_code_cell_says_who_runs_it(self):
        for cell in notebook_cells.notebook().cells:
            if cell.cell_type == "code":
                self.assertLen(tags(cell), 1, cell.id)
                self.assertContainsSubset(
                    tags(cell), notebook_cells.RUN | notebook_cells.NOT_RUN
                )

    def test_what_the_test_replaces_is_there(self):
        source = "\n".join(
            cell.source for cell in notebook_cells.notebook().cells
        )
        for line in set(notebook_cells.INSTEAD) - {"install"}:
            self.assertEqual(source.count(line), 1, line)

    def test_the_install_cell_leaves_packages_alone(self):
        (cell,) = [
            c for c in notebook_cells.notebook().cells if "install" in tags(c)
        ]
        (line,) = re.findall(r"%pip .*", cell.source)
        self.assertNotIn("constraints", line)
        self.assertNotIn("--upgrade", line)


if __name__ == "__main__":
    absltest.main()
