"""Chooses how records are prepared: by their numbers, the input, the user."""

import dataclasses

import numpy as np

from qmia_tf.data.pixels import (
    BYTES,
    INPUT_RANGES,
    SIGNED,
    UNIT,
    range_option,
)
from qmia_tf.data.value_ranges import CODES
from qmia_tf.deploy.tflite.input_clipping import NOTICEABLE
from qmia_tf.errors import InputError, option
from qmia_tf.targets.model_options import Opening
from qmia_tf.targets.preprocessing import (
    TO_GIVE,
    InputFacts,
    Preprocessing,
    clipped_shares,
)

# Numbers that networks like; none of them are pixels of 0..255.
SMALL = 8.0
WIDE_ADVICE = (
    "divide images of 16 bits by 257 and give uint8, or by 65535 and give "
    "floats"
)


@dataclasses.dataclass(frozen=True)
class Choice:
    """How records are prepared, and what else could be meant.

    Attributes:
        chosen: how they are.
        others: what may be tried besides.
        doubt: a question to be raised unless the members answer it; None if
            there is none.
        is_from_user: whether the user chose it.
        can_user_choose: whether the user may choose the range.
        is_measured: whether the members chose it.
        notes: lines for the log.
    """

    chosen: Preprocessing
    others: tuple[Preprocessing, ...] = ()
    doubt: str | None = None
    is_from_user: bool = False
    can_user_choose: bool = True
    is_measured: bool = False
    notes: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether neither the model nor the user says the range of pixels."""
        is_said = self.is_from_user or not self.can_user_choose
        return self.chosen.start == BYTES and not is_said

    @property
    def input_range(self) -> str | None:
        """The range that pixels are mapped into, None if it is not known."""
        chosen = self.chosen
        is_known = chosen.is_mapped or self.is_measured or not self.is_open
        return chosen.end if chosen.start == BYTES and is_known else None


def choose(facts: InputFacts, opening: Opening) -> Choice:
    """Chooses how records are prepared for a model with such an input.

    Raises: InputError if the records do not fit the input, or the user says
        another range than the model.
    """
    return _Chooser(facts, opening).choose()


@dataclasses.dataclass(eq=False)
class _Chooser:
    facts: InputFacts
    opening: Opening

    def __post_init__(self):
        self.numbers, self.name = self.opening.numbers, self.opening.name
        self.given = self.opening.options.input_range

    def choose(self):
        choice = self._without_range() or self._as_codes()
        if choice is None:
            choice = self._from_user() if self.given else self._from_model()
            self._require_in_limits(choice)
        return self._with_others(choice)

    def _without_range(self):
        """Of integers that are what they stand for, such as ids of words."""
        facts = self.facts
        kind = facts.dtype.kind if facts.dtype is not None else "f"
        if facts.takes_indices:
            pass
        elif kind in "iub" and not facts.has_codes:
            self._require_integers()
        else:
            return None
        notes = ()
        if self.given:
            notes = (
                f"target {self.name!r} takes whole numbers, which reach it as "
                f"they are: {range_option(self.given)} is passed over",
            )
        return Choice(Preprocessing(), notes=notes)

    def _require_integers(self):
        """Refuses fractions, and numbers beyond the type."""
        numbers, dtype = self.numbers, self.facts.dtype
        advice = "give the integers that it was trained with"
        if numbers.dtype.kind == "f" and (numbers.sample % 1).any():
            raise InputError(
                f"target {self.name!r} takes whole numbers, and the records "
                f"lie in {numbers.shown} with fractions: {advice}"
            )
        if dtype.kind == "b":
            return
        ends = np.iinfo(dtype)
        if numbers.low < ends.min or numbers.high > ends.max:
            raise InputError(
                f"target {self.name!r} takes {dtype}, which holds {ends.min} "
                f"to {ends.max}, and the records lie in {numbers.shown}: "
                f"{advice}"
            )

    def _as_codes(self):
        if not self._are_codes():
            return None
        if self.given and self.facts.range:
            self._range()
        note = (
            f"target {self.name!r}: {self.numbers.dtype} records are taken as "
            f"the codes of its {self.facts.dtype} input"
        )
        return Choice(Preprocessing(is_codes=True), notes=(note,))

    def _are_codes(self):
        """Whether records of the input's own signed type are its codes.

        Small whole numbers of a table can have that type as well: then they
        fill more of what the input holds as numbers than as codes. Pixels of
        0..255 in 16 bits are hardly codes, and never where the user says
        their range.
        """
        numbers, facts = self.numbers, self.facts
        if not facts.has_codes or numbers.dtype != facts.dtype:
            return False
        if numbers.dtype.kind != "i":
            return False
        if numbers.dtype.itemsize > 1 and numbers.range == BYTES:
            return not (self.given or numbers.is_like_images)
        if not self._fits(Preprocessing()):
            return True
        low, high = facts.limits
        ends = np.iinfo(facts.dtype)
        width = numbers.high - numbers.low
        return width / (int(ends.max) - int(ends.min)) >= width / (high - low)

    def _range(self):
        """The range of pixels that the model says, or the user."""
        facts = self.facts
        return self.opening.choose_range(facts.range, facts.where)

    def _from_user(self):
        numbers, given = self.numbers, self.given
        start = numbers.range
        if start == BYTES or (start is None and numbers.may_be_pixels):
            is_function = self.facts.dtype is None
            end = given if is_function else self._range()
            return Choice(Preprocessing(BYTES, end), is_from_user=True)
        if start == given:
            return Choice(Preprocessing(start, given), is_from_user=True)
        advice = "leave it out, the model gets the values as they are"
        if start == CODES:
            advice = "add 128 and give uint8"
        elif self._are_wide_pixels():
            advice = WIDE_ADVICE
        advice = TO_GIVE.get((start, given), advice)
        raise InputError(
            f"{range_option(given)} is about numbers of 0..255, and the "
            f"records lie in {numbers.shown}: for target {self.name!r} {advice}"
        )

    def _from_model(self):
        numbers, facts = self.numbers, self.facts
        start, end = numbers.range, facts.range
        agrees = facts.agrees_with(numbers)
        is_known = facts.dtype is None or agrees
        if start == CODES and numbers.is_like_images and not is_known:
            doubt = (
                f"target {self.name!r} takes floats, and the records are "
                f"{numbers.dtype} of {numbers.shown}, as an int8 file takes "
                f"its codes: add 128, give uint8 and {option('input_range')}, "
                "what it was trained with (if with these numbers themselves, "
                "give them as float32)"
            )
            return Choice(Preprocessing(start), doubt=doubt)
        if facts.dtype is None or start in (None, CODES):
            return Choice(Preprocessing(start), notes=self._warnings(is_known))
        if start == BYTES and numbers.is_integer:
            if end:
                return Choice(Preprocessing(BYTES, end))
            doubt = self._question()
            ends = [BYTES, UNIT, SIGNED] if doubt else [BYTES]
            taken = [Preprocessing(BYTES, end) for end in ends]
            taken = next(filter(self._fits, taken), taken[0])
            return Choice(taken, doubt=doubt)
        choice = Choice(Preprocessing(start, start))
        if agrees or end == start or (start, end) == (UNIT, SIGNED):
            return choice
        if end is None and start != BYTES:
            return choice
        return dataclasses.replace(choice, doubt=self._question())

    def _are_wide_pixels(self):
        """Whether records may be images of more than 8 bits a pixel."""
        numbers = self.numbers
        return numbers.dtype == np.uint16 and len(numbers.shape) > 1

    def _warnings(self, is_known):
        """Warns of doubtful numbers that go in as they are.

        Pixels of 16 bits, and numbers like -2..2 where pixels of 0..255
        should.
        """
        numbers, facts, name = self.numbers, self.facts, self.name
        if is_known:
            return ()
        if self._are_wide_pixels():
            return (
                f"warning: the records are uint16 of {numbers.shown}, and "
                f"target {name!r} gets them as they are: unless it was "
                f"trained with such numbers, {WIDE_ADVICE}",
            )
        if facts.range != BYTES or max(-numbers.low, numbers.high) > SMALL:
            return ()
        return (
            f"warning: target {name!r} takes pixels of {BYTES} "
            f"({facts.where}), and the records lie in {numbers.shown}: are "
            "they what it was trained with?",
        )

    def _question(self):
        """The question where the numbers leave it open; None if not."""
        numbers, facts = self.numbers, self.facts
        lie = f"and the records lie in {numbers.shown}"
        if facts.range:
            advice = f"give {range_option(facts.range)}, which turns 0..255 "
            advice += "into that"
            if numbers.range != BYTES:
                advice = TO_GIVE[numbers.range, facts.range]
            return (
                f"target {self.name!r} takes pixels of {facts.range} "
                f"({facts.where}), {lie}: {advice}"
            )
        if not numbers.is_like_images:
            return None
        ranges = [
            end for end in INPUT_RANGES if self._fits(Preprocessing(BYTES, end))
        ]
        return (
            f"target {self.name!r} takes {facts.takes} and {facts.where} "
            f"which range, {lie}: give "
            f"{range_option(*(ranges or INPUT_RANGES))}, what it was trained "
            "with"
        )

    def _fits(self, preprocessing):
        shares = clipped_shares(preprocessing, self.numbers, self.facts.limits)
        return max(shares) < NOTICEABLE

    def _require_in_limits(self, choice):
        chosen, facts = choice.chosen, self.facts
        if self._fits(chosen):
            return
        below, above = clipped_shares(chosen, self.numbers, facts.limits)
        low, high = facts.limits
        side = f"above the input's largest, {high:.4g}"
        if below > above:
            side = f"below the input's smallest, {low:.4g}"
        advice = "give the records prepared as in training"
        if chosen.is_mapped or choice.is_from_user:
            advice = f"it was not trained with {chosen.end}"
        elif chosen.end == BYTES:
            known = [facts.range] if facts.range else INPUT_RANGES
            advice = f"give {range_option(*known)}, what it was trained with"
        raise InputError(
            f"target {self.name!r} cannot hold the records: "
            f"{100 * max(below, above):.0f} % of the values other than 0 are "
            f"{side} (the records lie in {self.numbers.shown}, "
            f"{chosen.description}): {advice}"
        )

    def _with_others(self, choice):
        """Adds the other ways in which the records could be meant."""
        chosen, numbers = choice.chosen, self.numbers
        ends = [chosen.end]
        if chosen.start in (*INPUT_RANGES, CODES):
            if not self.facts.takes_indices:
                ends += [end for end in INPUT_RANGES if end != chosen.end]
        axes = dict.fromkeys((None, numbers.channels))
        candidates = [
            dataclasses.replace(chosen, end=end, reversed_axis=axis)
            for end in ends
            for axis in axes
        ]
        if chosen.is_codes:
            candidates.append(Preprocessing())
        preprocessings = {}
        for candidate in filter(self._fits, candidates):
            preprocessings.setdefault(_effect(candidate), candidate)
        preprocessings.pop(_effect(chosen), None)
        return dataclasses.replace(
            choice,
            others=tuple(preprocessings.values()),
            can_user_choose=self.facts.range is None,
        )


def _effect(preprocessing):
    """What it does; as they are: with no end, and with the one they have."""
    return (
        preprocessing.is_mapped and preprocessing.end,
        preprocessing.reversed_axis,
        preprocessing.is_codes,
    )
