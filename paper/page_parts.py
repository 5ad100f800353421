"""The generated parts of pages, between marks, from stored results."""

import re

from paper import findings, ledger
from paper.reproduction_figures import DrawnFigure
from paper.stored_results import FinishedRun
from qmia_tf.errors import InputError
from qmia_tf.report.table_formats import escaped

# <!-- made: NAME --> ... <!-- end -->
PART = re.compile(r"(<!-- made: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def fill(text: str, parts: dict[str, str]) -> str:
    """Puts each part, by name, between its marks in Markdown.

    Raises: InputError if a mark names no part.
    """

    def replaced(match):
        start, name, _, end = match.groups()
        if name not in parts:
            raise InputError(
                f"the page asks for {name!r}; there are {', '.join(parts)}"
            )
        return f"{start}{parts[name].strip()}\n{end}"

    return PART.sub(replaced, text)


def parts(
    finished: list[FinishedRun], drawn: list[DrawnFigure], *, folder: str
) -> dict[str, str]:
    """Makes every part, in Markdown, by name.

    `folder` is where the figures lie, as seen from the page.
    """
    open_runs = ledger.open_runs(finished)
    return {
        "figures": "\n\n".join(_image(x, folder) for x in drawn),
        "figures-headline": "\n\n".join(
            _image(x, folder) for x in drawn if x.name == "headline"
        ),
        "answers": "\n\n".join(
            f"**{question}**\n\n{_list(lines)}"
            for question, lines in findings.answers(finished)
        ),
        "regimes": _list(findings.regime_lines(finished)),
        "differences": _list(findings.differences(finished)),
        "arithmetic": _list(findings.arithmetic_lines()),
        "runs": _runs_text(finished),
        "left": _list(open_runs) if open_runs else "Nothing: all was run.",
    }


def _image(drawing, folder):
    alt = f"{drawing.title}. {drawing.alt}"
    return f"![{escaped(alt)}]({folder}/{drawing.name}.svg)"


def _list(lines):
    return "\n".join(f"- {escaped(line)}" for line in lines) or "Not run yet."


def _runs_text(finished):
    seconds = sum(sum(x.seconds.values()) for x in finished)
    seeds = len({x.job.seed for x in finished})
    return (
        f"{len(finished)} runs with {seeds} seeds; {seconds / 3600:.1f} hours "
        "of training and of the other stages, added up; many ran side by side."
    )
