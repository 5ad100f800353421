import subprocess
import sys
from pathlib import Path

from absl.testing import absltest, parameterized

ROOT = Path(__file__).resolve().parent.parent


class StyleTest(parameterized.TestCase):
    @parameterized.parameters(
        (["check"],),
        (["format", "--check", "--diff"],),
    )
    def test_ruff_finds_nothing(self, arguments):
        command = [sys.executable, "-m", "ruff", *arguments, "--no-cache", "."]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    absltest.main()
