"""What is trained for the reproduction: models, regimes and seeds, as data."""

import dataclasses
import pathlib
import re

from paper import rounded_outputs
from qmia_tf.errors import InputError
from qmia_tf.run_dir import TRAINED
from qmia_tf.training import recipes

PAPER_SETS = ("cifar10", "fashion_mnist")
RECIPES = {name: recipes.meant_for(name) for name in (*PAPER_SETS, "digits")}
ALL = "all"
FULL = "w32a32"
# Epochs between two models that are kept, for the sweep; one elsewhere.
KEEP_EVERY = {"cifar10": 3, "fashion_mnist": 2}


@dataclasses.dataclass(frozen=True)
class Model:
    """A row of the reproduction.

    Attributes:
        weight_bits: 1..32.
        activation_bits: 1..32.
        clip: keeps the [0, 1] clip at 32 activation bits.
        schemes: the files exported from it for every seed.
        extra_schemes: further files, for seed 0 of the REGIMES alone.
        sweep_points: kept epochs that are queried, at most; None: the size's.
    """

    weight_bits: int
    activation_bits: int
    clip: bool = False
    schemes: tuple[str, ...] = ()
    extra_schemes: tuple[str, ...] = ()
    sweep_points: int | None = None

    @property
    def bits(self) -> dict:
        """The arguments of resnet.Bits."""
        return {
            "weight": self.weight_bits,
            "activation": self.activation_bits,
            "clip": self.clip,
        }


MODELS = {
    FULL: Model(32, 32, schemes=("int8_ptq",), extra_schemes=("tfmot_int8",)),
    "w4a4": Model(4, 4, schemes=("int8",)),
    "w16a4": Model(16, 4, schemes=("float32",)),
    # Inferred by four convolutions for one.
    "w16a16": Model(16, 16, schemes=("float32",), sweep_points=3),
    "w2a2": Model(2, 2, schemes=("int8",)),
    "w8a8": Model(8, 8, schemes=("float32",)),
    "w32a32_clip": Model(32, 32, clip=True),
}
# The paper's rows that are repeated with further seeds.
REPEATED = (FULL, "w4a4", "w16a16")
# What is compared; others look for what brings the paper's regime.
REGIMES = ("augmented", "plain")
# A name for these: with augmentation on, what else could bring the regime in
# which the paper's models were. For seed 0, and these models alone.
CHOICES = "choices"
CHOSEN = {
    "cifar10": {
        "augmented-adam": (FULL,),
        "augmented-epochs60": (FULL,),
        "augmented-cifar-width16": (FULL, "w4a4"),
    }
}
SEEDS = (0, 1, 2)
SWITCHES = {
    "augmented": {"crop_padding": 4, "flip": True},
    "plain": {"crop_padding": 0, "flip": False},
    "imagenet": {"stem": "imagenet"},
    "cifar": {"stem": "cifar"},
    "sgd": {"optimizer": "sgd", "momentum": 0.9},
    "adam": {"optimizer": "adam", "momentum": 0.0},
}
NUMBERS = {"epochs": "epochs", "width": "width", "batch": "batch_size"}


@dataclasses.dataclass(frozen=True)
class Size:
    """How much of everything: the paper's, or little, to try the program.

    Attributes:
        records: of the data set, in its order; None takes all.
        recipe: fields of the recipe that are other than the paper's.
        sweep_points: kept epochs of a quantized run to query, at most.
        label_only: records whose augmentations are queried.
        parity_records: images compared code by code.
        tfmot_epochs: of the baseline's fine-tuning; 0 leaves it out.
        path_steps: steps for which the two code paths are compared.
    """

    records: int | None = None
    recipe: dict = dataclasses.field(default_factory=dict)
    sweep_points: int = 6
    label_only: int = 2000
    parity_records: int = 500
    tfmot_epochs: int = 3
    path_steps: int = 20


PAPER_SIZE = Size()
QUICK = Size(
    records=600,
    recipe={"width": 4, "epochs": 4, "batch_size": 64},
    sweep_points=2,
    label_only=40,
    parity_records=20,
    tfmot_epochs=0,
    path_steps=3,
)


@dataclasses.dataclass(frozen=True)
class Job:
    """One run: a model, trained in a regime on the members of a seed."""

    dataset: str
    regime: str
    model: str
    seed: int
    size: Size = PAPER_SIZE

    @property
    def folder(self) -> pathlib.PurePath:
        """DATASET/REGIME/MODEL-seedK."""
        name = f"{self.model}-seed{self.seed}"
        return pathlib.PurePath(self.dataset, self.regime, name)

    @property
    def recipe(self) -> recipes.Recipe:
        """The recipe with what the regime and the size change."""
        fields = {**regime_fields(self.regime), **self.size.recipe}
        return recipes.get(RECIPES[self.dataset], **fields)

    @property
    def schemes(self) -> tuple[str, ...]:
        """The files that are made of the model."""
        model = MODELS[self.model]
        further = self.seed == 0 and self.regime in REGIMES
        further = further and self.size.tfmot_epochs
        return model.schemes + (model.extra_schemes if further else ())

    @property
    def targets(self) -> tuple[str, ...]:
        """What its audit is about, at least."""
        return (TRAINED, *self.schemes, rounded_outputs.TARGET)

    @property
    def sweep_points(self) -> int:
        """Kept epochs of a quantized run that are queried, at most."""
        own = MODELS[self.model].sweep_points
        return min(own or self.size.sweep_points, self.size.sweep_points)

    @property
    def keep_every(self) -> int:
        """Epochs between two models that are kept."""
        if self.size.recipe:
            return 1
        return KEEP_EVERY.get(self.dataset, 1)

    @property
    def full(self) -> "Job":
        """The full-precision job on the same members."""
        return dataclasses.replace(self, model=FULL)


def jobs(datasets, *, seeds, regimes, models=(), stem=None, size=PAPER_SIZE):
    """Lists the runs in the order in which they are made.

    Args:
        datasets: any of RECIPES, or "all" for the paper's two.
        seeds: ints >= 0; seed k also draws the members.
        regimes: names, see regime_fields; "choices" stands for those of
            CHOSEN.
        models: any of MODELS; empty takes all of them for seed 0 and
            REPEATED for others, of CHOSEN those in there.
        stem: "imagenet" or "cifar", added to every regime; None adds none.
        size: Size.
    Returns: list of Job; the full-precision run of a seed comes first.
    Raises: InputError if a name is none of these, or nothing is to do.
    """
    _check("data set", datasets, (*RECIPES, ALL))
    _check("model", models, tuple(MODELS))
    if stem is not None:
        _check("stem", [stem], ("imagenet", "cifar"))
        if CHOICES in regimes:
            raise InputError("choices have stems of their own: give none")
        regimes = [f"{regime}-{stem}" for regime in regimes]
    if ALL in datasets:
        datasets = PAPER_SETS
    for seed in seeds:
        if seed < 0:
            raise InputError(f"a seed must be 0 or more, got {seed}")
    planned = []
    for dataset in datasets:
        for regime in regimes:
            if regime == CHOICES:
                planned += _chosen(dataset, seeds, models, size)
                continue
            regime_fields(regime)
            for seed in seeds:
                usual = tuple(MODELS) if seed == 0 else REPEATED
                chosen = [m for m in MODELS if m in (models or usual)]
                planned += [
                    Job(dataset, regime, model, seed, size) for model in chosen
                ]
    if not planned:
        raise InputError(
            "nothing to do: name a data set, a seed and a regime at least"
        )
    return list({job.folder: job for job in planned}.values())


def regime_fields(name) -> dict:
    """What a regime changes of the recipe.

    Args:
        name: "augmented" or "plain" (no crop, no flip), then perhaps, each
            behind a hyphen: imagenet or cifar (stem), sgd or adam, and
            epochsN, widthN, batchN; such as "plain-adam-epochs60".
    Returns: dict field of the recipe -> value.
    Raises: InputError if a part is none of these.
    """
    first, *others = name.split("-")
    fields = {}
    if first not in ("augmented", "plain"):
        raise _unknown(name, first)
    for part in (first, *others):
        match = re.fullmatch(r"([a-z]+)(\d+)", part)
        if part in SWITCHES:
            fields.update(SWITCHES[part])
        elif match and match[1] in NUMBERS:
            fields[NUMBERS[match[1]]] = int(match[2])
        else:
            raise _unknown(name, part)
    return fields


def is_choice(dataset, regime) -> bool:
    """Whether a regime is one of CHOSEN: few models, and one seed."""
    return regime in CHOSEN.get(dataset, {})


def _chosen(dataset, seeds, models, size):
    return [
        Job(dataset, regime, model, 0, size)
        for regime, usual in CHOSEN.get(dataset, {}).items()
        for model in usual
        if 0 in seeds and (not models or model in models)
    ]


def _unknown(name, part):
    return InputError(
        f"regime {name!r}: {part!r} is not known; a regime is augmented or "
        "plain, then perhaps -imagenet, -cifar, -sgd, -adam, -epochsN, "
        "-widthN, -batchN; or choices"
    )


def _check(kind, names, known):
    for name in names:
        if name not in known:
            raise InputError(
                f"there is no {kind} {name!r} to reproduce: choose of "
                f"{', '.join(known)}"
            )
