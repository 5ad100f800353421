import ast
import os
import subprocess
import sys
from pathlib import Path

from absl.testing import absltest, parameterized

ROOT = Path(__file__).resolve().parent.parent


class StyleTest(parameterized.TestCase):
    @parameterized.parameters(
        (["ruff", "check", "--no-cache", "."],),
        (["ruff", "format", "--check", "--diff", "--no-cache", "."],),
        # The types of the public API.
        (["mypy", f"--cache-dir={os.devnull}"],),
    )
    def test_finds_nothing(self, program):
        command = [sys.executable, "-m", *program]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_library_prints_nothing(self):
        """What is to be seen goes through terminal.py, or is a program's."""
        package = ROOT / "qmia_tf"
        modules = [
            path
            for path in package.rglob("*.py")
            if path.parent.name != "programs"
            and path not in (package / "cli.py", package / "terminal.py")
        ]
        self.assertGreater(len(modules), 200)
        for path in modules:
            for node in ast.walk(ast.parse(path.read_text())):
                call = (
                    ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                )
                printed = call == "sys.stdout.write" or (
                    call == "print"
                    and all(word.arg != "file" for word in node.keywords)
                )
                self.assertFalse(
                    printed, f"{path}:{getattr(node, 'lineno', 0)}"
                )


if __name__ == "__main__":
    absltest.main()
