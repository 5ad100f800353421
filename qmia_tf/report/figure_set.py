"""The figures of a report, each drawn once for every format that shows it."""

import dataclasses
import io

import matplotlib

from qmia_tf.report import figures
from qmia_tf.report.figures import image_files
from qmia_tf.report.run_list import title
from qmia_tf.report.tables import Table


@dataclasses.dataclass(frozen=True)
class Picture:
    """One figure of the runs on one data set.

    Attributes:
        kind: its key in figures.FIGURES.
        name: of its files: kind and data set.
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


def draw(ordered, *, formats) -> list[Picture]:
    """Draws every figure that the runs have something for.

    Args:
        ordered: Runs.
        formats: of the report; html needs svg, and the narrow drawings.
    """
    suffixes = [kind for kind in ("svg", "png") if kind in formats]
    if "html" in formats and "svg" not in suffixes:
        suffixes.append("svg")
    pictures = []
    for dataset, listed in figures.groups(ordered).items() if suffixes else ():
        for kind, drawing in figures.FIGURES.items():
            figure = drawing.draw(listed)
            if figure is None:
                continue
            narrow = None
            if "html" in formats:
                narrow = _saved(drawing.draw(listed, narrow=True), "svg")
            pictures.append(
                Picture(
                    kind=kind,
                    name=image_files.file_name(kind, dataset),
                    dataset=title(dataset),
                    title=drawing.title,
                    caption=drawing.caption(listed),
                    alt=drawing.alt(listed),
                    data=drawing.data(listed),
                    files={
                        suffix: _saved(figure, suffix) for suffix in suffixes
                    },
                    narrow=narrow,
                )
            )
    return pictures


def _saved(figure, kind):
    file = io.BytesIO()
    with matplotlib.rc_context(image_files.STEADY):
        figure.savefig(
            file,
            format=kind,
            dpi=image_files.DPI,
            metadata=image_files.METADATA[kind],
            facecolor=image_files.FACES[kind],
        )
    return file.getvalue()
