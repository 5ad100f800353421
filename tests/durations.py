"""How long tests take, and which of them --fast leaves out.

tests/long_tests.txt lists the test classes that take long. `--measure` writes
it again, of the files that are run:

    bash scripts/test.sh --measure
"""

import ast
import functools
import pathlib

TESTS = pathlib.Path(__file__).resolve().parent
LIST = TESTS / "long_tests.txt"
HEAD = """\
# Test classes that take {least:g} s or more: seconds, FILE::CLASS. Written by
# `bash scripts/test.sh --measure`. The longest files begin first, so that no
# worker has one left when the others are done; --fast leaves these out.
"""
LEAST_SECONDS = 2.0
# What trains or converts: a test file that imports of it, by itself or through
# a module of tests/, is left out by --fast ...
TRAINS_OR_CONVERTS = (
    "qmia_tf.deploy",
    "qmia_tf.experiments",
    "qmia_tf.qat",
    "qmia_tf.training",
)
# ... but for these, which are plain data.
PLAIN_DATA = ("qmia_tf.deploy.parity.mismatches", "qmia_tf.training.recipes")


def read() -> dict[str, float]:
    """Seconds by "tests/FILE::CLASS"; empty without the list."""
    if not LIST.exists():
        return {}
    lines = LIST.read_text(encoding="utf-8").splitlines()
    pairs = [line.split() for line in lines if not line.startswith("#")]
    return {name: float(seconds) for seconds, name in pairs}


def write(seconds: dict[str, float]):
    """Puts measured classes into the list; those of other files stay."""
    measured = {name.partition("::")[0] for name in seconds}
    kept = {
        name: value
        for name, value in read().items()
        if name.partition("::")[0] not in measured
        and (TESTS.parent / name.partition("::")[0]).exists()
    }
    whole = {**kept, **seconds}
    lines = [
        f"{whole[name]:.0f} {name}\n"
        for name in sorted(whole, key=lambda name: (-whole[name], name))
        if whole[name] >= LEAST_SECONDS
    ]
    text = HEAD.format(least=LEAST_SECONDS) + "".join(lines)
    LIST.write_text(text, encoding="utf-8")


def class_of(node_id: str) -> str:
    """The FILE::CLASS of a test."""
    return "::".join(node_id.split("::")[:2])


def trains_or_converts(path: pathlib.Path) -> bool:
    """Whether a test file imports what trains or converts."""
    return any(
        name.startswith(TRAINS_OR_CONVERTS) and not name.startswith(PLAIN_DATA)
        for name in _imported(path)
    )


@functools.cache
def _imported(path):
    """What a file imports, by itself or through modules of tests/."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    for name in list(names):
        helper = path.parent / f"{name.partition('.')[0]}.py"
        if not helper.exists():
            helper = TESTS / helper.name
        if helper.exists() and helper != path:
            names |= _imported(helper)
    return names
