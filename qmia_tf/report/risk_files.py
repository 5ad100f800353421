"""The records at highest risk: their files, and images on a contact sheet."""

import pathlib
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from qmia_tf import files, locks
from qmia_tf.auditing.record_risk import RecordRisks, check_comparable
from qmia_tf.report.figures.image_files import image_bytes
from qmia_tf.report.figures.styles import COLORS, GREY
from qmia_tf.report.risk_page import as_csv, as_page, interval

CSV, PAGE, SHEET = "records.csv", "risk.md", "risk.png"
COLUMNS = 8
# Of one record on the sheet: its image and what stands under it.
CELL = (1.3, 1.95)


def write_risks(
    risks: RecordRisks,
    out_dir: str | pathlib.Path,
    *,
    before: RecordRisks | None = None,
    top: int = 24,
    pictures: tuple[np.ndarray, Sequence[str]] | None = None,
) -> list[pathlib.Path]:
    """Writes records.csv, risk.md and, with images, risk.png.

    Args:
        risks: of the target.
        out_dir: where to write; made if it is not there.
        before: of the baseline on the same records.
        top: how many members the page lists.
        pictures: uint8 [K, H, W, C] of riskiest_members, class names.
    Returns: the paths written.
    Raises: InputError if the baseline is about other records, or the place
        cannot be written.
    """
    if before is not None:
        check_comparable(risks, before)
    rows = risks.riskiest_members(top)
    contents = {
        CSV: as_csv(risks, before).encode(),
        PAGE: as_page(risks, rows, before).encode(),
    }
    if pictures is not None:
        figure = contact_sheet(risks, rows, *pictures, before=before)
        contents[SHEET] = image_bytes(figure, "png")
    out_dir = pathlib.Path(out_dir)
    with locks.writing(out_dir / PAGE):
        for name, content in contents.items():
            files.write_bytes(out_dir / name, content)
    return [out_dir / name for name in contents]


def contact_sheet(
    risks: RecordRisks,
    rows: np.ndarray,
    images: np.ndarray,
    class_names: Sequence[str],
    *,
    before: RecordRisks | None = None,
) -> Figure:
    """Draws records with what is known of them underneath.

    Args:
        risks: of the target.
        rows: int [K], 1 or more.
        images: uint8 [K, H, W, C], C = 1 or 3.
        class_names: of all classes.
        before: of the baseline.
    """
    across = min(COLUMNS, len(rows))
    down = -(-len(rows) // across)
    # Wide enough for the title and the note, however few there are.
    size = max(CELL[0] * across, 6.5), CELL[1] * down + 0.8
    figure = Figure(figsize=size, layout="constrained")
    places = figure.subplots(down, across, squeeze=False).ravel()
    for axes in places:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, row, image in zip(places, rows, images, strict=False):
        pixels = image[..., 0] if image.shape[2] == 1 else image
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255)
        label = risks.outputs.labels[row]
        predicted = risks.outputs.predicted[row]
        lines = [
            f"label {_short(class_names[label])}",
            f"predicted {_short(class_names[predicted])}",
            interval(risks.risk, row),
        ]
        if before is not None:
            lines.append(f"baseline {before.risk.value[row]:.2f}")
        axes.set_xlabel(
            "\n".join(lines),
            fontsize="x-small",
            color="black" if predicted == label else COLORS[1],
        )
    figure.suptitle(
        f"Members at highest risk: {risks.run}, "
        f"target {risks.outputs.target}, score {risks.score}",
        fontsize="medium",
    )
    figure.supxlabel(
        "Under each: P(member | score) at prior 1/2 and its "
        f"{100 * risks.level:g} % interval,\ncalibrated on the other half "
        "of the records. Coloured: predicted wrong.",
        fontsize="x-small",
        color=GREY,
    )
    return figure


def _short(name):
    return name if len(name) <= 12 else f"{name[:11]}…"
