"""A run's members drawn, and its model trained on them."""

import numpy as np

from qmia_tf import files, locks, onednn, terminal
from qmia_tf.data import split as splits
from qmia_tf.data.dataset import Dataset
from qmia_tf.data.pixels import scale_to_unit
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError
from qmia_tf.experiments import configuration
from qmia_tf.models.network_bits import Bits
from qmia_tf.quantizers.grids import FLOAT_BITS
from qmia_tf.run_dir import COMPUTED, QUANTIZERS, RunDir
from qmia_tf.training import tensorboard_events

VALIDATION_RECORDS = 5000


def train_run(
    run_dir,
    dataset: Dataset,
    config: dict,
    *,
    keep_every: int = 0,
    tensorboard_every: int = 0,
    checkpoint_seconds: float = 0,
    kept=None,
    say=terminal.say,
) -> bool:
    """Trains the run's model, or goes on, or finds it finished.

    How TensorFlow computes is noted in config.json; of a finished run that
    was trained otherwise, a line says so.

    Args:
        config: what `configuration.describe` gives.
        keep_every: keeps the model of every so many epochs; 0 keeps none.
        tensorboard_every: logs to RUN_DIR/tensorboard, with what the model
            gives away at every so many epochs (MembershipLog, on up to
            VALIDATION_RECORDS members and nonmembers); 0 logs nothing.
        checkpoint_seconds, kept, say: as of resumable_loop.train.
    Returns: whether it trained; not if the run was finished already.
    Raises: InputError if the directory holds another configuration, another
        process trains it, the tensorboard package is missing, or as
        training.train.
    """
    if tensorboard_every:
        tensorboard_events.require()
    with locks.writing(RunDir(run_dir).model):
        return _train_run(
            RunDir(run_dir).open(config),
            dataset,
            config,
            keep_every=keep_every,
            tensorboard_every=tensorboard_every,
            checkpoint_seconds=checkpoint_seconds,
            kept=kept,
            say=say,
        )


def _train_run(
    run_dir, dataset, config, *, keep_every, tensorboard_every, **options
):
    split = open_split(run_dir, dataset, config)
    if run_dir.model.exists():
        # It is left where a process was killed behind model.keras.
        run_dir.last_checkpoint.unlink(missing_ok=True)
        _say_difference(run_dir)
        return False
    from qmia_tf.training import resumable_loop

    _require_quantizers(run_dir, config)
    if not run_dir.last_checkpoint.exists():
        _note_computing(run_dir)
    resumable_loop.make_deterministic(config["seed"])
    recipe = configuration.recipe_of(config)
    model = new_model(dataset, config)
    evaluated = dataset.take(_drawn(split.nonmembers, config["seed"]))
    callbacks = []
    if tensorboard_every:
        from qmia_tf.training import tensorboard_callback

        inside = dataset.take(_drawn(split.members, config["seed"]))
        callbacks.append(
            tensorboard_callback.MembershipLog(
                run_dir.tensorboard,
                *[(scale_to_unit(x), y) for x, y in (inside, evaluated)],
                every=tensorboard_every,
                seed=config["seed"],
            )
        )
    return resumable_loop.train(
        model,
        dataset.take(split.members),
        recipe=recipe,
        seed=config["seed"],
        run_dir=run_dir,
        nonmembers=evaluated,
        keep_every=keep_every,
        callbacks=callbacks,
        **options,
    )


def new_model(dataset: Dataset, config: dict):
    """The run's network before training, a keras.Model."""
    from qmia_tf.models import resnet

    return resnet.resnet18(
        dataset.image_shape,
        dataset.classes,
        seed=config["seed"],
        **config["model"],
    )


def records_of(run_dir, dataset: Dataset, config: dict) -> Records:
    """Gives the records of a run, the members first.

    Raises: InputError if the data is not the run's.
    """
    return open_split(run_dir, dataset, config).records(dataset)


def _note_computing(run_dir):
    """Notes in config.json how this process's TensorFlow computes."""
    path = RunDir(run_dir).config
    config = files.read_json(path)
    files.write_json(path, {**config, COMPUTED: onednn.record()})


def _require_quantizers(run_dir, config):
    """Refuses to train by another version of a quantizer than was asked for."""
    model = config["model"]
    bits = Bits(
        model["weight_bits"],
        model["activation_bits"],
        model.get("first_last_bits"),
        model.get("residual_bits"),
        model.get("gradient_bits", FLOAT_BITS),
        model["clip"],
    )
    here = configuration.quantizer_versions(bits)
    stated = {**dict.fromkeys(here, 1), **config.get(QUANTIZERS, {})}
    changes = [
        f"{QUANTIZERS}.{name}: {stated[name]} -> {version}"
        for name, version in here.items()
        if version != stated[name]
    ]
    if changes:
        raise InputError(
            f"{run_dir} is of another version of qmia_tf, whose quantizers "
            f"gave other numbers ({'; '.join(changes)}): train the run again "
            "in another --run_dir, and its references with it"
        )


def _say_difference(run_dir):
    record = files.read_json(run_dir.config).get(COMPUTED)
    if onednn.is_record(record) and onednn.wanted(record):
        terminal.say(
            f"{run_dir} was trained with {onednn.described(record)}; this "
            f"process has {onednn.described(onednn.record())}, so trained "
            "again here it would have other weights"
        )


def _drawn(records, seed):
    """Some of the records to measure a model on while it is trained."""
    return np.random.default_rng(seed).permutation(records)[:VALIDATION_RECORDS]


def open_split(run_dir, dataset: Dataset, config: dict) -> splits.Split:
    """Gives the run's split, drawing it the first time.

    Raises: InputError if the data is not the run's.
    """
    stored = config["dataset"]["fingerprint"]
    if dataset.fingerprint() != stored:
        raise InputError(
            f"{run_dir} was made from other data: the fingerprint of "
            f"{dataset.name} is {dataset.fingerprint()[:12]}, the run's is "
            f"{stored[:12]}"
        )
    return splits.open_split(
        run_dir,
        dataset,
        seed=config["split"]["seed"],
        pool=config["dataset"]["pool"],
        member_fraction=config["split"]["member_fraction"],
        complement=config["split"].get("complement", False),
    )
