"""One run from images to audit: train, export, compare, query, attack.

Each stage reads what the stages before left in the run directory, so that
each can be repeated alone, and one that is done is not done again.
"""

import dataclasses
import pathlib

from qmia_tf import files, terminal
from qmia_tf.auditing import audit, parity_summary, thumbnails
from qmia_tf.auditing.device_outputs import load_device_outputs
from qmia_tf.data import loaders
from qmia_tf.deploy import export as exporting
from qmia_tf.deploy.manifest import read_manifest
from qmia_tf.experiments import configuration, run_auxiliary, training_run
from qmia_tf.experiments.record_checks import RecordChecks
from qmia_tf.outputs import LeftOut
from qmia_tf.run_dir import RunDir
from qmia_tf.targets import queries, run_targets


def query_run(
    run_dir, dataset, *, num_threads=2, kernels=("default",), progress=None
):
    """Queries the run's Keras model, its twins and every .tflite it exported.

    Outputs that are there already, of the same file, kernels and data, stay.

    Args:
        run_dir: the run directory.
        dataset: the run's Dataset.
        num_threads: int >= 1, for LiteRT.
        kernels: names of LiteRT's kernel sets, see TFLiteTarget.
            Each .tflite file is queried under each of them; one that a kernel
            set cannot run is left out.
        progress: callable that takes a line of text, or None.
    Returns: list of paths outputs/TARGET.npz, the Keras model's first, and
        list of outputs.LeftOut.
    Raises: InputError if the run is not trained, an option is out of range,
        or a file is gone or damaged or does not fit the data.
    """
    run_dir = RunDir(run_dir)
    config = configuration.read(run_dir)
    records = training_run.records_of(run_dir, dataset, config)
    run_dir.require_model()
    paths, left_out = [], []
    for model in run_targets.list_targets(
        run_dir, kernels=kernels, num_threads=num_threads
    ):
        target_outputs = queries.query(model, records, run_dir=run_dir)
        model.close()
        if not isinstance(target_outputs, LeftOut):
            paths.append(run_dir.outputs_of(model.name))
            continue
        left_out.append(target_outputs)
        if progress:
            reason = target_outputs.reason
            progress(f"{model.name} is left out: {reason}")
    return paths, left_out


def export_run(
    run_dir,
    load_data=None,
    *,
    schemes=("float32",),
    settings=None,
    progress=None,
):
    """Writes the run's model as .tflite files into artifacts/.

    Args:
        run_dir: the run directory.
        load_data: callable that returns the run's Dataset; called only if a
            scheme needs members and its file is not there yet.
        schemes: see export.export; "auto" takes those that suit the model.
        settings: export.Settings, whose recipe and seed are replaced by the
            run's; None takes the defaults.
        progress: callable that takes a line of text, or None.
    Returns: list of manifest entries.
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


def compare_run(run_dir, dataset, *, records=500, threads=(1,), progress=None):
    """Compares the run's integer files with what was trained, code by code.

    Under the default kernels; scripts/parity.py takes others. What parity.json
    says of the same files already stays.

    Args:
        run_dir: the run directory.
        dataset: the Dataset it was made from.
        records: how many images are compared, at most.
        threads: numbers of threads that the files are run with.
        progress: callable that takes a line of text, or None.
    Returns: True if it compared, False if there was nothing to compare.
    Raises: InputError as parity_run.check_run.
    """
    run_dir = RunDir(run_dir)
    manifest = read_manifest(run_dir.artifacts)
    hashes = {
        entry["sha256"] for entry in manifest.values() if entry.get("twin")
    }
    if hashes <= set(parity_summary.of_run(run_dir)):
        return False
    from qmia_tf.experiments import parity_run

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
    files.write_json(run_dir.parity, [parity.as_dict() for parity in parities])
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
    dataset,
    *,
    num_threads=2,
    kernels=("default",),
    device_outputs=(),
    references=None,
    parent=None,
    label_only=None,
    audit_seed=0,
    tfprivacy=None,
    pictures=thumbnails.AUTO,
):
    """Queries every target of the run and audits their outputs.

    Args:
        run_dir: the run directory.
        dataset: the run's Dataset.
        num_threads: int >= 1, for LiteRT.
        kernels: names of LiteRT's kernel sets, see query_run.
        device_outputs: .npz files of outputs from another machine
            (scripts/evaluate_edge.py), audited with the run's own.
        references: run directories or .npz files of outputs of reference
            models; None takes the run's own (reference_models.train), if any.
        parent: directory of the full-precision run on the same members; it
            also takes part in the joint attack with each target. A
            full-precision run is the parent of its own files.
        label_only: label_only_queries.Settings; None leaves label-only attacks
            out.
        audit_seed: int, of calibration halves, bootstraps and attacks.
        tfprivacy: tfprivacy.Settings of what tensorflow-privacy is to run;
            None leaves it out.
        pictures: whether audit.json holds pictures of the most exposed
            members, which are training records: "on", "off", or "auto", for
            published data sets only.
    Returns: audit_result.AuditResult.
    Raises: InputError as query_run, or if what else is given is not
        about the run's records.
    """
    run_dir = pathlib.Path(run_dir)
    config = configuration.read(run_dir)
    with_pictures = thumbnails.wanted(
        pictures, published=loaders.is_published(dataset.name)
    )
    records = training_run.records_of(run_dir, dataset, config)
    elsewhere = load_device_outputs(
        device_outputs,
        records,
        used_names=run_targets.target_names(run_dir),
    )
    checks = RecordChecks.of(records)
    auxiliary = run_auxiliary.RunAuxiliary(
        run_dir,
        records,
        features=checks.features,
        config=config,
        references=references,
        parent=parent,
        label_only=label_only,
    )
    paths, left_out = query_run(
        run_dir,
        dataset,
        num_threads=num_threads,
        kernels=kernels,
        progress=terminal.say,
    )
    run_queries = run_targets.list_targets(
        run_dir, kernels=kernels, num_threads=num_threads
    )
    with terminal.working("comparing members and nonmembers without a model"):
        equal = checks.equal
        baseline = checks.blind_baseline(seed=audit_seed)
    names = [path.stem for path in paths]
    return audit.audit_run(
        run_dir,
        paths,
        device_outputs=elsewhere,
        left_out=left_out,
        auxiliary={
            **{
                target.target: auxiliary.of(target.target)
                for target in elsewhere
            },
            **{
                q.name: auxiliary.of(q.name, q)
                for q in run_queries
                if q.name in names
            },
        },
        joint_with=auxiliary.joint_with(),
        duplicates=equal,
        distinct=checks.distinct,
        baseline=baseline,
        class_names=records.class_names,
        pictures=checks.records.values.__getitem__ if with_pictures else None,
        seed=audit_seed,
        tfprivacy=tfprivacy,
        progress=terminal.say,
    )
