"""A .tflite file whose inner codes can be seen while it runs."""

import numpy as np

from qmia_tf.deploy import flatbuffer
from qmia_tf.deploy.interpreter import KERNELS


class Observed:
    """Every int8 tensor of a .tflite file, under one kernel set.

    The tensors become outputs of a copy of the file; its ops, and so the
    kernels that run, stay what they are.

    Args:
        content: bytes of the file.
        num_threads: int >= 1.
        kernels: a key of interpreter.KERNELS.
    """

    def __init__(self, content, *, num_threads=1, kernels="default"):
        from ai_edge_litert import interpreter as litert

        opened = flatbuffer.with_outputs(content, flatbuffer.is_int8)
        self._lite = litert.Interpreter(
            model_content=opened,
            num_threads=num_threads,
            experimental_op_resolver_type=getattr(
                litert.OpResolverType, KERNELS[kernels]
            ),
        )
        (self._input,) = self._lite.get_input_details()
        self._details = self._lite.get_output_details()
        self._batch = None

    @property
    def names(self):
        """The names of the tensors, in the order of the file."""
        return [detail["name"] for detail in self._details]

    def levels(self, images):
        """Runs one batch.

        Args:
            images: uint8 [N, height, width, channels].
        Returns: dict name -> int32 levels [N, ...], codes less zero point.
        """
        if len(images) != self._batch:
            self._lite.resize_tensor_input(self._input["index"], images.shape)
            self._lite.allocate_tensors()
            self._batch = len(images)
        self._lite.set_tensor(self._input["index"], images)
        self._lite.invoke()
        return {
            detail["name"]: self._levels(detail) for detail in self._details
        }

    def _levels(self, detail):
        codes = self._lite.get_tensor(detail["index"]).astype(np.int32)
        return codes - detail["quantization"][1]
