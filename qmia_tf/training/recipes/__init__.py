"""Training recipes as plain data: the paper's two, and ours.

`stated` lists the fields that the paper states; every other field is our
choice. A field that is overridden is no longer stated.
"""

import dataclasses

from qmia_tf.errors import InputError
from qmia_tf.training.recipes.recipe import PROSE, Recipe, learning_rate_at

__all__ = [
    "RECIPES",
    "Recipe",
    "define_flags",
    "flag_overrides",
    "get",
    "learning_rate_at",
]

PAPER_NOTE = (
    "Kowalski, Famili and Lao, ICIP 2022. The paper states that augmentation "
    "was on, but not which (ours: crop after 4 pixels of padding, and flip), "
    "and neither the optimizer, nor the batch size, nor the stem."
)
RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="paper_cifar10",
            dataset="cifar10",
            epochs=30,
            batch_size=128,
            optimizer="sgd",
            learning_rate=0.01,
            momentum=0.9,
            schedule="steps",
            milestones=(20,),
            decay=0.1,
            crop_padding=4,
            flip=True,
            stem="imagenet",
            stated=(
                "dataset",
                "epochs",
                "learning_rate",
                "schedule",
                "milestones",
                "decay",
            ),
            notes=PAPER_NOTE,
        ),
        Recipe(
            name="paper_fashion_mnist",
            dataset="fashion_mnist",
            epochs=10,
            batch_size=128,
            optimizer="adam",
            learning_rate=0.001,
            crop_padding=4,
            flip=True,
            stem="imagenet",
            stated=("dataset", "epochs", "learning_rate"),
            notes=PAPER_NOTE,
        ),
        Recipe(
            name="digits",
            dataset="digits",
            epochs=30,
            batch_size=64,
            optimizer="adam",
            learning_rate=0.005,
            schedule="cosine",
            width=16,
            notes="Small and quick. Digits are not symmetric: no flip.",
        ),
        Recipe(
            name="modern",
            dataset="cifar10",
            epochs=60,
            batch_size=128,
            optimizer="sgd",
            learning_rate=0.1,
            momentum=0.9,
            nesterov=True,
            weight_decay=5e-4,
            schedule="cosine",
            warmup_epochs=5,
            crop_padding=4,
            flip=True,
            notes="What CIFAR-10 networks are commonly trained with today.",
        ),
    )
}


def get(name, **overrides):
    """Gives a recipe, with other values for some fields if wanted.

    Args:
        name: one of RECIPES.
        **overrides: field -> value; None keeps the recipe's own.
    Returns: Recipe; a field whose value changed is no longer `stated`.
    Raises: InputError if there is no such recipe or field, or a value
        cannot be used.
    """
    if name not in RECIPES:
        raise InputError(
            f"there is no recipe {name!r}: choose one of {', '.join(RECIPES)}"
        )
    recipe = RECIPES[name]
    fields = {field.name for field in dataclasses.fields(Recipe)}
    unknown = sorted(set(overrides) - fields)
    if unknown:
        raise InputError(
            f"a recipe has no field {unknown[0]!r}, only {sorted(fields)}"
        )
    changes = {k: value for k, value in overrides.items() if value is not None}
    changed = dataclasses.replace(recipe, **changes)
    stated = tuple(
        field
        for field in changed.stated
        if getattr(changed, field) == getattr(recipe, field)
    )
    return dataclasses.replace(changed, stated=stated)


def define_flags(flag_values=None):
    """Defines one absl flag for each training field; default: the recipe's.

    The flags are named like the fields; `name` and `dataset` are left to
    the script. Read them with `flag_overrides`.

    Args:
        flag_values: absl FlagValues; by default the program's own.
    """
    from absl import flags

    values = flags.FLAGS if flag_values is None else flag_values
    for field in _flag_fields():
        text = f"{field.metadata['text']} (default: the recipe's)"
        choices = field.metadata["choices"]
        if choices:
            flags.DEFINE_enum(field.name, None, choices, text, values)
        elif field.type is bool:
            flags.DEFINE_boolean(field.name, None, text, values)
        elif field.type is int:
            flags.DEFINE_integer(field.name, None, text, flag_values=values)
        elif field.type is float:
            flags.DEFINE_float(field.name, None, text, flag_values=values)
        else:
            flags.DEFINE_list(field.name, None, text, values)


def flag_overrides(flag_values=None) -> dict:
    """Reads the flags of `define_flags`.

    Args:
        flag_values: absl FlagValues; by default the program's own.
    Returns: dict field -> value, or None where the flag was not given; for
        `get(name, **flag_overrides())`.
    """
    from absl import flags

    values = flags.FLAGS if flag_values is None else flag_values
    return {field.name: values[field.name].value for field in _flag_fields()}


def _flag_fields():
    left_out = {"name", "dataset", *PROSE}
    return [f for f in dataclasses.fields(Recipe) if f.name not in left_out]
