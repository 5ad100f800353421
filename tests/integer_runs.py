"""Run directories with integer files, of a small network or a trained one."""

import functools
import pathlib

import integer_nets
import keras
import numpy as np
import tqdm

from qmia_tf import files, layers
from qmia_tf.data import loaders
from qmia_tf.deploy.conversion_job import Settings
from qmia_tf.deploy.integer import int8_file, integer_network
from qmia_tf.deploy.tflite import flatbuffer
from qmia_tf.experiments import configuration, run
from qmia_tf.models import keras_files, resnet
from qmia_tf.models.resnet import Bits
from qmia_tf.run_dir import RunDir
from qmia_tf.training import recipes
from qmia_tf.training.epoch_loop import Trainer

SHAPE, CLASSES = (8, 8, 1), 10


@functools.cache
def digits():
    """The digits, 1,797 images."""
    return loaders.load("digits")


def small(*, seed=0, width=6, first=8, prefix=""):
    """Every kind of integer layer once, not trained but not indifferent."""
    edge = {"weight_bits": 8, "weight_quantizer": "symmetric"}
    norm = functools.partial(keras.layers.BatchNormalization, momentum=0)
    start = keras.initializers.HeNormal

    def named(name):
        return prefix + name

    pixels = keras.Input(SHAPE, name=named("pixels"))
    x = layers.DoReFaConv2D(
        width,
        3,
        padding="same",
        name=named("stem"),
        kernel_initializer=start(seed),
        input_steps=255,
        **{**edge, "weight_bits": first},
    )(pixels)
    x = layers.DoReFaActivation(4, name=named("act"))(norm()(x))
    x = keras.layers.MaxPooling2D(2, name=named("pool"))(x)
    y = layers.DoReFaConv2D(
        width,
        3,
        padding="same",
        name=named("conv"),
        kernel_initializer=start(seed + 1),
        weight_bits=4,
    )(x)
    y = norm(name=named("norm"))(y)
    x = layers.DoReFaAdd(4, rounded=False, name=named("sum"))([x, y])
    x = keras.layers.GlobalAveragePooling2D(name=named("average"))(x)
    x = layers.DoReFaDense(
        CLASSES,
        name=named("logits"),
        kernel_initializer=keras.initializers.RandomNormal(0, 60, seed + 2),
        **edge,
    )(x)
    x = keras.layers.Activation("softmax", name=named("softmax"))(x)
    model = integer_nets.randomize(keras.Model(pixels, x), seed=seed)
    images = digits().images[:300].astype(np.float32) / np.float32(255)
    # Without momentum, one pass sets the statistics.
    model(images, training=True)
    # No class is to win for every image.
    head = model.get_layer(named("logits"))
    features = keras.Model(model.inputs, head.input)([images])
    head.bias.assign(-np.mean(features, axis=0) @ np.asarray(head.kernel))
    return model


@functools.cache
def trained(weight_bits, activation_bits):
    """A ResNet-18 of width 8 that has learnt the digits for 3 epochs."""
    data = digits()
    recipe = recipes.get(
        "digits", epochs=3, batch_size=64, width=8, learning_rate=0.004
    )
    model = resnet.resnet18(
        data.image_shape,
        data.classes,
        stem=recipe.stem,
        width=recipe.width,
        weight_bits=weight_bits,
        activation_bits=activation_bits,
    )
    # Whole batches: XLA compiles for each size.
    members = data.images[:1792:2], data.labels[:1792:2]
    trainer = Trainer(model, members, recipe, 0)
    for _ in range(recipe.epochs):
        trainer.run_epoch(tqdm.tqdm(disable=True))
    return model


def exported(run_dir, model, *, schemes=("int8", "int8_io"), **settings):
    """Makes a finished run of a model, with these files.

    Returns: its directory.
    """
    run_dir = pathlib.Path(run_dir)
    config = configuration.describe(
        digits(), recipe=recipes.get("digits"), bits=Bits(4, 4)
    )
    RunDir(run_dir).open(config)
    keras_files.save(model, RunDir(run_dir).model)
    run.export_run(
        run_dir, digits, schemes=schemes, settings=Settings(**settings)
    )
    return run_dir


def change(path, name, edit, *, run_dir=None):
    """Changes the constants of one tensor of a .tflite file, or its scales.

    Args:
        path: the file.
        name: end of the tensor's name.
        edit: called with its numbers (int8, int32 or float32) and its
            schema.QuantizationParametersT; changes either in place.
        run_dir: a run whose manifest is made to say that this is the file.
    """
    path = pathlib.Path(path)
    model = flatbuffer.unpack(path.read_bytes())
    (graph,) = model.subgraphs
    (tensor,) = (t for t in graph.tensors if t.name.decode().endswith(name))
    dtype = {0: np.float32, 2: np.int32, 9: np.int8}[tensor.type]
    buffer = model.buffers[tensor.buffer]
    stored = np.zeros(0, np.uint8) if buffer.data is None else buffer.data
    numbers = np.array(stored, np.uint8).view(dtype)
    grid = tensor.quantization
    if grid is not None:
        grid.scale, grid.zeroPoint = map(np.array, (grid.scale, grid.zeroPoint))
    edit(numbers, grid)
    if buffer.data is not None:
        buffer.data = numbers.view(np.uint8)
    path.write_bytes(flatbuffer.pack(model))
    if run_dir is not None:
        state(run_dir, path.stem, sha256=files.sha256(path))


def state(run_dir, scheme, **facts):
    """Makes the manifest of a run say other things of a file."""
    path = pathlib.Path(run_dir) / "artifacts" / "manifest.json"
    entries = files.read_json(path)
    entries[scheme].update(facts)
    files.write_json(path, entries)


def write(folder, model, name="int8", **options):
    """Writes a model's twin and its file; returns their paths."""
    folder = pathlib.Path(folder)
    twin = integer_network.fold(model, **options)
    paths = folder / f"{name}_twin.keras", folder / f"{name}.tflite"
    keras_files.save(twin, paths[0])
    paths[1].write_bytes(int8_file.to_tflite(twin))
    return paths


def ways(check):
    """What was compared with the file, and how."""
    return [
        (c.kernels, c.num_threads, c.batch_size, c.records)
        for c in check.comparisons
        if c.against == "tflite"
    ]
