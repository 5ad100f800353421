"""What a conversion follows from besides the model."""

import dataclasses
import numbers

from qmia_tf.errors import InputError
from qmia_tf.training import recipes

INT8_OUTPUTS = ("softmax", "logits")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """How the schemes are made that leave something to choose.

    Attributes:
        calibration_records: members that are drawn to measure ranges, >= 1;
            all of them if there are fewer.
        calibration_seed: int >= 0, draws them.
        int8_output: what int8_io gives: "softmax" or "logits".
        tfmot_epochs: passes over the members of tfmot's fine-tuning, >= 0.
        recipe: recipes.Recipe that the model was trained with; the
            fine-tuning takes its optimizer, batches and augmentation.
        seed: int >= 0, of the fine-tuning's batches.
    Raises: InputError if a value is outside its range.
    """

    calibration_records: int = 500
    calibration_seed: int = 0
    int8_output: str = "softmax"
    tfmot_epochs: int = 3
    recipe: recipes.Recipe = recipes.RECIPES["digits"]
    seed: int = 0

    def __post_init__(self):
        for name, least in (
            ("calibration_records", 1),
            ("calibration_seed", 0),
            ("tfmot_epochs", 0),
            ("seed", 0),
        ):
            value = getattr(self, name)
            if not isinstance(value, numbers.Integral) or value < least:
                raise InputError(
                    f"{name} must be an integer, {least} or more, got {value!r}"
                )
        if self.int8_output not in INT8_OUTPUTS:
            raise InputError(
                f"int8_output must be one of {', '.join(INT8_OUTPUTS)}, got "
                f"{self.int8_output!r}"
            )

    def chosen(self, names) -> dict:
        """Gives some of the settings, in JSON types."""
        values = {name: getattr(self, name) for name in names}
        if "recipe" in values:
            values["recipe"] = self.recipe.as_dict()
        return values
