"""Queries a target about records, once: outputs/NAME.npz keeps its outputs.

A run's target says less than a user's: its range and its outputs are known,
so that there is nothing to be tried, and a file that its kernels cannot run is
left out.
"""

from qmia_tf import onednn, outputs
from qmia_tf.data.records import Records
from qmia_tf.deploy import timing
from qmia_tf.errors import InputError
from qmia_tf.outputs import LeftOut, Outputs, repeatability, saved_outputs
from qmia_tf.outputs.kinds import (
    LOGITS,
    PROBABILITIES,
    look_like_probabilities,
    read_step,
)
from qmia_tf.run_dir import RunDir
from qmia_tf.targets import range_trial, sanity_checks, signature_runner
from qmia_tf.targets.stored_target import SavedOutputs
from qmia_tf.targets.unopened_model import UnopenedModel

# Queried before all the others, so that a mistake shows soon.
FIRST = 100
UNKNOWN_THREADS = ("callable", signature_runner.KERNELS)
# In Outputs.info: that records were queried twice.
REPEATED = "repeat_difference"
# In Outputs.info: whether other ranges were tried.
CHECKED = "input_checked"


def query(
    model: UnopenedModel,
    records: Records,
    *,
    run_dir,
    allow_chance=False,
    query_count=0,
    say=lambda line: None,
) -> Outputs | LeftOut:
    """Gives the outputs of a target; outputs/NAME.npz keeps them.

    Stored outputs of the same file and records are used again. What is only
    in memory has no file to compare and is queried again. Some records are
    queried twice, in another order and batch.

    Args:
        model: UnopenedModel.
        records: Records.
        run_dir: where outputs/ lies.
        allow_chance: leaves out sanity_checks.require_above_chance and
            range_trial.check, which are about a user's model.
        query_count: int, how many the audit makes of this model in all.
        say: callable that takes a line.
    Returns: Outputs; LeftOut of a run's .tflite file that is as it was
        exported and cannot be run.
    Raises: InputError if the model cannot be queried, its outputs for a
        record are not repeated, or they show that an option is wrong.
    """
    if model.is_saved:
        return _saved_outputs(model, records, allow_chance=allow_chance)
    run_dir = RunDir(run_dir)
    path = run_dir.outputs_of(model.name)
    if model.is_of_run and not model.source.is_file():
        raise InputError(f"{model.source} is gone: export it again")
    is_tried = not (model.is_of_run or allow_chance)
    model_outputs = _stored_outputs(path, model, records, is_tried=is_tried)
    is_new = model_outputs is None
    if is_new:
        model_outputs = _query_anew(
            model,
            records,
            run=run_dir.name,
            query_count=query_count if is_tried else None,
            say=say,
        )
        if isinstance(model_outputs, LeftOut):
            return model_outputs
    if is_tried:
        sanity_checks.require_above_chance(model_outputs)
    if is_new:
        target = model.open()
        if model.is_of_run:
            _require_alike(target, model_outputs, records)
        first_record = records.values[:1]
        timed = timing.measure(lambda: target.predict(first_record))
        model_outputs.info["latency_ms"] = timed.median_ms
        model_outputs.info.update(_computing(model))
        model_outputs.save(path)
    return model_outputs


def _query_anew(model, records, *, run, query_count, say):
    """Opens and queries a target; says why a run's file cannot be run."""
    try:
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
        model_outputs.classes, records, name=model.name
    )
    if not allow_chance:
        sanity_checks.require_above_chance(model_outputs)
    return model_outputs


def outputs_of(
    target, records: Records, *, run="", progress=True, query_count=None
) -> Outputs:
    """Queries an opened target about every record; nothing is kept.

    Args:
        target: targets.Target or SavedOutputs.
        records: Records.
        run: name of the run, recorded.
        progress: shows a bar.
        query_count: int, how many the audit makes of a user's model in all;
            None tries no other ranges.
    Returns: Outputs in the order of the records, validated.
    Raises: InputError if records do not fit the target, or its outputs are
        not what they are taken for.
    """
    about = {
        "labels": records.labels,
        "members": records.members,
        "record_ids": records.record_ids,
    }
    info = {"fingerprint": records.fingerprint, "run": run}
    source = f"target {target.info['target']!r}"
    if isinstance(target, SavedOutputs):
        target = target.of_records(records.record_ids)
    elif target.choice is not None:
        rows = _rows_of_user(target, records, progress, query_count)
        info = {**target.info, **info, CHECKED: query_count is not None}
        if info["outputs"] == LOGITS:
            model_outputs = Outputs.from_logits(
                rows, **about, info=info, source=source
            )
        else:
            model_outputs = Outputs(probabilities=rows, **about, info=info)
        return model_outputs.validate(source)
    rows = target.predict(records.values, progress=progress)
    if rows.shape != (len(records.labels), records.classes):
        raise InputError(
            f"{source} outputs {list(rows.shape)}, expected "
            f"[{len(records.labels)}, {records.classes}]: is it a model of "
            f"{records.name}?"
        )
    info = {**target.info, **info}
    return Outputs(probabilities=rows, **about, info=info).validate(source)


def _rows_of_user(target, records, progress, query_count):
    """Outputs of a user's model, of which much is to be found out."""
    info = target.info
    kind = {
        "name": info["target"],
        "outputs": info["outputs"],
        "step": info["probability_step"],
    }
    first = target.predict(records.values[:FIRST])
    sanity_checks.require_classes(first.shape[1], records, name=info["target"])
    sanity_checks.require_kind(first, **kind)
    info[REPEATED] = repeatability.require(target, records.values, first)
    if query_count is not None:
        range_trial.check(target, records, query_count=query_count)
    rows = target.predict(records.values, progress=progress)
    sanity_checks.require_kind(rows, **kind)
    if info["outputs"] != LOGITS and not look_like_probabilities(
        rows, step=info["probability_step"]
    ):
        info["probability_step"] = read_step(rows)
    return rows


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
