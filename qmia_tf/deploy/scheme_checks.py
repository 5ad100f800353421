"""Whether a .tflite file is what its scheme promises."""

from qmia_tf.errors import InputError

INTEGER_WEIGHTS = ("int8", "int4", "int2")


def float_fallbacks(layers):
    """Names the convolutions and dense layers that are not integer kernels.

    Args:
        layers: what artifact.describe lists.
    Returns: list of str, each name once, in the order of the file.
    """
    names = [
        layer["name"]
        for layer in layers
        if layer["input"] != "int8"
        or layer["weights"] not in INTEGER_WEIGHTS
        or layer["output"] != "int8"
    ]
    return list(dict.fromkeys(names))


def check_integer(facts, scheme, expected):
    """Checks that an integer file has no float kernels but those expected.

    Args:
        facts: what artifact.describe gives.
        scheme: its name, for the message.
        expected: names of layers that are meant to stay in floats.
    Returns: list of the layers in float kernels.
    Raises: InputError that names the others.
    """
    float_layers = float_fallbacks(facts["layers"])
    wrong = [name for name in float_layers if name not in expected]
    if wrong:
        raise InputError(
            f"scheme {scheme}: the converter left {len(wrong)} of "
            f"{len(facts['layers'])} layers in float kernels "
            f"({_some(wrong)}), so the file would not be what it says; use "
            "--schemes=float32"
        )
    return float_layers


def check_weights(facts, scheme, wanted):
    """Checks the stored type of the weights of a scheme in float kernels.

    Args:
        facts: what artifact.describe gives.
        scheme: its name, for the message.
        wanted: the type; int8 may leave small kernels in float32.
    Raises: InputError that names the layers.
    """
    types = {layer["name"]: layer["weights"] for layer in facts["layers"]}
    if wanted == "int8":
        wrong = [] if "int8" in types.values() else list(types)
    else:
        wrong = [name for name, kind in types.items() if kind != wanted]
    if wrong:
        raise InputError(
            f"scheme {scheme}: the weights of {_some(wrong)} are "
            f"{types[wrong[0]]} in the file, not {wanted}; use "
            "--schemes=float32"
        )


def check_ops(facts, scheme):
    """Checks that no op needs TensorFlow.

    Raises: InputError that names the ops.
    """
    if facts["flex"]:
        raise InputError(
            f"scheme {scheme}: the file needs TensorFlow ops: "
            f"{_some(facts['flex'])}; LiteRT does not have them"
        )


def _some(names):
    text = ", ".join(names[:5])
    return text if len(names) <= 5 else f"{text}, ..."
