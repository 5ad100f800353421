"""Does a .tflite file compute what was trained? Codes compared one by one.

Three networks output something for the same images: the trained Keras model,
its integer twin, and the .tflite file under each kernel set. Twin against file
is a promise under the default kernels: no code differs. Trained model against
twin says what folding the batch norms and rounding the biases cost.
"""

import pathlib
from collections.abc import Sequence

import numpy as np

from qmia_tf import files, terminal
from qmia_tf.data.batches import in_batches, reshape_images
from qmia_tf.deploy.integer import int8_file
from qmia_tf.deploy.parity.mismatches import (
    FILE,
    PROMISED,
    TRAINED,
    FileParity,
    ParityComparison,
    ParityStage,
    judged,
)
from qmia_tf.deploy.parity.observed_networks import Trained, Twin
from qmia_tf.deploy.tflite import input_clipping
from qmia_tf.deploy.tflite.interpreter import KERNELS, Interpreter
from qmia_tf.deploy.tflite.observed_tensors import Observed
from qmia_tf.errors import InputError
from qmia_tf.outputs.logits import check_kind, softmax

FEW = 50


class File:
    """A .tflite file: its outputs, and the codes inside a copy of it.

    At most batch_size images are run in a call.

    Raises: InputError if it cannot be run.
    """

    def __init__(
        self,
        path,
        *,
        kernels: str,
        num_threads: int,
        batch_size: int,
        logits: bool,
    ):
        self.path = pathlib.Path(path)
        self.way = kernels, num_threads
        self._logits, self._is_checked = logits, False
        self._interpreter = Interpreter(
            self.path, kernels=kernels, num_threads=num_threads
        )
        self._batch_size = self._interpreter.fixed_batch or batch_size
        self._observed = Observed(
            self.path.read_bytes(), kernels=kernels, num_threads=num_threads
        )

    def check(self, twin: Twin) -> None:
        """Raises InputError if the tensors are not this twin's."""
        in_file = self._observed.shapes
        in_twin = {
            name: tuple(twin.model.get_layer(name).output.shape[1:])
            for name in twin.names
        }
        for name in [*in_file, *in_twin]:
            if in_file.get(name) != in_twin.get(name):
                raise InputError(
                    f"{self.path} is not this twin's file ({name!r} is "
                    f"{_shown(in_file, name)} in the file, "
                    f"{_shown(in_twin, name)} in the twin): export both again"
                )

    def run(self, images: np.ndarray) -> tuple[dict, np.ndarray]:
        """Returns name -> int16 levels [N, ...], and probabilities."""
        levels, stored = self._observed.run(images)
        if self.way[0] == PROMISED:
            # XNNPACK may compute otherwise what nobody is to see.
            return levels, self.predict(images)
        return levels, self._probabilities(stored)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Returns probabilities [N, C]; nothing inside the file is seen.

        Raises: InputError if the input cannot hold pixels / 255, or the first
            outputs are not what they should be.
        """
        return in_batches(
            images,
            self._predict_batch,
            size=self._batch_size,
            name=self.path.stem,
        )

    def _predict_batch(self, images):
        model, name = self._interpreter, self.path.stem
        if not self._is_checked:
            input_clipping.require_unit_pixels(images, model.input, name)
        stored = model.run(model.input.encode_pixels(images))
        if not self._is_checked:
            check_kind(
                model.output.dequantize(stored),
                name=name,
                step=model.output_step,
                as_logits=self._logits,
            )
            self._is_checked = True
        return self._probabilities(stored)

    def _probabilities(self, stored):
        rows = self._interpreter.output.dequantize(stored)
        return softmax(rows) if self._logits else rows


def check(
    twin_path,
    tflite_path,
    images: np.ndarray,
    *,
    model=None,
    scheme: str = "int8",
    logits: bool = False,
    kernels: Sequence[str] = tuple(KERNELS),
    threads: Sequence[int] = (1, 2),
    batch_sizes: Sequence[int] = (64, 1),
    progress: bool = False,
) -> FileParity:
    """Compares a file with its twin in every way asked for.

    The first batch size sees all images, the others 50 at most.

    Args:
        twin_path: the twin's .keras file.
        tflite_path: the .tflite file.
        images: uint8 [N, height, width, channels].
        model: Trained, or the path of the trained .keras file; None leaves
            it out.
        scheme: of the file.
        logits: whether the outputs are logits.
        kernels: keys of interpreter.KERNELS.
        threads: kernels that promise nothing run with the first number only.
        batch_sizes: images a call.
        progress: shows a bar.
    Raises: InputError if a file is damaged or not the other's, or the images
        do not fit.
    """
    twin = Twin(twin_path, logits=logits)
    twin.check_images(images)
    images = reshape_images(images, twin.model.input_shape[1:])
    if isinstance(model, (str, pathlib.Path)):
        model = Trained(model)
    most = max(batch_sizes)
    watched = [
        File(
            tflite_path,
            kernels=kernel_set,
            num_threads=count,
            batch_size=most,
            logits=logits,
        )
        for kernel_set in kernels
        for count in (threads if kernel_set == PROMISED else threads[:1])
    ]
    for file in watched:
        file.check(twin)
    with_model = []
    if model:
        with_model = [_begin(TRAINED, ("", 0), most, model.names(twin))]
    with_file = [
        (file, _begin(FILE, file.way, batch_size, twin.names))
        for batch_size in batch_sizes
        for file in watched
    ]
    starts = range(0, len(images), most)
    label = pathlib.Path(tflite_path).name
    for start in terminal.bar(starts, desc=label, unit="batch", shown=progress):
        chunk = images[start : start + most]
        of_twin = twin.run(chunk, batch_size=most)
        for comparison in with_model:
            comparison.count(of_twin, model.run(chunk, twin, batch_size=most))
        for file, comparison in with_file:
            is_first = comparison.batch_size == batch_sizes[0]
            left = len(chunk) if is_first else max(FEW - start, 0)
            _add(comparison, file, chunk[:left], of_twin)
    return judged(
        scheme,
        with_model + [comparison for _, comparison in with_file],
        sha256=files.sha256(tflite_path),
        twin_sha256=files.sha256(twin_path),
        float_layers=int8_file.float_layers(twin.model),
        rounded_layers=twin.rounded_layers,
    )


def _begin(against, way, batch_size, names):
    stages = [ParityStage(name) for name in names]
    return ParityComparison(against, *way, batch_size, stages=stages)


def _add(comparison, file, images, of_twin):
    """Gives a file the images, batch by batch."""
    levels, outputs = of_twin
    step = comparison.batch_size
    for start in range(0, len(images), step):
        part = slice(start, min(start + step, len(images)))
        cut = {name: level[part] for name, level in levels.items()}
        comparison.count((cut, outputs[part]), file.run(images[part]))


def _shown(shapes, name):
    return list(shapes[name]) if name in shapes else "missing"
