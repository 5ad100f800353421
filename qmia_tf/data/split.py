"""Members and nonmembers: who trains the model and who does not."""

import dataclasses
from pathlib import Path

import numpy as np

from qmia_tf import files
from qmia_tf.data import draws
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError
from qmia_tf.run_dir import RunDir

PARTS = ("train", "test")
# Which parts of a data set the records to split are drawn from.
POOLS = {"train": ("train",), "test": ("test",), "all": PARTS}


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Which records of a data set trained the model.

    Attributes:
        members: int64 [M], sorted indices into the data set.
        nonmembers: int64 [K], sorted, disjoint from members.
        seed: what the split was drawn with.
        pool: "train", "test" or "all": the records it was drawn from.
        fingerprint: that of the data set.
    """

    members: np.ndarray
    nonmembers: np.ndarray
    seed: int
    pool: str
    fingerprint: str

    def records(self, dataset) -> Records:
        """Gives records of the Dataset that was split, members first."""
        record_ids = np.concatenate([self.members, self.nonmembers])
        values, labels = dataset.take(record_ids)
        return Records(
            name=dataset.name,
            values=values,
            labels=labels,
            members=np.arange(len(record_ids)) < len(self.members),
            record_ids=record_ids,
            fingerprint=self.fingerprint,
            classes=dataset.classes,
            class_names=dataset.class_names,
        )


def check_pool(pool: str) -> None:
    """Raises InputError unless a pool is "train", "test" or "all"."""
    if pool not in POOLS:
        raise InputError(f"pool must be one of {list(POOLS)}, got {pool!r}")


def check_draw(*, seed: int, pool: str, member_fraction: float) -> None:
    """Raises InputError unless a split can be drawn with these options."""
    check_pool(pool)
    if seed < 0:
        raise InputError(f"seed must be 0 or more, got {seed}")
    if not 0 < member_fraction < 1:
        raise InputError(
            f"member_fraction must lie in (0, 1), got {member_fraction}"
        )


def make_split(
    labels: np.ndarray,
    *,
    seed: int,
    pool: str,
    fingerprint: str,
    member_fraction: float = 0.5,
) -> Split:
    """Draws a stratified split: every class has its share on both sides.

    Each class gives floor(count * member_fraction) members; what is missing
    to round(N * member_fraction) comes one each from the classes with the
    largest remainders, ties drawn by lot.

    Args:
        labels: int [N], the class of each record.
        pool: "train", "test" or "all"; recorded.
        fingerprint: the data set's, recorded.
        member_fraction: share of members, in (0, 1); at one half the sides
            differ by at most one record.
    Raises: InputError if an option is out of range, or if either side would
        have no record, or only one class.
    """
    check_draw(seed=seed, pool=pool, member_fraction=member_fraction)
    labels = np.asarray(labels)
    classes = len(np.unique(labels))
    if classes < 2:
        raise InputError(
            f"the pool {pool!r} has {len(labels)} records and "
            f"{classes} class(es); an audit needs two classes or more: "
            "choose another --pool or data set"
        )
    rng = np.random.default_rng(seed)
    is_member = draws.stratified(labels, member_fraction, rng)
    for side, mask in (("member", is_member), ("nonmember", ~is_member)):
        if np.unique(labels[mask]).size < 2:
            raise InputError(
                f"{len(labels)} records leave {mask.sum()} as the "
                f"{side}s, not two classes of them: give more records per "
                f"class or another member_fraction than {member_fraction}"
            )
    return Split(
        members=np.flatnonzero(is_member),
        nonmembers=np.flatnonzero(~is_member),
        seed=seed,
        pool=pool,
        fingerprint=fingerprint,
    )


def save(split: Split, path: Path) -> None:
    """Writes a split to an .npz file, whole or not at all."""
    files.write_npz(path, **dataclasses.asdict(split))


def load(path: Path, fingerprint: str) -> Split:
    """Reads a split and checks that it belongs to the data at hand.

    Args:
        path: the .npz file.
        fingerprint: that of the data set in memory.
    Raises: InputError if the file is damaged, or was made for other data.
    """
    arrays = files.read_npz(path)
    names = {field.name for field in dataclasses.fields(Split)}
    if set(arrays) != names:
        raise InputError(
            f"{path} is not a split: it holds {sorted(arrays)}, not "
            f"{sorted(names)}; delete it to draw it anew"
        )
    arrays = {name: _declared(path, name, arrays[name]) for name in names}
    stored = arrays["fingerprint"]
    if stored != fingerprint:
        raise InputError(
            f"{path} splits another data set (fingerprint {stored[:64]}) than "
            f"the one loaded ({fingerprint}): use the run's own data or "
            "another --run_dir"
        )
    members, nonmembers = arrays["members"], arrays["nonmembers"]
    if not _is_partition(members, nonmembers):
        raise InputError(
            f"{path} is damaged: members and nonmembers must be disjoint "
            "lists of record numbers; delete it to draw it anew"
        )
    return Split(**arrays)


def open_split(
    run_dir: Path,
    dataset,
    *,
    seed: int,
    pool: str,
    member_fraction: float = 0.5,
    complement: bool = False,
) -> Split:
    """Gives the split of a run, drawing and storing it the first time.

    Args:
        run_dir: the run directory.
        dataset: Dataset, loaded with the same pool.
        complement: whether the two sides are swapped, so that two runs of
            one seed train on each record once.
    Raises: InputError if the stored split is damaged, or was made for other
        data or with other options.
    """
    path = RunDir(run_dir).split
    if not path.exists():
        split = make_split(
            dataset.labels,
            seed=seed,
            pool=pool,
            fingerprint=dataset.fingerprint(),
            member_fraction=member_fraction,
        )
        if complement:
            split = dataclasses.replace(
                split, members=split.nonmembers, nonmembers=split.members
            )
        save(split, path)
        return split
    split = load(path, dataset.fingerprint())
    members = draws.share_of(len(dataset.labels), member_fraction)
    if complement:
        members = len(dataset.labels) - members
    stored = (split.seed, split.pool, len(split.members))
    if stored != (seed, pool, members):
        raise InputError(
            f"{path} was drawn with other options (seed, pool, members): "
            f"{stored} -> {(seed, pool, members)}: choose another --run_dir"
        )
    return split


def _declared(path, name, array):
    """An array as what the field of Split is declared to be."""
    kind = Split.__annotations__[name]
    kinds = {int: "iu", str: "U"}.get(kind)
    if kinds is None:
        return array
    try:
        if array.shape or array.dtype.kind not in kinds:
            raise ValueError(f"it is {array.dtype} {list(array.shape)}")
        value = kind(array[()])
        if kind is str and not value.isprintable():
            raise ValueError("it is not a line of text")
    except ValueError as error:
        raise InputError(
            f"{path}: {name} is damaged ({error}); delete it to draw it anew"
        ) from error
    return value


def _is_partition(members, nonmembers):
    if not all(
        side.ndim == 1 and side.dtype == np.int64 and side.size
        for side in (members, nonmembers)
    ):
        return False
    records = np.sort(np.concatenate([members, nonmembers]))
    return np.array_equal(records, np.arange(len(records)))
