"""The README: short, and its first numbers are the quickstart's."""

import re

import documents
import prose_test
from absl.testing import absltest

WORDS = 600
README = documents.ROOT / "README.md"
QUICKSTART = documents.ROOT / "docs/quickstart.md"
# Network and file of the README -> title of its rows on the quickstart's
# page, and target.
NETWORKS = {"full precision": "full precision", "4 bits": "w=4, a=4"}
FILES = {"model.keras": "keras", "int8.tflite": "int8"}


def rows(text):
    """The cells of the one table of a page, without its head."""
    (table,) = re.findall(r"(?m)^\|[ :|-]+\|\n((?:\|.*\n)+)", text)
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.strip().split("\n")
    ]


def measured():
    """(memorizing, network, target) -> AUC with its interval, and verdict."""
    found, title = {}, None
    for line in QUICKSTART.read_text().split("\n"):
        if line.startswith("Digits"):
            title = line.split("; ")
        row = re.match(r"  (\w+) .* (0\.\S+) \[(\S+), (\S+)\]  (.+)$", line)
        if row and title:
            target, *numbers, verdict = row.groups()
            key = ("wrong labels" in title[0], title[1], target)
            found[key] = (tuple(map(float, numbers)), verdict)
    return found


class ReadmeTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.text = prose_test.by_hand(README.read_text())

    def test_is_short(self):
        self.assertLessEqual(prose_test.words(self.text), WORDS)
        self.assertLen(prose_test.PICTURE.findall(self.text), 1)
        self.assertLessEqual(len(rows(self.text)), 5)

    def test_first_table_is_what_the_quickstart_prints(self):
        printed = measured()
        for training, network, file, shown, verdict in rows(self.text):
            key = (training == "memorizing", NETWORKS[network], FILES[file])
            with self.subTest(str(key)):
                numbers, said = printed[key]
                value, low, high = (f"{number:.2f}" for number in numbers)
                self.assertEqual(shown, f"{value} [{low}, {high}]")
                self.assertEqual(verdict, said)


if __name__ == "__main__":
    absltest.main()
