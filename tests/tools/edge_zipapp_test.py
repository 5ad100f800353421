"""What is in qmia_edge.pyz; tests/edge/edge_environment_test.py runs it."""

import pathlib
import zipfile

from absl.testing import absltest

from qmia_tf.errors import InputError
from tools import edge_zipapp


class EdgeZipappTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)

    def test_holds_what_the_program_reaches_and_no_more(self):
        path = edge_zipapp.make(self.dir / "new")
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        self.assertEqual(
            {name.partition("/")[0] for name in names},
            {"qmia_tf", "__main__.py", *edge_zipapp.BUNDLED},
        )
        stems = {
            name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            for name in names
            if name.endswith(".py") and name.startswith("qmia_tf/")
        }
        self.assertEqual(stems, set(edge_zipapp.modules()))
        for package in ("qmia_tf", *edge_zipapp.BUNDLED):
            self.assertTrue(
                any(name.startswith(f"{package}/LICEN") for name in names)
            )
        # Nothing that would have to be compiled for the board.
        self.assertNoCommonElements(
            {pathlib.Path(name).suffix for name in names}, {".so", ".pyc"}
        )

    def test_the_same_sources_make_the_same_file(self):
        first, second = (
            edge_zipapp.make(self.dir / name).read_bytes() for name in "ab"
        )
        self.assertEqual(first, second)

    def test_folder_that_cannot_be_written(self):
        (self.dir / "file").touch()
        with self.assertRaises((InputError, OSError)):
            edge_zipapp.make(self.dir / "file")


if __name__ == "__main__":
    absltest.main()
