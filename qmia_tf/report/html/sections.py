"""The sections of the page: which figures and tables each of them has."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Section:
    """One section; it is left out where none of its contents is there.

    Attributes:
        key: its id in the page.
        title: its heading.
        lead: how to read it, in a sentence or two.
        figures: keys of figures.FIGURES.
        tables: names of tables, shown openly.
        folded: names of tables that a reader opens.
    """

    key: str
    title: str
    lead: str
    figures: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()


# The figure above the sections.
TOP = "overview"
# Its pictures are shown by the page itself, as a grid that fits any width.
EXPOSED = "exposed"

SECTIONS = (
    Section(
        "answers",
        "The verdict on each artefact",
        "One test over all attacks on all records says whether there is a "
        "leak; intervals that hold for all attacks at once say how large.",
        tables=("answers",),
        folded=("strongest",),
    ),
    Section(
        "paper",
        "The paper's tables and ours",
        "Kowalski, Famili and Lao (ICIP 2022) found that quantized models "
        "leak less. Their numbers are for full-length training; compare them "
        "with runs of the same recipe only.",
        tables=("table1", "table2"),
    ),
    Section(
        "threshold",
        "Attack accuracy against the threshold",
        "The confidence attack calls a record a member if the largest "
        "probability reaches a threshold: the paper's Figures 2 and 3.",
        figures=("threshold",),
    ),
    Section(
        "roc",
        "With few false alarms",
        "What matters most in practice is whom an attack finds while it "
        "accuses hardly anyone wrongly: the left end of the ROC curve.",
        figures=("roc",),
        folded=("tails",),
    ),
    Section(
        "scores",
        "Scores of members and nonmembers",
        "Where the two distributions overlap no threshold tells them apart.",
        figures=("histograms",),
    ),
    Section(
        "costs",
        "Leak against bits, accuracy, size and time",
        "A model that learned less also memorized less: compare leaks at "
        "equal accuracy.",
        figures=("bits", "tradeoff", "cost", "epochs"),
    ),
    Section(
        "artefacts",
        "Every artefact",
        "The trained model and each file exported from it, queried about "
        "the same records.",
        tables=("leaks", "changes", "seeds", "seed_changes", "joint"),
        folded=("artefacts",),
    ),
    Section(
        "attacks",
        "Every attack",
        "",
        tables=("attacks",),
        folded=("tfprivacy",),
    ),
    Section(
        "parity",
        "Is the file what was trained?",
        "scripts/parity.py compares integer files with the trained model code "
        "by code; the outputs of every artefact are compared record by record.",
        figures=("parity",),
        tables=("agreement",),
    ),
    Section(
        "classes",
        "Class by class",
        "A leak that is small on average may be larger in one class.",
        figures=("classes",),
    ),
)


def others(kinds) -> tuple[str, ...]:
    """Finds figures that no section names, so that none is lost.

    Args:
        kinds: keys of figures that were drawn, in order.
    """
    known = {
        TOP,
        EXPOSED,
        *(x for section in SECTIONS for x in section.figures),
    }
    return tuple(kind for kind in dict.fromkeys(kinds) if kind not in known)


def alone() -> set[str]:
    """Gives the figures that are the only one of their section."""
    return {
        x
        for section in SECTIONS
        if len(section.figures) == 1
        for x in section.figures
    }
