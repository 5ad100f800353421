"""What a training recipe is: its fields, what they may be, its schedule."""

import dataclasses
import math

from qmia_tf.errors import InputError

PROSE = ("stated", "notes")


def _field(text, is_valid=None, *, choices=None, **default):
    return dataclasses.field(
        metadata={"text": text, "is_valid": is_valid, "choices": choices},
        **default,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a model is trained; each field says what it is and may be.

    `stated` lists the fields that the paper states; every other field is our
    choice.

    Raises: InputError if a field's value cannot be used.
    """

    name: str = _field("the recipe's name")
    dataset: str = _field("the data set it is meant for")
    epochs: int = _field("passes over the members, >= 1", lambda v: v >= 1)
    batch_size: int = _field("images a step, >= 1", lambda v: v >= 1)
    optimizer: str = _field(
        "sgd, adam or adamw", choices=("sgd", "adam", "adamw")
    )
    learning_rate: float = _field(
        "the highest learning rate, > 0", lambda v: 0 < v < math.inf
    )
    momentum: float = _field(
        "momentum of sgd, in [0, 1)", lambda v: 0 <= v < 1, default=0.0
    )
    nesterov: bool = _field("whether sgd looks ahead", default=False)
    weight_decay: float = _field(
        "each step takes learning_rate * weight_decay * w off w, apart from "
        "the gradient; in [0, 1]",
        lambda v: 0 <= v <= 1,
        default=0.0,
    )
    schedule: str = _field(
        "constant, steps (times decay after each milestone) or cosine (down "
        "to 0)",
        choices=("constant", "steps", "cosine"),
        default="constant",
    )
    milestones: tuple[int, ...] = _field(
        "rising numbers of epochs after which schedule steps takes effect",
        lambda v: all(a < b for a, b in zip((0, *v), v, strict=False)),
        default=(),
    )
    decay: float = _field(
        "factor of schedule steps, in (0, 1]", lambda v: 0 < v <= 1, default=1.0
    )
    warmup_epochs: int = _field(
        "epochs in which the rate rises from 0, >= 0",
        lambda v: v >= 0,
        default=0,
    )
    crop_padding: int = _field(
        "pixels of padding before a random crop, >= 0; 0 for no crop",
        lambda v: v >= 0,
        default=0,
    )
    flip: bool = _field("whether to mirror at random", default=False)
    label_smoothing: float = _field(
        "label smoothing, in [0, 1)", lambda v: 0 <= v < 1, default=0.0
    )
    stem: str = _field(
        "imagenet (7x7/2 and max pool) or cifar (3x3/1)",
        choices=("imagenet", "cifar"),
        default="cifar",
    )
    width: int = _field(
        "channels of the first stage, >= 1", lambda v: v >= 1, default=64
    )
    stated: tuple[str, ...] = _field("fields the paper states", default=())
    notes: str = _field("what the source leaves open", default="")

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = _checked(self.name, field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        if self.warmup_epochs >= self.epochs:
            raise InputError(
                f"recipe {self.name}: warmup_epochs {self.warmup_epochs} "
                f"must be less than epochs {self.epochs}: give both"
            )
        if self.schedule == "steps" and not self.milestones:
            raise InputError(
                f"recipe {self.name}: schedule steps needs milestones"
            )

    def as_dict(self) -> dict:
        """Gives every field that decides the training, in JSON types."""
        fields = dataclasses.asdict(self)
        fields["milestones"] = list(self.milestones)
        return {key: fields[key] for key in fields if key not in PROSE}


# Those that decide how a given data set is trained on.
TRAINING_FIELDS = tuple(
    field
    for field in dataclasses.fields(Recipe)
    if field.name not in ("name", "dataset", *PROSE)
)


def learning_rate_at(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Computes the learning rate of one step.

    warm-up:   rate * (step + 1) / warm        while step < warm
    constant:  rate
    steps:     rate * decay**(milestones that are over)
    cosine:    rate * (1 + cos(pi * t)) / 2, t = (step - warm)/(last - warm)

    where warm and last are warmup_epochs and epochs in steps, and step is the
    number of steps done before this one.
    """
    rate = recipe.learning_rate
    warm = recipe.warmup_epochs * steps_per_epoch
    if step < warm:
        return rate * (step + 1) / warm
    if recipe.schedule == "steps":
        over = [m for m in recipe.milestones if step >= m * steps_per_epoch]
        return rate * recipe.decay ** len(over)
    if recipe.schedule == "cosine":
        last = recipe.epochs * steps_per_epoch
        t = min(1.0, (step - warm) / (last - warm))
        return rate * (1 + math.cos(math.pi * t)) / 2
    return rate


def _checked(recipe, field, value):
    """Gives a field's value its type, or raises InputError."""
    text, is_valid, choices = field.metadata.values()
    converted = _converted(field.type, value)
    if (
        converted is None
        or (choices and converted not in choices)
        or (is_valid and not is_valid(converted))
    ):
        raise InputError(
            f"recipe {recipe}: {field.name} must be: {text}; got {value!r}"
        )
    return converted


def _converted(kind, value):
    """Converts where nothing is lost; None if the kind does not fit."""
    if kind is float and type(value) in (int, float):
        return float(value)
    if kind in (int, bool, str, float):
        return value if type(value) is kind else None
    item = kind.__args__[0]
    if not isinstance(value, (list, tuple)):
        return None
    # Flags give lists of text.
    texts = [str(v).strip() for v in value]
    if item is int and not all(text.isdecimal() for text in texts):
        return None
    return tuple(item(text) for text in texts)
