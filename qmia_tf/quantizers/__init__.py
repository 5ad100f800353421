"""Quantizers that layers take by name or as objects, and their grids."""

from qmia_tf.registry import Registry

QUANTIZERS = Registry(
    "quantizer",
    {
        "dorefa": "qmia_tf.quantizers.dorefa:DoReFaWeights",
        "symmetric": "qmia_tf.quantizers.symmetric:SymmetricWeights",
        "dorefa_activations": "qmia_tf.quantizers.dorefa:DoReFaActivations",
        "residual": "qmia_tf.quantizers.residual:ResidualBranch",
    },
)
# Raised when the numbers of a value or a gradient change, which
# tests/quantizers/versions_test.py tells: a model that was trained with one
# version is no reference for one of another. Those not named here have 1.
VERSIONS = {
    "dorefa": 1,
    "symmetric": 1,
    "dorefa_activations": 1,
    "residual": 1,
}


def get(identifier, **options):
    """Returns a quantizer.

        quantizers.get("dorefa", bits=4)(kernel)

    Args:
        identifier: a name; what `serialize` returned; or a quantizer, which
            is returned as it is.
        **options: of a quantizer given by name.
    Raises: InputError if there is no quantizer of that name.
    """
    from qmia_tf.quantizers.quantizer import Quantizer

    if isinstance(identifier, Quantizer):
        return identifier
    if isinstance(identifier, dict):
        options = dict(identifier)
        identifier = options.pop("name", None)
    return QUANTIZERS.get(identifier)(**options)


def serialize(quantizer) -> dict:
    """Returns a quantizer's name and options, for a layer's configuration."""
    return {"name": quantizer.name, **quantizer.get_config()}
