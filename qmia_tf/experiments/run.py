"""One run from images to audit: train, export, compare, query, attack.

Each stage reads what the stages before left in the run directory, so that
each can be repeated alone, and one that is done is not done again.
"""

import dataclasses
import pathlib
from collections.abc import Callable

from qmia_tf import files, locks, outputs, terminal
from qmia_tf.attacks import tfprivacy as privacy
from qmia_tf.auditing import label_only_queries, risky_members, run_outputs
from qmia_tf.auditing.audit_config import AuditConfig
from qmia_tf.auditing.device_outputs import load_device_outputs
from qmia_tf.data import loaders
from qmia_tf.data.dataset import Dataset
from qmia_tf.deploy import export as exporting
from qmia_tf.deploy.manifest import read_manifest
from qmia_tf.deploy.tflite.isolation import Limits
from qmia_tf.errors import InputError
from qmia_tf.experiments import (
    audit_pipeline,
    configuration,
    reference_outputs,
    training_run,
)
from qmia_tf.experiments.audit_pipeline import Knowledge, RecordChecks
from qmia_tf.outputs import LeftOut
from qmia_tf.report.reported_audit import Audit
from qmia_tf.run_dir import TRAINED, RunDir
from qmia_tf.targets import run_targets

LABEL_ONLY = label_only_queries.Settings()
PARENT = "parent"
FULL_PRECISION = {"weight_bits": 32, "activation_bits": 32, "clip": False}


def query_run(
    run_dir,
    dataset: Dataset,
    *,
    num_threads: int = 2,
    kernels=("default",),
    inside: bool = False,
    progress=None,
) -> tuple[list[pathlib.Path], list[LeftOut]]:
    """Queries the run's Keras model, its twins and every .tflite it exported.

    Outputs that are there already, of the same file, kernels and data, stay.

    Args:
        kernels: LiteRT's kernel sets, see TFLiteTarget. Each .tflite file is
            queried under each; one that cannot run under it is left out.
        inside: reads the exact logits too, as of references.
    Returns: the paths outputs/TARGET.npz, the Keras model's first.
    Raises: InputError if the run is not trained, an option is out of range, or
        a file is gone or damaged or does not fit the data.
    """
    run_dir = RunDir(run_dir)
    config = configuration.read(run_dir)
    records = training_run.records_of(run_dir, dataset, config)
    run_dir.require_model()
    queried = audit_pipeline.query_targets(
        RecordChecks(records),
        run_targets.list_targets(
            run_dir, kernels=kernels, num_threads=num_threads
        ),
        AuditConfig(inside=inside),
        run_dir=run_dir,
        say=progress or (lambda line: None),
        keep_activations=False,
    )
    paths = [run_dir.outputs_of(x.target) for x in queried.outputs]
    return paths, queried.left_out


def export_run(
    run_dir,
    load_data: Callable[[], Dataset] | None = None,
    *,
    schemes=("auto",),
    settings: exporting.Settings | None = None,
    progress=None,
) -> list[dict]:
    """Writes the run's model as .tflite files into artifacts/.

    Args:
        load_data: called only if a scheme needs members and its file is not
            there yet.
        schemes: see export.export; "auto" takes those that suit the model.
        settings: whose recipe and seed are replaced by the run's.
    Returns: manifest entries.
    Raises: InputError if the run is not trained, or as export.export.
    """
    config = configuration.read(run_dir)
    run_dir = RunDir(run_dir)
    settings = dataclasses.replace(
        settings or exporting.Settings(),
        recipe=configuration.recipe_of(config),
        seed=config["seed"],
    )
    return exporting.export(
        run_dir.require_model(),
        run_dir.artifacts,
        schemes=schemes,
        members=load_data and _members(run_dir, config, load_data),
        settings=settings,
        progress=progress,
    )


def compare_run(
    run_dir,
    dataset: Dataset,
    *,
    records: int = 500,
    threads=(1,),
    progress=None,
) -> bool:
    """Compares the run's integer files with what was trained, code by code.

    Under the default kernels; qmia parity takes others. What parity.json
    says of the same files already stays.

    Args:
        records: how many images are compared, at most.
    Returns: whether there was something to compare.
    Raises: InputError as parity_run.check_run.
    """
    run_dir = RunDir(run_dir)
    manifest = read_manifest(run_dir.artifacts)
    hashes = {
        entry["sha256"] for entry in manifest.values() if entry.get("twin")
    }
    if hashes <= set(run_outputs.parities(run_dir)):
        return False
    from qmia_tf.experiments import parity_run

    with locks.writing(run_dir.parity):
        parities = parity_run.check_run(
            run_dir,
            dataset,
            kernels=["default"],
            threads=threads,
            records=min(records, len(dataset.labels)),
            progress=progress is not None,
        )
        for parity in parities if progress else ():
            progress(parity.verdict)
        files.write_json(
            run_dir.parity, [parity.as_dict() for parity in parities]
        )
    return True


def _members(run_dir, config, load_data):
    def load():
        dataset = load_data()
        split = training_run.open_split(run_dir, dataset, config)
        return dataset.take(split.members)

    fingerprint = config["dataset"]["fingerprint"]
    return exporting.Members(load, source=f"members of {fingerprint}")


def attack_run(
    run_dir,
    dataset: Dataset,
    *,
    num_threads: int = 2,
    file_timeout: float | None = None,
    file_memory: float | None = None,
    kernels=("default",),
    device_outputs=(),
    references=None,
    mismatched_references=None,
    parent=None,
    label_only: label_only_queries.Settings | None = LABEL_ONLY,
    inside: bool = True,
    gradients: bool = False,
    audit_seed: int = 0,
    tfprivacy: privacy.Settings | str | None = privacy.THRESHOLD,
    attack_options=None,
    output_forms: bool = True,
    pictures: str = risky_members.AUTO,
    name: str | None = None,
    progress=terminal.say,
) -> Audit:
    """Queries every target of the run and audits their outputs.

    Options that are not described here are those of AuditConfig.

    Args:
        num_threads: of LiteRT.
        file_timeout, file_memory: seconds a call, and MB, that a .tflite
            file may take in its own process; None goes by sizes.
        kernels: names of LiteRT's kernel sets, see query_run.
        device_outputs: .npz files of outputs from another machine
            (qmia edge), audited with the run's own.
        references: run directories or .npz files of outputs of reference
            models, or folders of run directories; None takes the run's own
            (reference_models.train), if any.
        mismatched_references: the same of models of other bits than the
            run's: what knowing the bits is worth.
        parent: directory of the full-precision run on the same members; it
            also takes part in the joint attack with each target. A
            full-precision run is the parent of its own files.
        label_only: which augmented queries each target gets; None leaves
            the label-only attacks out.
        audit_seed: AuditConfig's seed.
        tfprivacy: "off", "threshold", "trained" or settings, see
            attacks.tfprivacy.
        pictures: whether audit.json holds pictures of the members at highest
            risk, which are training records: "on", "off", or "auto", for
            published data sets only.
        progress: callable that takes a line of text, or None.
    Raises: InputError as query_run, if what else is given is not about the
        run's records, or another process audits the run.
    """
    file_limits = Limits(file_timeout, file_memory)
    run_dir = RunDir(run_dir)
    run_config = configuration.read(run_dir)
    with_pictures = risky_members.wanted(
        pictures, published=loaders.is_published(dataset.name)
    )
    records = training_run.records_of(run_dir, dataset, run_config)
    elsewhere = load_device_outputs(
        device_outputs,
        records,
        used_names=run_targets.target_names(run_dir),
    )
    knowledge = knowledge_of(
        run_dir,
        run_config,
        references=references,
        mismatched_references=mismatched_references,
        parent=parent,
    )
    run_dir.require_model()
    keras, *others = run_targets.list_targets(
        run_dir,
        kernels=kernels,
        num_threads=num_threads,
        file_limits=file_limits,
    )
    checks = RecordChecks(records)
    pictures_of = checks.records.values.__getitem__ if with_pictures else None
    with locks.writing(run_dir.audit):
        return audit_pipeline.audit(
            checks,
            [keras, *sorted(others, key=lambda model: model.name), *elsewhere],
            knowledge,
            AuditConfig(
                name=name,
                seed=audit_seed,
                tfprivacy=privacy.settings_of(tfprivacy),
                label_only=label_only,
                inside=inside,
                gradients=gradients,
                attack_options=attack_options or {},
                output_forms=output_forms,
            ),
            run_dir=run_dir,
            run_config=lambda outputs: run_config,
            pictures=pictures_of,
            progress=progress,
        )


def knowledge_of(
    run_dir,
    run_config: dict,
    *,
    references=None,
    mismatched_references=None,
    parent=None,
) -> Knowledge:
    """What is known about the targets of a run, as attack_run takes it.

    Raises: InputError if the parent or a reference was not queried or is
        none.
    """
    references = reference_outputs.RunReferences(
        run_dir,
        references,
        mismatched=mismatched_references,
        fingerprint=run_config["dataset"]["fingerprint"],
    )
    return Knowledge(
        references=references.of,
        kind=references.kind_of,
        mismatched=references.mismatched_of,
        inside_references=references.inside_of,
        parent=None if parent is None else _parent_outputs(parent),
        first_is_parent=parent is None and _is_full_precision(run_config),
    )


def _parent_outputs(parent):
    """The outputs of the full-precision run's Keras model."""
    config = configuration.read(parent)
    if not _is_full_precision(config):
        raise InputError(
            f"{parent} is not the full-precision run: its model has "
            f"{config['model']['weight_bits']}-bit weights and "
            f"{config['model']['activation_bits']}-bit activations"
        )
    path = RunDir(parent).outputs_of(TRAINED)
    if not path.is_file():
        raise InputError(
            f"{parent} was not queried yet: attack it first, with qmia attack"
        )
    return outputs.load(path).renamed(PARENT)


def _is_full_precision(config):
    model = config["model"]
    return all(model[key] == value for key, value in FULL_PRECISION.items())
