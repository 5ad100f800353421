"""Training recipes as plain data: the paper's two, and ours."""

import dataclasses

from qmia_tf.errors import InputError
from qmia_tf.registry import Registry
from qmia_tf.training.recipes.recipe import (
    TRAINING_FIELDS,
    Recipe,
    learning_rate_at,
)

__all__ = [
    "RECIPES",
    "TRAINING_FIELDS",
    "Recipe",
    "get",
    "learning_rate_at",
    "meant_for",
]

STOCK = "qmia_tf.training.recipes.stock_recipes"
RECIPES = Registry(
    "recipe",
    {
        "paper_cifar10": f"{STOCK}:PAPER_CIFAR10",
        "paper_fashion_mnist": f"{STOCK}:PAPER_FASHION_MNIST",
        "digits": f"{STOCK}:DIGITS",
        "modern": f"{STOCK}:MODERN",
    },
)


def get(name: str, **overrides) -> Recipe:
    """Gives a recipe, with other values for some fields if wanted.

    A field whose value changed is no longer `stated`.

    Args:
        name: one of RECIPES.
        **overrides: field -> value; None keeps the recipe's own.
    Raises: InputError if there is no such recipe or field, or a value
        cannot be used.
    """
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


def meant_for(dataset: str) -> str | None:
    """Names the first recipe for a data set; None if there is none."""
    return next(
        (name for name, recipe in RECIPES.items() if recipe.dataset == dataset),
        None,
    )
