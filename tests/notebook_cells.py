"""The notebook's cells, and what a test runs of them."""

import pathlib

import nbformat

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Networks of few weights, trained for a step; nothing is installed.
BITS = "w4a4"
FLAGS = (
    f"--bits={BITS}",
    *("--epochs=1", "--width=4", "--batch_size=449"),
    *("--label_only_records=8", "--tensorboard"),
)
QUICKSTART = "!python scripts/quickstart.py"
INSTEAD = {
    "install": "",
    f"{QUICKSTART}\n": f"{QUICKSTART} {' '.join(FLAGS)}\n",
    "nonmembers)\nprint": "nonmembers, label_only=None)\nprint",
}
RUN = {"install", "digits"}
NOT_RUN = set()


def notebook():
    path = ROOT / "notebooks" / "qmia_tf_colab.ipynb"
    return nbformat.read(path, as_version=4)


def tags(cell):
    return set(cell.metadata.get("tags", ()))


def texts(cell, kind):
    """What a cell wrote to stdout or stderr."""
    return "".join(
        output.text
        for output in cell.outputs
        if output.output_type == "stream" and output.name == kind
    )


def shortened():
    """The notebook with the cells that are run, smaller."""
    stored = notebook()
    stored.cells = [
        cell
        for cell in stored.cells
        if cell.cell_type == "code" and tags(cell) <= RUN
    ]
    for cell in stored.cells:
        if "install" in tags(cell):
            cell.source = INSTEAD["install"]
        cell.source += "\n"
        for ours, instead in INSTEAD.items():
            cell.source = cell.source.replace(ours, instead)
    return stored
