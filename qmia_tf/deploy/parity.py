"""Does a .tflite file compute what was trained? Codes compared one by one.

Three networks answer the same images: the trained Keras model, its integer
twin, and the .tflite file under each kernel set. Twin against file is a
promise under the default kernels: no code differs. Trained model against
twin says what folding the batch norms and rounding the biases cost.
"""

import itertools
import pathlib

import keras
import numpy as np
import tensorflow as tf
import tqdm

from qmia_tf import keras_files, runs
from qmia_tf import layers as ours
from qmia_tf.deploy import int8
from qmia_tf.deploy.interpreter import KERNELS
from qmia_tf.deploy.mismatches import (
    Comparison,
    Parity,
    TensorParity,
    apart,
)
from qmia_tf.deploy.observed import Observed
from qmia_tf.errors import InputError
from qmia_tf.targets import KerasTarget, TFLiteTarget, as_unit, softmax

QUANTIZERS = (ours.DoReFaActivation, ours.DoReFaAdd, ours.ResidualQuantizer)
FEW = 50


class Twin:
    """An integer twin that shows its levels and its answers.

    Args:
        model: keras.Model from integer.fold, or the path of a saved one.
    """

    def __init__(self, model):
        if isinstance(model, (str, pathlib.Path)):
            model = keras_files.load(model)
        self.model = model
        self.layers = {layer.name: layer for layer in model.layers}
        self._ask = {}

    @property
    def promises(self) -> bool:
        """Whether a file's codes must be equal under the default kernels.

        Not where a float layer is rounded to codes: its sums depend on their
        order.
        """
        roundings = [
            layer
            for layer in self.model.layers
            if isinstance(layer, ours.integer.ToLevels)
        ]
        return len(roundings) == 1

    def levels(self, images, names):
        """Computes levels.

        Args:
            images: uint8 [N, height, width, channels].
            names: of layers; those that the twin does not have are left out.
        Returns: dict name -> float32 levels [N, ...].
        """
        names = tuple(name for name in names if name in self.layers)
        if names not in self._ask:
            self._ask[names] = _function(
                self.model, [self.layers[name] for name in names]
            )
        found = self._ask[names](as_unit(images))
        return {
            name: part.numpy() for name, part in zip(names, found, strict=True)
        }

    def answers(self, images, *, logits=False):
        """Returns probabilities float32 [N, classes]."""
        found = KerasTarget(self.model, name="twin").predict(images)
        return softmax(found) if logits else found


def compare_file(
    twin, path, images, *, ways, batch_size=64, logits=False, progress=False
) -> list[Comparison]:
    """Compares a .tflite file with its twin.

    Args:
        twin: Twin.
        path: the .tflite file.
        images: uint8 [N, height, width, channels].
        ways: pairs (key of interpreter.KERNELS, number of threads).
        batch_size: images a call.
        logits: whether the outputs are logits.
        progress: shows a bar.
    Returns: one Comparison a way.
    Raises: InputError if the file is damaged, or not this twin's.
    """
    path = pathlib.Path(path)
    content = path.read_bytes()
    targets = [
        TFLiteTarget(
            path,
            kernels=kernels,
            num_threads=threads,
            batch_size=batch_size,
            logits=logits,
        )
        for kernels, threads in ways
    ]
    seen = [
        Observed(content, kernels=kernels, num_threads=threads)
        for kernels, threads in ways
    ]
    names = seen[0].names
    counts = [[TensorParity(name) for name in names] for _ in ways]
    for chunk in _chunks(images, batch_size, path.name, progress):
        levels = twin.levels(chunk, names)
        _check_names(names, levels, path)
        for observed, tensors in zip(seen, counts, strict=True):
            found = observed.levels(chunk)
            for tensor in tensors:
                tensor.count(levels[tensor.name], found[tensor.name])
    mine = twin.answers(images, logits=logits)
    return [
        Comparison(
            "tflite",
            *way,
            batch_size,
            len(images),
            tensors,
            *apart(mine, target.predict(images)),
        )
        for way, target, tensors in zip(ways, targets, counts, strict=True)
    ]


def compare_keras(twin, model, images, *, batch_size=100) -> Comparison:
    """Compares the trained model with its twin: what folding cost.

    Args:
        twin: Twin.
        model: the trained keras.Model, or its path.
        images: uint8 [N, height, width, channels].
        batch_size: images a call.
    Returns: Comparison; its tensors are those that the trained model rounds.
    """
    if isinstance(model, (str, pathlib.Path)):
        model = keras_files.load(model)
        keras_files.freeze(model)
    quantizers = [
        layer
        for layer in model.layers
        if isinstance(layer, QUANTIZERS) and layer.name in twin.layers
    ]
    ask = _function(model, quantizers)
    tensors = [TensorParity(layer.name) for layer in quantizers]
    names = [tensor.name for tensor in tensors]
    for chunk in _chunks(images, batch_size, "trained model", False):
        levels = twin.levels(chunk, names)
        values = ask(as_unit(chunk))
        for tensor, value in zip(tensors, values, strict=True):
            scale = twin.layers[tensor.name].grid.scale
            codes = np.rint(value.numpy().astype(np.float64) / scale)
            tensor.count(levels[tensor.name], codes)
    theirs = KerasTarget(model, name="trained").predict(images)
    mine = twin.answers(images)
    return Comparison(
        "keras", "", 0, batch_size, len(images), tensors, *apart(mine, theirs)
    )


def check(
    twin_path,
    tflite_path,
    images,
    *,
    model=None,
    scheme="int8",
    logits=False,
    kernels=tuple(KERNELS),
    threads=(1, 2),
    batch_sizes=(64, 1),
    progress=False,
) -> Parity:
    """Compares a file with its twin in every way asked for.

    The first batch size sees all images, the others 50 at most.

    Args:
        twin_path: the twin's .keras file.
        tflite_path: the .tflite file.
        images: uint8 [N, height, width, channels].
        model: path of the trained .keras file; None leaves it out.
        scheme: name of the file's scheme.
        logits: whether the outputs are logits.
        kernels: keys of interpreter.KERNELS.
        threads: numbers of threads.
        batch_sizes: images a call.
        progress: shows bars.
    Returns: Parity.
    Raises: InputError if a file is damaged or not the other's.
    """
    twin = Twin(twin_path)
    found = []
    if model is not None and not logits:
        found.append(compare_keras(twin, model, images))
    for batch_size in batch_sizes:
        first = batch_size == batch_sizes[0]
        found += compare_file(
            twin,
            tflite_path,
            images if first else images[:FEW],
            ways=list(itertools.product(kernels, threads)),
            batch_size=batch_size,
            logits=logits,
            progress=progress,
        )
    return Parity(
        scheme=scheme,
        sha256=runs.sha256(tflite_path),
        twin_sha256=runs.sha256(twin_path),
        float_layers=int8.float_layers(twin.model),
        promised=twin.promises,
        comparisons=found,
    )


def _function(model, layers):
    network = keras.Model(model.inputs, [layer.output for layer in layers])
    return tf.function(
        lambda x: network([x], training=False),
        input_signature=[tf.TensorSpec(model.input_shape, tf.float32)],
    )


def _chunks(images, batch_size, label, progress):
    starts = range(0, len(images), batch_size)
    bar = tqdm.tqdm(
        starts, desc=label, delay=2, disable=None if progress else True
    )
    return (images[start : start + batch_size] for start in bar)


def _check_names(names, levels, path):
    missing = [name for name in names if name not in levels]
    if missing:
        raise InputError(
            f"{path} is not this twin's file: the twin has no {missing[0]!r}; "
            "export both again"
        )
