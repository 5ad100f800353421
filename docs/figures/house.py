"""Draws the house of docs/architecture.md, and says which room uses which.

    python docs/figures/house.py

Reads the imports of qmia_tf/, paper/ and tools/ as text, those inside functions
too; nothing of them is run. Prints imports that lead up or to the right, and
circles, if there are any, and writes house.svg beside itself. Takes a second.
A new module of qmia_tf gets its place in ROOMS here.
"""

import ast
import collections
import dataclasses
import graphlib

import drawing
from matplotlib.patches import FancyBboxPatch

ROOT = drawing.FOLDER.parent.parent
PACKAGE = ROOT / "qmia_tf"
# Packages of the checkout alone: they use qmia_tf, which knows neither.
BESIDE = ("paper", "tools")


@dataclasses.dataclass(frozen=True)
class Room:
    """Modules and packages of qmia_tf that belong together.

    Attributes:
        title: what they do.
        modules: their names below qmia_tf, or names of BESIDE.
        place: x, y, width and height in the drawing, of 100 x 64.
        floor: a room uses those of its floor to its left, and all below.
    """

    title: str
    modules: tuple[str, ...]
    place: tuple[float, float, float, float]
    floor: int


ROOMS = {
    "data": Room("data", ("data", "outputs"), (0, 16, 13, 26), 1),
    "network": Room(
        "network, training",
        ("layers", "models", "qat", "training"),
        (15, 16, 18, 26),
        1,
    ),
    "files": Room("files", ("deploy",), (35, 16, 12, 26), 1),
    "targets": Room("targets", ("targets", "edge"), (49, 16, 13, 26), 1),
    "judgement": Room(
        "judgement", ("attacks", "auditing"), (64, 16, 18, 26), 1
    ),
    "page": Room("page", ("report",), (84, 16, 16, 26), 1),
    "cellar": Room(
        "what all stand on",
        (
            *(
                "errors",
                "extras",
                "files",
                "locks",
                "run_dir",
                "run_config",
                "registry",
            ),
            *("typed_json", "terminal", "quiet", "onednn", "plot_settings"),
            *("quantizers", "statistics"),
        ),
        (0, 0, 100, 8),
        0,
    ),
    "jobs": Room("whole jobs", ("experiments",), (0, 45, 100, 8), 2),
    "roof": Room("programs", ("cli", "programs"), (0, 55, 62, 8), 3),
    "beside": Room("of a checkout alone", BESIDE, (64, 55, 36, 8), 3),
}
# What is handed on to the right, room by room.
HANDED_ON = (
    ("data", "images, members"),
    ("network", "model.keras"),
    ("files", ".tflite"),
    ("targets", "outputs/*.npz"),
    ("judgement", "audit.json"),
)
BLUE = {"color": drawing.BLUE, "fontsize": 7.5}
SHOWN = {"roof": ("scripts/",)}


def modules():
    """Lists modules and packages of qmia_tf by name, and those of BESIDE."""
    inside = [
        path.stem
        for path in PACKAGE.iterdir()
        if not path.name.startswith("_")
        and (path.suffix == ".py" or (path / "__init__.py").exists())
    ]
    return sorted([*inside, *BESIDE])


def room_of(module):
    """Returns the room of a module or package, None without one."""
    for name, room in ROOMS.items():
        if module in room.modules:
            return name
    return None


def imports() -> dict[str, set[str]]:
    """Finds who imports whom, inside functions as well.

    Returns: module -> the modules of the project that it imports, and the
        packages around those, for Python imports them too; names such as
        "qmia_tf.report.tables".
    """
    paths = {
        _name(path): path
        for folder in (PACKAGE.name, *BESIDE)
        for path in (ROOT / folder).rglob("*.py")
    }
    return {name: _imported(name, paths) for name in sorted(paths)}


def reached(*modules) -> set[str]:
    """Finds the modules that any function of these could ever import.

    Args:
        modules: names; they count too, as do the packages around them.
    """
    graph, seen, waiting = imports(), set(), list(modules)
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting += graph[module]
            waiting += filter(None, [module.rpartition(".")[0]])
    return seen


def _name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _imported(user, paths):
    names = set()
    tree = ast.parse(paths[user].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    used = set()
    for name in names:
        if name.partition(".")[0] not in paths:
            continue
        # The longest part of the name that is a module, and what is around.
        while name not in paths:
            name = name.rpartition(".")[0]
        while name:
            used.add(name)
            name = name.rpartition(".")[0]
    return {name for name in used if not f"{user}.".startswith(f"{name}.")}


def uses() -> dict[tuple[str, str], list[str]]:
    """Finds which module or package imports which.

    Returns: (name, name) -> sorted modules of the first that import the
        second, all below qmia_tf but those of BESIDE.
    """
    users = collections.defaultdict(set)
    for user, used in imports().items():
        for name in used:
            pair = _top(user), _top(name)
            if "" not in pair and pair[0] != pair[1]:
                users[pair].add(user.removeprefix("qmia_tf."))
    return {pair: sorted(names) for pair, names in sorted(users.items())}


def _top(module):
    first, _, rest = module.partition(".")
    return first if first in BESIDE else rest.partition(".")[0]


def circle(graph) -> list[str]:
    """Finds modules that import each other in a circle; empty without one.

    Args:
        graph: module -> modules it imports.
    """
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def circles() -> list[list[str]]:
    """Circles of modules, and of what lies directly in qmia_tf."""
    packages = collections.defaultdict(set)
    for user, used in uses():
        packages[user].add(used)
    components = [circle(imports()), circle(packages)]
    return [names for names in components if names]


def allowed(user, used):
    """Whether a room may use another: to its left, or on a lower floor."""
    if user == used:
        return True
    user_room, used_room = ROOMS[user], ROOMS[used]
    if user_room.floor == used_room.floor:
        return user_room.place[0] > used_room.place[0]
    return user_room.floor > used_room.floor


def wrong_doors():
    """Lists the imports that lead right or up: (user, used) -> modules."""
    return {
        (user, used): names
        for (user, used), names in uses().items()
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
    for name, text in HANDED_ON:
        x, y, width, height = ROOMS[name].place
        end = x + width
        axes.annotate(
            "",
            (end + 2.3, y + height / 2),
            (end - 0.3, y + height / 2),
            arrowprops={"arrowstyle": "-|>", "color": drawing.BLUE},
        )
        axes.text(end + 1, y - 0.8, text, ha="center", va="top", **BLUE)
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
    wide = height < 10
    shown = [f"{n}/" if _is_package(n) else n for n in inside]
    axes.text(
        x + 1,
        y + height - (4.6 if wide else 4.4),
        ("   " if wide else "\n").join(shown),
        va="top",
        fontsize=7.5,
        linespacing=1.25,
    )


def _is_package(name):
    return name in BESIDE or (PACKAGE / name).is_dir()


def main(folder=drawing.FOLDER):
    """Draws the house; returns the paths of what was written."""
    return [drawing.save(house(), "house", folder)]


if __name__ == "__main__":
    for (user, used), names in wrong_doors().items():
        print(f"{user} -> {used}: {', '.join(names)}")
    for names in circles():
        print(f"a circle: {' imports '.join(names[::-1])}")
    for path in main():
        print(path.name)
