"""Queries the targets of a run with augmented images, for label-only attacks.

Labels lie in RUN/augmented_queries/TARGET.npz and TARGET.noise.npz. A record
takes many queries, so only some of the records are queried.
"""

import dataclasses

import numpy as np

from qmia_tf import locks
from qmia_tf.attacks import augmented_queries
from qmia_tf.attacks.augmentations import Augmentations, Noise
from qmia_tf.data import draws
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError
from qmia_tf.run_dir import RunDir


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to query.

    Attributes:
        records: how many at most, half of them members.
        augmentations: the augmentations.
        noise: the noise.
        seed: int, draws the records.
    """

    records: int = 2000
    augmentations: Augmentations = dataclasses.field(
        default_factory=Augmentations
    )
    noise: Noise = dataclasses.field(default_factory=Noise)
    seed: int = 0

    def __post_init__(self):
        if self.records < 8:
            raise InputError(
                "label-only attacks need 8 records or more, got "
                f"{self.records}; 0 leaves them out"
            )
        if self.seed < 0:
            raise InputError(
                "the seed of augmented queries must be 0 or more, got "
                f"{self.seed}"
            )


def query_target(
    model,
    records: Records,
    *,
    settings: Settings,
    run_dir,
    progress: bool = True,
) -> dict[str, augmented_queries.AugmentedLabels]:
    """Queries one target, unless its labels are there.

    Args:
        model: targets.unopened_model.UnopenedModel; one whose sha256 is None
            is queried anew each time.
        run_dir: where augmented_queries/ lies.
        progress: shows a bar.
    Returns: "augmented_labels" and "noisy_labels".
    Raises: InputError as augmented_queries.query.
    """
    run_dir = RunDir(run_dir)
    drawn = draws.draw(records, settings.records, seed=settings.seed)
    drawn = drawn.in_record_order()
    facts = {**model.facts, "fingerprint": records.fingerprint}
    labels = {}
    for name, augmentations, suffix in (
        ("augmented_labels", settings.augmentations, ""),
        ("noisy_labels", settings.noise, ".noise"),
    ):
        path = run_dir.augmented_of(f"{model.name}{suffix}")
        labels[name] = _stored(path, facts, augmentations, drawn)
        if labels[name] is None:
            with locks.writing(path):
                labels[name] = augmented_queries.query(
                    model.open(),
                    drawn,
                    augmentations,
                    run=run_dir.name,
                    progress=progress,
                )
                labels[name].save(path)
    return labels


def _stored(path, facts, augmentations, drawn):
    """The stored labels, if they are of this model and these records."""
    stored = augmented_queries.load(path) if path.exists() else None
    is_current = (
        stored is not None
        and facts["sha256"] is not None
        and stored.matches(augmentations=augmentations, **facts)
        and np.array_equal(stored.record_ids, drawn.record_ids)
    )
    return stored if is_current else None
