"""Queries a model about the records, unless its outputs are stored."""

from qmia_tf import onednn, outputs
from qmia_tf.data.records import Records
from qmia_tf.deploy import timing
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs, repeatability
from qmia_tf.outputs.kinds import look_like_probabilities, read_step
from qmia_tf.run_dir import RunDir
from qmia_tf.targets import range_trial, sanity_checks, signature_runner
from qmia_tf.targets.listing import UnopenedModel
from qmia_tf.targets.model_target import LOGITS

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
    allow_chance,
    query_count=0,
    say=lambda line: None,
) -> Outputs:
    """Gives the outputs of a model; outputs/NAME.npz keeps them.

    Stored outputs of the same file and records are used again. What is only
    in memory has no file to compare and is queried again. Before all records
    some are queried twice, in another order and batch.

    Args:
        model: UnopenedModel.
        records: Records.
        run_dir: where outputs/ lies.
        allow_chance: leaves out sanity_checks.require_above_chance and
            range_trial.check.
        query_count: int, how many the audit makes of this model in all.
        say: callable that takes a line.
    Raises: InputError if the model cannot be queried, or its outputs show
        that an option is wrong.
    """
    path = RunDir(run_dir).outputs_of(model.name)
    model_outputs = _stored_outputs(
        path, model, records, allow_chance=allow_chance
    )
    is_new = model_outputs is None
    if is_new:
        for line in model.open().notes:
            say(line)
        model_outputs = _query_all(
            model,
            records,
            RunDir(run_dir).name,
            query_count=None if allow_chance else query_count,
        )
    if not allow_chance:
        sanity_checks.require_above_chance(model_outputs)
    if is_new:
        target, first_record = model.open(), records.values[:1]
        timed = timing.measure(lambda: target.predict(first_record))
        model_outputs.info["latency_ms"] = timed.median_ms
        model_outputs.info.update(_computing(model))
        model_outputs.save(path)
    return model_outputs


def _computing(model):
    """How many threads computed, and whether oneDNN; None if not known.

    A function may compute anyhow; LiteRT has no oneDNN.
    """
    if model.threads or model.kernel_set in UNKNOWN_THREADS:
        return {"latency_threads": model.threads, "onednn": None}
    # A .tflite file is audited where TensorFlow is not installed.
    return {"latency_threads": onednn.threads(), "onednn": onednn.is_on()}


def _stored_outputs(path, model, records, *, allow_chance):
    """The stored outputs, if they are those of this model."""
    if model.facts["sha256"] is None or not path.is_file():
        return None
    try:
        model_outputs = outputs.load(path)
    except InputError:
        # Damaged, or not ours: it is made anew.
        return None
    expected = {**model.facts, "fingerprint": records.fingerprint}
    if not allow_chance:
        expected[CHECKED] = True
    same = all(
        model_outputs.info.get(key) == value for key, value in expected.items()
    )
    # Others are from before records were queried twice.
    return model_outputs if same and REPEATED in model_outputs.info else None


def _query_all(model, records, run, *, query_count):
    """Queries all records; query_count of None tries no other ranges."""
    target = model.open()
    info = target.info
    kind = {
        "name": model.name,
        "outputs": info["outputs"],
        "step": info["probability_step"],
    }
    first = target.predict(records.values[:FIRST])
    sanity_checks.require_classes(first.shape[1], records, name=model.name)
    sanity_checks.require_kind(first, **kind)
    info[REPEATED] = repeatability.require(target, records.values, first)
    if query_count is not None:
        range_trial.check(target, records, query_count=query_count)
    rows = target.predict(records.values, progress=True)
    sanity_checks.require_kind(rows, **kind)
    if info["outputs"] != LOGITS and not look_like_probabilities(
        rows, step=info["probability_step"]
    ):
        info["probability_step"] = read_step(rows)
    about = {
        "labels": records.labels,
        "members": records.members,
        "record_ids": records.record_ids,
        "info": {
            **info,
            "fingerprint": records.fingerprint,
            "run": run,
            CHECKED: query_count is not None,
        },
    }
    source = f"target {model.name!r}"
    if info["outputs"] == LOGITS:
        model_outputs = Outputs.from_logits(rows, **about, source=source)
    else:
        model_outputs = Outputs(probabilities=rows, **about)
    return model_outputs.validate(source)
