"""What neither a model nor the user says: measured before an audit.

A range, probabilities or logits, and the alphabetical order of classes are
taken where a hundred members say them clearly, and asked for otherwise.
"""

from collections.abc import Callable

from qmia_tf.data.pixels import range_option
from qmia_tf.data.records import Records
from qmia_tf.data.sides import SORTED
from qmia_tf.errors import option
from qmia_tf.outputs import Outputs, repeatability
from qmia_tf.targets import (
    Target,
    label_hints,
    layout_trial,
    output_trial,
    range_trial,
    sanity_checks,
)
from qmia_tf.targets.trial_result import TrialResult
from qmia_tf.targets.unopened_model import MEASURED

# Queried before all the others, so that a mistake shows soon.
FIRST = 100
ORDER = "class_names"


def settle(
    target: Target, records: Records, *, query_count: int | None
) -> float:
    """Queries a user's model about a few records, and settles what is open.

    Args:
        query_count: as of range_trial.settle.
    Returns: by how much outputs for the first records are not repeated.
    Raises: InputError if something remains open, or outputs reveal a mistake.
    """
    layout_trial.require(target, records)
    info, first = target.info, records.values[:FIRST]
    rows = target.predict(first)
    are_outputs_open = output_trial.settle(target, rows)
    sanity_checks.require_classes(
        rows.shape[1],
        records,
        name=info["target"],
        advice=all_classes(),
        hint=lambda: range_trial.label_hint(target, records),
    )
    if are_outputs_open:
        rows = target.predict(first)
    output_trial.require(rows, info)
    difference = repeatability.require(target, records.values, rows)
    range_evidence = range_trial.settle(
        target, records, query_count=query_count
    )
    if range_evidence:
        rows = target.predict(first)
        output_trial.require(rows, info)
        difference = repeatability.require(target, records.values, rows)
    measured = {"input_range": range_evidence}
    if are_outputs_open:
        measured["outputs"] = output_trial.evidence(rows, info)
    if are_outputs_open and target.gives_one_number and rows.min() >= 0:
        output_trial.confirm(target, range_trial.some_members(records))
    if records.is_order_assumed:
        measured[ORDER] = label_hints.require_order(
            range_trial.result_of(target, range_trial.some_members(records)),
            records,
            info["target"],
        )
    measured = {name: text for name, text in measured.items() if text}
    if measured:
        info[MEASURED] = measured
    return difference


def require_order(outputs: Outputs, records: Records) -> None:
    """Requires of whole outputs that an assumed order of classes is right.

    Raises: InputError as label_hints.require_order.
    """
    info = outputs.info
    if records.is_order_assumed and ORDER not in info.get(MEASURED, {}):
        result = TrialResult.of_outputs(outputs)
        text = label_hints.require_order(result, records, info["target"])
        info.setdefault(MEASURED, {})[ORDER] = text


def say_measured(info: dict, say: Callable[[str], None]) -> None:
    """Says what was measured, and the evidence, a line each."""
    for name, evidence in info.get(MEASURED, {}).items():
        if name == "input_range":
            taken = range_option(info[name])
        else:
            taken = option(name, SORTED if name == ORDER else info[name])
        say(f"{info['target']}: {taken} is taken: {evidence}")


def all_classes() -> str:
    """What to do where a model has other classes than the labels."""
    return (
        f" (else give {option(ORDER)}, all outputs of the model in their order)"
    )
