"""What the user says of a model, held against what it says itself."""

import dataclasses

from qmia_tf.data.pixels import (
    AUTO,
    BYTES,
    INPUT_RANGES,
    SIGNED,
    UNIT,
    range_name,
)
from qmia_tf.data.value_ranges import RecordNumbers
from qmia_tf.deploy.tflite.isolation import BY_SIZES, Limits
from qmia_tf.errors import InputError
from qmia_tf.outputs.kinds import LOGITS, PROBABILITIES

KINDS = (PROBABILITIES, LOGITS)
# What to do with a model that takes text.
TEXT = "give a function that turns records (word ids, for example) into outputs"
# What a model outputs that ends in several sigmoids.
MULTI_LABEL = "multi-label"


@dataclasses.dataclass(frozen=True)
class ModelOptions:
    """What the user says of a model because it does not say it itself.

    "auto" and None leave it to the model.

    Attributes:
        input_range: (0, 1), (0, 255) or (-1, 1), or one of INPUT_RANGES;
            afterwards one of INPUT_RANGES or None.
        outputs: "probabilities" or "logits".
        signature: name of the signature to run.
    Raises: InputError if one of the first two is something else.
    """

    input_range: str | tuple[float, float] | None = None
    outputs: str | None = None
    signature: str | None = None

    def __post_init__(self):
        for name in ("input_range", "outputs", "signature"):
            value = getattr(self, name)
            if isinstance(value, str) and value == AUTO:
                object.__setattr__(self, name, None)
        if self.input_range is not None:
            try:
                name = range_name(self.input_range)
            except ValueError as error:
                raise _unknown(
                    "input_range", INPUT_RANGES, self.input_range
                ) from error
            object.__setattr__(self, "input_range", name)
        if self.outputs not in (None, *KINDS):
            raise _unknown("outputs", KINDS, self.outputs)


def _unknown(name, known, value):
    return InputError(
        f"--{name} must be one of {', '.join(known)}, or {AUTO!r} where the "
        f"model says it, got {value!r}"
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Opening:
    """How a user's model is opened.

    Attributes:
        name: the target's.
        options: what the user says of it.
        numbers: of the records that it is to be queried about.
        num_threads: of LiteRT.
        file_limits: what a .tflite file may take, in a process of its own.
    """

    name: str
    options: ModelOptions
    numbers: RecordNumbers
    num_threads: int = 1
    file_limits: Limits = BY_SIZES

    def choose_outputs(self, read: str | None, where: str) -> str:
        """Probabilities or logits: what the model says itself, or the user.

        Args:
            read: "probabilities", "multi-label", or None.
            where: what it ends in, for messages.
        Raises: InputError if nothing says it, the two differ, or the outputs
            are of several labels a record.
        """
        end = f"target {self.name!r} ends in {where}"
        if read == MULTI_LABEL:
            raise InputError(
                f"{end}: each is a label of its own (multi-label), and only "
                "one class a record can be audited yet: give a function that "
                "returns [1 - p, p] of one of them, and its labels 0 and 1"
            )
        return self._agreed(
            "outputs",
            read,
            unknown=(
                f"{end}, so whether it outputs probabilities or logits is not "
                f"known: give --outputs={LOGITS} or --outputs={PROBABILITIES}"
            ),
            other=f"{end}, so it outputs {read}",
        )

    def choose_range(
        self, read: str | None, where: str, takes: str = "floats"
    ) -> str:
        """Which range a model takes: what it says itself, or the user.

        Args:
            read: one of INPUT_RANGES, or None.
            where: what could say it and does not, or what it was read from.
            takes: what its input is, for messages.
        Raises: InputError if nothing says it, or the two differ.
        """
        target = f"target {self.name!r} takes"
        return self._agreed(
            "input_range",
            read,
            unknown=(
                f"{target} {takes} and {where} which pixels: give "
                f"--input_range={UNIT}, {BYTES} or {SIGNED}, what it was "
                "trained with"
            ),
            other=f"{target} pixels of {read} ({where})",
        )

    def _agreed(self, option, read, *, unknown, other):
        given = getattr(self.options, option)
        if read is None and given is None:
            raise InputError(unknown)
        if read is not None and given not in (None, read):
            raise InputError(
                f"{other}, but --{option}={given}: leave it out (for one of "
                f"several models: {AUTO!r})"
            )
        return read or given
