"""Membership-inference attacks, one file each: attack inputs -> scores."""

from qmia_tf.attacks.attack import NEEDS, PLAIN, Attack, Option, of_outputs
from qmia_tf.attacks.attack_inputs import AttackInputs, References
from qmia_tf.attacks.attack_table import (
    ATTACKS,
    changed_options,
    parse_options,
    with_options,
)

__all__ = [
    "ATTACKS",
    "NEEDS",
    "PLAIN",
    "TITLES",
    "Attack",
    "AttackInputs",
    "Option",
    "References",
    "changed_options",
    "of_outputs",
    "parse_options",
    "with_options",
]


def __getattr__(name):
    # Not before it is used: it imports every attack.
    if name == "TITLES":
        return {attack.name: attack.title for attack in ATTACKS}
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
