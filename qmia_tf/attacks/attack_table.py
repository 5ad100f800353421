"""The table of attacks, and how their options are set."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping

from qmia_tf.attacks.attack import Attack, Option
from qmia_tf.errors import InputError
from qmia_tf.registry import Registry

# In the order of tables; the gap attack, which others are compared with, first,
# and those of who holds the model last.
ATTACKS = Registry(
    "attack",
    {
        "gap": "qmia_tf.attacks.gap:GAP",
        "confidence": "qmia_tf.attacks.confidence:CONFIDENCE",
        "true_confidence": "qmia_tf.attacks.confidence:TRUE_CONFIDENCE",
        "loss": "qmia_tf.attacks.losses:LOSS",
        "margin": "qmia_tf.attacks.margin:MARGIN",
        "entropy": "qmia_tf.attacks.entropy:ENTROPY",
        "modified_entropy": "qmia_tf.attacks.entropy:MODIFIED_ENTROPY",
        "likelihood": "qmia_tf.attacks.likelihood:LIKELIHOOD",
        "correct_augmentations": "qmia_tf.attacks.label_only:CORRECT",
        "agreeing_augmentations": "qmia_tf.attacks.label_only:AGREEING",
        "noise_robustness": "qmia_tf.attacks.label_only:NOISE",
        "quantile": "qmia_tf.attacks.quantile:QUANTILE",
        "difficulty_parent": "qmia_tf.attacks.difficulty:PARENT",
        "difficulty": "qmia_tf.attacks.difficulty:DIFFICULTY",
        "lira_online": "qmia_tf.attacks.lira:ONLINE",
        "lira_offline": "qmia_tf.attacks.lira:OFFLINE",
        "rmia_online": "qmia_tf.attacks.rmia:ONLINE",
        "rmia_offline": "qmia_tf.attacks.rmia:OFFLINE",
        "base_online": "qmia_tf.attacks.bayes_score:ONLINE",
        "base_offline": "qmia_tf.attacks.bayes_score:OFFLINE",
        "bavaria_online": "qmia_tf.attacks.bavaria:ONLINE",
        "bavaria_offline": "qmia_tf.attacks.bavaria:OFFLINE",
        "exact_margin": "qmia_tf.attacks.exact_logits:MARGIN",
        "exact_likelihood": "qmia_tf.attacks.exact_logits:LIKELIHOOD",
        "exact_lira_online": "qmia_tf.attacks.exact_logits:LIRA_ONLINE",
        "exact_lira_offline": "qmia_tf.attacks.exact_logits:LIRA_OFFLINE",
        "exact_rmia_online": "qmia_tf.attacks.exact_logits:RMIA_ONLINE",
        "exact_rmia_offline": "qmia_tf.attacks.exact_logits:RMIA_OFFLINE",
        "exact_base_online": "qmia_tf.attacks.exact_logits:BASE_ONLINE",
        "exact_base_offline": "qmia_tf.attacks.exact_logits:BASE_OFFLINE",
        "exact_bavaria_online": "qmia_tf.attacks.exact_logits:BAVARIA_ONLINE",
        "exact_bavaria_offline": "qmia_tf.attacks.exact_logits:BAVARIA_OFFLINE",
        "gradient_norm": "qmia_tf.attacks.gradient_norm:GRADIENT_NORM",
        "gradient_norm_all": "qmia_tf.attacks.all_layers:GRADIENT_NORM_ALL",
        "white_box": "qmia_tf.attacks.white_box:WHITE_BOX",
    },
)


EXAMPLE = '{"lira": {"variance": "global"}}'


def with_options(options: Mapping[str, Mapping]) -> Registry:
    """Returns the table of attacks with options set, the others as they are.

    Args:
        options: attack, or family of attacks, -> option -> value, such as
            {"lira": {"variance": "global"}, "rmia_online": {"gamma": 2}}.
            That of an attack comes before that of its family.
    Raises: InputError if an attack, an option or a value is not there.
    """
    chosen = changed_options(options)
    return Registry(
        ATTACKS.kind,
        {name: _set(attack, chosen) for name, attack in ATTACKS.items()},
    )


def _set(attack: Attack, chosen):
    names = [option.name for option in attack.options]
    values = {**chosen.get(attack.family, {}), **chosen.get(attack.name, {})}
    own = {name: values[name] for name in names if name in values}
    if not own:
        return attack
    return dataclasses.replace(
        attack,
        scores=functools.partial(attack.scores, **own),
        learns=attack.learns
        or any(
            option.learns for option in attack.options if option.name in own
        ),
    )


def changed_options(options: Mapping[str, Mapping]) -> dict[str, dict]:
    """Returns checked options, without those that are at their default.

    Args and Raises: as with_options.
    """
    nested = isinstance(options, Mapping) and all(
        isinstance(values, Mapping) for values in options.values()
    )
    if not nested:
        raise InputError(
            f"attack options are a dict of dicts, such as {EXAMPLE}, got "
            f"{options!r}"
        )
    # Listing them imports every attack.
    known, changed = _known() if options else {}, {}
    for name, values in options.items():
        own = known.get(name)
        if not own:
            raise InputError(
                f"attack {name!r} has no options; these have: "
                f"{', '.join(key for key, some in known.items() if some)}"
            )
        for key, value in values.items():
            option = Registry(f"{name} option", own).get(key)
            number_or_word = option.read(value, f"{name}.{key}")
            if number_or_word != option.default:
                changed.setdefault(name, {})[key] = number_or_word
    return changed


def _known() -> Registry:
    """Attacks and families -> option -> Option."""
    known: dict[str, dict[str, Option]] = {}
    for attack in ATTACKS:
        for name in filter(None, (attack.family, attack.name)):
            own = {option.name: option for option in attack.options}
            known.setdefault(name, {}).update(own)
    return Registry(ATTACKS.kind, known)


def parse_options(items: Iterable[str]) -> dict[str, dict[str, str]]:
    """Reads texts such as "lira.variance=global", as the flag takes them.

    Raises: InputError if a text has another form.
    """
    options: dict[str, dict[str, str]] = {}
    for item in items:
        place, equals, value = item.partition("=")
        name, dot, key = place.strip().partition(".")
        if not (name and dot and key and equals and value.strip()):
            raise InputError(
                f"--attack_options takes ATTACK.OPTION=VALUE, such as "
                f"lira.variance=global, got {item!r}"
            )
        options.setdefault(name, {})[key] = value.strip()
    return options
