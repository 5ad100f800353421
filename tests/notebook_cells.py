"""The notebook's cells, and what a test runs of them."""

import pathlib

import nbformat

ROOT = pathlib.Path(__file__).resolve().parent.parent
# One model of few weights; nothing is installed.
BITS, RECIPE = "w4a4", {"epochs": 1, "width": 4, "batch_size": 449}
AUGMENTED = 8
INSTEAD = {
    "install": "",
    'BITS = ["w32a32", "w4a4"]': f'BITS = ["{BITS}"]',
    "RECIPE = {}": f"RECIPE = {RECIPE}",
    "AUGMENTED = 500": f"AUGMENTED = {AUGMENTED}",
    "epochs=10,": "epochs=1,",
    # The script has drawn it already.
    '(run_dirs, "runs/digits/report")': (
        '(run_dirs, "runs/digits/report", formats=())'
    ),
}
RUN = {"install", "settings", "digits"}
NOT_RUN = {"cifar10", "colab"}


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
        for ours, instead in INSTEAD.items():
            cell.source = cell.source.replace(ours, instead)
    return stored
