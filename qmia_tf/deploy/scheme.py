"""What an export scheme is: how its file is made, and what it must hold."""

import dataclasses
from collections.abc import Callable, Iterable

import keras

from qmia_tf import layers
from qmia_tf.deploy.conversion_job import Job
from qmia_tf.deploy.manifest import float_fallbacks
from qmia_tf.errors import InputError
from qmia_tf.quantizers.grids import FLOAT_BITS

CALIBRATION = ("calibration_records", "calibration_seed")


@dataclasses.dataclass(frozen=True)
class Converted:
    """What a conversion gives.

    Attributes:
        content: of the .tflite file.
        float_layers: that are meant to stay in floats.
        outputs: "probabilities" or "logits".
        twin: computes the same integers.
    """

    content: bytes
    float_layers: tuple[str, ...] = ()
    outputs: str = "probabilities"
    twin: keras.Model | None = None


@dataclasses.dataclass(frozen=True)
class Scheme:
    """One way to make a .tflite file of a trained network.

    Attributes:
        text: what it is.
        convert: makes the file.
        refusal: why the scheme cannot carry a model, or None.
        nearest: schemes to use instead, the best first.
        weights: type of the stored weights; None for an integer scheme,
            whose kernels all have to be integer ones.
        settings: names of the Settings that it follows from.
        members: whether it needs members of the run.
        packages: that make it, whose versions the manifest has beside the
            usual ones.
    """

    text: str
    convert: Callable[[Job], Converted]
    refusal: Callable[[keras.Model], str | None] = lambda model: None
    nearest: tuple[str, ...] = ("float32",)
    weights: str | None = None
    settings: tuple[str, ...] = ()
    members: bool = False
    packages: tuple[str, ...] = ()

    def check(
        self, facts: dict, name: str, float_layers: Iterable[str] = ()
    ) -> list[str]:
        """Checks a file against what the scheme promises.

        Args:
            facts: what file_contents.describe gives.
            name: the scheme's, for messages.
            float_layers: that are meant to stay in floats.
        Returns: the layers that an integer scheme keeps in floats.
        Raises: InputError that names the layers or ops that are wrong.
        """
        if facts["flex"]:
            raise InputError(
                f"scheme {name}: the file needs TensorFlow ops: "
                f"{_some(facts['flex'])}; LiteRT does not have them"
            )
        if self.weights is None:
            return _check_integers(facts["layers"], name, float_layers)
        _check_weights(facts["layers"], name, self.weights)
        return []


def _check_integers(file_layers, scheme, expected):
    fallbacks = float_fallbacks(file_layers)
    wrong = [name for name in fallbacks if name not in expected]
    if wrong:
        raise InputError(
            f"scheme {scheme}: the converter left {len(wrong)} of "
            f"{len(file_layers)} layers in float kernels ({_some(wrong)}), so "
            "the file would not be what it says; use --schemes=float32"
        )
    return fallbacks


def _check_weights(file_layers, scheme, wanted):
    types = {layer["name"]: layer["weights"] for layer in file_layers}
    if wanted == "int8":
        # TFLite leaves small kernels in float32.
        wrong = [] if "int8" in types.values() else list(types)
    else:
        wrong = [name for name, kind in types.items() if kind != wanted]
    if wrong:
        raise InputError(
            f"scheme {scheme}: the weights of {_some(wrong)} are "
            f"{types[wrong[0]]} in the file, not {wanted}; use "
            "--schemes=float32"
        )


def _some(names):
    text = ", ".join(names[:5])
    return text if len(names) <= 5 else f"{text}, ..."


def is_quantized(model: keras.Model) -> bool:
    """Tells whether any layer of a model is quantized."""
    return any(map(_is_quantized_layer, model.layers))


def _is_quantized_layer(layer):
    if isinstance(layer, (layers.DoReFaAdd, layers.ResidualQuantizer)):
        return True
    if isinstance(layer, layers.DoReFaActivation):
        return layer.bits < FLOAT_BITS
    if getattr(layer, "weight_bits", FLOAT_BITS) < FLOAT_BITS:
        return True
    return hasattr(layer, "layers") and is_quantized(layer)


def refuse_quantized(model: keras.Model) -> str | None:
    """Says why a scheme that quantizes by itself refuses a model."""
    if is_quantized(model):
        return "it is quantized already, and would be rounded twice"
    return None
