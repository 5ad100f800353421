"""Which layer gets how many bits: the network's, and exceptions by name."""

import dataclasses
import difflib
import fnmatch

from qmia_tf.errors import InputError
from qmia_tf.models.resnet import Bits
from qmia_tf.quantizers.grids import FLOAT_BITS, check_bits

KEYS = ("weight_bits", "activation_bits")


@dataclasses.dataclass(frozen=True)
class Widths:
    """Bit widths of a network, with exceptions.

    Attributes:
        bits: of every layer that no exception names.
        overrides: layer name -> dict with weight_bits, activation_bits or
            both, or None for a layer that is left alone.
    """

    bits: Bits
    overrides: dict[str, dict | None]

    def alone(self, name: str) -> bool:
        """Whether a layer is to be left as it is."""
        return self.overrides.get(name, {}) is None

    def weight(self, name: str) -> int | None:
        """Weight bits of a layer that has an exception, else None."""
        return (self.overrides.get(name) or {}).get("weight_bits")

    def activation(self, name: str) -> int:
        """Activation bits behind a layer; 32 where it is left alone."""
        if self.alone(name):
            return FLOAT_BITS
        override = self.overrides.get(name) or {}
        return override.get("activation_bits", self.bits.activation)

    @property
    def linear(self) -> int | None:
        """Activation bits that set the grid of linear tensors, or None."""
        return self.bits.activation if self.bits.residual == 8 else None

    @property
    def nothing(self) -> bool:
        """Whether nothing at all is quantized."""
        bits = self.bits
        all_bits = [bits.weight, bits.activation, bits.first_last]
        all_bits.append(bits.gradient)
        for override in self.overrides.values():
            all_bits.extend((override or {}).values())
        return all(width == FLOAT_BITS for width in all_bits)


def resolve(bits: Bits, overrides: dict | None, names: list[str]) -> Widths:
    """Finds out which layers the exceptions mean.

    Args:
        overrides: layer name or fnmatch pattern -> dict with weight_bits,
            activation_bits or both, or None; a later entry replaces an
            earlier one where both match. None is no exceptions.
        names: the layers' names.
    Raises: InputError if an entry matches no layer or is no such dict.
    """
    width_of_layer = {}
    for pattern, width in (overrides or {}).items():
        _check(pattern, width)
        matched = [name for name in names if fnmatch.fnmatchcase(name, pattern)]
        if not matched:
            near = difflib.get_close_matches(pattern, names, 3)
            hint = f"; close to it: {', '.join(near)}" if near else ""
            raise InputError(f"overrides: no layer is called {pattern!r}{hint}")
        width_of_layer.update(dict.fromkeys(matched, width))
    return Widths(bits, width_of_layer)


def _check(pattern, width):
    if width is None:
        return
    if not isinstance(width, dict) or not width or not {*width} <= {*KEYS}:
        raise InputError(
            f"overrides[{pattern!r}] must be None or a dict of "
            f"{' and '.join(KEYS)}, got {width!r}"
        )
    for key, bits in width.items():
        check_bits(bits, f"overrides[{pattern!r}][{key!r}]")
