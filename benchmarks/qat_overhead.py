"""What quantization-aware training costs over full precision, a step.

    python benchmarks/qat_overhead.py
    python benchmarks/qat_overhead.py --stems=imagenet --runs=15

Trains ResNet-18s (width 64, 32x32x3, batch 128, SGD with momentum) in one
process, a few steps of each in turn, and prints the best and the median time
a step and their ratio to full precision. Peers: the same network in full
precision, and w4a4 in plain TensorFlow ops that autodiff differentiates, as
one writes it first. Takes about four minutes on two cores.
"""

import json
import sys
import time

import numpy as np
from absl import flags

from qmia_tf import quiet
from qmia_tf.programs import program

STEMS = flags.DEFINE_list("stems", ["imagenet", "cifar"], "which stems")
RUNS = flags.DEFINE_integer("runs", 7, "turns of each network, >= 1")
STEPS = flags.DEFINE_integer(
    "steps", 0, "steps a turn; 0 takes 4 (imagenet) or 1 (cifar)"
)
WIDTH = flags.DEFINE_integer("width", 64, "channels of the first stage")
BATCH = flags.DEFINE_integer("batch", 128, "images a step")
JSON = flags.DEFINE_string("json", None, "also write the figures here")


def main(argv):
    """Measures each stem and prints one table."""
    del argv
    quiet.start_tensorflow()
    figures = {stem: measure(stem) for stem in STEMS.value}
    print(f"{'stem':10}{'network':26}{'best ms':>9}{'ratio':>8}{'median':>8}")
    for stem, rows in figures.items():
        for name, row in rows.items():
            print(
                f"{stem:10}{name:26}{row['best_ms']:9.1f}"
                f"{row['best_ratio']:8.3f}{row['median_ratio']:8.3f}"
            )
    if JSON.value:
        with open(JSON.value, "w") as file:
            json.dump(figures, file, indent=2)


def measure(stem):
    """Times the networks in turn.

    Args:
        stem: "imagenet" or "cifar".
    Returns: dict name -> best_ms, and best_ratio and median_ratio to full
        precision (best over best; median over turns of the pairs).
    """
    from qmia_tf.models.resnet import resnet18

    shape = ((32, 32, 3), 10)
    options = {"stem": stem, "width": WIDTH.value}
    four = {"weight_bits": 4, "activation_bits": 4}
    steppers = {
        "full precision": stepper(resnet18(*shape, **options)),
        "w4a4": stepper(resnet18(*shape, **options, **four)),
        "w4a4 in plain TF ops": stepper(
            plain(resnet18(*shape, **options, **four))
        ),
    }
    steps = STEPS.value or (4 if stem == "imagenet" else 1)
    times = {name: [] for name in steppers}
    for step in steppers.values():
        step()
        step()
    for _ in range(RUNS.value):
        for name, step in steppers.items():
            start = time.perf_counter()
            for _ in range(steps):
                step()
            times[name].append((time.perf_counter() - start) / steps * 1e3)
    base = np.array(times["full precision"])
    return {
        name: {
            "best_ms": min(row),
            "best_ratio": min(row) / base.min(),
            "median_ratio": float(np.median(np.array(row) / base)),
        }
        for name, row in times.items()
    }


def stepper(model):
    """Gives a function that runs one training step of the model."""
    import keras
    import tensorflow as tf

    model = keras.Model(model.inputs, model.get_layer("logits").output)
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    optimizer.build(model.trainable_variables)
    measure_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    images = tf.random.uniform([BATCH.value, *model.input_shape[1:]])
    labels = tf.random.uniform([BATCH.value], 0, 10, tf.int32)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = measure_loss(labels, model(images, training=True))
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)

    return step


def plain(model):
    """The same network with every quantizer in plain TensorFlow ops."""
    import keras
    import tensorflow as tf

    from qmia_tf import layers

    def rounded(x):
        return x + tf.stop_gradient(tf.round(x) - x)

    class PlainConv2D(layers.DoReFaConv2D):
        def quantized_kernel(self):
            if self.weight_quantizer.name == "symmetric":
                return super().quantized_kernel()
            n = 2.0**self.weight_bits - 1
            unit = tf.tanh(self.kernel)
            peak = tf.stop_gradient(tf.reduce_max(tf.abs(unit)))
            return 2 * rounded(n * (unit / peak / 2 + 0.5)) / n - 1

    class PlainActivation(layers.DoReFaActivation):
        def call(self, inputs):
            n = 2.0**self.bits - 1
            return rounded(tf.clip_by_value(inputs, 0, 1) * n) / n

    class PlainAdd(layers.DoReFaAdd):
        def call(self, inputs):
            shortcut, branch = (
                tf.clip_by_value(rounded(x / self.scale), -127, 127)
                * self.scale
                for x in inputs
            )
            total = (shortcut if self.projection else inputs[0]) + branch
            total = tf.clip_by_value(total, 0, 1)
            n = 2.0**self.activation_bits - 1
            return rounded(total * n) / n if self.rounded else total

    swaps = {
        layers.DoReFaConv2D: PlainConv2D,
        layers.DoReFaActivation: PlainActivation,
        layers.DoReFaAdd: PlainAdd,
    }

    def swap(layer):
        layer_class = swaps.get(type(layer), type(layer))
        return layer_class.from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=swap)


if __name__ == "__main__":
    program.run(sys.modules[__name__])
