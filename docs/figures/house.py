"""Draws the house of docs/architecture.md, and says which room uses which.

    python docs/figures/house.py

Reads the imports of qmia_tf/ as text; nothing of it is run. Prints the doors
that lead the wrong way and writes house.svg beside itself. Takes a second.
A new module of qmia_tf gets its place in ROOMS here.
"""

import ast
import collections
import dataclasses

import drawing
from matplotlib.patches import FancyBboxPatch

PACKAGE = drawing.FOLDER.parent.parent / "qmia_tf"


@dataclasses.dataclass(frozen=True)
class Room:
    """Modules and packages of qmia_tf that belong together.

    Attributes:
        title: what they do.
        modules: their names below qmia_tf.
        place: x, y, width and height in the drawing, of 100 x 64.
        floor: a room uses those of its floor to its left, and all below.
    """

    title: str
    modules: tuple[str, ...]
    place: tuple[float, float, float, float]
    floor: int


ROOMS = {
    "data": Room(
        "data and plan",
        ("datasets", "split", "recipes", "configuration"),
        (0, 16, 15, 26),
        1,
    ),
    "network": Room(
        "network, training",
        (
            *("dorefa", "symmetric", "residual", "exact", "layers", "resnet"),
            *("models", "rewrite", "pipeline", "trainer", "training"),
            *("keras_files", "keras_calls"),
        ),
        (17, 16, 17, 26),
        1,
    ),
    "files": Room("files", ("deploy",), (36, 16, 12, 26), 1),
    "answers": Room(
        "answers", ("targets", "queries", "edge"), (50, 16, 13, 26), 1
    ),
    "judgement": Room(
        "judgement",
        ("attacks", "statistics", "tfprivacy", "auditing"),
        (65, 16, 18, 26),
        1,
    ),
    "page": Room("page", ("report",), (85, 16, 15, 26), 1),
    "cellar": Room(
        "what all stand on",
        ("grids", "logits", "outputs", "output_checks", "runs", "errors")
        + ("messages", "onednn", "image_shapes", "output_kinds")
        + ("repeatability",),
        (0, 0, 100, 8),
        0,
    ),
    "jobs": Room(
        "whole jobs",
        (
            *("experiment", "run_training", "own", "shipped", "reproduction"),
            "tensorboard",
        ),
        (0, 45, 100, 8),
        2,
    ),
    "roof": Room("programs", ("options", "program"), (0, 55, 100, 8), 3),
}
# What is handed on to the right, room by room.
HANDED_ON = (
    ("data", "images, members"),
    ("network", "model.keras"),
    ("files", ".tflite"),
    ("answers", "outputs/*.npz"),
    ("judgement", "audit.json"),
)
BLUE = {"color": drawing.BLUE, "fontsize": 7.5}
# Imports that lead right or up; docs/architecture.md says why.
WRONG_DOORS = (
    ("auditing", "experiment"),
    ("auditing", "run_training"),
    ("deploy", "program"),
    ("deploy", "report"),
    ("deploy", "targets"),
    ("queries", "auditing"),
    ("trainer", "targets"),
)
SHOWN = {"roof": ("scripts/",), "jobs": (), "cellar": ()}


def modules():
    """Lists what there is in qmia_tf: modules and packages by name."""
    return sorted(
        path.stem
        for path in PACKAGE.iterdir()
        if not path.name.startswith("_")
        and (path.suffix == ".py" or (path / "__init__.py").exists())
    )


def room_of(module):
    """Returns the room of a module or package, None without one."""
    for name, room in ROOMS.items():
        if module in room.modules or module.split("_")[0] in room.modules:
            return name
    return None


def uses():
    """Finds who imports whom.

    Returns: dict (module, module) -> sorted files of the first that import
        the second, names below qmia_tf.
    """
    found = collections.defaultdict(set)
    for path in sorted(PACKAGE.rglob("*.py")):
        inside = path.relative_to(PACKAGE)
        user = inside.parts[0].removesuffix(".py")
        for used in _imported(path):
            if user not in ("__init__", used):
                found[user, used].add(inside.as_posix())
    return {pair: sorted(files) for pair, files in sorted(found.items())}


def _imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "qmia_tf" and rest:
                yield rest.split(".")[0]


def allowed(user, used):
    """Whether a room may use another: to its left, or on a lower floor."""
    if user == used:
        return True
    one, other = ROOMS[user], ROOMS[used]
    if one.floor == other.floor:
        return one.place[0] > other.place[0]
    return one.floor > other.floor


def wrong_doors():
    """Lists the imports that lead right or up: (user, used), files."""
    return {
        (user, used): files
        for (user, used), files in uses().items()
        if room_of(user)
        and room_of(used)
        and not allowed(room_of(user), room_of(used))
    }


def house():
    """Draws the rooms, what is in them, and what is handed on."""
    figure, axes = drawing.new(height=4.6)
    axes.set(xlim=(-1, 101), ylim=(-1, 64))
    axes.axis("off")
    there = modules()
    for name, room in ROOMS.items():
        inside = [x for x in there if room_of(x) == name]
        _room(axes, room, [*SHOWN.get(name, ()), *_in_order(inside, room)])
    for name, what in HANDED_ON:
        x, y, width, height = ROOMS[name].place
        end = x + width
        axes.annotate(
            "",
            (end + 2.3, y + height / 2),
            (end - 0.3, y + height / 2),
            arrowprops={"arrowstyle": "-|>", "color": drawing.BLUE},
        )
        axes.text(end + 1, y - 0.8, what, ha="center", va="top", **BLUE)
    return figure


def _in_order(inside, room):
    """As ROOMS names them, whatever shares a name's beginning behind it."""
    order = {name: place for place, name in enumerate(room.modules)}
    return sorted(
        inside, key=lambda x: (order.get(x, order.get(x.split("_")[0])), x)
    )


def _room(axes, room, inside):
    x, y, width, height = room.place
    axes.add_patch(
        FancyBboxPatch(
            (x, y),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.8",
            facecolor=drawing.PALE,
            edgecolor=drawing.GREY,
        )
    )
    axes.text(
        x + 1, y + height - 1.2, room.title, va="top", weight="bold", fontsize=8
    )
    wide = width > 50
    shown = [f"{n}/" if (PACKAGE / n).is_dir() else n for n in inside]
    axes.text(
        x + 1,
        y + height - (4.6 if wide else 4.4),
        ("   " if wide else "\n").join(shown),
        va="top",
        fontsize=7.5,
        linespacing=1.25,
    )


def main(folder=drawing.FOLDER):
    """Draws the house; returns the paths of what was written."""
    return [drawing.save(house(), "house", folder)]


if __name__ == "__main__":
    for (one, other), files in wrong_doors().items():
        print(f"{one} -> {other}: {', '.join(files)}")
    for made in main():
        print(made.name)
