"""Layers whose configuration is the attributes that they name."""

import dataclasses

import keras


class ConfigFields:
    """Makes a layer's configuration of attributes.

    A subclass lists in `config_fields` the arguments of its constructor that
    it keeps under their names, beside those of its parents.
    """

    config_fields: tuple[str, ...] = ()

    def get_config(self) -> dict:
        """Returns the arguments that make this layer again."""
        fields = {}
        for kind in type(self).__mro__:
            for name in vars(kind).get("config_fields", ()):
                value = getattr(self, name)
                is_record = dataclasses.is_dataclass(value)
                fields[name] = dataclasses.asdict(value) if is_record else value
        return {**super().get_config(), **fields}


class ElementwiseLayer(ConfigFields, keras.layers.Layer):
    """A layer whose result has the shape of its input, or of the first."""

    # Without this Keras traces the layer to find out, the slower way.
    def compute_output_shape(self, input_shape) -> tuple:
        """Returns the shape of the input, or of either of two."""
        several = isinstance(input_shape[0], (list, tuple))
        return input_shape[0] if several else input_shape
