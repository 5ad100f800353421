"""What an audit of a user's models is given: models and records, or outputs."""

import dataclasses
from collections.abc import Callable

from qmia_tf import files, terminal
from qmia_tf.data import loaders, sides
from qmia_tf.data.pixels import AUTO
from qmia_tf.data.records import Records
from qmia_tf.data.sides import CHANNELS_FIRST, CHANNELS_LAST, Side
from qmia_tf.errors import InputError, option
from qmia_tf.outputs import saved_outputs
from qmia_tf.targets import listing


@dataclasses.dataclass(frozen=True)
class Reading:
    """How records of a user are read; see model_audit.audit.

    Raises: InputError if data_format is another.
    """

    class_names: str | list[str] | None = None
    first_label: int = 0
    data_format: str = AUTO

    def __post_init__(self):
        known = (AUTO, CHANNELS_FIRST, CHANNELS_LAST)
        if self.data_format not in known:
            raise InputError(
                f"{option('data_format')} must be one of {', '.join(known)}, "
                f"got {self.data_format!r}"
            )

    def said(self) -> dict:
        """What the user says, by option; "auto" and None where nothing."""
        return {
            "class_names": self.class_names,
            "first_label": self.first_label or AUTO,
            "data_format": self.data_format,
        }

    def join(self, members: Side, nonmembers: Side) -> Records:
        """Puts both sides together; see sides.join."""
        both = [members, nonmembers]
        if self.data_format != AUTO:
            both = [side.in_format(self.data_format) for side in both]
        return sides.join(
            *both, class_names=self.class_names, first_label=self.first_label
        )


def load_sides(
    members: object,
    nonmembers: object,
    say: Callable[[str], None],
    **options: object,
) -> list[Side]:
    """Reads the records of both sides, and says what was read.

    Args:
        options: of loaders.load_side.
    """
    both = []
    for name, source in (("members", members), ("nonmembers", nonmembers)):
        with terminal.working(f"reading the {name}"):
            side = loaders.load_side(source, **options)
        say(f"{name}: {side.source}: {side.taken}")
        both.append(side)
    return both


def are_outputs(targets: dict, members: object, nonmembers: object) -> bool:
    """Whether no records are needed: everything is saved outputs.

    Raises: InputError if something is missing, or does not go together.
    """
    if members is None and nonmembers is None:
        if not targets:
            raise InputError(
                "nothing to audit: give a model, its members and nonmembers"
            )
        if not all(map(listing.is_saved_outputs, targets.values())):
            raise InputError(
                f"the records are missing: give {option('members')} and "
                f"{option('nonmembers')}, {loaders.FORMATS}"
            )
        return True
    if members is None or nonmembers is None:
        name = "members" if members is None else "nonmembers"
        raise InputError(
            f"{option(name)} is missing: an audit needs both sides"
        )
    kinds = [saved_outputs.is_outputs(side) for side in (members, nonmembers)]
    if kinds[0] != kinds[1]:
        one, other = (
            (members, nonmembers) if kinds[0] else (nonmembers, members)
        )
        shown = other if files.is_path(other) else "the other side"
        raise InputError(
            f"{one} holds outputs, {shown} records: give both sides alike"
        )
    if kinds[0] and targets:
        raise InputError(
            f"{members} holds outputs, about which no model can be queried: "
            f"leave out {option('target', flag='model')}, or give records"
        )
    if not kinds[0] and not targets:
        for side in (members, nonmembers):
            saved_outputs.require_known_arrays(side)
        raise InputError(
            "members and nonmembers are records: give the "
            f"{option('target', flag='model')} to query about them"
        )
    return kinds[0]


def require_unsaid(**options: object) -> None:
    """Refuses options about a model or records where there are only outputs.

    Args:
        options: by name; "auto" and None say nothing.
    Raises: InputError that names the first that says something.
    """
    for name, given in options.items():
        if not listing.is_auto(given):
            raise InputError(
                f"{option(name)} is about a model or its records, and only "
                "saved outputs are given, which say it by the names of arrays "
                "and columns: leave it out"
            )
