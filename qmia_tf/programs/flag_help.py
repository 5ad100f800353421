"""What --help says of a program: its docstring, then its flags by group."""

import contextlib
import dataclasses
import sys
import textwrap

from absl import app, flags

WIDTH = 80
INDENT = 6


@dataclasses.dataclass(frozen=True)
class Group:
    """Flags that stand together.

    Attributes:
        title: what they are about.
        is_common: whether --help shows them; --helpfull shows all.
    """

    title: str
    is_common: bool = True


OWN = Group("Flags")
ABSL = Group("Flags of every program", is_common=False)
# Of absl's flags, those of use here.
KEPT_OF_ABSL = ("verbosity",)
QUIET = "quiet"


@contextlib.contextmanager
def group(title, *, is_common=True):
    """Puts the flags that are defined inside into a group.

    Args:
        title: as of Group. Groups of one title are one.
        is_common: as of Group.
    """
    before = set(flags.FLAGS)
    yield
    for name in flags.FLAGS:
        if name not in before:
            flags.FLAGS[name].group = Group(title, is_common)


def define(program) -> list[flags.Flag]:
    """Defines the flags of a program, and --help for it.

    Args:
        program: module with main(argv), and define_flags() if it has any.
    Returns: its flags, in the order of their definition.
    """
    app.define_help_flags()
    before = set(flags.FLAGS)
    if hasattr(program, "define_flags"):
        program.define_flags()
    defined = [flags.FLAGS[name] for name in flags.FLAGS if name not in before]
    flags.DEFINE_boolean(
        QUIET,
        False,
        "leave out bars and lines of progress, not warnings",
        allow_override=True,
    )
    for name, is_full in (("help", False), ("helpfull", True)):
        flags.DEFINE_flag(_HelpFlag(name, program, defined, is_full))
    return defined


def by_group(defined) -> dict[Group, list[flags.Flag]]:
    """Sorts flags by group, in the order of their definition.

    Those of no group come first, groups that --help leaves out last.

    Args:
        defined: what define returns.
    """
    sorted_flags = {OWN: []}
    for flag in defined:
        own = getattr(flag, "group", OWN)
        sorted_flags.setdefault(own, []).append(flag)
    order = sorted(sorted_flags, key=lambda group: not group.is_common)
    return {group: sorted_flags[group] for group in order}


def page(program, defined, *, is_full) -> str:
    """Returns what --help shows.

    Args:
        program: module.
        defined: what define returns.
        is_full: whether to show groups that are not common, too.
    """
    groups = by_group(defined)
    groups[ABSL] = [flags.FLAGS[name] for name in (QUIET, *KEPT_OF_ABSL)]
    parts = [program.__doc__.strip()]
    for group_, group_flags in groups.items():
        if group_flags and (group_.is_common or is_full):
            parts.append(
                "\n".join([f"{group_.title}:", *map(_entry, group_flags)])
            )
    if not is_full:
        rest = [g.title for g in groups if groups[g] and not g.is_common]
        parts.append(f"More with --helpfull: {', '.join(rest).lower()}.")
    return "\n\n".join(parts)


def shown_default(flag) -> str:
    """A flag's default as one would give it; "" without one."""
    value = flag.default
    if value is None or value in ([], ""):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)


def _entry(flag):
    name = f"[no]{flag.name}" if flag.boolean else flag.name
    default = shown_default(flag)
    words = " ".join(flag.help.split())
    if default:
        words += f" (default: {default})"
    indent = " " * INDENT
    return textwrap.fill(
        words,
        WIDTH,
        initial_indent=f"  --{name}: ",
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


class _HelpFlag(flags.BooleanFlag):
    """Prints the page and ends the process with status 0."""

    def __init__(self, name, program, defined, is_full):
        super().__init__(
            name,
            False,
            "show this help",
            short_name=None if is_full else "?",
            allow_override=True,
        )
        self._arguments = program, defined
        self._is_full = is_full

    def parse(self, arg):
        if self._parse(arg):
            print(page(*self._arguments, is_full=self._is_full))
            sys.exit(0)
