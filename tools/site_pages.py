"""The files of the site, for MkDocs: every page where it lies in the checkout.

MkDocs takes pages from one folder. The project's lie where they are looked
for, beside the models, results and examples that they are about, and link each
other as they lie there. So the site mirrors the checkout: it has the pages,
and whatever file a page links.
"""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATTERNS = (
    "*.md",
    "docs/*.md",
    "examples/*.md",
    "tflite_models/*.md",
    "benchmarks/*.md",
    "paper/results/**/*.md",
)
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")


def pages() -> list[pathlib.Path]:
    """Lists every page: README, docs, and what stands beside other files."""
    return sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))


def linked_files() -> list[pathlib.Path]:
    """Lists the files of the checkout that pages link, pages left out."""
    linked = {
        (page.parent / target).resolve()
        for page in pages()
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if "://" not in target
    }
    return sorted(path for path in linked - {*pages()} if path.is_file())


def on_files(files, config):
    """Gives MkDocs the pages and the files that they link."""
    from mkdocs.structure.files import File, Files

    theme = [file for file in files if not _is_of_docs(file)]
    ours = [
        File.generated(
            config,
            path.relative_to(ROOT).as_posix(),
            abs_src_path=str(path),
        )
        for path in (*pages(), *linked_files())
    ]
    return Files([*theme, *ours])


def _is_of_docs(file):
    """Whether a file is one that MkDocs took from docs/ by itself."""
    path = pathlib.Path(file.abs_src_path or "/")
    return path.is_relative_to(ROOT / "docs")
