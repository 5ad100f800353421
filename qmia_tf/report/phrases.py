"""Numbers with their intervals, and sentences on lines, for people."""

import math
import re
import textwrap
from collections.abc import Iterable

from qmia_tf.attacks import ATTACKS
from qmia_tf.auditing.auxiliary import ReferenceModels
from qmia_tf.statistics.intervals import Estimate

WIDTH = 78
FORMS = {
    "top_1": "top-1 probability",
    "full": "full outputs",
    "probabilities": "exact probabilities",
    "logits": "exact logits",
    "inside": "inside of the model",
}
# Where no line ends: before a unit, a value's interval, and inside it.
TOGETHER = re.compile(
    r" (?=%|points)|(?<=[\d%s]) (?=\[)|(?<=\d,) (?=[-+.\d]+\])"
)


def as_text(sentences: Iterable[str], *, indent: int = 0) -> str:
    """Puts sentences on lines of 78 columns or fewer, `indent` in front."""
    front = " " * indent
    lines = (
        textwrap.fill(
            TOGETHER.sub("\N{NO-BREAK SPACE}", sentence),
            WIDTH,
            initial_indent=front,
            subsequent_indent=f"{front}  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for sentence in sentences
    )
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")


def capital(text: str) -> str:
    """The text with a capital first letter; the rest stays."""
    return text[:1].upper() + text[1:]


def attack_title(name: str | None) -> str:
    """What people call an attack."""
    return ATTACKS[name].title if name in ATTACKS else name


def reference_models(models: ReferenceModels) -> str:
    """What reference models are: 8 of w4a4 (int8)."""
    bits = " and ".join(models.bits) or "unknown bits"
    target = f" ({models.target})" if models.target else ""
    return f"{models.models} of {bits}{target}"


def form_title(form: str) -> str:
    """What people call a form of outputs."""
    return FORMS.get(form, form.replace("_", " "))


def share_values(values: dict[str, str]) -> str:
    """Names and their values; names of one value stand together."""
    names = {}
    for name, value in values.items():
        names.setdefault(value, []).append(name)
    return ", ".join(f"{', '.join(names[value])} {value}" for value in names)


def area(estimate: Estimate, *, guess: float = 0.5) -> str:
    """An AUC or an advantage: 0.62 [0.58, 0.66]; guess as of figures."""
    return figures(estimate, 1, guess=guess, least=2)


def percent(estimate: Estimate, *, guess: float) -> str:
    """A share in per cent: 62 % [58, 66]; guess in per cent."""
    return _with_unit(figures(estimate, 100, guess=guess), "%")


def of_100(estimate: Estimate) -> str:
    """An AUC as cases: 62 of 100 cases [58, 66]."""
    return _with_unit(figures(estimate, 100, guess=50), "of 100 cases")


def share(value: float) -> str:
    """A share without an interval: 71.5 %."""
    return f"{100 * value:.1f} %"


def points(estimate: Estimate) -> str:
    """A difference of shares: +2 points [-1, +5]."""
    return _with_unit(figures(estimate, 100, guess=0, sign=True), "points")


def figures(
    estimate: Estimate,
    times: float,
    *,
    guess: float,
    least: int = 0,
    sign: bool = False,
) -> str:
    """A number and its interval, no more digits than the interval bears out.

    The last digit is at most half the interval's width. But there are so many
    digits, up to 4, that an end near the chance level does not read as
    that level.

    Args:
        estimate: with or without an interval.
        times: what the number is multiplied with.
        guess: the chance level, likewise multiplied.
        least: int, digits after the point at least.
        sign: whether a plus is written.
    """
    values = [times * estimate.value]
    if estimate.low is not None:
        values += [times * estimate.low, times * estimate.high]
    width = max(values) - min(values)
    digits = math.ceil(-math.log10(width / 2)) if width else least
    digits = min(max(digits, least), 4)
    while digits < 4 and any(
        round(x, digits) == guess and abs(x - guess) > 1e-9 for x in values[1:]
    ):
        digits += 1
    form = f"+.{digits}f" if sign else f".{digits}f"
    value, *ends = (f"{round(x, digits) + 0.0:{form}}" for x in values)
    return f"{value} [{', '.join(ends)}]" if ends else value


def _with_unit(text, unit):
    value, _, ends = text.partition(" ")
    return f"{value} {unit} {ends}".rstrip()
