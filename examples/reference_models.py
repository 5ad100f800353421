"""Reference models of your own network: the strongest attacks on it.

    python examples/reference_models.py

Trains a small network on half of the digits, and eight more like it on other
halves. The audit compares what yours says of a record with what they say.
Takes about two minutes; writes into runs/example_references. Stopped, it goes
on where it was.
"""

import os
import pathlib

# Before TensorFlow is imported: without AVX-512 it trains slowly otherwise.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
from keras_file import halves, small_network

import qmia_tf

OUT = "runs/example_references"


def trainer(epochs):
    """Gives the function that trains one network; the seed is its own."""

    def build_and_train(images, labels, seed):
        keras.utils.set_random_seed(seed)
        model = small_network()
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(images, labels, epochs=epochs, verbose=0)
        return model

    return build_and_train


def main(out=OUT, *, epochs=40, count=8):
    """Trains all of them and audits; returns the audit."""
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    members, nonmembers = halves()
    build_and_train = trainer(epochs)
    build_and_train(*members, seed=0).save(out / "mine.keras")

    # The same training, on random halves of both sides together.
    references = qmia_tf.references(
        build_and_train, members, nonmembers, out=out / "refs", count=count
    )
    result = qmia_tf.audit(
        out / "mine.keras",
        members,
        nonmembers,
        references=references,
        out=out / "audit",
    )
    print(result)
    return result


if __name__ == "__main__":
    main()
