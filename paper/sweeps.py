"""The leak of a run epoch by epoch, and at full precision's accuracy."""

import dataclasses
import pathlib

import numpy as np

from paper import full_precision, rounded_outputs, stored_results
from qmia_tf import files, outputs, typed_json
from qmia_tf.auditing import accuracy_comparison, accuracy_matching
from qmia_tf.experiments import (
    checkpoints,
    configuration,
    run_comparison,
    training_run,
)
from qmia_tf.run_dir import TRAINED, RunDir


def choose_epochs(kept: dict, most: int | None) -> dict:
    """Takes `most` kept epochs evenly, or all; the trained model is in it.

    Args:
        kept: epoch -> file, by epoch.
        most: how many, >= 1; None takes all.
    """
    if most is None or len(kept) <= most:
        return dict(kept)
    places = np.linspace(len(kept) - 1, 0, most).round().astype(int)
    every = list(kept)
    return {every[place]: kept[every[place]] for place in sorted(set(places))}


def measure_epochs(run_dir, dataset, *, most=None, progress=None):
    """Attacks the kept models of a run; writes epochs.json.

    Args:
        run_dir: the run directory.
        dataset: the run's Dataset.
        most: how many epochs at most; None takes every kept one.
        progress: callable that takes a line of text, or None.
    Returns: list of matched.Epoch by epoch, and bool [N], the members.
    Raises: InputError as epochs.answers.
    """
    run_dir = pathlib.Path(run_dir)
    config = configuration.read(run_dir)
    records = training_run.records_of(run_dir, dataset, config)
    file_by_epoch = choose_epochs(
        checkpoints.kept_models(run_dir, config), most
    )
    kept_epochs, members = [], None
    for epoch, answers in checkpoints.query_epochs(
        run_dir, file_by_epoch, records, progress=progress
    ):
        kept_epochs.append(accuracy_matching.measure(answers, epoch))
        members = answers.members
    curve = accuracy_comparison.TrainingCurve(
        run=run_dir.name,
        model=run_comparison.model_name(config),
        points=[kept_epoch.point for kept_epoch in kept_epochs],
    )
    files.write_json(run_dir / stored_results.SWEEP, typed_json.encode(curve))
    return kept_epochs, members


def compare_with_full_precision(run_dir, model, full, members, *, full_run):
    """Compares a model with full precision; writes matched.json.

    Args:
        run_dir: of the quantized model.
        model: its matched.Epoch.
        full: list of matched.Epoch of full precision, by epoch.
        members: bool [N].
        full_run: name of the full-precision run.
    Returns: full_precision.Comparison.
    """
    ways = [
        accuracy_matching.nearest(model, full, members),
        accuracy_matching.interpolated(model, full, members),
    ]
    comparison = full_precision.Comparison(
        run=pathlib.Path(run_dir).name,
        full=full_run,
        epoch=model.point.epoch,
        trained=_against(model, full[-1], members, "trained"),
        matches=[match for match in ways if match is not None],
    )
    place = pathlib.Path(run_dir) / stored_results.MATCHED
    files.write_json(place, typed_json.encode(comparison))
    return comparison


def compare_artefacts(run_dir) -> dict[str, accuracy_matching.Match]:
    """Compares files and controls with their model; writes artefacts.json.

    Returns: by target.
    """
    run_dir = RunDir(run_dir)
    keras = run_dir.outputs_of(TRAINED)
    paths = [x for x in sorted(run_dir.outputs.glob("*.npz")) if x != keras]
    answers = outputs.load(keras).in_record_order()
    model = accuracy_matching.measure(
        answers, configuration.read(run_dir)["recipe"]["epochs"]
    )
    match_by_target = {}
    for path in (*paths, run_dir.path / rounded_outputs.FILE):
        theirs = outputs.load(path).in_record_order()
        epoch = accuracy_matching.measure(theirs, model.point.epoch)
        match_by_target[theirs.target] = _against(
            epoch, model, answers.members, "artefact"
        )
    artefacts = stored_results.Artefacts(run_dir.name, match_by_target)
    files.write_json(
        run_dir.path / stored_results.ARTEFACTS, typed_json.encode(artefacts)
    )
    return match_by_target


def _against(epoch, base_epoch, members, way):
    match = accuracy_matching.nearest(epoch, [base_epoch], members)
    # `outside` is about many epochs, and here there is one.
    return dataclasses.replace(match, way=way, outside=None)
