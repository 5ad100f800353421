"""Four networks as their owners have them: stock Keras, untrained."""

import keras
from keras import layers


def plain(shape=(12, 12, 3), classes=10):
    """Convolutions with bias, an average, a separable one, dense layers."""
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(8, 3, activation="relu"),
            layers.AveragePooling2D(2),
            layers.SeparableConv2D(12, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(20, activation="relu"),
            layers.Dense(classes),
            layers.Softmax(),
        ],
        name="plain",
    )


def vgg(shape=(16, 16, 3), classes=10):
    """Blocks of 3x3 convolutions and max pools, hidden dense layer, dropout."""
    x = pixels = keras.Input(shape)
    for filters, count in ((8, 1), (12, 2)):
        for _ in range(count):
            x = layers.Conv2D(filters, 3, padding="same")(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(24, activation="relu")(layers.Flatten()(x))
    x = layers.Dense(classes, activation="softmax")(layers.Dropout(0.5)(x))
    return keras.Model(pixels, x, name="vgg")


def resnet20(shape=(16, 16, 3), classes=10, *, width=8):
    """ResNet-20 for small images: three stages of three blocks."""

    def conv(x, filters, size=3, strides=1):
        x = layers.Conv2D(
            filters, size, strides=strides, padding="same", use_bias=False
        )(x)
        return layers.BatchNormalization()(x)

    pixels = keras.Input(shape)
    x = layers.ReLU()(conv(pixels, width))
    for stage in range(3):
        for block in range(3):
            strides = 2 if stage and not block else 1
            filters = width * 2**stage
            y = layers.ReLU()(conv(x, filters, strides=strides))
            y = conv(y, filters)
            if strides > 1:
                x = conv(x, filters, 1, strides)
            x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(classes, activation="softmax")(x)
    return keras.Model(pixels, x, name="resnet20")


def mobilenet(shape=(32, 32, 3), classes=10):
    """keras.applications' MobileNetV2, the narrowest."""
    return keras.applications.MobileNetV2(
        input_shape=shape, alpha=0.35, weights=None, classes=classes
    )


NETWORKS = {
    "plain": plain,
    "vgg": vgg,
    "resnet20": resnet20,
    "mobilenet": mobilenet,
}
