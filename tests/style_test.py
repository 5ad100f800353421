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


if __name__ == "__main__":
    absltest.main()
