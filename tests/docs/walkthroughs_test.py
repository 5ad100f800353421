"""The walk-throughs of docs/architecture.md, carried out in a copy."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import documents
from absl.testing import absltest

ROOT = documents.ROOT
COPIED = ("qmia_tf", "tests", "docs", "pyproject.toml")
STARTS = "### A new "


def parts(text):
    """The walk-throughs: title -> its blocks, in order."""
    sections = {}
    for section in text.split("\n" + STARTS)[1:]:
        title, _, body = section.partition("\n")
        sections[title] = documents.blocks(re.split(r"\n##+ ", body)[0])
    return sections


def write(block, folder):
    """Writes the file that a block of Python is."""
    name, _, body = block.text.partition("\n")
    path = folder / name.removeprefix("# ")
    if path.exists():
        raise AssertionError(f"{path.name} is there already")
    path.write_text(body + "\n")


def change(block, folder):
    """Does what a diff says; each piece must be found exactly once."""
    for file in block.text.split("--- ")[1:]:
        name, _, body = file.partition("\n")
        path = folder / name
        for piece in body.split("@@\n"):
            lines = piece.rstrip("\n").split("\n")
            before = [line[1:] for line in lines if line[:1] in (" ", "-")]
            after = [line[1:] for line in lines if line[:1] in (" ", "+", "")]
            text, old = path.read_text(), "\n".join(before) + "\n"
            if text.count(old) != 1:
                raise AssertionError(
                    f"{name} has {text.count(old)} times, not once:\n{old}"
                )
            path.write_text(text.replace(old, "\n".join(after) + "\n"))


class WalkthroughsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.dir = pathlib.Path(held.name)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.dir / name)

    def run_python(self, *arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.dir,
            env={**os.environ, "PYTHONPATH": str(self.dir)},
            capture_output=True,
            text=True,
        )

    def test_what_is_written_works(self):
        sections = parts((ROOT / "docs/architecture.md").read_text())
        self.assertEqual(list(sections), ["attack", "quantizer", "scheme"])
        tests = []
        for title, blocks in sections.items():
            with self.subTest(title):
                for block in blocks:
                    if block.language == "python":
                        write(block, self.dir)
                    elif block.language == "diff":
                        change(block, self.dir)
                (command,) = (b for b in blocks if b.language == "bash")
                name = re.fullmatch(
                    r"bash scripts/test\.sh (\S+)", command.text
                )
                tests.append(name[1])
        done = self.run_python(
            *("-m", "pytest", "-c", "pyproject.toml", "-q", "-n", "0"),
            *("-p", "no:cacheprovider", *tests),
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        # Two of the attack's, three of the quantizer's, one of the scheme's.
        self.assertRegex(done.stdout, r"\n6 passed")
        done = self.run_python("-m", "ruff", "check", "--no-cache", ".")
        self.assertEqual(done.returncode, 0, done.stdout)
        done = self.run_python(
            *("-m", "ruff", "format", "--check", "--diff", "--no-cache", "."),
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    absltest.main()
