"""Asks a model of one's own about the records, unless it was asked before."""

from qmia_tf import onednn, outputs
from qmia_tf.data.records import Records
from qmia_tf.deploy import timing
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs, repeatability
from qmia_tf.outputs.kinds import look_like_probabilities, read_step
from qmia_tf.run_dir import RunDir
from qmia_tf.targets import range_trial, sanity_checks, signature_runner
from qmia_tf.targets.listing import Model
from qmia_tf.targets.model_target import LOGITS

# Asked about before all the others, so that a mistake shows soon.
FIRST = 100
UNKNOWN_THREADS = ("callable", signature_runner.KERNELS)
# What says of answers that their target was asked twice.
REPEATED = "repeat_difference"
# In Outputs.info: whether other ranges were tried.
CHECKED = "input_checked"


def ask(
    model: Model,
    records: Records,
    *,
    run_dir,
    allow_chance,
    queries=0,
    say=lambda line: None,
) -> Outputs:
    """Gives what a model answers; outputs/NAME.npz keeps it.

    Answers that are there, of the same file and records, stay. What is only
    in memory has no file to compare and is asked again.
    Before all records some are asked about twice, in another order and batch.

    Args:
        model: Model.
        records: Records.
        run_dir: where outputs/ lies.
        allow_chance: leaves out checks.require_above_chance and
            range_trial.check.
        queries: int, how many the audit makes of this model in all.
        say: callable that takes a line.
    Raises: InputError if the model cannot be asked, or what it answers shows
        that something was told wrong.
    """
    path = RunDir(run_dir).outputs_of(model.name)
    answers = _stored(path, model, records, allow_chance=allow_chance)
    is_new = answers is None
    if is_new:
        for line in model.open().notes:
            say(line)
        answers = _asked(
            model,
            records,
            RunDir(run_dir).name,
            queries=None if allow_chance else queries,
        )
    if not allow_chance:
        sanity_checks.require_above_chance(answers)
    if is_new:
        target, first_record = model.open(), records.values[:1]
        timed = timing.measure(lambda: target.predict(first_record))
        answers.info["latency_ms"] = timed.median_ms
        answers.info.update(_computed(model))
        answers.save(path)
    return answers


def _computed(model):
    """In how many threads, and whether with oneDNN; None where nobody knows.

    Of a function nobody does; LiteRT has no oneDNN.
    """
    if model.threads or model.kernel_set in UNKNOWN_THREADS:
        return {"latency_threads": model.threads, "onednn": None}
    # A .tflite file is audited where TensorFlow is not installed.
    return {"latency_threads": onednn.threads(), "onednn": onednn.is_on()}


def _stored(path, model, records, *, allow_chance):
    """The answers that are there, if they are those of this model."""
    if model.facts["sha256"] is None or not path.is_file():
        return None
    try:
        answers = outputs.load(path)
    except InputError:
        # Damaged, or not ours: it is made anew.
        return None
    expected = {**model.facts, "fingerprint": records.fingerprint}
    if not allow_chance:
        expected[CHECKED] = True
    same = all(
        answers.info.get(key) == value for key, value in expected.items()
    )
    # Others were asked before targets were asked twice.
    return answers if same and REPEATED in answers.info else None


def _asked(model, records, run, *, queries):
    """Asks about everything; queries of None tries no other ranges."""
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
    if queries is not None:
        range_trial.check(target, records, queries=queries)
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
            CHECKED: queries is not None,
        },
    }
    source = f"target {model.name!r}"
    if info["outputs"] == LOGITS:
        answers = Outputs.from_logits(rows, **about, source=source)
    else:
        answers = Outputs(probabilities=rows, **about)
    return answers.validate(source)
