"""Chooses how records are prepared: by their numbers, the input, the user."""

import dataclasses

import numpy as np

from qmia_tf.data.pixels import BYTES, INPUT_RANGES, SIGNED, UNIT
from qmia_tf.data.value_ranges import CODES
from qmia_tf.deploy.tflite.input_clipping import NOTICEABLE
from qmia_tf.errors import InputError
from qmia_tf.targets import input_forms
from qmia_tf.targets.preprocessing import TO_GIVE, Preprocessing, clipped_shares

# Numbers that networks like; none of them are pixels of 0..255.
SMALL = 8.0
WIDE_ADVICE = (
    "divide images of 16 bits by 257 and give uint8, or by 65535 and give "
    "floats"
)
IGNORED = (
    "target {!r} takes whole numbers, which reach it as they are: "
    "--input_range={} is passed over"
)


@dataclasses.dataclass(frozen=True)
class Choice:
    """How records are prepared, and what else could be meant.

    Attributes:
        chosen: Preprocessing.
        others: those that may be tried besides.
        doubt: a question to be raised unless `chosen` is clearly better than
            each of the others; None if there is none.
        is_from_user: whether the user chose it.
        can_user_choose: whether the user may choose the range.
        notes: lines for the log.
    """

    chosen: Preprocessing
    others: tuple[Preprocessing, ...] = ()
    doubt: str | None = None
    is_from_user: bool = False
    can_user_choose: bool = True
    notes: tuple[str, ...] = ()

    @property
    def input_range(self) -> str | None:
        """The range that pixels are mapped into, None if it is not known."""
        chosen = self.chosen
        is_known = (
            chosen.is_mapped or self.is_from_user or not self.can_user_choose
        )
        return chosen.end if chosen.start == BYTES and is_known else None


def choose(numbers, facts, input_range, *, name) -> Choice:
    """Chooses how records are prepared for a model.

    Args:
        numbers: RecordNumbers.
        facts: InputFacts.
        input_range: one of INPUT_RANGES by the user, or None.
        name: the target's.
    Returns: Choice.
    Raises: InputError if the user has to say the range, or the records do
        not fit the input.
    """
    if _are_plain_integers(facts) or facts.takes_indices:
        if not facts.takes_indices:
            _require_integers(numbers, facts, name)
        notes = (IGNORED.format(name, input_range),) if input_range else ()
        return _with_others(
            Choice(Preprocessing(), notes=notes), numbers, facts
        )
    if _are_codes(numbers, facts, input_range):
        if input_range and facts.range:
            _choose_range(facts, input_range, name)
        note = (
            f"target {name!r}: {numbers.dtype} records are taken as the codes "
            f"of its {facts.dtype} input"
        )
        chosen = Preprocessing(is_codes=True)
        return _with_others(Choice(chosen, notes=(note,)), numbers, facts)
    if input_range:
        choice = _from_user(numbers, facts, input_range, name)
    else:
        choice = _from_model(numbers, facts, name)
    _require_in_limits(choice, numbers, facts, name)
    return _with_others(choice, numbers, facts)


def _are_plain_integers(facts):
    kind = facts.dtype.kind if facts.dtype is not None else "f"
    return kind in "iub" and not facts.has_codes


def _require_integers(numbers, facts, name):
    """Refuses fractions, and numbers beyond the type, where indices go."""
    if numbers.dtype.kind == "f" and (numbers.sample % 1).any():
        raise InputError(
            f"target {name!r} takes whole numbers, and the records lie in "
            f"{numbers.shown} with fractions: give the integers that it was "
            "trained with"
        )
    if facts.dtype.kind == "b":
        return
    ends = np.iinfo(facts.dtype)
    if numbers.low < ends.min or numbers.high > ends.max:
        raise InputError(
            f"target {name!r} takes {facts.dtype}, which holds {ends.min} to "
            f"{ends.max}, and the records lie in {numbers.shown}: give the "
            "integers that it was trained with"
        )


def _are_codes(numbers, facts, input_range):
    """Whether records of the input's own signed type are its codes.

    Small whole numbers of a table can have that type as well: then they fill
    more of what the input holds as numbers than as codes. Pixels of 0..255
    in 16 bits are hardly codes, and never where the user says their range.
    """
    if not facts.has_codes or numbers.dtype != facts.dtype:
        return False
    if numbers.dtype.kind != "i":
        return False
    if numbers.dtype.itemsize > 1 and numbers.range == BYTES:
        return not (input_range or numbers.is_like_images)
    as_numbers = Preprocessing()
    if max(clipped_shares(as_numbers, numbers, facts.limits)) >= NOTICEABLE:
        return True
    low, high = facts.limits
    ends = np.iinfo(facts.dtype)
    width = numbers.high - numbers.low
    return width / (int(ends.max) - int(ends.min)) >= width / (high - low)


def _choose_range(facts, input_range, name):
    return input_forms.choose_range(
        facts.range,
        input_range,
        name=name,
        where=facts.where,
        takes=facts.takes,
    )


def _from_user(numbers, facts, input_range, name):
    record_range = numbers.range
    if record_range == BYTES or (
        record_range is None and numbers.may_be_pixels
    ):
        end = (
            input_range
            if facts.dtype is None
            else _choose_range(facts, input_range, name)
        )
        return Choice(Preprocessing(BYTES, end), is_from_user=True)
    if record_range == input_range:
        return Choice(
            Preprocessing(record_range, input_range), is_from_user=True
        )
    advice = TO_GIVE.get((record_range, input_range))
    if record_range == CODES:
        advice = "add 128 and give uint8"
    elif _are_wide_pixels(numbers):
        advice = WIDE_ADVICE
    if advice is None:
        advice = "leave it out, the model gets the values as they are"
    raise InputError(
        f"--input_range={input_range} is about numbers of 0..255, and the "
        f"records lie in {numbers.shown}: for target {name!r} {advice}"
    )


def _from_model(numbers, facts, name):
    record_range, model_range = numbers.range, facts.range
    is_known = facts.dtype is None or facts.agrees_with(numbers)
    if record_range == CODES and numbers.is_like_images and not is_known:
        return Choice(
            Preprocessing(record_range), doubt=_codes_question(numbers, name)
        )
    if facts.dtype is None or record_range in (None, CODES):
        return Choice(
            Preprocessing(record_range), notes=_warnings(numbers, facts, name)
        )
    if record_range == BYTES and numbers.is_integer:
        if model_range or numbers.is_images:
            end = _choose_range(facts, None, name)
            return Choice(Preprocessing(BYTES, end), notes=())
        question = _question(numbers, facts, name)
        return Choice(Preprocessing(BYTES, BYTES), doubt=question)
    choice = Choice(Preprocessing(record_range, record_range))
    if facts.agrees_with(numbers) or model_range == record_range:
        return choice
    if model_range is None and record_range != BYTES:
        return choice
    if (record_range, model_range) == (UNIT, SIGNED):
        return choice
    return dataclasses.replace(choice, doubt=_question(numbers, facts, name))


def _are_wide_pixels(numbers):
    """Whether records may be images of more than 8 bits a pixel."""
    return numbers.dtype == np.uint16 and len(numbers.shape) > 1


def _warnings(numbers, facts, name):
    """Warns of doubtful numbers that go in as they are.

    Pixels of 16 bits, and numbers like -2..2 where pixels of 0..255 should.
    """
    is_known = facts.dtype is None or facts.agrees_with(numbers)
    if _are_wide_pixels(numbers) and not is_known:
        return (
            f"warning: the records are uint16 of {numbers.shown}, and target "
            f"{name!r} gets them as they are: unless it was trained with such "
            f"numbers, {WIDE_ADVICE}",
        )
    width = max(abs(numbers.low), abs(numbers.high))
    if facts.range != BYTES or width > SMALL or facts.agrees_with(numbers):
        return ()
    return (
        f"warning: target {name!r} takes pixels of {BYTES} ({facts.where}), "
        f"and the records lie in {numbers.shown}: are they what it was "
        "trained with?",
    )


def _question(numbers, facts, name):
    """The question where the numbers leave it open; None if they do not."""
    record_range = numbers.range
    if record_range != BYTES:
        return (
            f"target {name!r} takes pixels of {facts.range} ({facts.where}), "
            f"and the records lie in {numbers.shown}: "
            f"{TO_GIVE[record_range, facts.range]}"
        )
    if facts.range:
        return (
            f"target {name!r} takes pixels of {facts.range} ({facts.where}), "
            f"and the records lie in {numbers.shown}: give "
            f"--input_range={facts.range}, which turns 0..255 into that"
        )
    if not numbers.is_like_images:
        return None
    return (
        f"target {name!r} takes {facts.takes} and {facts.where} which range, "
        f"and the records lie in {numbers.shown}: give --input_range={UNIT}, "
        f"{BYTES} (as they are) or {SIGNED}, what it was trained with"
    )


def _codes_question(numbers, name):
    return (
        f"target {name!r} takes floats, and the records are {numbers.dtype} "
        f"of {numbers.shown}, as an int8 file takes its codes: add 128, give "
        "uint8 and --input_range=RANGE, what it was trained with (if with "
        "these numbers themselves, give them as float32)"
    )


def _require_in_limits(choice, numbers, facts, name):
    chosen = choice.chosen
    below, above = clipped_shares(chosen, numbers, facts.limits)
    if max(below, above) < NOTICEABLE:
        return
    low, high = facts.limits
    side = f"above the input's largest, {high:.4g}"
    if below > above:
        side = f"below the input's smallest, {low:.4g}"
    advice = "give the records prepared as in training"
    if chosen.is_mapped or choice.is_from_user:
        advice = f"it was not trained with {chosen.end}"
    elif chosen.end == BYTES:
        known = facts.range or f"{UNIT}, {BYTES} or {SIGNED}"
        advice = f"give --input_range={known}, what it was trained with"
    raise InputError(
        f"target {name!r} cannot hold the records: "
        f"{100 * max(below, above):.0f} % of the values other than 0 are "
        f"{side} (the records lie in {numbers.shown}, "
        f"{chosen.description}): {advice}"
    )


def _with_others(choice, numbers, facts):
    """Adds the other ways in which the records could be meant."""
    chosen = choice.chosen
    ends = [chosen.end]
    if chosen.start in (*INPUT_RANGES, CODES) and not facts.takes_indices:
        ends += [end for end in INPUT_RANGES if end != chosen.end]
    axes = (None,) if numbers.channels is None else (None, numbers.channels)
    candidates = [
        dataclasses.replace(chosen, end=end, reversed_axis=axis)
        for end in ends
        for axis in axes
    ]
    if chosen.is_codes:
        candidates.append(Preprocessing())
    preprocessings = {}
    for candidate in candidates:
        # As they are: with no end, and with the one that they have.
        key = (candidate.is_mapped and candidate.end, candidate.reversed_axis)
        key = (*key, candidate.is_codes)
        fits = (
            max(clipped_shares(candidate, numbers, facts.limits)) < NOTICEABLE
        )
        if fits and key not in preprocessings:
            preprocessings[key] = candidate
    same = (
        chosen.is_mapped and chosen.end,
        chosen.reversed_axis,
        chosen.is_codes,
    )
    preprocessings.pop(same, None)
    return dataclasses.replace(
        choice,
        others=tuple(preprocessings.values()),
        can_user_choose=facts.range is None,
    )
