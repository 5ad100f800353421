"""The pages of the project, read as a test needs them."""

import dataclasses
import pathlib
import re

from tools import site_pages

ROOT = pathlib.Path(__file__).resolve().parent.parent
FENCE = "```"
LANGUAGES = ("bash", "python", "yaml", "diff", "text")


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: the word behind the opening fence.
        text: what is between the fences.
        line: number of the line that opens it.
    """

    language: str
    text: str
    line: int


def pages():
    """Lists every page of the site: README, docs, examples, results."""
    return site_pages.pages()


def name(page):
    """A page's path in the checkout."""
    return page.relative_to(ROOT).as_posix()


def blocks(text):
    """Lists the fenced blocks of a page.

    Raises: ValueError for a fence that is never closed.
    """
    parsed, opened, inside = [], None, []
    for number, line in enumerate(text.split("\n"), 1):
        if opened is None and line.startswith(FENCE):
            opened, inside = (line.removeprefix(FENCE), number), []
        elif opened is not None and line == FENCE:
            parsed.append(Block(opened[0], "\n".join(inside), opened[1]))
            opened = None
        else:
            inside.append(line)
    if opened is not None:
        raise ValueError(f"the fence of line {opened[1]} is never closed")
    return parsed


def prose(text):
    """A page without its fenced blocks."""
    return re.sub(r"(?ms)^```.*?^```$", "", text)


def commands(block):
    """Lists the commands of a block of shell or of a workflow, one a line.

    A backslash at a line's end joins it with the next; comments are left out.
    """
    text = block.text
    if block.language == "yaml":
        text = "\n".join(_steps(text))
    text = re.sub(r"\\\n\s*", "", text)
    lines = (re.sub(r"\s+#.*", "", line).strip() for line in text.split("\n"))
    return [line for line in lines if line and not line.startswith("#")]


def _steps(text):
    """What `run: |` and `script:` of a workflow hold."""
    depth = None
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip())
        if depth is not None and line.strip() and indent <= depth:
            depth = None
        if depth is not None:
            yield line.strip().removeprefix("- ")
        opening = re.match(r"\s*(?:- )?(?:run: \||script:)$", line)
        single = re.match(r"\s*(?:- )?run: (?!\|)(.+)$", line)
        if opening:
            depth = indent
        elif single:
            yield single[1]
