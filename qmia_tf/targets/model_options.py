"""What the user says of a model, held against what it says itself."""

import dataclasses

from qmia_tf.data.pixels import (
    AUTO,
    INPUT_RANGES,
    range_name,
    range_option,
)
from qmia_tf.data.value_ranges import RecordNumbers
from qmia_tf.deploy.tflite.isolation import BY_SIZES, Limits
from qmia_tf.errors import InputError, option
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
        f"{option(name)} must be one of {', '.join(known)}, or {AUTO!r} where "
        f"the model or its members say it, got {value!r}"
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

    def choose_outputs(self, read: str | None, where: str) -> str | None:
        """Probabilities or logits: what the model says itself, or the user.

        Args:
            read: "probabilities", "multi-label", or None.
            where: what it ends in, for messages.
        Returns: None if nothing says it.
        Raises: InputError if the two differ, or the outputs are of several
            labels a record.
        """
        end = f"target {self.name!r} ends in {where}"
        if read == MULTI_LABEL:
            raise InputError(
                f"{end}: each is a label of its own (multi-label), and only "
                "one class a record can be audited yet: give a function that "
                "returns [1 - p, p] of one of them, and its labels 0 and 1"
            )
        given = self.options.outputs
        self._require_agreement(
            read,
            given,
            f"{end}, so it outputs {read}",
            option("outputs", given),
        )
        return read or given

    def choose_range(self, read: str | None, where: str) -> str | None:
        """Which range a model takes: what it says itself, or the user.

        Args:
            read: one of INPUT_RANGES, or None.
            where: what it was read from, for messages.
        Returns: None if nothing says it.
        Raises: InputError if the two differ.
        """
        given = self.options.input_range
        if given is not None:
            end = f"target {self.name!r} takes pixels of {read} ({where})"
            self._require_agreement(read, given, end, range_option(given))
        return read or given

    def _require_agreement(self, read, given, what, said):
        if read is not None and given not in (None, read):
            raise InputError(
                f"{what}, but {said}: leave it out (for one of several "
                f"models: {AUTO!r})"
            )
