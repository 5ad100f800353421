"""The site: which files it has, and that MkDocs builds it."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import documents
from absl.testing import absltest

from tools import site_pages

ROOT = documents.ROOT
CONFIG = ROOT / "mkdocs.yml"


def in_menu():
    """The pages that the menu of the site names."""
    text = CONFIG.read_text()
    return re.findall(r": ([\w/]+\.md)$", text[text.index("\nnav:") :], re.M)


class SiteTest(absltest.TestCase):
    def test_menu_names_pages_and_every_page_of_docs(self):
        named = in_menu()
        self.assertLen(set(named), len(named))
        pages = {documents.name(page) for page in site_pages.pages()}
        self.assertContainsSubset(set(named), pages)
        ours = {name for name in pages if name.count("/") < 2}
        # The table of a benchmark; its page links it.
        ours -= {"benchmarks/verdict.md"}
        self.assertEqual(
            ours,
            {name for name in named if not name.startswith("paper/")},
            "give each page its place under nav of mkdocs.yml",
        )

    def test_every_linked_file_comes_along(self):
        linked = {documents.name(path) for path in site_pages.linked_files()}
        for name in (
            "docs/figures/house.svg",
            "docs/audit.schema.json",
            "paper/results/figures/headline.svg",
            "notebooks/qmia_tf_colab.ipynb",
        ):
            self.assertIn(name, linked)
        self.assertFalse([name for name in linked if name.endswith(".md")])

    def test_built(self):
        if importlib.util.find_spec("mkdocs") is None:
            self.skipTest("no MkDocs here; it is the extra docs")
        folder = pathlib.Path(self.create_tempdir().full_path)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "mkdocs", "build", "--strict"),
                *("--config-file", str(CONFIG), "--site-dir", str(folder)),
            ],
            env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for name in in_menu():
            page = re.sub(r"README\.md$", "index.md", name)
            page = page.removesuffix(".md") + ".html"
            self.assertTrue((folder / page).exists(), page)
        # It works from a disk and without a network.
        start = (folder / "index.html").read_text()
        self.assertNotRegex(start, r'(src|href)="https?://[^"]*\.(js|css)')


if __name__ == "__main__":
    absltest.main()
