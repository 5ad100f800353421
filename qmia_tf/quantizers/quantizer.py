"""What a quantizer is: a value, its gradient, and the codes of a grid."""

import dataclasses
import functools
from typing import ClassVar

import tensorflow as tf

from qmia_tf.quantizers import VERSIONS
from qmia_tf.quantizers.grids import Grid, check_bits, resolves


def fused(function):
    """Makes one XLA kernel of function(*tensors, **constants).

    A kernel is compiled once for every set of shapes, types and constants;
    in a larger graph it is one node of it.
    """

    @functools.cache
    def kernel(signature, constants):
        bound = functools.partial(function, **dict(constants))
        return tf.function(bound, jit_compile=True, autograph=False)

    @functools.wraps(function)
    def call(*tensors, **constants):
        tensors = [tf.convert_to_tensor(tensor) for tensor in tensors]
        signature = tuple(
            (
                tensor.dtype,
                *(tensor.shape if tensor.shape.rank is not None else ("?",)),
            )
            for tensor in tensors
        )
        return kernel(signature, tuple(constants.items()))(*tensors)

    return call


@dataclasses.dataclass(frozen=True)
class Quantizer:
    """Rounds tensors to a grid, with a gradient of its own.

    A subclass is a frozen dataclass: its fields are its options. It has a
    `name` in quantizers.QUANTIZERS and gives `value`; `gradient` too, where
    gradients do not pass straight through.

    Args:
        bits: 1..32.
    Raises: InputError if an option is outside its range.
    """

    bits: int
    name: ClassVar[str] = ""

    def __post_init__(self):
        check_bits(self.bits, "bits")

    def __call__(self, x) -> tf.Tensor:
        """Quantizes a float tensor; the result has its shape and type."""

        @tf.custom_gradient
        def quantize(x):
            value, *kept = self.value(x)
            return value, lambda dy: self.gradient(dy, *kept)

        return quantize(x)

    def value(self, x) -> tuple:
        """Returns the quantized tensor, and what `gradient` needs."""
        raise NotImplementedError

    def gradient(self, dy, *kept) -> tf.Tensor:
        """Returns the gradient of x for that of the value."""
        del kept
        return dy

    @property
    def version(self) -> int:
        """The version of its numbers, see quantizers.VERSIONS."""
        return VERSIONS.get(self.name, 1)

    @property
    def grid(self) -> Grid | None:
        """The grid of the values; None where nothing is rounded."""
        return None

    def get_config(self) -> dict:
        """Returns the options that make this quantizer again."""
        return dataclasses.asdict(self)


class WeightQuantizer(Quantizer):
    """A quantizer of kernels; at 25..32 bits they pass unchanged.

    Integer inference takes a kernel as scale * codes.
    """

    def __call__(self, x) -> tf.Tensor:
        """Quantizes a kernel; the result has its shape and type."""
        return super().__call__(x) if resolves(self.bits) else tf.identity(x)

    def along(self, channel_axes: tuple[int, ...]) -> "WeightQuantizer":
        """Returns this quantizer for kernels with these output channels."""
        del channel_axes
        return self

    def scale(self, w, value) -> tf.Tensor:
        """Returns the scale of the codes; of rank 0, or as w, size 1 or more.

        Args:
            w: float32 kernel.
            value: the same kernel, quantized.
        """
        raise NotImplementedError

    def codes(self, w) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns integer-valued codes and the scale; value = scale * code."""
        return kernel_codes(w, self(w), quantizer=self)


def codes_and_scale(w, value, quantizer):
    """Returns the codes of a quantized kernel, and their scale. Not fused."""
    scale = quantizer.scale(w, value)
    return tf.round(tf.math.divide_no_nan(value, scale)), scale


kernel_codes = fused(codes_and_scale)
