"""benchmarks/reference_memory.py scores what it writes."""

import contextlib
import io
import pathlib
import sys
import tempfile
from unittest import mock

from absl.testing import absltest

BENCHMARKS = pathlib.Path(__file__).resolve().parents[2] / "benchmarks"
with mock.patch.object(sys, "path", [str(BENCHMARKS), *sys.path]):
    import reference_memory


class ReferenceMemoryTest(absltest.TestCase):
    def test_every_attack_with_references_scores(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        folder, said = pathlib.Path(folder), io.StringIO()
        reference_memory.write(folder, models=6, records=80, classes=3)
        with contextlib.redirect_stdout(said):
            reference_memory.score(folder, models=6)
        lines = said.getvalue().splitlines()
        steps = [line[:20].strip() for line in lines]
        self.assertEqual(steps[:3], ["start", "files checked", "margins made"])
        self.assertEqual(steps[-1], "margins used again")
        for name in ("lira", "rmia", "base", "bavaria"):
            self.assertIn(f"{name}_online", steps)
            self.assertIn(f"{name}_offline", steps)
        for line in lines:
            self.assertRegex(line, r" s +\d+ MB$")


if __name__ == "__main__":
    absltest.main()
