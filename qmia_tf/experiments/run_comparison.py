"""Training runs compared at equal accuracy on nonmembers."""

import pathlib

import numpy as np

from qmia_tf.auditing import accuracy_comparison, accuracy_matching
from qmia_tf.data.dataset import Dataset
from qmia_tf.errors import InputError
from qmia_tf.experiments import checkpoints, configuration, training_run
from qmia_tf.statistics import seed_means
from qmia_tf.statistics.intervals import LEVEL


def compare(
    full,
    quantized,
    dataset: Dataset,
    *,
    every_epoch: bool = False,
    progress=None,
) -> accuracy_comparison.Comparison:
    """Compares quantized runs with full-precision runs of equal accuracy.

    The quantized runs come in groups as long as `full`, one group a model;
    each is compared with the full-precision run at its place.

    Args:
        full: run directories of one model, one a seed.
        quantized: as many as `full` or a multiple.
        every_epoch: compares every kept epoch of the quantized runs, not only
            the trained model.
    Raises: InputError if the runs do not fit each other, a full-precision run
        kept no checkpoints, or as checkpoints.query_epochs.
    """
    full, quantized = ([pathlib.Path(x) for x in y] for y in (full, quantized))
    configs = _configs(full, quantized)
    curves, compared = {}, []
    for place, one in enumerate(full):
        reference, members = _epochs(one, configs, dataset, progress)
        curves[one] = _curve(one, configs, reference)
        for other in quantized[place :: len(full)]:
            models, theirs = _epochs(other, configs, dataset, progress)
            if not np.array_equal(members, theirs):
                raise InputError(
                    f"{one} and {other} split the records otherwise: their "
                    "split.npz differ"
                )
            curves[other] = _curve(other, configs, models)
            for model in models if every_epoch else models[-1:]:
                compared.append(
                    accuracy_comparison.ModelComparison(
                        run=other.name,
                        model=curves[other].model,
                        full=one.name,
                        epoch=model.point.epoch,
                        trained=model is models[-1],
                        matches=_matches(model, reference, members),
                    )
                )
    return accuracy_comparison.Comparison(
        schema_version=accuracy_comparison.SCHEMA_VERSION,
        level=LEVEL,
        dataset=dataset.name,
        full=[curves[path] for path in full],
        quantized=[curves[path] for path in quantized],
        compared=compared,
        means=_means(compared) if len(full) > 1 else [],
        notes=_notes(full, quantized, configs),
    )


def _configs(full, quantized):
    """Reads every configuration and checks that they fit each other."""
    if not full or not quantized or len(quantized) % len(full):
        raise InputError(
            f"{len(full)} full-precision and {len(quantized)} quantized runs "
            "cannot be paired: give one --full, or as many as each quantized "
            "model has runs, in the same order"
        )
    every = [*full, *quantized]
    twice = {path for path in every if every.count(path) > 1}
    if twice:
        raise InputError(f"{twice.pop()} is named twice")
    configs = {path: configuration.read(path) for path in every}
    for place, one in enumerate(full):
        pairs = (one, *quantized[place :: len(full)])
        accuracy_matching.check_same_members(
            {str(path): configs[path] for path in pairs}
        )
    for start in range(0, len(every), len(full)):
        group = every[start : start + len(full)]
        models = [model_name(configs[path]) for path in group]
        if len(set(models)) > 1:
            raise InputError(
                f"{group[0]} is {models[0]} and {group[-1]} {models[-1]}: "
                "runs of one model, one a seed, must stand together"
            )
    for path in every:
        alone = len(checkpoints.kept_models(path, configs[path])) < 2
        if alone and path in full:
            raise InputError(
                f"{path} kept no checkpoints, so its accuracy cannot be "
                "matched: train it with qmia train --keep_every=1"
            )
    return configs


def model_name(config) -> str:
    """What tables call the model of a configuration."""
    model = config["model"]
    bits = model["weight_bits"], model["activation_bits"]
    clip = ", clip" if model["clip"] else ""
    if bits == (32, 32) and not clip:
        return "full precision"
    return f"w={bits[0]}, a={bits[1]}{clip}"


def _epochs(run_dir, configs, dataset, progress):
    """Measures every kept epoch; returns them and bool [N], the members."""
    config = configs[run_dir]
    records = training_run.records_of(run_dir, dataset, config)
    models = checkpoints.kept_models(run_dir, config)
    points = []
    for epoch, outputs in checkpoints.query_epochs(
        run_dir, models, records, progress=progress
    ):
        points.append(accuracy_matching.measure(outputs, epoch))
    return points, outputs.members


def _curve(run_dir, configs, models):
    return accuracy_comparison.TrainingCurve(
        run=run_dir.name,
        model=model_name(configs[run_dir]),
        points=[point.point for point in models],
    )


def _matches(model, reference, members):
    matches = [
        accuracy_matching.nearest(model, reference, members),
        accuracy_matching.interpolated(model, reference, members),
    ]
    return [match for match in matches if match is not None]


def _means(compared):
    """Means over the pairs of trained models that have a match."""
    groups = {}
    for candidate in compared:
        for match in candidate.matches if candidate.trained else ():
            for score, leak_change in match.leak.items():
                key = candidate.model, match.way, score
                values = groups.setdefault(key, [])
                if match.is_match:
                    values.append(leak_change.difference.value)
    return [
        accuracy_comparison.MeanDifference(
            *key, pairs=len(values), difference=seed_means.mean(values)
        )
        for key, values in groups.items()
        if values
    ]


def _notes(full, quantized, configs):
    """What differs between paired runs besides the bits."""
    notes = []
    for place, other in enumerate(quantized):
        one = full[place % len(full)]
        for key in ("recipe", "seed"):
            if configs[one].get(key) != configs[other].get(key):
                notes.append(f"{other.name} has another {key} than {one.name}")
    return notes
