"""Your .keras file: does it give away what trained it?

    python examples/keras_file.py

Trains a small network on half of the digits, saves it as any Keras program
does, and audits the file. Takes about 20 seconds; writes into
runs/example_keras.
"""

import os
import pathlib

# Before TensorFlow is imported: without AVX-512 it trains slowly otherwise.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np

import qmia_tf
from qmia_tf.data import loaders

OUT = "runs/example_keras"


def small_network() -> keras.Model:
    """Images of 8x8 pixels, 0 to 255, to ten probabilities."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            # The file says itself which pixels it takes.
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def halves(seed=0):
    """The digits' images and labels, members and nonmembers at random."""
    data = loaders.load("digits")
    order = np.random.default_rng(seed).permutation(len(data.images))
    inside, outside = np.array_split(order, 2)
    return data.take(inside), data.take(outside)


def main(out=OUT, *, epochs=40):
    """Trains, saves and audits; returns the audit."""
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    members, nonmembers = halves()
    keras.utils.set_random_seed(0)
    model = small_network()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(*members, epochs=epochs, verbose=0)
    model.save(out / "mine.keras")

    # From here on it is your file, and the records that did and did not
    # train it.
    result = qmia_tf.audit(
        out / "mine.keras", members, nonmembers, out=out / "audit"
    )
    print(result)
    return result


if __name__ == "__main__":
    main()
