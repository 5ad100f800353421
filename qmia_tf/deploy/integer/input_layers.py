"""What stands between image and first layer. See graph_conversion."""

import dataclasses

import numpy as np

from qmia_tf.deploy.integer import kernel_conversion
from qmia_tf.deploy.integer.graph_conversion import unknown

# A Rescaling by less is made for pixels from 0 to 255.
SMALLEST = 0.1


def rescaling(conversion, layer, value):
    """A Rescaling of pixels / 255 by one positive number; others are refused.

    The file reads uint8 images, whose scale is 1/255; the number goes into
    the first layer's weights. Up to 1/255 the network was made for 0 to 255.
    """
    del conversion
    scale, offset = np.asarray(layer.scale), np.asarray(layer.offset)
    if np.all(scale == 1) and np.all(offset == 0):
        return value
    if not (isinstance(value, kernel_conversion.Codes) and value.is_image):
        raise unknown(layer, "integer export knows it at the input only")
    if scale.ndim == 0 and scale > SMALLEST and np.all(offset == 0):
        return dataclasses.replace(value, times=value.times * float(scale))
    raise unknown(
        layer,
        f"it makes scale {layer.scale} and offset {layer.offset} of its "
        "input, but an integer file's first layer reads pixels / 255: "
        "quantize_model(..., unit_pixels=True) takes a Rescaling(1/255) out; "
        "or use float32",
    )


def as_they_are(handler):
    """Makes a handler refuse pixels that a Rescaling multiplies.

    Args:
        handler: of a layer that has no weights to take the number in.
    """

    def checked(conversion, layer, *values):
        if any(
            isinstance(value, kernel_conversion.Codes) and value.times != 1
            for value in values
        ):
            raise unknown(
                layer,
                "it reads pixels that a Rescaling multiplies, which only a "
                "convolution or a dense layer takes in: put it behind one, or "
                "use float32",
            )
        return handler(conversion, layer, *values)

    return checked
