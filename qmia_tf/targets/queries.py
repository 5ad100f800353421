"""Queries a target about records, once: outputs/NAME.npz keeps its outputs.

A run's target says less than a user's: its range and its outputs are known,
so that there is nothing to be tried, and a file that its kernels cannot run is
left out.
"""

from collections.abc import Callable
from pathlib import Path

from qmia_tf import locks, onednn, outputs, terminal
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError
from qmia_tf.outputs import LeftOut, Outputs, repeatability, saved_outputs
from qmia_tf.outputs.kinds import (
    LOGITS,
    PROBABILITIES,
    look_like_probabilities,
    read_step,
)
from qmia_tf.run_dir import RunDir
from qmia_tf.targets import (
    Target,
    function_target,
    label_hints,
    measured_options,
    output_trial,
    sanity_checks,
    signature_runner,
)
from qmia_tf.targets.unopened_model import UnopenedModel

UNKNOWN_THREADS = (function_target.KERNELS, signature_runner.KERNELS)
# In Outputs.info: that records were queried twice.
REPEATED = "repeat_difference"
# In Outputs.info: whether other ranges were tried.
CHECKED = "input_checked"


def query(
    model: UnopenedModel,
    records: Records,
    *,
    run_dir: Path,
    allow_chance: bool = False,
    query_count: int = 0,
    say: Callable[[str], None] = lambda line: None,
) -> Outputs | LeftOut:
    """Gives the outputs of a target; outputs/NAME.npz keeps them.

    Stored outputs of the same file and records are used again. What is only
    in memory has no file to compare and is queried again. Some records are
    queried twice, in another order and batch.

    Args:
        run_dir: where outputs/ lies.
        allow_chance: leaves out sanity_checks.require_above_chance and
            range_trial.settle, which are about a user's model; what nobody
            says is measured all the same.
        query_count: how many the audit makes of this model in all.
        say: takes a line.
    Returns: Outputs; LeftOut of a run's .tflite file that is as it was
        exported and cannot be run.
    Raises: InputError if the model cannot be queried, its outputs for a
        record are not repeated, they show that an option is wrong, or
        another process queries the same target.
    """
    if model.is_saved:
        model_outputs = _saved_outputs(
            model, records, allow_chance=allow_chance
        )
        measured_options.say_measured(model_outputs.info, say)
        return model_outputs
    run_dir = RunDir(run_dir)
    path = run_dir.outputs_of(model.name)
    if model.is_of_run and not model.source.is_file():
        raise InputError(f"{model.source} is gone: export it again")
    is_tried = not (model.is_of_run or allow_chance)
    model_outputs = _stored_outputs(path, model, records, is_tried=is_tried)
    if model_outputs is None:
        with locks.writing(path):
            # Another process may have written them since.
            model_outputs = _stored_outputs(
                path, model, records, is_tried=is_tried
            )
            if model_outputs is None:
                return _query_and_keep(
                    model,
                    records,
                    run_dir,
                    query_count=query_count if is_tried else None,
                    is_tried=is_tried,
                    say=say,
                )
    if is_tried:
        require_above_chance(model_outputs, records)
    measured_options.require_order(model_outputs, records)
    model.take_measured(model_outputs.info)
    measured_options.say_measured(model_outputs.info, say)
    return model_outputs


def require_above_chance(model_outputs: Outputs, records: Records) -> None:
    """Refuses a model that is right on its members as chance would be.

    Raises: InputError as sanity_checks.require_above_chance, with what other
        labels would explain.
    """
    sanity_checks.require_above_chance(
        model_outputs,
        lambda: label_hints.of_outputs(model_outputs, records),
    )


def _query_and_keep(model, records, run_dir, *, query_count, is_tried, say):
    model_outputs = _query_anew(
        model, records, run=run_dir.name, query_count=query_count, say=say
    )
    if isinstance(model_outputs, LeftOut):
        return model_outputs
    if is_tried:
        require_above_chance(model_outputs, records)
    target = model.open()
    if model.is_of_run:
        _require_alike(target, model_outputs, records)
    timed = target.measure(records.values[:1])
    model_outputs.info["latency_ms"] = timed.median_ms
    model_outputs.info.update(_computing(model))
    model_outputs.save(run_dir.outputs_of(model.name))
    measured_options.say_measured(model_outputs.info, say)
    return model_outputs


def _query_anew(model, records, *, run, query_count, say):
    """Opens and queries a target; says why a run's file cannot be run."""
    try:
        with terminal.working(f"opening {model.name}"):
            target = model.open()
        for line in target.notes:
            say(line)
        return outputs_of(target, records, run=run, query_count=query_count)
    except InputError as error:
        # Only of a file that is as exported can its kernels be to blame.
        if not model.exported or model.exported != model.facts["sha256"]:
            raise
        reason = str(error).replace(str(model.source), model.source.name)
        return LeftOut(model.name, model.kernel_set, reason)


def _saved_outputs(model, records, *, allow_chance):
    """A user's file of outputs, checked against the records."""
    model_outputs = saved_outputs.of_records(model.source, records)
    model_outputs = model_outputs.renamed(model.name)
    sanity_checks.require_classes(
        model_outputs.classes,
        records,
        name=model.name,
        advice=measured_options.all_classes(),
    )
    if not allow_chance:
        require_above_chance(model_outputs, records)
    measured_options.require_order(model_outputs, records)
    return model_outputs


def outputs_of(
    target: Target,
    records: Records,
    *,
    run: str = "",
    progress: bool = True,
    query_count: int | None = None,
) -> Outputs:
    """Queries an opened target about every record; nothing is kept.

    Of a user's model, which has a choice, much is to be found out by its
    first outputs, before the others are queried.

    Args:
        run: name of the run, recorded.
        query_count: how many the audit makes of a user's model in all; None
            tries no other ranges.
    Returns: Outputs in the order of the records, validated.
    Raises: InputError if records do not fit the target, or its outputs are
        not what they are taken for.
    """
    info, is_user = target.info, target.choice is not None
    about = {"fingerprint": records.fingerprint, "run": run}
    if is_user:
        _check_first(target, records, query_count)
        about[CHECKED] = query_count is not None
    rows = target.predict(records.values, progress=progress)
    advice = measured_options.all_classes() if is_user else ""
    sanity_checks.require_classes(
        rows.shape[1], records, name=info["target"], advice=advice
    )
    if is_user:
        output_trial.require(rows, info)
        _read_step(rows, info)
    gives_logits = is_user and info["outputs"] == LOGITS
    arrays = {
        LOGITS if gives_logits else PROBABILITIES: rows,
        "labels": records.labels,
        "members": records.members,
        "record_ids": records.record_ids,
    }
    source = f"target {info['target']!r}"
    return outputs.from_arrays(arrays, {**info, **about}, source)


def _check_first(target, records, query_count):
    """Queries a user's model about a few records, so that errors show soon.

    What neither the model nor the user says is measured.
    """
    info = target.info
    info[REPEATED] = measured_options.settle(
        target, records, query_count=query_count
    )


def _read_step(rows, info):
    """Reads off how probabilities were rounded that seem not to sum to 1."""
    if info["outputs"] != LOGITS and not look_like_probabilities(
        rows, step=info["probability_step"]
    ):
        info["probability_step"] = read_step(rows)


def _require_alike(target, target_outputs, records):
    """Queries some records of a run again; see repeatability.require.

    In a whole batch: a query costs nothing here, another size would have to
    be compiled.
    """
    count = max(repeatability.FIRST, target.batch_size)
    rows = target_outputs.probabilities[:count]
    repeatability.require(target, records.values, rows, share=1)


def _computing(model):
    """How many threads computed, and whether oneDNN; None if not known.

    A function may compute anyhow; LiteRT has no oneDNN.
    """
    if model.threads and model.is_of_run:
        return {"latency_threads": model.threads}
    if model.threads or model.kernel_set in UNKNOWN_THREADS:
        return {"latency_threads": model.threads, "onednn": None}
    # A .tflite file is audited where TensorFlow is not installed.
    return {"latency_threads": onednn.threads(), "onednn": onednn.is_on()}


def _stored_outputs(path, model, records, *, is_tried):
    """The stored outputs, if they are those of this model."""
    facts = {**model.facts, "fingerprint": records.fingerprint}
    if facts["sha256"] is None or not path.is_file():
        return None
    try:
        model_outputs = outputs.load(path)
    except InputError:
        if model.is_of_run:
            raise
        # Damaged, or not ours: it is made anew.
        return None
    info = model_outputs.info
    if is_tried:
        facts[CHECKED] = True
    same = all(info.get(key) == value for key, value in facts.items())
    if model.is_of_run:
        # Outputs from before there were logits do not say so.
        same &= info.get("outputs", PROBABILITIES) == model.outputs
    else:
        # Others are from before records were queried twice.
        same &= REPEATED in info
    return model_outputs if same else None
