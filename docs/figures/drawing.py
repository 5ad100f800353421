"""How the drawings of docs/ look, and how they are kept."""

import pathlib

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent
INK, GREY, PALE = "#222222", "#8a8a8a", "#efefef"
# Okabe and Ito's, told apart without red and green.
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
LOOK = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.edgecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "figure.facecolor": "white",
    "font.size": 8,
    "legend.frameon": False,
    # The same drawing gives the same file, byte for byte.
    "svg.fonttype": "path",
    "svg.hashsalt": "qmia_tf",
}


def new(*, rows=1, columns=1, height):
    """Makes a figure of 7.2 inches; returns it and its axes."""
    pyplot.rcParams.update(LOOK)
    return pyplot.subplots(
        rows, columns, figsize=(7.2, height), layout="constrained"
    )


def save(figure, name, folder=FOLDER):
    """Writes FOLDER/NAME.svg and closes the figure.

    Returns: its path.
    """
    path = pathlib.Path(folder) / f"{name}.svg"
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path
