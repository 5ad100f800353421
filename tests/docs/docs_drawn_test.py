"""Links, figures, the reference and the house: what pages rest on."""

import importlib
import json
import re
import sys
import tempfile

import documents
import matplotlib
from absl import flags
from absl.testing import absltest, parameterized

import qmia_tf
from qmia_tf import cli

ROOT = documents.ROOT
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
OUTSIDE = ("https://", "http://", "mailto:")
DRAWN = ("membership", "dorefa", "integers", "house", "reference_counts")


def anchors(page):
    """The anchors of a page's headings, as forges make them."""
    titles = re.findall(r"(?m)^#+ (.+)$", documents.prose(page.read_text()))
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.strip().replace(" ", "-") for title in plain}


def flags_named(text):
    """The flags that a page names, without values."""
    return set(re.findall(r"`[^`\n]*?--([a-z][\w-]+)", text))


class LinksTest(parameterized.TestCase):
    def test_links_lead_somewhere(self):
        for page in documents.pages():
            text = documents.prose(page.read_text())
            for picture, words, target in LINK.findall(text):
                if target.startswith(OUTSIDE):
                    continue
                with self.subTest(f"{documents.name(page)}: {target}"):
                    path, _, anchor = target.partition("#")
                    place = (page.parent / path).resolve() if path else page
                    self.assertTrue(place.exists())
                    if anchor:
                        self.assertIn(anchor, anchors(place))
                    if picture:
                        # What is seen, for those who do not see it.
                        self.assertGreater(len(words), 40)

    def test_index_names_every_page(self):
        index = (ROOT / "docs/README.md").read_text()
        for page in (ROOT / "docs").glob("*.md"):
            if page.name != "README.md":
                self.assertIn(f"]({page.name})", index)

    def test_flags_that_pages_name_are_there(self):
        known = flags_named((ROOT / "docs/reference.md").read_text())
        # pip's, git's, bash's, and absl's own.
        known |= {
            "slow",
            "fast",
            "measure",
            "minutes",
            "kills",
            "kernels",
            "help",
            "verbosity",
            "quiet",
            "flagfile",
            "flag",
            "check",
            "strict",
            "helpfull",
        }
        known |= {"no-deps", "noflag"}
        for page in documents.pages():
            for flag in flags_named(documents.prose(page.read_text())):
                with self.subTest(f"{documents.name(page)}: --{flag}"):
                    self.assertTrue(
                        flag in known or flag.removeprefix("no") in known
                    )

    def test_files_that_pages_name_are_there(self):
        named = re.compile(
            r"`(?:python |bash )?"
            r"((?:scripts|tests|benchmarks|examples|paper|tools)/[a-z_/\d]+\.(?:py|sh))"
        )
        for page in documents.pages():
            for name in named.findall(documents.prose(page.read_text())):
                with self.subTest(f"{documents.name(page)}: {name}"):
                    self.assertTrue((ROOT / name).exists())

    def test_modules_that_pages_name_are_there(self):
        named = re.compile(r"`((?:[a-z_\d]+/)+[a-z_\d]+\.py|[a-z_\d]+/)`")
        roots = (ROOT, ROOT / "qmia_tf")
        page = ROOT / "docs/architecture.md"
        for name in named.findall(documents.prose(page.read_text())):
            with self.subTest(name):
                places = [root / name for root in roots]
                places += (ROOT / "qmia_tf").glob(f"*/{name}")
                self.assertTrue(any(place.exists() for place in places))


class MadeAgainTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        sys.path.insert(0, str(ROOT / "docs/figures"))
        self.addCleanup(sys.path.remove, str(ROOT / "docs/figures"))

    def test_reference_is_made_again(self):
        before = set(flags.FLAGS)
        page = importlib.import_module("tools.make_reference").page()
        self.assertEqual(set(flags.FLAGS), before)
        kept = (ROOT / "docs/reference.md").read_text()
        self.assertEqual(
            page, kept, "it is old: run python tools/make_reference.py"
        )
        for command in cli.COMMANDS.names():
            self.assertIn(f"\n## qmia {command}\n", kept)

    @parameterized.parameters("audit", "summary")
    def test_fields_and_schemas_are_made_again(self, name):
        tool = importlib.import_module("tools.make_audit_docs")
        old = "it is old: run python tools/make_audit_docs.py"
        page = tool.FILES[name][2].read_text()
        self.assertEqual(tool.page(name), page, old)
        stored = json.loads(tool.schema_path(name).read_text())
        self.assertEqual(tool.schema(name), stored, old)
        # Every type has its table.
        kinds = set(tool.PLACE.findall(page))
        self.assertEqual({*kinds, "Estimate"}, set(stored["$defs"]))

    @parameterized.parameters("concepts", "house", "reference_counts")
    def test_figures_are_made_again(self, name):
        module = importlib.import_module(name)
        with tempfile.TemporaryDirectory() as folder:
            for figure in module.main(folder):
                kept = (ROOT / "docs/figures" / figure.name).read_text()
                if f"Matplotlib v{matplotlib.__version__}" not in kept:
                    self.skipTest("drawn by another matplotlib")
                self.assertTrue(
                    figure.read_text() == kept,
                    f"{figure.name} is old: run python docs/figures/{name}.py",
                )

    def test_all_figures_have_a_program(self):
        kept = {x.stem for x in (ROOT / "docs/figures").glob("*.svg")}
        self.assertContainsSubset(DRAWN, kept)

    def test_what_the_page_says_of_the_folded_channel(self):
        concepts = importlib.import_module("concepts")
        sums = range(-concepts.REACH, concepts.REACH + 1)
        codes = {
            name: [
                min(max(round((times * s + bias) * multiplier), 0), 3)
                for s in sums
            ]
            for name, (times, bias, multiplier) in concepts.roundings().items()
        }
        self.assertLen(sums, 19)
        self.assertEqual(codes["chosen"], codes["trained"])
        wrong = sum(
            one != other
            for one, other in zip(
                codes["nearest"], codes["trained"], strict=True
            )
        )
        self.assertEqual(wrong, 3)


class HouseTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        sys.path.insert(0, str(ROOT / "docs/figures"))
        self.addCleanup(sys.path.remove, str(ROOT / "docs/figures"))
        self.house = importlib.import_module("house")

    def test_every_module_has_a_room(self):
        for module in self.house.modules():
            self.assertIsNotNone(
                self.house.room_of(module),
                f"give {module} its place in ROOMS of docs/figures/house.py",
            )


class CitationTest(parameterized.TestCase):
    def test_what_a_citation_file_needs(self):
        text = (ROOT / "CITATION.cff").read_text()
        keys = re.findall(r"(?m)^([a-z-]+):", text)
        self.assertLen(set(keys), len(keys))
        self.assertContainsSubset(
            {"cff-version", "message", "title", "authors"}, keys
        )
        self.assertIn("cff-version: 1.2.0\n", text)
        self.assertIn(f'version: "{qmia_tf.__version__}"\n', text)


class PlacesTest(parameterized.TestCase):
    def test_pages_name_no_place_of_a_machine(self):
        for page in documents.pages():
            for word in ("/home/", "/root/", "/tmp/"):
                self.assertNotIn(word, page.read_text(), documents.name(page))


if __name__ == "__main__":
    absltest.main()
