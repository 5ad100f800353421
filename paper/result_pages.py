"""Pages of generated text alone: results/NAME.md, from stored results."""

from paper.reproduction_figures import DrawnFigure
from qmia_tf.report.table_formats import escaped
from qmia_tf.report.tables import Table

ANSWERS = """\
An interval below zero says "less", above zero "more". One that contains zero
is "too close to call", unless it lies within 0.05 points (0.0005 of AUC): that
is "the same". Differences are the model's minus full precision's. Of a file
they are the file's minus its Keras model's."""
FIGURES = """\
Beneath each figure lies a CSV file of the same name: every number that is
drawn."""
# Name of the page -> its title, what stands above, and the part.
PAGES = {
    "answers": ("The answers, model by model", ANSWERS, "answers"),
    "differences": (
        "Ours minus the paper's",
        "Of every row of the paper's table 1 that was run.",
        "differences",
    ),
    "figures": ("All figures", FIGURES, "figures"),
}
README = """\
# Results of the reproduction

Everything in this folder is made from the stored audits by
`python scripts/reproduce.py --only_report`, and a test makes it again.
Nothing is typed by hand. What the numbers say is in
[findings](../../docs/findings.md); how they were measured is in
[reproduction](../../docs/reproduction.md)."""


def pages(
    parts: dict[str, str], tables: list[Table], drawn: list[DrawnFigure]
) -> dict[str, str]:
    """Makes the text of every page, by file name.

    Args:
        parts: as of page_parts.parts, seen from the folder of the results.
        tables: those that the index lists.
        drawn: the figures that the index counts.
    """
    texts = {
        f"{name}.md": f"# {title}\n\n{intro}\n\n{parts[part].strip()}\n"
        for name, (title, intro, part) in PAGES.items()
    }
    links = [
        *(
            f"- [{title}]({name}.md)"
            + (f": {len(drawn)}." if name == "figures" else ".")
            for name, (title, *_) in PAGES.items()
        ),
        "- [The command of every run, and the versions](commands.md).",
        "- Tables, each also as a CSV file:",
        *(
            f"    - [{escaped(table.title)}](tables/{table.name}.md)"
            for table in tables
        ),
    ]
    texts["README.md"] = f"{README}\n\n" + "\n".join(links) + "\n"
    return texts
