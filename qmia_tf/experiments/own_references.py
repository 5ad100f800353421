"""Reference models of a user's own network: train, query, keep, one by one.

    DIR/r00.npz, r01.npz, ...   outputs of each model about all records
    DIR/inside/                 what its holder reads: exact logits

Model number n and its half follow from the seed and n alone. They come in
pairs that swap halves, so that each record trains exactly half of the models.
"""

import gc
import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from qmia_tf import locks, outputs, terminal
from qmia_tf.data import draws
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError, option
from qmia_tf.experiments.audit_sources import Reading, load_sides
from qmia_tf.outputs import Outputs
from qmia_tf.outputs.saved_outputs import REFERENCE_OF
from qmia_tf.targets import (
    inside_queries,
    listing,
    measured_options,
    queries,
)

# In Outputs.info: what draws the half and starts the training.
SEED = "reference_seed"
# By how much the halves may be larger or smaller than the members.
ALIKE = 0.1


def references(
    build_and_train: Callable[[np.ndarray, np.ndarray, int], Any],
    members: object,
    nonmembers: object,
    *,
    out: str | pathlib.Path,
    count: int = 16,
    seed: int = 0,
    input_range: Any = "auto",
    outputs: str = "auto",
    class_names: str | list[str] | None = None,
    first_label: int = 0,
    data_format: str = "auto",
    allow_chance: bool = False,
    data_dir: str | None = None,
    download: bool = False,
    progress: Callable[[str], None] | None = terminal.say,
) -> list[pathlib.Path]:
    """Trains reference models of a user's own network on random halves.

        paths = qmia_tf.references(train, (x, y), (x_test, y_test), out="refs")
        qmia_tf.audit(model, (x, y), (x_test, y_test), references=paths)

    A call with the same records goes on where the last one stopped: models
    whose outputs are in the folder are not trained again.

    Args:
        build_and_train: of (inputs [N, ...], labels int [N], seed) gives a
            model as audit takes it: a Keras model, a function, or the path of
            a file. It gets records as they are given here, and labels from 0
            on; it prepares and trains as the audited model was.
        members: as audit takes them, and gets them afterwards.
        nonmembers: likewise.
        out: the folder for the outputs.
        count: models, 2, 4, ...; more of them make LiRA and RMIA stronger.
        seed: 0 or more.
        input_range, outputs, class_names, first_label, data_format,
            allow_chance, data_dir, download, progress: as of audit.
    Returns: the .npz files of outputs that audit takes as references.
    Raises: InputError if the records or a model cannot be used, or the folder
        holds outputs of other ones.
    """
    say = progress or (lambda line: None)
    _require_numbers(count, seed)
    both = load_sides(
        members, nonmembers, say, data_dir=data_dir, download=download
    )
    records = Reading(class_names, first_label, data_format).join(*both)
    (options,) = listing.options_by_model(input_range, outputs, 1)
    half = len(records.labels) // 2
    if abs(half / records.members.sum() - 1) > ALIKE:
        say(
            f"warning: each reference model is trained on {half} records, the "
            f"audited one on {records.members.sum()} members at least: give as "
            "many nonmembers as members"
        )
    paths = []
    for number in range(count):
        path = pathlib.Path(out) / f"r{number:02d}.npz"
        paths.append(path)
        half_seed, model_seed = _seeds(seed, number)
        inside = _half(records.labels, half_seed, number)
        with locks.writing(path):
            if _is_made(path, records, inside, model_seed):
                continue
            start = time.perf_counter()
            model = build_and_train(
                records.values[inside].copy(),
                records.labels[inside].copy(),
                model_seed,
            )
            reference = _query(
                model, path, records, inside, options, allow_chance, say
            )
            reference.info.update(
                {REFERENCE_OF: records.fingerprint, SEED: model_seed}
            )
            reference.save(path)
        del model
        gc.collect()
        right = (reference.predicted == reference.labels)[inside].mean()
        say(
            f"reference {number + 1} of {count}: "
            f"{time.perf_counter() - start:.0f} s, right on "
            f"{100 * right:.1f} % of what trained it"
        )
    return paths


def _require_numbers(count, seed):
    if count < 2 or count % 2:
        raise InputError(
            f"reference models come in pairs: {option('count')} must be 2, 4, "
            f"..., got {count}"
        )
    if seed < 0:
        raise InputError(f"{option('seed')} must be 0 or more, got {seed}")


def _seeds(seed, number):
    """What draws the half of a pair, and what starts a training."""
    drawn = np.random.SeedSequence([seed, number // 2]).generate_state(2)
    return int(drawn[0]), (int(drawn[1]) + number % 2) % 2**31


def _half(labels, seed, number):
    """Which records train a model, bool [N]; odd ones take the other half."""
    first = draws.stratified(labels, 0.5, np.random.default_rng(seed))
    return ~first if number % 2 else first


def _is_made(path, records, inside, seed):
    """Whether the outputs of this model are there.

    Raises: InputError if those of another one are.
    """
    if not path.exists():
        return False
    stored = outputs.load(path)
    compared = (
        ("fingerprint", stored.info.get(REFERENCE_OF), records.fingerprint),
        ("seed", stored.info.get(SEED), seed),
        ("training records", stored.members.sum(), inside.sum()),
    )
    changes = [
        f"{name}: {str(theirs)[:12]} -> {str(ours)[:12]}"
        for name, theirs, ours in compared
        if theirs != ours
    ]
    if not changes and not np.array_equal(stored.members, inside):
        count = np.sum(stored.members != inside)
        changes = [f"training records: {count} others"]
    if changes:
        raise InputError(
            f"{path} is another reference model ({'; '.join(changes)}): choose "
            f"another {option('out')}, or delete it"
        )
    return True


def _query(
    model, path, records: Records, inside, options, allow_chance, say
) -> Outputs:
    """Queries a model about all records, as an audit would."""
    about = Records.numbered(
        records.name,
        records.values,
        records.labels,
        inside,
        classes=records.classes,
        class_names=records.class_names,
        is_order_assumed=records.is_order_assumed,
    )
    name = path.stem
    listed = listing.list_model(name, model, options, numbers=about.numbers)
    target = listed.open()
    try:
        answered = queries.outputs_of(
            target, about, query_count=None if allow_chance else len(inside)
        )
        try:
            inside_queries.read(
                listed,
                answered,
                about,
                run_dir=path.parent,
                with_activations=False,
            )
        except InputError as error:
            say(f"{name}: what lies inside is not read: {error}")
    finally:
        listed.close()
    if not allow_chance:
        queries.require_above_chance(answered, about)
    measured_options.require_order(answered, about)
    return answered
