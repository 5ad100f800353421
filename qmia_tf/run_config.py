"""What config.json may hold: the declared types, and reading by them.

They stay dicts: audit.json takes them as they are, and members that these
types do not know are left alone.
"""

from typing import Annotated, Literal, NotRequired, Required, TypedDict

import msgspec

from qmia_tf import files, typed_json
from qmia_tf.run_dir import RunDir
from qmia_tf.typed_json import Line

REMEDY = "restore the file, or train the run again with qmia train"
Count = Annotated[int, msgspec.Meta(ge=1, le=2**24)]
Seed = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
ModelSeed = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
BitWidth = Annotated[int, msgspec.Meta(ge=1, le=32)]
# No ResNet-18 is wider, nor an image padded by more.
Width = Annotated[int, msgspec.Meta(ge=1)]
Padding = Annotated[int, msgspec.Meta(ge=0)]
Epochs = Annotated[int, msgspec.Meta(ge=0, le=10**6)]
Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]


class LabelNoiseConfig(TypedDict):
    """Which of its labels were replaced."""

    share: Share
    seed: Seed


class DatasetConfig(TypedDict):
    """The data set of a run."""

    name: Line
    pool: Literal["train", "test", "all"]
    fingerprint: Line
    classes: NotRequired[Count]
    image_shape: NotRequired[
        Annotated[
            list[Annotated[int, msgspec.Meta(ge=1, le=2**16)]],
            msgspec.Meta(min_length=3, max_length=3),
        ]
    ]
    label_noise: NotRequired[LabelNoiseConfig]


class SplitConfig(TypedDict):
    """How its members are drawn."""

    seed: Seed
    member_fraction: Share
    complement: NotRequired[bool]


class ModelConfig(TypedDict):
    """Its network."""

    stem: Literal["imagenet", "cifar"]
    width: Width
    weight_bits: BitWidth
    activation_bits: BitWidth
    first_last_bits: NotRequired[Annotated[int, msgspec.Meta(ge=2, le=32)]]
    residual_bits: NotRequired[Literal[8, 32]]
    gradient_bits: NotRequired[BitWidth]
    clip: bool


class RecipeConfig(TypedDict, total=False):
    """How it is trained; configuration.recipe_of wants every field."""

    name: Required[Line]
    epochs: Required[Annotated[int, msgspec.Meta(ge=1, le=10**6)]]
    batch_size: Count
    optimizer: Line
    learning_rate: float
    momentum: float
    nesterov: bool
    weight_decay: float
    schedule: Line
    milestones: Annotated[list[Epochs], msgspec.Meta(max_length=1000)]
    decay: float
    warmup_epochs: Epochs
    crop_padding: Padding
    flip: bool
    label_smoothing: float


class Computed(TypedDict, total=False):
    """How TensorFlow computed."""

    onednn: bool
    intra_op_threads: Count
    processor: Line


class RunConfig(TypedDict):
    """config.json of a run that was trained."""

    schema_version: int
    dataset: DatasetConfig
    split: SplitConfig
    model: ModelConfig
    recipe: RecipeConfig
    seed: ModelSeed
    quantizers: NotRequired[dict[str, Count]]
    tensorflow: NotRequired[Computed]


class AuditedDataset(TypedDict, total=False):
    """What an audit reads of a data set."""

    name: Line | None
    pool: Line | None
    fingerprint: Line | None


class AuditedConfig(TypedDict, total=False):
    """What an audit reads of any config.json, of a run or not."""

    kind: Line
    dataset: AuditedDataset
    split: dict[str, object]
    model: dict[str, object]
    recipe: dict[str, object]
    tensorflow: dict[str, object]


def read(run_dir, kind=AuditedConfig) -> dict:
    """Reads config.json, which is there.

    Args:
        run_dir: path of the directory.
        kind: AuditedConfig or RunConfig.
    Raises: InputError that names the field that is missing or damaged.
    """
    path = RunDir(run_dir).config
    config = files.read_json(path)
    typed_json.check(kind, config, source=str(path), remedy=REMEDY)
    return config
