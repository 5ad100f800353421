"""What one attack is: its scores, what it needs, and its options."""

import dataclasses
from collections.abc import Callable

import numpy as np

from qmia_tf import extras
from qmia_tf.attacks.attack_inputs import AttackInputs
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs

# What an attack may need; all but PLAIN are fields of AttackInputs.
PLAIN = ("labels", "probabilities")
NEEDS = {
    "labels": "the classes that the target names",
    "probabilities": "its probabilities",
    "augmented_labels": "its labels for shifted, flipped and rotated queries",
    "noisy_labels": "its labels for noisy queries",
    "references": "models trained alike on other records",
    "parent": "the full-precision model of the same members",
    "features": "the records themselves",
    "inside": "the model itself, to read inside of it",
    "gradients": "the gradients of its layers",
    "inside_references": "reference models whose inside was read alike",
}
# What who only queries cannot have.
HELD = ("inside", "gradients", "inside_references")


@dataclasses.dataclass(frozen=True)
class Option:
    """One option of an attack: a keyword argument of its scores.

    Attributes:
        name: of the argument.
        default: that of the argument.
        sentence: what it does.
        source: where it comes from.
        words: texts that it may be.
        numbers: the least and the largest number that it may be; None if it
            cannot be a number.
        learns: whether the attack learns if this is not at its default; see
            Attack.learns.
    """

    name: str
    default: str | float
    sentence: str
    source: str
    words: tuple[str, ...] = ()
    numbers: tuple[float, float] | None = None
    learns: bool = False

    @property
    def allowed(self) -> str:
        """What it may be, in words."""
        kinds = [", ".join(self.words)] if self.words else []
        if self.numbers:
            kinds.append("a number in {:g}..{:g}".format(*self.numbers))
        return " or ".join(kinds)

    def read(self, value, key: str) -> str | float:
        """Returns a value, or the text of one, if it is allowed.

        Raises: InputError with what is allowed; key says which option it is.
        """
        if value in self.words:
            return value
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = np.nan
        least, most = self.numbers or (np.inf, -np.inf)
        if isinstance(value, bool) or not least <= number <= most:
            raise InputError(f"{key} must be {self.allowed}, got {value!r}")
        return number


@dataclasses.dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        name: key of the attack in audit.json.
        title: what tables call it.
        scores: AttackInputs about N records -> float64 [N], higher = more
            member-like; NaN for records that the attack cannot score.
        source: where it comes from.
        needs: keys of NEEDS.
        modules: those of extras.EXTRAS that it imports.
        queries: how often it queries the target about a record.
        threshold: the least score called a member if the attack fixes it,
            None if it has to be chosen.
        learns: whether scores come from what the memberships of the
            calibration half taught; such an attack is evaluated on the rest.
        family: what attacks that share options are called; its name if empty.
        options: keyword arguments of scores that users may set.
    """

    name: str
    title: str
    scores: Callable[[AttackInputs], np.ndarray]
    source: str
    needs: tuple[str, ...] = ("probabilities",)
    modules: tuple[str, ...] = ()
    queries: str = "1"
    threshold: float | None = None
    learns: bool = False
    family: str = ""
    options: tuple[Option, ...] = ()

    @property
    def is_of_holder(self) -> bool:
        """Whether only who holds the model can run it."""
        return any(need in HELD for need in self.needs)

    def missing_package(self) -> str:
        """Says which package is not installed; empty if none is missing."""
        for module in self.modules:
            if not extras.is_installed(module):
                return str(extras.missing(module, "it"))
        return ""

    def missing(self, inputs: AttackInputs) -> list[str]:
        """Lists what the attack needs and the attack inputs do not hold."""
        return [
            need
            for need in self.needs
            if need not in PLAIN and getattr(inputs, need) is None
        ]


def of_outputs(
    score: Callable[[Outputs], np.ndarray],
) -> Callable[[AttackInputs], np.ndarray]:
    """Makes the scores of an attack of a function of the target's outputs."""
    return lambda inputs: score(inputs.outputs)
