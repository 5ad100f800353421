"""The bit widths of a network."""

import dataclasses
import re

from qmia_tf.errors import InputError
from qmia_tf.quantizers.grids import FLOAT_BITS, check_bits, resolves


@dataclasses.dataclass(frozen=True)
class Bits:
    """The bit widths of a network, defaults resolved.

    Attributes:
        weight: of every convolution but the first, 1..32.
        activation: 1..32; at 32 it is ReLU.
        first_last: 2..32, symmetric per channel; None is 8 where weight <= 8
            and 32 above.
        residual: 8 or 32; None is 8 where activation <= 8 and 32 above.
        gradient: DoReFa's G behind every convolution but the first, 32 is
            off.
        clip: keeps the [0, 1] clip at 32 activation bits.
    """

    weight: int = FLOAT_BITS
    activation: int = FLOAT_BITS
    first_last: int | None = None
    residual: int | None = None
    gradient: int = FLOAT_BITS
    clip: bool = False

    def __post_init__(self):
        check_bits(self.weight, "weight_bits")
        check_bits(self.activation, "activation_bits")
        check_bits(self.gradient, "gradient_bits")
        for name, by in (
            ("first_last", self.weight),
            ("residual", self.activation),
        ):
            if getattr(self, name) is None:
                object.__setattr__(self, name, 8 if by <= 8 else FLOAT_BITS)
        check_bits(self.first_last, "first_last_bits")
        if self.first_last < 2:
            raise InputError("first_last_bits must be in 2..32, got 1")
        if self.residual not in (8, FLOAT_BITS):
            raise InputError(
                f"residual_bits must be 8 or 32, got {self.residual}"
            )
        if self.residual == 8 and self.activation > 8:
            raise InputError(
                "residual_bits=8 needs activation_bits in 1..8, got "
                f"{self.activation}; use residual_bits=32"
            )

    @classmethod
    def parse(cls, text: str) -> "Bits":
        """Reads "w4a4" as 4 weight and 4 activation bits.

        Raises: InputError if the text is not like that.
        """
        match = re.fullmatch(r"w(\d+)a(\d+)", text.strip().lower())
        if not match:
            raise InputError(f"bits are written like w4a4, got {text!r}")
        return cls(int(match[1]), int(match[2]))

    @property
    def quantizers(self) -> tuple[str, ...]:
        """Names of the quantizers that change anything in the network.

        DoReFa's of gradients counts as that of weights.
        """
        used = {
            "dorefa": resolves(self.weight) or resolves(self.gradient),
            "symmetric": resolves(self.first_last),
            "dorefa_activations": self.activation < FLOAT_BITS or self.clip,
            "residual": resolves(self.residual),
        }
        return tuple(name for name, is_used in used.items() if is_used)

    @property
    def name(self) -> str:
        """The text that parse reads."""
        return f"w{self.weight}a{self.activation}"
