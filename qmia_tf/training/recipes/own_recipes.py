"""The recipes of this project."""

from qmia_tf.training.recipes.recipe import Recipe

DIGITS = Recipe(
    name="digits",
    dataset="digits",
    epochs=30,
    batch_size=64,
    optimizer="adam",
    learning_rate=0.005,
    schedule="cosine",
    width=16,
    notes="Small and quick. Digits are not symmetric: no flip.",
)
MODERN = Recipe(
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
)
