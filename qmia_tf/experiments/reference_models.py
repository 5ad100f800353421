"""Reference models: trained like the target, on other records.

Attacks such as LiRA and RMIA compare how sure the target is of a record with
how sure models are that were, or were not, trained on it. Each reference run
is an ordinary run directory, RUN/references/rNN, with the configuration of
the run and a split of its own. They come in pairs that share a split seed and
swap its sides, so that each record trains exactly half of the models.

Mismatched ones have other bits than the run: what an attacker trains who does
not know them. They are RUN/references_wWaA/rNN, number for number with the
seeds and splits of the matched ones, so that nothing but the bits differs.
"""

import copy
import dataclasses
import pathlib

import numpy as np

from qmia_tf import terminal
from qmia_tf.data.dataset import Dataset
from qmia_tf.deploy.schemes import choose
from qmia_tf.errors import InputError
from qmia_tf.experiments import configuration, model_job
from qmia_tf.experiments.executors import (
    Job,
    Resources,
    execute,
    require_done,
)
from qmia_tf.models.network_bits import Bits
from qmia_tf.run_dir import COMPUTED, QUANTIZERS, TRAINED, RunDir
from qmia_tf.training import history


def plan(config: dict, count: int, *, bits: Bits | None = None) -> list[dict]:
    """Gives the configurations of the reference runs.

    Number n follows from the run's configuration and n alone, so more can be
    trained later.

    Args:
        config: of the run.
        count: 2, 4, ...
        bits: of mismatched references; None or the run's own are matched.
    Raises: InputError if count is not 2, 4, ...
    """
    if count < 2 or count % 2:
        raise InputError(
            f"reference models come in pairs: count must be 2, 4, ..., got "
            f"{count}"
        )
    planned, is_mismatched = [], mismatched_name(config, bits) is not None
    for number in range(count):
        reference_config = copy.deepcopy(config)
        if is_mismatched:
            reference_config["model"] |= configuration.describe_bits(bits)
            versions = configuration.quantizer_versions(bits)
            reference_config[QUANTIZERS] = versions
        # Each reference says itself how it was computed.
        reference_config.pop(COMPUTED, None)
        entropy = [config["seed"], config["split"]["seed"], number // 2]
        split_seed, seed = np.random.SeedSequence(entropy).generate_state(2)
        reference_config["split"]["seed"] = int(split_seed)
        reference_config["split"]["complement"] = bool(number % 2)
        reference_config["seed"] = (int(seed) + number % 2) % 2**32
        planned.append(reference_config)
    return planned


def train(
    run_dir,
    dataset: Dataset,
    *,
    count: int = 8,
    bits: Bits | None = None,
    schemes=(),
    num_threads: int = 2,
    executor: str = "serial",
    resources: Resources | None = None,
) -> list[pathlib.Path]:
    """Trains reference models of a run and queries them about every record.

    Goes on where it was: a finished model is not trained again, and outputs
    that are there stay. Seeds and splits are the same whatever the executor.

    Args:
        run_dir: its model need not be trained yet.
        count: 2 or more and even.
        bits: of mismatched references; None or the run's own are matched.
        schemes: export schemes whose .tflite files are made and queried as
            well, so that a file is compared with files.
        num_threads: of LiteRT.
        executor: one of executors.EXECUTORS.
        resources: of the executor.
    Returns: the reference run directories.
    Raises: InputError if one that is there was made for another run, or some
        failed: all others are trained first, and the same call tries again.
    """
    missing = plan_missing(run_dir, count=count, bits=bits, schemes=schemes)
    run_dir = RunDir(run_dir)
    other = mismatched_name(configuration.read(run_dir), bits)
    jobs = [
        Job(
            folder.name,
            f"{__name__}:train_one",
            {
                "folder": folder.path,
                "config": config,
                "schemes": list(schemes),
                "num_threads": num_threads,
            },
            folder.path.with_name(f"{folder.name}.log"),
        )
        for folder, config in missing
    ]
    failed = execute(
        jobs,
        dataset,
        executor=executor,
        resources=_measured(run_dir, resources or Resources()),
        noun="reference",
    )
    require_done(failed, jobs, "reference models")
    return [run_dir.reference(number, other).path for number in range(count)]


def mismatched_name(config: dict, bits: Bits | None) -> str | None:
    """Names the bits of references, as RunDir takes them; None if matched."""
    model = config["model"]
    own = model["weight_bits"], model["activation_bits"]
    if bits is None or (bits.weight, bits.activation) == own:
        return None
    return bits.name


def plan_missing(
    run_dir, *, count: int, bits: Bits | None = None, schemes=()
) -> list:
    """Finds the reference models that are not trained and queried yet.

    Returns: pairs of RunDir and configuration.
    Raises: InputError if one that is there has another configuration; the
        message shows each difference.
    """
    run_dir, own, missing = RunDir(run_dir), configuration.read(run_dir), []
    other = mismatched_name(own, bits)
    for number, config in enumerate(plan(own, count, bits=bits)):
        folder = run_dir.reference(number, other)
        if folder.config.exists():
            folder.open(config)
        targets = (TRAINED, *schemes)
        if not all(folder.outputs_of(name).exists() for name in targets):
            missing.append((folder, config))
    return missing


def _measured(run_dir, resources):
    """The resources, with the memory that training the run itself took."""
    rows = history.read(RunDir(run_dir).history)
    peaks = [float(row.get("peak_memory_mb") or 0) for row in rows]
    measured = int(1e6 * max(peaks, default=0)) or None
    return dataclasses.replace(resources, job_bytes=measured)


def describe_missing(run_dir, missing: list, resources: Resources) -> str:
    """Says what training would cost, from what the run itself took.

    Args:
        run_dir: the run.
        missing: as plan_missing gives it.
    """
    run_dir, resources = RunDir(run_dir), _measured(run_dir, resources)
    names = [folder.name for folder, _ in missing]
    lines = [f"{terminal.counted(len(names), 'reference')} to train"]
    if names:
        place = missing[0][0].path.parent
        if place != run_dir.references:
            lines[0] += f" in {place.name}"
        lines[0] += f": {names[0]} to {names[-1]}"
    rows = history.read(run_dir.history)
    if run_dir.is_trained and rows:
        seconds = sum(float(row["seconds"]) for row in rows) * len(names)
        size = run_dir.model.stat().st_size
        if run_dir.outputs_of(TRAINED).exists():
            size += run_dir.outputs_of(TRAINED).stat().st_size
        lines += [
            f"time: {terminal.duration(seconds)} of training one after another,"
            f" {resources.workers_here()} at a time here; queries not counted",
            f"disk: about {size * len(names) / 1e6:.0f} MB",
        ]
        if resources.job_bytes:
            lines.append(f"memory: {resources.job_bytes / 1e9:.1f} GB each")
    else:
        lines.append("time and disk: known when the run itself is trained")
    return "\n".join(lines)


def train_one(dataset, *, folder, config, schemes, num_threads):
    """Trains and queries one reference model, or goes on."""
    from qmia_tf.experiments import run, training_run

    with model_job.writing(folder):
        if schemes and not RunDir(folder).is_trained:
            # What a scheme refuses is said before the training.
            choose(schemes, training_run.new_model(dataset, config))
            model_job.free_memory()
        model_job.train(folder, dataset, config)
        if schemes:
            run.export_run(folder, lambda: dataset, schemes=schemes)
        run.query_run(folder, dataset, num_threads=num_threads, inside=True)
