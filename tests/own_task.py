"""A tiny task of one's own: a model, and records that it is right about."""

import numpy as np
import tiny_models

MEMBERS, NONMEMBERS = 60, 50


def labelled(answers, *, members=MEMBERS, classes=None, seed=0):
    """Labels of which a model is right on 95 % of the members, 60 % else.

    Args:
        answers: [N, C], what the model says; members first.
    """
    rng = np.random.default_rng(seed)
    named = np.asarray(answers).argmax(axis=1)
    wrong = rng.random(len(named)) > np.where(
        np.arange(len(named)) < members, 0.95, 0.6
    )
    others = rng.integers(0, classes or answers.shape[1], len(named))
    return np.where(wrong, others, named)


def images(model, *, scale=1 / 255, offset=0.0):
    """Images and labels of both sides, for a model that takes pixels so.

    Returns: two pairs (uint8 images, labels), members first.
    """
    pixels = tiny_models.images(MEMBERS + NONMEMBERS, seed=3)
    taken = pixels.astype(np.float32) * np.float32(scale) + np.float32(offset)
    labels = labelled(model.predict(taken, verbose=0))
    return split(pixels, labels)


def split(values, labels, members=MEMBERS):
    """Two pairs (values, labels), members first."""
    return (
        (values[:members], labels[:members]),
        (values[members:], labels[members:]),
    )


def linear(values):
    """A function of 5 numbers a record that names one of 3 classes."""
    weights = np.random.default_rng(1).normal(0, 3, (5, 3))
    powers = np.exp(values.reshape(len(values), -1)[:, :5] @ weights)
    return powers / powers.sum(axis=1, keepdims=True)


def table(count=MEMBERS + NONMEMBERS):
    """Rows of 5 numbers and labels that `linear` is mostly right about."""
    values = np.random.default_rng(2).normal(size=(count, 5))
    return split(values, labelled(linear(values)))
