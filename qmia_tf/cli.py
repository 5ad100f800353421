"""The command `qmia`: the programs of qmia_tf/programs/ by name.

    qmia COMMAND --flag=value ...

`python -m qmia_tf COMMAND` is the same. A package adds a command by an entry
point of the group "qmia_tf.command": a module with define_flags() and
main(argv).
"""

import sys

import qmia_tf
from qmia_tf.errors import InputError
from qmia_tf.programs import program
from qmia_tf.registry import Registry

PROGRAMS = "qmia_tf.programs"
# In the order in which `qmia --help` lists them.
COMMANDS = Registry(
    "command",
    {
        "audit": f"{PROGRAMS}.audit",
        "demo": f"{PROGRAMS}.demo",
        "quickstart": f"{PROGRAMS}.quickstart",
        "train": f"{PROGRAMS}.train",
        "export": f"{PROGRAMS}.export",
        "parity": f"{PROGRAMS}.parity",
        "references": f"{PROGRAMS}.train_references",
        "sweep": f"{PROGRAMS}.sweep",
        "attack": f"{PROGRAMS}.attack",
        "report": f"{PROGRAMS}.report",
        "compare": f"{PROGRAMS}.compare",
        "risk": f"{PROGRAMS}.risk",
        "export_data": f"{PROGRAMS}.export_data",
        "edge": f"{PROGRAMS}.evaluate_edge",
    },
)


def main(arguments=None):
    """Runs one command.

    Args:
        arguments: what stands behind `qmia`; None takes sys.argv's.
    """
    if arguments is None:
        arguments = sys.argv[1:]
    command, *rest = arguments or ["--help"]
    program.open_closed_streams()
    if command in ("help", "--help", "-h", "--version"):
        say = _version if command == "--version" else page
        program.guarded(lambda argv: print(say()), ["qmia"])
        return
    chosen = []
    program.guarded(lambda argv: chosen.append(_find(command)), ["qmia"])
    program.run(*chosen, [f"qmia {command}", *rest])


def page() -> str:
    """Lists the commands with the first line of each one's docstring."""
    width = max(map(len, COMMANDS.names()))
    lines = [
        f"  {name:{width}}  {module.__doc__.splitlines()[0]}"
        for name, module in COMMANDS.items()
    ]
    return "\n".join(
        [
            "Audits what a model gives away about its training data.",
            "",
            "  qmia COMMAND --flag=value ...",
            "",
            "Commands:",
            *lines,
            "",
            "`qmia COMMAND --help` shows an example and the flags of each.",
        ]
    )


def _version():
    return f"qmia_tf {qmia_tf.__version__}"


def _find(command):
    if command.startswith("-"):
        raise InputError(
            f"name a command before {command}: one of "
            f"{', '.join(COMMANDS.names())}"
        )
    return COMMANDS[command]
