"""Images whose channels lie on another side than a model takes them."""

import dataclasses

from qmia_tf.data.records import Records
from qmia_tf.data.sides import CHANNELS_FIRST, CHANNELS_LAST, in_data_format
from qmia_tf.errors import InputError, option
from qmia_tf.targets import Target
from qmia_tf.targets.range_trial import Trial
from qmia_tf.targets.trial_result import LEVEL


def require(target: Target, records: Records) -> None:
    """Refuses records that fit the input only when they are transposed.

    Raises: InputError with how right the model then is, and what to give.
    """
    if target.fits(records.values):
        return
    for data_format in (CHANNELS_LAST, CHANNELS_FIRST):
        values = in_data_format(records.values, data_format)
        if values is not None and target.fits(values):
            moved = dataclasses.replace(records, values=values)
            _refuse(target, moved, records, data_format)


def _refuse(target, moved, records, data_format):
    results = Trial(target, moved, 0).plain()
    taken = max(results, key=lambda key: results[key].members_right)
    result = results[taken]
    shape = list(records.values.shape[1:])
    counts = f"{result.members_right} of {result.count} members are right"
    is_clear = result.is_far_above_chance(LEVEL / len(results))
    advice = f"give {option('data_format', data_format)}"
    if not is_clear:
        advice = f"is it a model of this data? If so, {advice}"
    raise InputError(
        f"target {target.info['target']!r} takes records of "
        f"{list(moved.values.shape[1:])}, got {shape}: transposed "
        f"({taken.description}) {counts}: {advice}"
    )
