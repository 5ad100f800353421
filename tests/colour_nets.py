"""Images of four colours, and a network of their nearest mean colour."""

import keras
import numpy as np

from qmia_tf.data.records import Records

UNIT, BYTES, SIGNED = "0..1", "0..255", "-1..1"
CLASSES, SIDE, SIZE = 4, 120, (6, 6, 3)
TAKEN = {
    UNIT: lambda x: x / 255,
    BYTES: lambda x: x,
    SIGNED: lambda x: x / 127.5 - 1,
}


def images(*, seed=0, spread=60):
    """Four colours under noise; some labels of nonmembers are wrong."""
    rng = np.random.default_rng(seed)
    colours = [[190, 60, 60], [60, 190, 60], [60, 60, 190], [170, 170, 60]]
    labels = rng.integers(0, CLASSES, 2 * SIDE)
    values = np.array(colours)[labels][:, None, None, :]
    values = values + rng.normal(0, spread, (2 * SIDE, *SIZE))
    members = np.arange(2 * SIDE) < SIDE
    wrong = rng.random(2 * SIDE) < np.where(members, 0.03, 0.3)
    labels = np.where(wrong, rng.integers(0, CLASSES, 2 * SIDE), labels)
    return values.clip(0, 255).round().astype(np.uint8), labels, members


def records(values, labels, members):
    return Records.numbered("r", values, labels, members, classes=CLASSES)


def nearest(pixels):
    """A network without training: the class of the nearest mean colour.

    -|x - m|^2 is linear in x but for |x|^2, which all classes share.
    """
    values, labels, members = images()
    taken = TAKEN[pixels](values.astype(np.float64)).reshape(2 * SIDE, -1)
    means = np.stack(
        [taken[(labels == c) & members].mean(axis=0) for c in range(CLASSES)]
    )
    entry = keras.Input(SIZE)
    x = keras.layers.Flatten()(entry)
    model = keras.Model(entry, keras.layers.Dense(CLASSES, "softmax")(x))
    # A margin of a few nats, whatever the range.
    apart = np.mean((means[:, None] - means) ** 2) * means.shape[1]
    factor = 5 / apart
    model.layers[-1].set_weights(
        [2 * factor * means.T, -factor * (means**2).sum(axis=1)]
    )
    return model
