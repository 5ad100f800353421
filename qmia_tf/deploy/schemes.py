"""The table of export schemes, and the choice among them for a model."""

from collections.abc import Iterable

from qmia_tf.errors import InputError
from qmia_tf.registry import Registry

AUTO, INTEGER = "auto", "integer"
_DEPLOY = "qmia_tf.deploy"
SCHEMES = Registry(
    "export scheme",
    {
        "float32": f"{_DEPLOY}.tflite.post_training:FLOAT32",
        "float16": f"{_DEPLOY}.tflite.post_training:FLOAT16",
        "dynamic": f"{_DEPLOY}.tflite.post_training:DYNAMIC",
        "int8_ptq": f"{_DEPLOY}.tflite.post_training:INT8_PTQ",
        "int8": f"{_DEPLOY}.integer.int8_file:INT8",
        "int8_io": f"{_DEPLOY}.integer.int8_file:INT8_IO",
        "tfmot_int8": f"{_DEPLOY}.tfmot.baseline:TFMOT_INT8",
    },
)
# Names that stand for those of a list that the model suits.
AUTOMATIC = {
    AUTO: ("float32", "int8_ptq", "int8", "int8_io"),
    INTEGER: ("int8_ptq", "int8"),
}


def check_names(names: Iterable[str]) -> None:
    """Checks the names of schemes, or of AUTOMATIC, before a model is read.

    Raises: InputError if there are none or one is unknown.
    """
    known = (*SCHEMES.names(), *AUTOMATIC)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise InputError(
            f"unknown scheme {unknown[0] if unknown else ''!r}: choose from "
            f"{', '.join(SCHEMES.names())}, or {' or '.join(AUTOMATIC)}"
        )


def choose(names: Iterable[str], model) -> list[str]:
    """Lists the schemes to make, each once.

    Args:
        names: one of AUTOMATIC stands for those that the model suits.
        model: keras.Model, the trained network.
    Raises: InputError if the model cannot be carried by a scheme that was
        given by name; it says why and names the nearest that works.
    """
    chosen = []
    for name in names:
        if name in AUTOMATIC:
            suited = AUTOMATIC[name]
            chosen += [s for s in suited if not SCHEMES[s].refusal(model)]
            continue
        reason = SCHEMES[name].refusal(model)
        if reason:
            nearest = next(
                scheme
                for scheme in SCHEMES[name].nearest
                if not SCHEMES[scheme].refusal(model)
            )
            raise InputError(
                f"scheme {name} cannot carry this model ({reason}): use "
                f"--schemes={nearest}"
            )
        chosen.append(name)
    return list(dict.fromkeys(chosen))
