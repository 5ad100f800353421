"""A .tflite file whose inner codes can be seen while it runs."""

import numpy as np

from qmia_tf import quiet
from qmia_tf.deploy.tflite import flatbuffer
from qmia_tf.deploy.tflite.interpreter import load_litert


class Observed:
    """Every int8 tensor of a .tflite file, under one kernel set.

    The tensors become outputs of a copy of the file, beside the file's own
    one; its ops, and so the kernels that run, stay what they are. The kernels
    are a key of interpreter.KERNELS.
    """

    def __init__(
        self, content: bytes, *, num_threads: int = 1, kernels: str = "default"
    ):
        (graph,) = flatbuffer.unpack(content).subgraphs
        (end,) = (graph.tensors[index].name for index in graph.outputs)
        observed = flatbuffer.with_outputs(
            content,
            lambda tensor: flatbuffer.is_int8(tensor) or tensor.name == end,
        )
        # LiteRT says so when it takes its XNNPACK kernels.
        with quiet.without_messages(show_if_it_fails=True):
            self._lite = load_litert(observed, num_threads, kernels)
            self._lite.allocate_tensors()
        (self._input,) = self._lite.get_input_details()
        outputs = self._lite.get_output_details()
        self._details = [d for d in outputs if d["dtype"] == np.int8]
        (self._end,) = (d for d in outputs if d["name"] == end.decode())
        self._batch = None

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Names of the tensors, in the file's order -> shape of one record."""
        return {
            detail["name"]: tuple(map(int, detail["shape"][1:]))
            for detail in self._details
        }

    def run(self, images: np.ndarray) -> tuple[dict, np.ndarray]:
        """Runs one batch of images, uint8 [N, height, width, channels].

        Returns: name -> int16 levels [N, ...], codes less zero point; and the
            file's output as it is stored.
        """
        if len(images) != self._batch:
            self._lite.resize_tensor_input(self._input["index"], images.shape)
            self._lite.allocate_tensors()
            self._batch = len(images)
        self._lite.set_tensor(self._input["index"], images)
        self._lite.invoke()
        levels = {
            detail["name"]: self._levels(detail) for detail in self._details
        }
        return levels, self._lite.get_tensor(self._end["index"])

    def _levels(self, detail):
        codes = self._lite.get_tensor(detail["index"]).astype(np.int16)
        return codes - np.int16(detail["quantization"][1])
