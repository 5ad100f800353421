"""Makes qmia_edge.pyz: `qmia edge` as one file, for a board.

    python tools/edge_zipapp.py --out=edge

Writes OUT/qmia_edge.pyz, which needs Python, numpy and ai-edge-litert:
`python3 qmia_edge.pyz --help`. It holds the modules of qmia_tf that the
program can import, found by their import statements, and the packages that
those need besides, as they are installed here. The same sources make the same
file, byte for byte. Takes some seconds. docs/edge.md.
"""

import importlib.metadata
import importlib.util
import os
import pathlib
import shutil
import sys
import tempfile
import zipapp

from absl import flags

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "figures")]
import house  # noqa: E402

from qmia_tf import files  # noqa: E402
from qmia_tf.programs import flag_values, program  # noqa: E402

NAME = "qmia_edge.pyz"
PROGRAM = "evaluate_edge"
# Where the program begins; what these import is found.
ENTRY = ("qmia_tf.programs.program", f"qmia_tf.programs.{PROGRAM}")
# Pure Python: package -> what pip calls it.
BUNDLED = {"absl": "absl-py", "filelock": "filelock", "tqdm": "tqdm"}
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "tests", "testing")
MAIN = f"""from qmia_tf.programs import program

program.run("{PROGRAM}")
"""
# The first that a zip file can name.
TIME = 315532800


def modules() -> list[str]:
    """Names the modules of qmia_tf that the program can import."""
    return sorted(house.reached(*ENTRY))


def make(folder) -> pathlib.Path:
    """Writes the file into a folder, and returns its path.

    Raises: InputError if the folder cannot be written.
    """
    path = pathlib.Path(folder) / NAME
    files.require_writable(path.parent)
    with tempfile.TemporaryDirectory() as temporary:
        content = pathlib.Path(temporary) / "content"
        for name in modules():
            _copy_module(name, content)
        for package, distribution in BUNDLED.items():
            _copy_package(package, distribution, content)
        shutil.copy(ROOT / "LICENSE", content / "qmia_tf")
        (content / "__main__.py").write_text(MAIN, encoding="utf-8")
        for entry in content.rglob("*"):
            os.utime(entry, (TIME, TIME))
        with files.atomic(path) as unfinished:
            zipapp.create_archive(
                content,
                unfinished,
                interpreter="/usr/bin/env python3",
                compressed=True,
            )
    return path


def _copy_module(name, content):
    source = ROOT.joinpath(*name.split("."))
    source = source / "__init__.py" if source.is_dir() else _python(source)
    target = content / source.relative_to(ROOT)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _python(path):
    return path.with_name(f"{path.name}.py")


def _copy_package(package, distribution, content):
    """Copies a package as it is installed, and its licence."""
    (source,) = importlib.util.find_spec(package).submodule_search_locations
    shutil.copytree(source, content / package, ignore=LEFT_OUT)
    for path in importlib.metadata.files(distribution) or ():
        if "LICEN" in path.name.upper() and path.locate().is_file():
            shutil.copy(path.locate(), content / package / path.name)


def define_flags():
    """Defines the flags."""
    flags.DEFINE_string("out", None, "folder to write to")


def main(argv):
    """Makes the file."""
    del argv
    path = make(flag_values.required("out"))
    size = path.stat().st_size
    print(f"{path}: {size / 1e6:.1f} MB, {len(modules())} modules of qmia_tf")


if __name__ == "__main__":
    program.run(sys.modules[__name__])
