"""Networks that people bring along, small; they are fed and quantized."""

import keras
import numpy as np
from keras import layers

from qmia_tf.qat import quantize_model


def quantize(model, bits=4, images=None, **options):
    """quantize_model with as many bits for weights as for activations."""
    return quantize_model(
        model,
        weight_bits=bits,
        activation_bits=bits,
        calibration=images,
        **options,
    )


def quantize_finely(model, images):
    """Float weights and 16 bits: every factor has to be undone."""
    return quantize_model(
        model,
        weight_bits=32,
        activation_bits=16,
        calibration=images,
        percentile=100,
    )


def fed(images, low=0, high=1):
    """Pixels as a network of that range takes them."""
    return (low + images / 255.0 * (high - low)).astype(np.float32)


def mobilenet():
    """keras.applications' MobileNetV2 at 32x32, a third of its width."""
    keras.utils.set_random_seed(0)
    return keras.applications.MobileNetV2(
        weights=None, input_shape=(32, 32, 3), alpha=0.35, classes=10
    )


def vgg():
    """A small VGG: bias and batch norm, max pooling, two dense layers."""
    keras.utils.set_random_seed(1)
    inputs = x = keras.Input((16, 16, 3), name="pixels")
    for stage, filters in enumerate((8, 16)):
        for place in range(2):
            name = f"block{stage}_conv{place}"
            x = layers.Conv2D(filters, 3, padding="same", name=name)(x)
            x = layers.BatchNormalization(name=f"{name}_bn")(x)
            x = layers.Activation("relu", name=f"{name}_relu")(x)
        x = layers.MaxPooling2D(name=f"block{stage}_pool")(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(32, name="hidden")(x)
    x = layers.BatchNormalization(name="hidden_bn")(x)
    x = layers.ReLU(name="hidden_relu")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    x = layers.Dense(10, activation="softmax", name="predictions")(x)
    return keras.Model(inputs, x, name="vgg")


def resnet20(*, width=8, size=16):
    """ResNet-20 of He et al., section 4.2, with 1x1 shortcuts."""
    keras.utils.set_random_seed(2)

    def conv(x, filters, taps, stride, name):
        x = layers.Conv2D(
            filters,
            taps,
            strides=stride,
            padding="same",
            use_bias=False,
            name=name,
        )(x)
        return layers.BatchNormalization(name=f"{name}_bn")(x)

    inputs = keras.Input((size, size, 3), name="pixels")
    x = layers.ReLU(name="stem_relu")(conv(inputs, width, 3, 1, "stem"))
    for stage in range(3):
        for block in range(3):
            stride = 2 if stage and not block else 1
            name, filters = f"s{stage}b{block}", width * 2**stage
            y = conv(x, filters, 3, stride, f"{name}_conv1")
            y = layers.ReLU(name=f"{name}_relu1")(y)
            y = conv(y, filters, 3, 1, f"{name}_conv2")
            if stride != 1:
                x = conv(x, filters, 1, stride, f"{name}_shortcut")
            x = layers.Add(name=f"{name}_add")([x, y])
            x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dense(10, activation="softmax", name="predictions")(x)
    return keras.Model(inputs, x, name="resnet20")


def plain(*, size=16):
    """A Sequential CNN as in Keras' own introduction: no batch norm."""
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((size, size, 3), name="pixels"),
            layers.Conv2D(8, 3, activation="relu", name="conv0"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Conv2D(16, 3, activation="relu", name="conv1"),
            layers.AveragePooling2D(2, name="average"),
            layers.Flatten(name="flat"),
            layers.Dense(32, activation="relu", name="hidden"),
            layers.Dense(10, activation="softmax", name="predictions"),
        ],
        name="plain",
    )


def settle(model, fed):
    """Gives untrained batch norms the statistics of what is fed.

    Without it the results of fifty random layers shrink to nothing.
    """
    norms = [
        layer
        for layer in model.layers
        if isinstance(layer, layers.BatchNormalization)
    ]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model(fed, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return model


NETWORKS = {
    "mobilenet": mobilenet,
    "vgg": vgg,
    "resnet20": resnet20,
    "plain": plain,
}
