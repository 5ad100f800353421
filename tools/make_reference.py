"""Writes docs/reference.md: every program, its flags, its exit status.

    python tools/make_reference.py

Loads each program for the flags that it defines; runs none of them. Takes some
seconds. tests/docs/docs_drawn_test.py compares.
"""

import collections
import importlib.util
import inspect
import pathlib
import re
import sys

from absl import flags

from qmia_tf import cli
from qmia_tf.programs import flag_help, program

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
PAGE = CHECKOUT / "docs" / "reference.md"
HEAD = """# Reference

Written by `python tools/make_reference.py` from the programs themselves;
do not edit it by hand. `qmia NAME --help` says the same, and so does
`python -m qmia_tf NAME`; a checkout has each program as scripts/NAME.py too.
The fields of audit.json are in [audit.md](audit.md).

Flags are absl's: `--flag=value` or `--flag value`; a list is separated by
commas; `--flag` and `--noflag` turn a boolean on and off; `--flagfile=FILE`
reads flags from a file, one a line.

## Exit status

{status}

## Environment

| variable | |
|---|---|
| `TFDS_DATA_DIR` | where TFDS data sets lie, if `--data_dir` does not say it |
| `PYTHON` | which Python `scripts/quickstart.sh` and `scripts/test.sh` make \
`.venv` with |
| `TF_ENABLE_ONEDNN_OPTS` | `0` has TensorFlow compute without oneDNN; the \
programs set 1 if it is not set ([limits.md](limits.md#where-it-was-tried)) |
| `TF_NUM_INTRAOP_THREADS` | how many threads TensorFlow computes one op with |
| `QMIA_SLOW` | runs the slow tests too, as `scripts/test.sh --slow` does |
| `QMIA_SCREENSHOTS` | folder that the report's test in Chromium leaves its \
pictures in |
"""


def programs():
    """Lists (heading, module): the commands, then what is a script alone."""
    named = [(f"qmia {name}", module) for name, module in cli.COMMANDS.items()]
    known = {pathlib.Path(module.__file__).stem for _, module in named}
    for path in sorted((CHECKOUT / "scripts").glob("*.py")):
        if path.stem not in known:
            named.append((f"scripts/{path.name}", _load(path)))
    return named


def _load(path):
    spec = importlib.util.spec_from_file_location("one_script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def groups_of(module):
    """Lists a program's flags by group, and forgets them again.

    Returns: dict Group -> list of Flag, as flag_help.by_group.
    """
    before = set(flags.FLAGS)
    try:
        return flag_help.by_group(flag_help.define(module))
    finally:
        for name in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, name)


def shared_groups(groups_by_program):
    """Finds the groups that several programs have.

    Args:
        groups_by_program: what groups_of gives of each.
    Returns: dict title -> list of Flag, in alphabetical order.
    """
    titled = collections.defaultdict(list)
    for groups in groups_by_program:
        for group, group_flags in groups.items():
            titled[group.title].append(group_flags)
    return {
        title: found[0]
        for title, found in sorted(titled.items())
        if len(found) > 1 and title != flag_help.OWN.title
    }


def section(heading, module, groups, shared):
    """Writes the section of one program.

    Args:
        heading: what it is called.
        module: the program.
        groups: what groups_of gives.
        shared: what shared_groups gives.
    """
    lines = [f"## {heading}", "", text(module.__doc__)]
    used, defaults = [], []
    for group, group_flags in groups.items():
        title = group.title
        if title in shared:
            used.append(f"[{title}](#{anchor(title)})")
            usual = {flag.name: flag.default for flag in shared[title]}
            defaults += [
                f"`--{flag.name}`: {_shown(flag)}"
                for flag in group_flags
                if flag.default != usual[flag.name]
            ]
        elif group_flags:
            if group != flag_help.OWN:
                lines += ["", f"{title}:"]
            lines += ["", *table(group_flags)]
    if used:
        lines += ["", "And the flags of:", "", *(f"- {x}" for x in used)]
    if defaults:
        lines += ["", f"Other defaults here: {'; '.join(defaults)}."]
    return "\n".join(lines)


def text(docstring):
    """Turns a docstring into Markdown: indented blocks become code."""
    return "\n\n".join(map(_paragraph, re.split(r"\n\s*\n", docstring.strip())))


def _paragraph(part):
    code = inspect.cleandoc(part)
    if code.startswith(("python ", "qmia ")):
        # A backslash at a line's end is gone, what stood behind it is not.
        code = re.sub(r"(?<=\S) {2,}", " ", code)
        return f"```bash\n{code}\n```"
    if part.startswith((" ", "Schemes:")):
        return f"```text\n{code}\n```"
    return part.strip()


def table(flag_list):
    """Writes the table of some flags."""
    rows = [
        f"| `--{flag.name}` | {_shown(flag)} | {_cell(flag.help)} |"
        for flag in flag_list
    ]
    return ["| flag | default | |", "|---|---|---|", *rows]


def _shown(flag):
    default = flag_help.shown_default(flag)
    if not default or flag.boolean:
        return default or "-"
    return f"`{default}`"


def _cell(words):
    return " ".join((words or "").split()).replace("|", "\\|")


def anchor(heading):
    """The anchor of a heading, as forges make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def shell_section():
    """The shell scripts, in the words of their first comments."""
    lines = ["## Shell scripts", ""]
    for name in ("quickstart.sh", "test.sh"):
        source = (CHECKOUT / "scripts" / name).read_text(encoding="utf-8")
        comment = re.match(r"#!.*\n((?:#.*\n)+)", source)[1]
        words = re.sub(r"(?m)^# ?", "", comment).rstrip()
        lines += [f"`scripts/{name}`:", "", "```text", words, "```", ""]
    return "\n".join(lines).rstrip()


def page():
    """Returns the page."""
    named = programs()
    groups = [groups_of(module) for _, module in named]
    shared = shared_groups(groups)
    status = program.__doc__.split("\n\n", 1)[1]
    parts = [HEAD.rstrip().format(status=text(status))]
    for (heading, module), own in zip(named, groups, strict=True):
        parts.append(section(heading, module, own, shared))
    parts.append("# Flags that programs share")
    for title, group_flags in shared.items():
        parts.append("\n".join([f"## {title}", "", *table(group_flags)]))
    parts.append(shell_section())
    return "\n\n".join(parts) + "\n"


def main(argv):
    """Writes the page."""
    del argv
    PAGE.write_text(page(), encoding="utf-8")
    print("docs/reference.md is written")


if __name__ == "__main__":
    program.run(sys.modules[__name__])
