"""Labels replaced at random: what a network can only learn by heart."""

import dataclasses

import numpy as np

from qmia_tf.data.dataset import Dataset, LabelNoise
from qmia_tf.errors import InputError

# Apart from the split, which may be drawn with the same seed.
STREAM = 1


def apply(dataset: Dataset, noise: LabelNoise) -> Dataset:
    """Replaces the labels of a share of the records by other classes.

    round(N * share) records are drawn from all of them, before there are
    members; each gets one of the other classes. So members and nonmembers
    have wrong labels alike, and no label tells who is a member.

    Args:
        dataset: with the labels that its source gives.
        noise: how many, and how they are drawn.
    Returns: a Dataset with another fingerprint; the same one for share 0.
    Raises: InputError if there is no other class.
    """
    if not noise.share:
        return dataset
    if dataset.classes < 2:
        raise InputError(
            f"{dataset.name} has one class: label_noise has no other to draw"
        )
    rng = np.random.default_rng([noise.seed, STREAM])
    labels = dataset.labels.copy()
    rows = rng.permutation(len(labels))[: round(len(labels) * noise.share)]
    steps = rng.integers(1, dataset.classes, len(rows))
    labels[rows] = (labels[rows] + steps) % dataset.classes
    return dataclasses.replace(dataset, labels=labels, label_noise=noise)
