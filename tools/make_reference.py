"""Writes docs/reference.md: every script, its flags, its exit status.

    python tools/make_reference.py

Loads each script of scripts/ for the flags that it defines; runs none of
them. Takes some seconds. tests/docs/docs_drawn_test.py compares.
"""

import importlib.util
import inspect
import pathlib
import re

from absl import flags

from qmia_tf.programs import options, program

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
PAGE = CHECKOUT / "docs" / "reference.md"
HEAD = """# Reference

Written by `python tools/make_reference.py` from the scripts themselves; do not
edit it by hand. `python scripts/NAME.py --help` says the same. The fields of
audit.json are in [audit.md](audit.md).

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


def flags_of(define):
    """Lists the flags that a call defines, and forgets them again.

    Args:
        define: callable without arguments.
    Returns: list of absl Flag, in alphabetical order, and what it returned.
    """
    before = set(flags.FLAGS)
    try:
        outcome = define()
        names = set(flags.FLAGS) - before
        # An alias has the flag of another name.
        flag_by_name = {
            flags.FLAGS[name].name: flags.FLAGS[name] for name in names
        }
        return [flag_by_name[name] for name in sorted(flag_by_name)], outcome
    finally:
        for name in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, name)


def _load(path):
    def load():
        spec = importlib.util.spec_from_file_location("one_script", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def groups():
    """Finds the flags that scripts share.

    Returns: dict title -> list of Flag, without those of a smaller group.
    """
    flags_by_group = {
        name.removeprefix("define_"): flags_of(define)[0]
        for name, define in inspect.getmembers(options, inspect.isfunction)
        if name.startswith("define_")
    }
    order = sorted(flags_by_group, key=lambda name: len(flags_by_group[name]))
    seen, own = set(), {}
    for name in order:
        own[name] = [x for x in flags_by_group[name] if x.name not in seen]
        seen |= {x.name for x in own[name]}
    return {name: own[name] for name in sorted(own) if own[name]}


def script_section(path, shared):
    """Writes the section of one script.

    Args:
        path: of the script.
        shared: what groups gives.
    """
    script_flags, module = flags_of(_load(path))
    names = {flag.name for flag in script_flags}
    used = {
        group: flags_
        for group, flags_ in shared.items()
        if {flag.name for flag in flags_} <= names
    }
    common = {f.name: f for flags_ in used.values() for f in flags_}
    own = [flag for flag in script_flags if flag.name not in common]
    defaults = [
        f"`--{f.name}`: {_shown(f)}"
        for f in script_flags
        if f.name in common and f.default != common[f.name].default
    ]
    lines = [f"## {path.name}", "", text(module.__doc__), ""]
    lines += table(own)
    if used:
        links = ", ".join(f"[{title(g)}](#{anchor(g)})" for g in used)
        lines += ["", f"And the flags of: {links}."]
    if defaults:
        lines += ["", f"Other defaults here: {'; '.join(defaults)}."]
    return "\n".join(lines)


def text(docstring):
    """Turns a docstring into Markdown: indented blocks become code."""
    return "\n\n".join(map(_paragraph, re.split(r"\n\s*\n", docstring.strip())))


def _paragraph(part):
    code = inspect.cleandoc(part)
    if code.startswith("python "):
        # A backslash at a line's end is gone, what stood behind it is not.
        code = re.sub(r"(?<=\S) {2,}", " ", code)
        return f"```bash\n{code}\n```"
    if part.startswith((" ", "Schemes:")):
        return f"```text\n{code}\n```"
    return part.strip()


def table(flag_list):
    """Writes the table of some flags."""
    if not flag_list:
        return ["It has no flags of its own."]
    rows = [
        f"| `--{flag.name}` | {_shown(flag)} | {_cell(flag.help)} |"
        for flag in flag_list
    ]
    return ["| flag | default | |", "|---|---|---|", *rows]


def _shown(flag):
    if flag.default is None or flag.default in ([], ""):
        return "-"
    value = flag.default
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        value = ",".join(map(str, value))
    return f"`{value}`"


def _cell(words):
    return " ".join((words or "").split()).replace("|", "\\|")


def title(group):
    """The heading of a group of flags."""
    return f"Flags of {group.replace('_', ' ')}"


def anchor(group):
    """Its anchor on the page."""
    return title(group).lower().replace(" ", "-")


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
    shared = groups()
    status = program.__doc__.split("\n\n", 1)[1]
    parts = [HEAD.rstrip().format(status=text(status))]
    for path in sorted((CHECKOUT / "scripts").glob("*.py")):
        parts.append(script_section(path, shared))
    parts.append("# Flags that scripts share")
    for group, group_flags in shared.items():
        parts.append("\n".join([f"## {title(group)}", "", *table(group_flags)]))
    parts.append(shell_section())
    return "\n\n".join(parts) + "\n"


def main(argv):
    """Writes the page."""
    del argv
    PAGE.write_text(page(), encoding="utf-8")
    print("docs/reference.md is written")


if __name__ == "__main__":
    program.run(main)
