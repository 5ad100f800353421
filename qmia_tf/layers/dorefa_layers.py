"""Layers with quantized kernels: DoReFaConv2D and its relatives.

They take every argument of the Keras layers they stand for, save and load in
a .keras file without custom_objects, and train under mixed precision (weights
are quantized in float32 and then cast).

Inference on integers. A layer that is told the grid of its input
(`input_steps`) computes its inference pass on integer-valued float32: sums
are exact, so they depend neither on the batch size nor on threads, kernels or
machine, and the float32 .tflite computes the very same codes.
"""

import keras
import tensorflow as tf
from keras import ops

from qmia_tf import quantizers
from qmia_tf.errors import InputError
from qmia_tf.layers import portable_convolutions
from qmia_tf.layers.config_fields import ConfigFields
from qmia_tf.layers.exact_convolutions import (
    MAX_INPUT_STEPS,
    ExactKernel,
    exact_sums,
    split_kernel,
)
from qmia_tf.quantizers.dorefa import quantize_gradients
from qmia_tf.quantizers.grids import FLOAT_BITS, check_layer_bits
from qmia_tf.quantizers.quantizer import WeightQuantizer

SEED_STATE = "seed_state"


def check_input_steps(steps: int | None):
    """Raises InputError if input_steps is neither None nor an int >= 1."""
    if steps is not None and (
        isinstance(steps, bool) or not isinstance(steps, int) or steps < 1
    ):
        raise InputError(
            f"input_steps must be None or an integer >= 1, got {steps!r}"
        )


class _QuantizedKernel(ConfigFields):
    """What the weight layers share: the quantized kernel and how it is used.

    A subclass gives `_operation(inputs, kernel)` and `_channel_axes`.
    """

    config_fields = ("gradient_bits", "input_steps", "seed")
    _channel_axes = (-1,)

    def __init__(
        self,
        *args,
        weight_bits: int = FLOAT_BITS,
        gradient_bits: int = FLOAT_BITS,
        weight_quantizer: str | dict | WeightQuantizer = "dorefa",
        input_steps: int | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        check_layer_bits(weight_bits, "weight_bits")
        check_layer_bits(gradient_bits, "gradient_bits")
        check_input_steps(input_steps)
        quantizer = quantizers.get(weight_quantizer, bits=weight_bits)
        if not isinstance(quantizer, WeightQuantizer):
            raise InputError(
                f"weight_quantizer must quantize weights, got {quantizer.name}"
            )
        if weight_bits not in (FLOAT_BITS, quantizer.bits):
            raise InputError(
                f"weight_bits={weight_bits}, but weight_quantizer has "
                f"{quantizer.bits} bits: give one of them"
            )
        self.weight_quantizer = quantizer.along(self._channel_axes)
        self.weight_bits = quantizer.bits
        self.gradient_bits = gradient_bits
        self.input_steps = input_steps
        self.seed = seed
        self._frozen = None
        if gradient_bits < FLOAT_BITS:
            self.seed_generator = keras.random.SeedGenerator(seed)

    def add_weight(self, *args, name=None, **kwargs):
        # The kernel is quantized in float32 also under mixed precision.
        if name == "kernel":
            kwargs["autocast"] = False
        return super().add_weight(*args, name=name, **kwargs)

    def quantized_kernel(self) -> tf.Tensor:
        """Returns the kernel as the forward pass uses it, float32."""
        return self.weight_quantizer(tf.convert_to_tensor(self.kernel))

    def exact_kernel(self) -> ExactKernel:
        """Returns the kernel as integer-valued pieces."""
        pieces, scale = split_kernel(
            tf.convert_to_tensor(self.kernel),
            self.quantized_kernel(),
            self.weight_quantizer,
        )
        return ExactKernel(pieces, self._along_channels(scale))

    def freeze(self):
        """Computes the inference kernel once, for export and for speed.

        From here on the layer answers with these weights; training it
        further, or loading other weights, does not change them.
        """
        if self.runs_on_integers:
            self._frozen = ExactKernel(*(self.exact_kernel().numpy()))
        else:
            self._frozen = self.quantized_kernel().numpy()

    @property
    def runs_on_integers(self):
        """Whether inference sums integers: the input's grid is known."""
        return (
            self.input_steps is not None
            and self.input_steps <= MAX_INPUT_STEPS
            and self.compute_dtype == "float32"
        )

    def call(self, inputs, training=None):
        """Applies the quantized kernel, then bias and activation."""
        if self.runs_on_integers and not training:
            kernel = self._frozen or self.exact_kernel()
            outputs = exact_sums(
                self._operation, inputs, kernel, input_steps=self.input_steps
            )
        else:
            outputs = self._operation(inputs, self._float_kernel(training))
        if self.gradient_bits < FLOAT_BITS and training:
            outputs = quantize_gradients(
                outputs,
                tf.cast(self.seed_generator.next(), tf.int32),
                bits=self.gradient_bits,
            )
        if self.use_bias:
            outputs = ops.add(outputs, self._along_channels(self.bias))
        return outputs if self.activation is None else self.activation(outputs)

    def _float_kernel(self, training):
        if self._frozen is not None and not training:
            kernel = tf.constant(self._frozen)
        else:
            kernel = self.quantized_kernel()
        return ops.cast(kernel, self.compute_dtype)

    def _windows(self):
        names = ("strides", "padding", "dilation_rate", "data_format")
        return {name: getattr(self, name) for name in names}

    def _along_channels(self, vector):
        first = getattr(self, "data_format", None) == "channels_first"
        return ops.reshape(vector, (-1, 1, 1)) if first else vector

    def save_own_variables(self, store):
        """Saves the weights, and the noise's state, which Keras leaves out."""
        super().save_own_variables(store)
        if self.gradient_bits < FLOAT_BITS:
            store[SEED_STATE] = self.seed_generator.state

    def load_own_variables(self, store):
        """Loads what save_own_variables saved."""
        weights = {key: store[key] for key in store.keys() if key != SEED_STATE}
        super().load_own_variables(weights)
        if self.gradient_bits < FLOAT_BITS and SEED_STATE in store.keys():
            self.seed_generator.state.assign(store[SEED_STATE])

    def get_config(self):
        """Returns the arguments that make this layer again."""
        quantizer = quantizers.serialize(self.weight_quantizer)
        return {**super().get_config(), "weight_quantizer": quantizer}

    @classmethod
    def from_config(cls, config):
        """Makes the layer that has this configuration."""
        config = dict(config)
        # Of files from before quantizers were objects.
        if not config.pop("detach_max", True) and (
            config["weight_quantizer"] == "dorefa"
        ):
            bits = config["weight_bits"]
            config["weight_quantizer"] = quantizers.get(
                "dorefa", bits=bits, detach_max=False
            )
        return super().from_config(config)


@keras.saving.register_keras_serializable("qmia_tf")
class DoReFaConv2D(_QuantizedKernel, keras.layers.Conv2D):
    """A Conv2D whose kernel is quantized to 2**weight_bits levels.

    value: conv(inputs, Q(kernel)) + bias

    Args:
        filters, kernel_size, **kwargs: as for keras.layers.Conv2D.
        weight_bits: 1..32, of a quantizer that is given by its name; at 32
            the kernel is used as it is.
        gradient_bits: 1..32; below 32 the gradient that comes back to the
            convolution is quantized (DoReFa's G).
        weight_quantizer: Q, an object or its name: "dorefa", or "symmetric"
            (one scale an output channel, for first and last layers).
        input_steps: n if every input value is i/n, i in 0..n (255 for
            pixels / 255, 2**a - 1 behind a DoReFaActivation of a bits);
            inference then sums integers. None: inputs are any floats.
        seed: for the noise of the gradient quantizer.
    Raises: InputError if bits or weight_quantizer are none of these.
    """

    def _operation(self, inputs, kernel):
        return portable_convolutions.conv2d(inputs, kernel, **self._windows())


@keras.saving.register_keras_serializable("qmia_tf")
class DoReFaDepthwiseConv2D(_QuantizedKernel, keras.layers.DepthwiseConv2D):
    """A DepthwiseConv2D with a quantized kernel.

    The arguments are those of keras.layers.DepthwiseConv2D, and DoReFaConv2D's.
    """

    _channel_axes = (-2, -1)
    # While a file is written, which is one op where a processor may not run it.
    written_whole = False

    def _operation(self, inputs, kernel):
        operation = portable_convolutions.depthwise_conv2d
        if self.written_whole:
            operation = ops.depthwise_conv
        return operation(inputs, kernel, **self._windows())


@keras.saving.register_keras_serializable("qmia_tf")
class DoReFaDense(_QuantizedKernel, keras.layers.Dense):
    """A Dense layer with a quantized kernel.

    The arguments are those of keras.layers.Dense, and DoReFaConv2D's.
    """

    def _operation(self, inputs, kernel):
        return ops.matmul(inputs, kernel)
