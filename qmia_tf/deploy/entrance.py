"""What stands between image and first layer. Handlers of deploy.walk."""

import numpy as np

from qmia_tf.deploy import kernels
from qmia_tf.deploy.walk import unknown


def rescaling(walk, layer, value):
    """A Rescaling that leaves pixels / 255 what they are; others are refused.

    The file reads uint8 images, whose scale is 1/255.
    """
    del walk
    if np.all(np.equal(layer.scale, 1)) and np.all(np.equal(layer.offset, 0)):
        return value
    if not (isinstance(value, kernels.Codes) and value.is_image):
        raise unknown(layer, "integer export knows it at the entrance only")
    raise unknown(
        layer,
        f"it makes scale {layer.scale} and offset {layer.offset} of its "
        "input, but an integer file's first layer reads pixels / 255: "
        "quantize_model(..., unit_pixels=True) takes a Rescaling(1/255) out; "
        "or use float32",
    )
