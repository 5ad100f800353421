"""The paper's two recipes, and ours."""

from qmia_tf.training.recipes.recipe import Recipe

PAPER_NOTE = (
    "Kowalski, Famili and Lao, ICIP 2022. The paper states that augmentation "
    "was on, but not which (ours: crop after 4 pixels of padding, and flip), "
    "and neither the optimizer, nor the batch size, nor the stem."
)
PAPER_CIFAR10 = Recipe(
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
)
PAPER_FASHION_MNIST = Recipe(
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
)
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
