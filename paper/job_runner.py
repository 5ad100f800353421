"""The jobs of the reproduction: stages of a run, the control of layers."""

import time

from paper import (
    plans,
    rounded_outputs,
    stages,
    stored_results,
    sweeps,
)
from qmia_tf import files, locks, terminal
from qmia_tf.attacks import tfprivacy
from qmia_tf.auditing import label_only_queries
from qmia_tf.deploy import export
from qmia_tf.experiments import (
    configuration,
    model_job,
    run,
    training_run,
)
from qmia_tf.run_dir import RunDir

# The threshold attacks alone: its trained attackers see a few thousand
# records and find nothing here that the audit's own attacks do not.
TFPRIVACY = tfprivacy.Settings(attacks=("threshold", "threshold-entropy"))
# To query every kept epoch of full precision.
FULL_SECONDS = 3600


def run_stages(data, *, job, names, out, results, sweep=None):
    """Runs those stages of a run that are not done, and collects the results.

    Args:
        data: DatasetCache.
        job: plans.Job.
        names: of the stages.
        out: folder of all runs.
        results: folder of all results.
        sweep: kept epochs of a full-precision run that are queried, at most;
            None takes all.
    Raises: InputError as the stages, or if another process is at this run.
    """
    place, dataset = out / job.folder, data.load(job.dataset)
    work = {
        stages.TRAIN: lambda: _train(job, place, dataset),
        stages.EXPORT: lambda: _export(job, place, dataset),
        stages.PARITY: lambda: _parity(job, place, dataset),
        stages.ATTACK: lambda: _attack(job, place, dataset),
        stages.SWEEP: lambda: _sweep(job, out, dataset, sweep),
    }
    with model_job.writing(place):
        for stage in names:
            if stage in stages.done(job, out):
                continue
            terminal.say(f"== {job.folder}: {stage}")
            started = time.perf_counter()
            work[stage]()
            # Training's time is in history.csv, however often it was resumed.
            if stage != stages.TRAIN:
                _add_seconds(place, stage, time.perf_counter() - started)
            model_job.free_memory()
    stored_results.collect(job, out, results)


def control_layers(data, *, job, out, path):
    """Compares full precision with Keras' own layers.

    Args:
        data: DatasetCache.
        job: plans.Job, of full precision.
        out: folder of all runs.
        path: the JSON file to write.
    """
    from paper import keras_layer_control

    dataset = data.load(job.dataset)
    with model_job.writing(path):
        terminal.say(
            f"== {job.dataset}: DoReFa layers at 32 bits against Keras'"
        )
        comparison = keras_layer_control.check(
            dataset,
            run_config(job, dataset),
            job.recipe,
            out / job.folder,
            steps=job.size.path_steps,
        )
        files.write_json(path, {**comparison, "regime": job.regime})


def run_config(job, dataset) -> dict:
    """The configuration of a job's run."""
    from qmia_tf.models.resnet import Bits

    return configuration.describe(
        dataset,
        recipe=job.recipe,
        bits=Bits(**plans.MODELS[job.model].bits),
        split_seed=job.seed,
        seed=job.seed,
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

    recipe, config = job.recipe, run_config(job, dataset)
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
    model_job.free_memory()
    members = len(dataset.labels) // 2
    return min(step_seconds) * members / recipe.batch_size


def _train(job, place, dataset):
    config = run_config(job, dataset)
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
    """Audits one model alone: no float parent, no reference models."""
    # The control rounds the trained model's outputs: it is queried first.
    run.query_run(place, dataset, progress=terminal.say)
    run.attack_run(
        place,
        dataset,
        device_outputs=[rounded_outputs.write(place)],
        label_only=label_only_queries.Settings(records=job.size.label_only),
        tfprivacy=TFPRIVACY,
        pictures="off",
    )


def _sweep(job, out, dataset, most):
    place, full = out / job.folder, out / job.full.folder
    sweeps.compare_artefacts(place)
    if job.model == plans.FULL:
        sweeps.measure_epochs(place, dataset, most=most, progress=terminal.say)
        return
    models, members = sweeps.measure_epochs(
        place, dataset, most=job.sweep_points, progress=terminal.say
    )
    if not RunDir(full).model.exists():
        terminal.say(
            f"{full} is not trained: compared with its stored results, if any"
        )
        return
    # Other quantized runs may be compared with it at this time.
    with locks.writing(full, wait=FULL_SECONDS):
        reference, _ = sweeps.measure_epochs(
            full, dataset, most=most, progress=terminal.say
        )
    sweeps.compare_with_full_precision(
        place, models[-1], reference, members, full_run=full.name
    )


def _add_seconds(place, stage, seconds):
    """Adds to timing.json what a stage took; the longest, if repeated."""
    path = place / stored_results.TIMING
    before = files.read_json(path) if path.exists() else {}
    # A repeated stage finds stored outputs: faster than from nothing.
    longest = max(before.get(stage, 0.0), round(seconds, 1))
    files.write_json(path, {**before, stage: longest})
