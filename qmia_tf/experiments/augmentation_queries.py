"""Asks the targets of a run about changed copies, for label-only attacks.

Answers lie in RUN/copies/TARGET.npz and TARGET.noise.npz. Copies cost many
queries each, so only some of the records are asked about.
"""

import dataclasses

import numpy as np

from qmia_tf.attacks import augmented_queries
from qmia_tf.attacks.augmentations import Noise, Plan
from qmia_tf.data import draws
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError
from qmia_tf.outputs import KERAS
from qmia_tf.run_dir import RunDir

KERNELS = (KERAS, "default")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to ask.

    Attributes:
        records: how many at most, half of them members.
        plan: the changes.
        noise: the noise.
        seed: int, draws the records.
    """

    records: int = 2000
    plan: Plan = dataclasses.field(default_factory=Plan)
    noise: Noise = dataclasses.field(default_factory=Noise)
    seed: int = 0

    def __post_init__(self):
        if self.records < 8:
            raise InputError(
                "label-only attacks need 8 records or more, got "
                f"{self.records}; 0 leaves them out"
            )


def is_asked(query) -> bool:
    """Whether a target is worth its copies: not a twin, nor other kernels.

    Args:
        query: queries.Query.
    """
    return query.kernel_set in KERNELS


def answer(
    query, records: Records, *, settings, run_dir, progress=True
) -> dict[str, augmented_queries.Answers]:
    """Asks one target about copies, unless its answers are there.

    Args:
        query: queries.Query, or another with its name, facts and open();
            one whose sha256 is None is asked anew each time.
        records: Records.
        settings: Settings.
        run_dir: where copies/ lies.
        progress: shows a bar.
    Returns: dict of "copies" and "noisy", Answers each.
    Raises: InputError as copies.query.
    """
    run_dir = RunDir(run_dir)
    drawn = draws.draw(records, settings.records, seed=settings.seed)
    drawn = drawn.in_record_order()
    facts = {**query.facts, "fingerprint": records.fingerprint}
    answers, target = {}, None
    for name, plan, suffix in (
        ("copies", settings.plan, ""),
        ("noisy", settings.noise, ".noise"),
    ):
        path = run_dir.augmented_of(f"{query.name}{suffix}")
        stored = augmented_queries.load(path) if path.exists() else None
        current = (
            stored is not None
            and facts["sha256"] is not None
            and stored.is_about(plan=plan, **facts)
            and np.array_equal(stored.record_ids, drawn.record_ids)
        )
        if not current:
            target = target or query.open()
            stored = augmented_queries.query(
                target,
                drawn,
                plan,
                run=run_dir.name,
                progress=progress,
            )
            stored.save(path)
        answers[name] = stored
    return answers
