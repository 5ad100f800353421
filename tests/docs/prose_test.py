"""How the pages read: short sentences, paragraphs and lines."""

import re

import documents
from absl.testing import absltest, parameterized

COLUMNS = 100
PARAGRAPH_WORDS = 90
SENTENCE_WORDS = 30
ALT_WORDS = 40
FINDINGS_WORDS = 600
# Made by programs, or a list of changes.
NOT_READ = ("benchmarks/verdict.md", "CHANGELOG.md")
# A program makes its tables; its text is that of --help.
TABLES_MADE = "docs/reference.md"
GENERATED = re.compile(r"<!-- (?:made|fields): .*?<!-- end -->", re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
PICTURE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
LINK = re.compile(r"\[([^\]]*)\]\([^)\s]*\)")
CODE = re.compile(r"`[^`]*`")
ITEM = re.compile(r"^\s*(?:[-*]|\d+\.)\s+")
ENDS = re.compile(r"(?<=[.!?])[*_\")]*\s+(?=[^a-z\s])")
ABBREVIATED = re.compile(r"\b(e\.g|i\.e|et al|eq|vs|cf)\.")


def read_pages():
    """Lists the pages that people read."""
    return [
        page
        for page in documents.pages()
        if documents.name(page) not in NOT_READ
        and not documents.name(page).startswith("paper/")
    ]


def by_hand(text):
    """A page without code and without what programs write."""
    return COMMENT.sub("", GENERATED.sub("", documents.prose(text)))


def plain(text):
    """What is read of a piece of Markdown; each piece of code is a word."""
    text = LINK.sub(r"\1", PICTURE.sub("", text))
    return ABBREVIATED.sub(r"\1", CODE.sub("Code", text))


def words(text):
    """Counts the words; signs alone are none."""
    return sum(any(map(str.isalnum, word)) for word in plain(text).split())


def paragraphs(text):
    """Lists paragraphs, items of lists, headings and cells of tables."""
    pieces, piece = [], []
    for line in [*text.split("\n"), ""]:
        if not line.strip() or line.startswith(("|", "#")) or ITEM.match(line):
            pieces.append(" ".join(piece))
            piece = []
        if line.startswith("|"):
            pieces += re.split(r"(?<!\\)\|", line)
        elif line.startswith("#"):
            pieces.append(line)
        else:
            piece.append(ITEM.sub("", line).strip())
    return [piece for piece in pieces if words(piece)]


def sentences(paragraph):
    """Splits at full stops; a colon or a semicolon ends no sentence."""
    return ENDS.split(plain(paragraph))


def long_lines(text):
    """Lists the lines of prose that are too long, but could be broken."""
    return [
        line
        for line in text.split("\n")
        if len(line) > COLUMNS
        and not line.startswith(("|", "#"))
        and len(line.split(maxsplit=1)) > 1
    ]


def crowded_lists(text):
    """Lists the items without the blank line that a list needs before it.

    The site's Markdown takes such a line for one of the paragraph, and a
    forge takes a number that happens to begin a line for an item.
    """
    crowded, inside = [], True
    for line in text.split("\n"):
        if ITEM.match(line) and not inside:
            crowded.append(f"no blank line before: {line}")
        inside = (
            not line.strip()
            or bool(ITEM.match(line))
            or inside
            and line.startswith("  ")
        )
    return crowded


def complaints(text):
    """Lists what is too long or too close on a page."""
    text = by_hand(text)
    found = [f"{len(line)} columns: {line}" for line in long_lines(text)]
    found += crowded_lists(text)

    for paragraph in paragraphs(text):
        if words(paragraph) > PARAGRAPH_WORDS:
            found.append(f"{words(paragraph)} words: {paragraph}")
        found += [
            f"{words(sentence)} words: {sentence}"
            for sentence in sentences(paragraph)
            if words(sentence) > SENTENCE_WORDS
        ]
    found += [
        f"{words(alt)} words: {alt}"
        for alt in PICTURE.findall(text)
        if words(alt) > ALT_WORDS
    ]
    return found


class ProseTest(parameterized.TestCase):
    def test_pages_are_short_in_every_piece(self):
        for page in read_pages():
            with self.subTest(documents.name(page)):
                text = page.read_text()
                if documents.name(page) == TABLES_MADE:
                    text = re.sub(r"(?m)^\|.*$", "", text)
                self.assertEmpty(complaints(text))

    def test_findings_are_one_page(self):
        text = by_hand((documents.ROOT / "docs/findings.md").read_text())
        self.assertLessEqual(words(text), FINDINGS_WORDS)


class RulesTest(parameterized.TestCase):
    @parameterized.parameters(
        ("word " * 31 + ".", 1),
        ("word " * 30 + ".", 0),
        # A link's address and code count as they are read.
        ("word " * 29 + "[here](" + "a/" * 60 + ") `a b c`.", 1),
        ("Short one. " * 46, 1),
        ("Short one. " * 45, 0),
        ("- one two\n" * 100, 0),
        ("- " + "Short one. " * 46, 1),
        ("| " + "word " * 31 + "| b |\n", 1),
        ("```text\n" + "word " * 100 + "\n```\n", 0),
        ("<!-- made: x -->\n" + "word " * 100 + "\n<!-- end -->\n", 0),
        ("![" + "word " * 41 + "](x.svg)", 1),
        ("Word " * 20 + "et al. " + "Word " * 12, 1),
    )
    def test_what_is_too_long(self, text, count):
        found = [x for x in complaints(text) if "columns: " not in x]
        self.assertLen(found, count, found)

    @parameterized.parameters(
        ("a\n- b\n", 1),
        ("a scale of\n1. So\n", 1),
        ("a\n\n- b\n  c\n- d\n", 0),
        ("a\n\n- b\n\nc d\n- e\n", 1),
    )
    def test_lists(self, text, count):
        self.assertLen(crowded_lists(text), count)

    def test_lines(self):

        self.assertLen(long_lines("a" * 50 + " " + "b" * 50), 1)
        self.assertEmpty(long_lines("a" * 50 + " " + "b" * 49))
        # What cannot be broken, and tables.
        self.assertEmpty(long_lines("a" * 200 + "\n| " + "a " * 200 + "|"))


if __name__ == "__main__":
    absltest.main()
