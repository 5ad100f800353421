"""One run of the reproduction through the stages that are not done yet."""

import dataclasses
import gc
import time

from qmia_tf import files, terminal
from qmia_tf.attacks import tfprivacy
from qmia_tf.deploy import export
from qmia_tf.experiments import (
    augmentation_queries,
    configuration,
    run,
    training_run,
)
from qmia_tf.reproduction import (
    plans,
    rounded_outputs,
    stages,
    stored_results,
    sweeps,
)
from qmia_tf.run_dir import RunDir

# The threshold attacks alone: its trained attackers see a few thousand
# records and tell nothing here that the audit's own do not.
TFPRIVACY = tfprivacy.Settings(attacks=("threshold", "threshold-entropy"))


def carry_out(job, dataset, *, out, results, sweep=None):
    """Takes a run through every stage that is not done, and harvests it.

    Args:
        job: plans.Job.
        dataset: its Dataset.
        out: folder of all runs.
        results: folder of all results.
        sweep: kept epochs of a full-precision run that are asked, at most;
            None takes all.
    """
    place = out / job.folder
    work = {
        stages.TRAIN: lambda: _train(job, place, dataset),
        stages.EXPORT: lambda: _export(job, place, dataset),
        stages.PARITY: lambda: _parity(job, place, dataset),
        stages.ATTACK: lambda: _attack(job, place, dataset),
        stages.SWEEP: lambda: _sweep(job, out, dataset, sweep),
    }
    for stage in stages.needed(job):
        if stage in stages.done(job, out):
            continue
        terminal.say(f"== {job.folder}: {stage}")
        started = time.perf_counter()
        work[stage]()
        # Training's time is in history.csv, however often it was resumed.
        if stage != stages.TRAIN:
            _took(place, stage, time.perf_counter() - started)
        _forget()
    stored_results.harvest(job, out, results)


def describe(job, dataset) -> dict:
    """The configuration of a job's run."""
    from qmia_tf.models.resnet import Bits

    return configuration.describe(
        dataset,
        recipe=job.recipe,
        bits=Bits(**plans.MODELS[job.model].bits),
        split_seed=job.seed,
        seed=job.seed,
    )


def cut(dataset, records):
    """Takes the first records of a data set; all of them for None."""
    if records is None or records >= len(dataset.labels):
        return dataset
    return dataclasses.replace(
        dataset,
        images=dataset.images[:records],
        labels=dataset.labels[:records],
        origin=dataset.origin[:records],
    )


def epoch_seconds(job, dataset) -> float:
    """Times five training steps of a job's network.

    Args:
        job: plans.Job.
        dataset: its Dataset.
    Returns: seconds of one epoch.
    """
    import tqdm

    from qmia_tf.models import resnet
    from qmia_tf.training.epoch_loop import Trainer

    recipe, config = job.recipe, describe(job, dataset)
    model = resnet.resnet18(
        dataset.image_shape, dataset.classes, seed=0, **config["model"]
    )
    step_seconds = []
    # The first two compile.
    for count in (2, 5):
        records = dataset.take(slice(0, count * recipe.batch_size))
        trainer = Trainer(model, records, recipe, 0)
        with tqdm.tqdm(disable=True) as bar:
            trainer.run_epoch(bar)
            step_seconds.append(
                trainer.run_epoch(bar)["seconds"] / trainer.steps
            )
    _forget()
    members = len(dataset.labels) // 2
    return min(step_seconds) * members / recipe.batch_size


def _train(job, place, dataset):
    config = describe(job, dataset)
    training_run.train_run(place, dataset, config, keep_every=job.keep_every)


def _export(job, place, dataset):
    run.export_run(
        place,
        lambda: dataset,
        schemes=job.schemes,
        settings=export.Settings(
            tfmot_epochs=job.size.tfmot_epochs or plans.PAPER_SIZE.tfmot_epochs
        ),
        progress=terminal.say,
    )


def _parity(job, place, dataset):
    run.compare_run(
        place,
        dataset,
        records=job.size.parity_records,
        threads=(1, 2),
        progress=terminal.say,
    )


def _attack(job, place, dataset):
    """Audits with what one model gives away; no parent, no references."""
    # Of the trained model's answers, so it is asked first.
    run.query_run(place, dataset, progress=terminal.say)
    run.attack_run(
        place,
        dataset,
        captured=[rounded_outputs.write(place)],
        label_only=augmentation_queries.Settings(records=job.size.label_only),
        tfprivacy=TFPRIVACY,
        pictures="off",
    )


def _sweep(job, out, dataset, most):
    place, full = out / job.folder, out / job.full.folder
    sweeps.hold_artefacts(place)
    if job.model == plans.FULL:
        sweeps.measure(place, dataset, most=most, progress=terminal.say)
        return
    models, members = sweeps.measure(
        place, dataset, most=job.sweep_points, progress=terminal.say
    )
    if not RunDir(full).model.exists():
        terminal.say(
            f"{full} is not trained: held against its stored results, if any"
        )
        return
    reference, _ = sweeps.measure(
        full, dataset, most=most, progress=terminal.say
    )
    sweeps.hold(place, models[-1], reference, members, full_run=full.name)


def _took(place, stage, seconds):
    """Adds to timing.json what a stage took; the longest, if made again."""
    path = place / stored_results.TIMING
    before = files.read_json(path) if path.exists() else {}
    # Made again, it finds kept answers: not what it takes from nothing.
    longest = max(before.get(stage, 0.0), round(seconds, 1))
    files.write_json(path, {**before, stage: longest})


def _forget():
    """Frees the models of a stage: there are dozens in one process."""
    import keras

    keras.utils.clear_session()
    gc.collect()
