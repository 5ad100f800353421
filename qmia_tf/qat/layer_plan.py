"""What was done to each layer, in words."""

import dataclasses
import warnings

# In a warning; `describe` lists all.
MOST_NAMES = 12


@dataclasses.dataclass(frozen=True)
class Entry:
    """What happens to one layer, and a warning about it, "" without."""

    layer: str
    kind: str
    what: str
    alone: bool = False
    warning: str = ""

    def joined(self, other: "Entry") -> "Entry":
        """Returns one entry of two about the same layer."""
        whats = [what for what in (self.what, other.what) if what]
        return dataclasses.replace(
            self,
            what="; ".join(whats),
            alone=self.alone or other.alone,
            warning=self.warning or other.warning,
        )

    def __str__(self):
        text = f"{self.layer} ({self.kind}): {self.what}"
        return f"{text} [warning: {self.warning}]" if self.warning else text


def describe(entries: list[Entry]) -> str:
    """Returns a plan as text, a layer a line, those left alone at the end."""
    lines = [str(entry) for entry in entries]
    alone = [entry.layer for entry in entries if entry.alone]
    lines.append(f"left alone: {', '.join(alone) if alone else 'none'}")
    warned = [entry.layer for entry in entries if entry.warning]
    lines.append(f"warnings: {', '.join(warned) if warned else 'none'}")
    return "\n".join(lines)


def warn(entries: list[Entry]):
    """Warns once for each kind of warning, with the layers' names."""
    layers = {}
    for entry in entries:
        if entry.warning:
            layers.setdefault(entry.warning, []).append(entry.layer)
    for text, names in layers.items():
        what = "layer" if len(names) == 1 else "layers"
        warnings.warn(f"{what} {_listed(names)}: {text}", stacklevel=3)


def _listed(names):
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    more = len(names) - MOST_NAMES
    return f"{', '.join(names[:MOST_NAMES])} and {more} more (qat.plan)"
