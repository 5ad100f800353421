"""Images and labels in memory: checked where they come in, fingerprinted."""

import dataclasses
import functools
import hashlib
from collections.abc import Iterable

import numpy as np

from qmia_tf.data.labels import require_range
from qmia_tf.data.split import PARTS, POOLS
from qmia_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class LabelNoise:
    """Labels replaced at random by other classes, see data/label_noise.py.

    Attributes:
        share: of all records, in [0, 1).
        seed: draws the records and their labels, >= 0.
    Raises: InputError if one is out of range.
    """

    share: float = 0.0
    seed: int = 0

    def __post_init__(self):
        if not 0 <= self.share < 1:
            raise InputError(
                f"label_noise must lie in [0, 1), got {self.share}"
            )
        if self.seed < 0:
            raise InputError(
                f"label_noise_seed must be 0 or more, got {self.seed}"
            )


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """What a loader gives, before anybody is a member.

    It is apart from Records because it is split first: a training draws its
    members from it, and Split.records makes the Records that are queried.

    Attributes:
        name: what it was loaded as.
        images: uint8 [N, H, W, C], C = 1 (gray) or 3 (RGB), 0..255.
        labels: int64 [N], 0..classes-1.
        class_names: one a class.
        origin: uint8 [N], 0 = train record, 1 = test record.
        label_noise: how some of the labels were replaced.
    Raises: InputError if images or labels are not of that kind.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    origin: np.ndarray
    label_noise: LabelNoise = LabelNoise()

    def __post_init__(self):
        images, labels = checked(
            self.name, self.images, self.labels, len(self.class_names)
        )
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "labels", labels)
        if len(self.origin) != len(labels):
            raise InputError(
                f"{self.name}: {len(self.origin)} origins, {len(labels)} labels"
            )

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.images.shape[1:]

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gives the images and the labels of chosen records."""
        return self.images[indices], self.labels[indices]

    def first(self, records: int | None) -> "Dataset":
        """Gives the first records; all of them for None, or if more."""
        if records is None or records >= len(self.labels):
            return self
        return dataclasses.replace(
            self,
            images=self.images[:records],
            labels=self.labels[:records],
            origin=self.origin[:records],
        )

    def fingerprint(self) -> str:
        """Names the content, the same on every platform, in 64 hex digits.

        SHA-256 of "N H W C" and a newline in ASCII, the image bytes in
        row-major order, and the labels as little-endian int64. It is
        computed once: the arrays must not be changed.
        """
        return self._fingerprint

    @functools.cached_property
    def _fingerprint(self):
        shape = " ".join(map(str, self.images.shape))
        digest = hashlib.sha256(f"{shape}\n".encode())
        digest.update(np.ascontiguousarray(self.images))
        digest.update(np.ascontiguousarray(self.labels, "<i8"))
        return digest.hexdigest()


def checked(
    where: str, images: np.ndarray, labels: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Checks that images and labels can be used, and gives them their type.

    Args:
        where: for the message.
        images: uint8 [N, H, W, C] or, if gray, [N, H, W].
        labels: integers [N] in 0..classes-1.
    Returns: images uint8 [N, H, W, C], labels int64 [N].
    Raises: InputError that says what is wrong and how to convert it.
    """
    if images.dtype != np.uint8:
        raise InputError(
            f"{where}: images are {images.dtype}, not uint8 0..255: convert "
            "them (values in 0..1: np.round(images * 255).astype(np.uint8))"
        )
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or images.shape[3] not in (1, 3) or not images.size:
        raise InputError(
            f"{where}: images have the shape {list(images.shape)}, not "
            "[N, H, W, C] with C = 1 or 3, or [N, H, W]"
        )
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError(
            f"{where}: labels are {labels.dtype} {list(labels.shape)}, not "
            "integers [N] (one-hot: labels.argmax(axis=1))"
        )
    if len(images) != len(labels):
        raise InputError(
            f"{where}: {len(images)} images but {len(labels)} labels"
        )
    require_range(labels, classes, where)
    return images, labels.astype(np.int64, copy=False)


def assemble(
    name: str,
    parts: dict[str, tuple[np.ndarray, np.ndarray]],
    class_names: tuple[str, ...],
    *,
    pool: str,
) -> Dataset:
    """Makes one data set of its train and test parts, train records first.

    Args:
        parts: "train" or "test" -> (images, labels), see `checked`.
        pool: "train", "test" or "all".
    Raises: InputError if a part cannot be used, if the parts do not fit
        together, or if the pool has no part.
    """
    chosen = choose_parts(name, parts, pool)
    images, labels = zip(
        *(
            checked(f"{name} ({part})", *parts[part], len(class_names))
            for part in chosen
        ),
        strict=True,
    )
    shapes = {array.shape[1:] for array in images}
    if len(shapes) > 1:
        raise InputError(
            f"{name}: images of train and test differ in shape: {shapes}"
        )
    return Dataset(
        name=name,
        images=images[0] if len(images) == 1 else np.concatenate(images),
        labels=np.concatenate(labels),
        class_names=class_names,
        origin=origins(chosen, list(map(len, labels))),
    )


def origins(parts: Iterable[str], sizes: list[int]) -> np.ndarray:
    """Says of each record which part it is of, uint8 [N]."""
    codes = np.array([PARTS.index(part) for part in parts], np.uint8)
    return np.repeat(codes, sizes)


def choose_parts(name: str, parts: Iterable[str], pool: str) -> list[str]:
    """Lists the parts of a pool that a data set has, train first.

    Args:
        name: of the data set, for the message.
        parts: those it has, any of "train" and "test".
        pool: "train", "test" or "all".
    Raises: InputError if it has none of them.
    """
    chosen = [part for part in POOLS[pool] if part in parts]
    if not chosen:
        raise InputError(
            f"{name} has no {pool} records, only {sorted(parts)}: choose "
            "another --pool"
        )
    return chosen
