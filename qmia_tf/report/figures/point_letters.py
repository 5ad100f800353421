"""Letters beside points, clear of other points and of each other."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qmia_tf.report.figures.panels import TEXT
from qmia_tf.report.figures.series import Artefact

# Left, low, right, high.
Box = tuple[float, float, float, float]

# Half a marker, and a letter, in points.
DOT, LETTER = 5.0, (8.0, 9.0)
# From here on a line leads from the point to its letter, in points.
FAR = 14.0
LINE = {"arrowstyle": "-", "linewidth": 0.6, "shrinkA": 4, "shrinkB": 5}
# Where a letter may stand from its point, nearest first, in points.
OFFSETS = [
    (across * reach, up * reach)
    for reach in (12.0, 16.0, 22.0, 29.0, 37.0, 46.0)
    for across, up in (
        (0.8, 0.8),
        (-0.8, 0.8),
        (0.8, -0.8),
        (-0.8, -0.8),
        (0, 1),
        (1, 0),
        (0, -1),
        (-1, 0),
    )
]


def write_keys(
    figure: Figure,
    axes: Axes,
    points: list[tuple[float, float] | None],
    artefacts: list[Artefact],
):
    """Writes A, B, ... at the first point of each model.

    Args:
        figure: all drawn already.
        axes: the panel.
        points: (x, y) in data units of each artefact, if it is drawn.
        artefacts: as many; the first of a model begins its points.
    """
    # Places in points are known only once there is a layout.
    figure.draw_without_rendering()
    scale = 72 / figure.dpi
    places = [
        None if at is None else axes.transData.transform(at) * scale
        for at in points
    ]
    low, high = (
        corner * scale for corner in axes.transAxes.transform([(0, 0), (1, 1)])
    )
    boxes = [_box(at, (2 * DOT, 2 * DOT)) for at in places if at is not None]
    models = -1
    for at, place, artefact in zip(points, places, artefacts, strict=True):
        models += artefact.first
        if not artefact.first or at is None:
            continue
        offset, box = free_place(place, boxes, (*low, *high))
        boxes.append(box)
        far = max(map(abs, offset)) > FAR
        axes.annotate(
            chr(ord("A") + models % 26),
            at,
            xytext=offset,
            textcoords="offset points",
            ha="center",
            va="center",
            color=artefact.color,
            fontsize=TEXT,
            fontweight="bold",
            arrowprops={**LINE, "color": artefact.color} if far else None,
        ).set_in_layout(False)


def free_place(
    at: tuple[float, float], taken: list[Box], inside: Box
) -> tuple[tuple[float, float], Box]:
    """The first offset where a letter meets nothing, and its box.

    Args:
        at: (x, y) of the point, in points.
        taken: boxes (left, low, right, high) that are not to be met.
        inside: the box that it has to stay in.
    Returns: offset (x, y), and the box of the letter. If nothing is free the
        farthest place inside.
    """
    best = None
    for offset in OFFSETS:
        box = _box((at[0] + offset[0], at[1] + offset[1]), LETTER)
        if not _within(box, inside):
            continue
        best = offset, box
        if not any(overlap(box, other) for other in taken):
            break
    return best or (OFFSETS[0], _box(at, LETTER))


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes share more than an edge."""
    return all(
        one[side] < other[side + 2] and other[side] < one[side + 2]
        for side in (0, 1)
    )


def _box(center, size):
    return (
        center[0] - size[0] / 2,
        center[1] - size[1] / 2,
        center[0] + size[0] / 2,
        center[1] + size[1] / 2,
    )


def _within(box, inside):
    return (
        box[0] >= inside[0]
        and box[1] >= inside[1]
        and box[2] <= inside[2]
        and box[3] <= inside[3]
    )
