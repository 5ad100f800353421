"""The figures of a report, each drawn once for every format that shows it."""

import dataclasses
from collections.abc import Sequence

from qmia_tf.report.figures import FIGURES, groups
from qmia_tf.report.figures.image_files import file_name, image_bytes
from qmia_tf.report.run_list import Run, title
from qmia_tf.report.tables import Table


@dataclasses.dataclass(frozen=True)
class Picture:
    """One figure of the runs on one data set.

    Attributes:
        kind: its key in figures.FIGURES.
        name: of its files: kind and data set, if that has a name.
        dataset: what a person calls the data set.
        title: its heading.
        caption: what is drawn, and how.
        alt: what is seen, in words.
        data: what is drawn, as a table.
        files: format, "svg" or "png", -> bytes of the wide drawing.
        narrow: svg of the drawing for a phone; None if not asked for.
    """

    kind: str
    name: str
    dataset: str
    title: str
    caption: str
    alt: str
    data: Table
    files: dict[str, bytes]
    narrow: bytes | None


def draw(runs: list[Run], *, formats: Sequence[str]) -> list[Picture]:
    """Draws every figure that the runs have something for.

    Args:
        runs: in the order of the tables.
        formats: of the report; html needs svg, and the narrow drawings.
    """
    page = "html" in formats
    # Each file moves the layout a little: always in this order.
    suffixes = ["svg"] if page or "svg" in formats else []
    suffixes += ["png"] if "png" in formats else []
    pictures = []
    runs_by_dataset = groups(runs) if suffixes else {}
    for dataset, listed in runs_by_dataset.items():
        plain = listed[0].unnamed and len(runs_by_dataset) == 1
        names = ", ".join(x.name for x in runs if x.dataset == dataset)
        for kind, figure_class in FIGURES.items():
            figure = figure_class(listed)
            drawing = figure.draw()
            if drawing is None:
                continue
            narrow = figure.draw(narrow=True) if page else None
            pictures.append(
                Picture(
                    kind=kind,
                    name=kind if plain else file_name(kind, dataset),
                    dataset=names if listed[0].unnamed else title(dataset),
                    title=figure.title,
                    caption=figure.caption(),
                    alt=figure.alt(),
                    data=figure.data(),
                    files={x: image_bytes(drawing, x) for x in suffixes},
                    narrow=narrow and image_bytes(narrow, "svg"),
                )
            )
    return pictures
