"""The handwritten digits that come with scikit-learn."""

import numpy as np

from qmia_tf import extras
from qmia_tf.data.dataset import Dataset, assemble
from qmia_tf.data.loaders import Loader


def load(name: str = "digits", *, pool: str, **_) -> Dataset:
    """Loads the digits: 1,797 gray images of 8x8, ten classes, all "train".

    A pixel v in 0..16 becomes round(v * 255 / 16).

    Raises: InputError for pool "test".
    Source: UCI Optical Recognition of Handwritten Digits, its test part, as
        in sklearn.datasets.load_digits.
    """
    extras.require("sklearn", "the data set digits")
    from sklearn.datasets import load_digits

    bundle = load_digits()
    images = np.round(bundle.images * (255 / 16)).astype(np.uint8)
    names = tuple(str(name) for name in bundle.target_names)
    parts = {"train": (images, bundle.target)}
    return assemble(name, parts, names, pool=pool)


LOADER = Loader(
    is_dataset="digits".__eq__, load_dataset=load, is_published=True
)
