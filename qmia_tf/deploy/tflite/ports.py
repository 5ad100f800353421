"""The input and the output of a .tflite file: types, scales, codes.

Needs NumPy only, so that it runs on a board.
"""

import dataclasses

import numpy as np

from qmia_tf.data.pixels import scale_to_unit
from qmia_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or output tensor.

    Attributes:
        index: LiteRT's tensor index.
        shape: -1 where it may change.
        dtype: NumPy type.
        step: scale of its quantization; 0 for floats, and for integers that
            are what they stand for, such as the ids of words.
        zero_point: code of the value 0.
    """

    index: int
    shape: tuple[int, ...]
    dtype: type
    step: float
    zero_point: int

    @property
    def is_pixels(self) -> bool:
        """Whether a code is the pixel itself: uint8, scale 1/255, zero 0."""
        return (
            self.dtype == np.uint8
            and self.zero_point == 0
            and abs(self.step * 255 - 1) < 1e-6
        )

    @property
    def is_plain(self) -> bool:
        """Whether it takes integers as they are: they have no scale."""
        return self.step == 0 and np.issubdtype(self.dtype, np.integer)

    def cast(self, values: np.ndarray) -> np.ndarray:
        """Gives numbers this port's type as they are, without a scale.

        Raises: InputError if it cannot hold one of them.
        """
        if not self.is_plain:
            return values.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        wrong = (values < limits.min) | (values > limits.max)
        if np.issubdtype(values.dtype, np.floating):
            wrong |= values != np.rint(values)
        if wrong.any():
            raise InputError(
                f"the input is {np.dtype(self.dtype)} without a scale, which "
                f"takes whole numbers from {limits.min} to {limits.max} as "
                f"they are, but a record holds {values[wrong].flat[0]}: give "
                "records as the model was trained with"
            )
        return values.astype(self.dtype)

    def quantize(self, values: np.ndarray) -> np.ndarray:
        """Rounds float32 values to codes of this port's type."""
        limits = np.iinfo(self.dtype)
        codes = np.rint(values / np.float32(self.step)) + self.zero_point
        return np.clip(codes, limits.min, limits.max).astype(self.dtype)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Gives numbers [N, ...] in this port's type.

        Those of the port's own signed type are codes already.
        """
        if self.is_plain:
            return self.cast(values)
        are_codes = values.dtype == self.dtype and values.dtype.kind == "i"
        if not self.step or are_codes:
            return values.astype(self.dtype, copy=False)
        return self.quantize(values.astype(np.float32, copy=False))

    def encode_pixels(self, images: np.ndarray) -> np.ndarray:
        """Gives uint8 images in this port's type, as pixels / 255."""
        if self.is_plain:
            return self.cast(images)
        if self.step == 0:
            return scale_to_unit(images)
        if self.is_pixels:
            return images
        return self.quantize(scale_to_unit(images))

    def dequantize(self, codes: np.ndarray) -> np.ndarray:
        """Turns codes into float32 values; floats pass."""
        if self.step == 0:
            return np.array(codes, np.float32)
        shifted = codes.astype(np.int32) - self.zero_point
        return shifted.astype(np.float32) * np.float32(self.step)


def input_port(detail: dict, source) -> Port:
    """Makes the port of an input that LiteRT describes.

    Raises: InputError if it holds no numbers, or integers that have several
        scales or an impossible one.
    """
    return _port(detail, f"{source}: the input", is_plain_taken=True)


def output_port(detail: dict, source) -> Port:
    """Makes the port of an output; one of [N, 1, 1, C] is one of [N, C].

    Raises: InputError as input_port, and of integers without a scale.
    """
    port = _port(detail, f"{source}: the output", is_plain_taken=False)
    if len(port.shape) < 2:
        return port
    return dataclasses.replace(port, shape=_squeezed_shape(port.shape))


def squeezed(rows: np.ndarray) -> np.ndarray:
    """Gives outputs [N, 1, 1, C] as [N, C]; others stay what they are."""
    return rows.reshape(_squeezed_shape(rows.shape)) if rows.ndim > 2 else rows


def _squeezed_shape(shape):
    wide = tuple(size for size in shape[1:] if size != 1)
    return shape if len(wide) > 1 else (shape[0], *(wide or (1,)))


def _port(detail, what, *, is_plain_taken):
    dtype = detail["dtype"]
    scales = detail["quantization_parameters"]["scales"]
    zeros = detail["quantization_parameters"]["zero_points"]
    shape = tuple(int(size) for size in detail["shape_signature"])
    if not np.issubdtype(dtype, np.number):
        kind = "text" if np.dtype(dtype).kind in "SUO" else np.dtype(dtype).name
        raise InputError(
            f"{what} is {kind} {list(shape)}, and numbers are needed: give a "
            "Python function that turns records into answers"
        )
    is_float = np.issubdtype(dtype, np.floating)
    has_none = is_float or (is_plain_taken and not len(scales))
    if not has_none and not (len(scales) == 1 and 0 < scales[0] < np.inf):
        raise InputError(
            f"{what} is {np.dtype(dtype)} and its scale is unknown (scales: "
            f"{list(map(float, scales))}); convert the model with one scale, "
            "or with floats there"
        )
    return Port(
        index=detail["index"],
        shape=shape,
        dtype=dtype,
        step=0.0 if has_none else float(scales[0]),
        zero_point=0 if has_none else int(zeros[0]),
    )
