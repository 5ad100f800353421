"""The schemes: what each is, which models it suits, how it is made."""

import dataclasses
import math
from collections.abc import Callable

from qmia_tf import layers
from qmia_tf.deploy import conversions, scheme_checks
from qmia_tf.deploy.integer import int8_file
from qmia_tf.deploy.tflite import post_training
from qmia_tf.deploy.tfmot import network_plan
from qmia_tf.errors import InputError
from qmia_tf.quantizers.grids import FLOAT_BITS

AUTO = "auto"
CALIBRATION = ("calibration_records", "calibration_seed")


@dataclasses.dataclass(frozen=True)
class Scheme:
    """One way to make a .tflite file of a trained network.

    Attributes:
        text: what it is.
        convert: conversions.Job -> conversions.Converted.
        refusal: keras.Model -> None, or why the scheme cannot carry it.
        nearest: schemes to use instead, the best first.
        weights: type of the stored weights; None for an integer scheme,
            whose kernels all have to be integer ones.
        settings: names of the settings.Settings that it follows from.
        members: whether it needs members of the run.
    """

    text: str
    convert: Callable
    refusal: Callable = lambda model: None
    nearest: tuple[str, ...] = ("float32",)
    weights: str | None = None
    settings: tuple[str, ...] = ()
    members: bool = False

    def check(self, facts, name, converted):
        """Checks a file against what the scheme promises.

        Args:
            facts: what artifact.describe gives.
            name: the scheme's name.
            converted: conversions.Converted.
        Returns: list of the layers that an integer scheme keeps in floats.
        Raises: InputError that names the layers or ops that are wrong.
        """
        scheme_checks.check_ops(facts, name)
        if self.weights is None:
            return scheme_checks.check_integer(
                facts, name, converted.float_layers
            )
        scheme_checks.check_weights(facts, name, self.weights)
        return []


def is_quantized(model) -> bool:
    """Tells whether any layer of a model is quantized."""
    for layer in model.layers:
        if isinstance(layer, (layers.DoReFaAdd, layers.ResidualQuantizer)):
            return True
        if getattr(layer, "weight_bits", FLOAT_BITS) < FLOAT_BITS:
            return True
        if (
            isinstance(layer, layers.DoReFaActivation)
            and layer.bits < FLOAT_BITS
        ):
            return True
        if hasattr(layer, "layers") and is_quantized(layer):
            return True
    return False


def _small(model):
    least = post_training.LEAST_DYNAMIC_WEIGHTS
    if not any(math.prod(w.shape) >= least for w in model.trainable_weights):
        return f"no layer has {least} weights, so none would become int8"
    return None


def _integer_refusal(head):
    def refusal(model):
        if not is_quantized(model):
            return "it is not quantized, so there are no codes to carry"
        return int8_file.refusal(model, head=head)

    return refusal


def _quantized_already(model):
    if is_quantized(model):
        return "it is quantized already, and would be rounded twice"
    return None


def _tfmot_refusal(model):
    return _quantized_already(model) or network_plan.refusal(model)


SCHEMES = {
    "float32": Scheme(
        "exact codes in float kernels",
        conversions.to_float32,
        weights="float32",
    ),
    "float16": Scheme(
        "constants stored as float16",
        conversions.to_float16,
        weights="float16",
    ),
    "dynamic": Scheme(
        "int8 weights, inputs rounded as they come",
        conversions.to_dynamic,
        refusal=_small,
        weights="int8",
    ),
    "int8_ptq": Scheme(
        "TFLite's full-integer post-training quantization",
        conversions.to_int8_ptq,
        refusal=_quantized_already,
        nearest=("int8", "float32"),
        settings=CALIBRATION,
        members=True,
    ),
    "int8": Scheme(
        "the trained codes in int8 kernels, float head",
        conversions.to_int8,
        refusal=_integer_refusal("float"),
        nearest=("int8_ptq", "float32"),
    ),
    "int8_io": Scheme(
        "the trained codes in int8 kernels, integer head",
        conversions.to_int8_io,
        refusal=_integer_refusal("integer"),
        nearest=("int8", "int8_ptq", "float32"),
        settings=(*CALIBRATION, "int8_output"),
        members=True,
    ),
    "tfmot_int8": Scheme(
        "tfmot's quantization-aware fine-tuning",
        conversions.to_tfmot_int8,
        refusal=_tfmot_refusal,
        nearest=("int8", "int8_ptq", "float32"),
        settings=(*CALIBRATION, "tfmot_epochs", "recipe", "seed"),
        members=True,
    ),
}
AUTOMATIC = ("float32", "int8_ptq", "int8", "int8_io")


def check_names(names):
    """Checks what was asked for, before a model is read.

    Args:
        names: list of scheme names, or "auto".
    Raises: InputError if there are none or one is unknown.
    """
    unknown = [name for name in names if name not in (AUTO, *SCHEMES)]
    if unknown or not names:
        raise InputError(
            f"unknown scheme {unknown[0] if unknown else ''!r}: choose from "
            f"{', '.join(SCHEMES)}, or auto"
        )


def choose(names, model):
    """Lists the schemes to make, each once.

    Args:
        names: list of scheme names; "auto" stands for those of AUTOMATIC
            that the model suits.
        model: keras.Model.
    Returns: list of str.
    Raises: InputError if the model cannot be carried by a scheme that was
        asked for by name; it says why and names the nearest that works.
    """
    chosen = []
    for name in names:
        if name == AUTO:
            chosen += [s for s in AUTOMATIC if not SCHEMES[s].refusal(model)]
            continue
        reason = SCHEMES[name].refusal(model)
        if reason:
            raise InputError(
                f"scheme {name} cannot carry this model ({reason}): use "
                f"--schemes={_nearest(name, model)}"
            )
        chosen.append(name)
    return list(dict.fromkeys(chosen))


def _nearest(name, model):
    return next(
        scheme
        for scheme in SCHEMES[name].nearest
        if not SCHEMES[scheme].refusal(model)
    )
