"""Tests of the models that integer kernels cannot carry, and what is said."""

import integer_nets
import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import layers
from qmia_tf.deploy.integer import int8_file, integer_network
from qmia_tf.errors import InputError
from qmia_tf.models.resnet import resnet18

EDGE = {"weight_bits": 8, "weight_quantizer": "symmetric"}


def _conv(**options):
    options = {"padding": "same", "weight_bits": 4, **options}
    return layers.DoReFaConv2D(6, 3, name="conv", **options)


def _first(x):
    """A first layer, as codes of 4 bits."""
    x = layers.DoReFaConv2D(6, 3, name="first", **EDGE)(x)
    x = keras.layers.BatchNormalization(name="first_norm")(x)
    return layers.DoReFaActivation(4, name="first_act")(x)


def _act(x, bits=4):
    return layers.DoReFaActivation(bits, name="act")(x)


def _head(x, **options):
    """Average, dense layer, softmax."""
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    x = layers.DoReFaDense(5, name="logits", **{**EDGE, **options})(x)
    return keras.layers.Activation("softmax", name="softmax")(x)


def _model(body, shape=(8, 8, 3)):
    pixels = keras.Input(shape, name="pixels")
    return keras.Model(pixels, body(pixels), name="net")


class RefusalTest(parameterized.TestCase, tf.test.TestCase):
    """One line that names the layer and the reason, by fold and refusal."""

    def assertRefused(self, pattern, model, heads=integer_network.HEADS):
        for head in heads:
            with self.assertRaisesRegex(InputError, pattern) as caught:
                integer_nets.fold(model, head)
            self.assertNotIn("\n", str(caught.exception))
            self.assertEqual(
                int8_file.refusal(model, head=head), str(caught.exception)
            )

    @parameterized.parameters(("cifar", 1, 1), ("imagenet", 7, 8))
    def test_nothing_to_refuse(self, stem, *bits):
        model = resnet18(
            integer_nets.SHAPES[stem],
            4,
            stem=stem,
            width=4,
            weight_bits=bits[0],
            activation_bits=bits[1],
        )
        for head in integer_network.HEADS:
            self.assertIsNone(int8_file.refusal(model, head=head))

    @parameterized.parameters(
        (
            {"weight_bits": 8, "activation_bits": 8},
            "^layer 'stage1_block1_conv1' has 8-bit weights; int8 kernels carry"
            " dorefa weights of up to 7 bits$",
        ),
        (
            {"weight_bits": 4, "activation_bits": 9},
            "^layer 'stem_act' .*: 9-bit activations; int8 kernels carry 1 to",
        ),
        (
            {"weight_bits": 4, "activation_bits": 4, "residual_bits": 32},
            "^layer 'stage1_block1_add' .*: a sum needs two quantized inputs "
            r"\(residual_bits=8 gives them\)$",
        ),
        (
            {},
            "^layer 'stem_act' .*: 32-bit activations; int8 kernels carry 1 to",
        ),
        (
            {"weight_bits": 32, "activation_bits": 4, "first_last_bits": 8},
            "^layer 'stage1_block1_conv1' has 32-bit weights; int8 kernels",
        ),
        (
            {"weight_bits": 16, "activation_bits": 16},
            "^layer 'stem_act' .*: 16-bit activations; int8 kernels carry 1",
        ),
    )
    def test_bit_widths(self, options, pattern):
        model = resnet18((8, 8, 3), 4, stem="cifar", width=4, **options)
        self.assertRefused(pattern, model)

    def test_float_head_in_integers(self):
        model = resnet18(
            (8, 8, 3),
            4,
            stem="cifar",
            width=4,
            weight_bits=4,
            activation_bits=4,
            first_last_bits=32,
        )
        self.assertIsNone(int8_file.refusal(model))
        self.assertRefused(
            "^layer 'softmax': the layer before the softmax has no integer "
            "kernel .first_last_bits=8 gives it one.; the scheme int8 keeps it "
            "in float32$",
            model,
            ["integer"],
        )

    @parameterized.parameters(
        (keras.layers.LayerNormalization, {}),
        (keras.layers.Conv2DTranspose, {"filters": 3, "kernel_size": 2}),
        (keras.layers.ReLU, {}),
        (keras.layers.UpSampling2D, {}),
        (keras.layers.PReLU, {}),
        (keras.layers.SeparableConv2D, {"filters": 3, "kernel_size": 2}),
    )
    def test_layer_that_is_not_known(self, kind, options):
        layer = kind(name="odd", **options)
        self.assertRefused(
            rf"^layer 'odd' \({kind.__name__}\): integer export does not know "
            "this layer: use float32$",
            _model(lambda x: _head(layer(_first(x)))),
        )

    def test_the_first_such_layer_is_named(self):
        model = _model(
            lambda x: _head(
                keras.layers.ReLU(name="b")(
                    keras.layers.LayerNormalization(name="a")(_first(x))
                )
            )
        )
        self.assertRefused("^layer 'a' ", model)

    @parameterized.parameters("relu", "tanh", "sigmoid")
    def test_activation_of_its_own(self, activation):
        model = _model(lambda x: _head(_act(_conv(activation=activation)(x))))
        self.assertRefused(
            r"^layer 'conv' \(DoReFaConv2D\): its own activation: use "
            "DoReFaActivation$",
            model,
        )

    def test_activation_layer_that_is_no_softmax(self):
        tanh = keras.layers.Activation("tanh", name="tanh")
        self.assertRefused(
            "^layer 'tanh' .*: only a softmax at the end is known$",
            _model(lambda x: _head(tanh(_first(x)))),
        )

    def test_groups(self):
        model = _model(lambda x: _head(_act(_conv(groups=3)(_first(x)))))
        self.assertRefused("^layer 'conv' has groups=3: integer export", model)

    @parameterized.parameters(
        lambda: _conv(data_format="channels_first"),
        lambda: keras.layers.Conv2D(
            6, 3, data_format="channels_first", name="conv"
        ),
        lambda: keras.layers.MaxPooling2D(
            2, data_format="channels_first", name="conv"
        ),
        lambda: keras.layers.GlobalAveragePooling2D(
            data_format="channels_first", name="conv"
        ),
        lambda: keras.layers.Flatten(data_format="channels_first", name="conv"),
    )
    def test_channels_first(self, make):
        def body(x):
            x = make()(_first(x))
            if len(x.shape) == 4:
                return _head(x)
            x = layers.DoReFaDense(5, **EDGE)(x)
            return keras.layers.Softmax()(x)

        self.assertRefused(
            r"^layer 'conv' \(\w+\): TFLite's kernels take channels last$",
            _model(body),
        )

    def test_norm_of_what_has_no_maps(self):
        def body(x):
            x = keras.layers.Flatten()(_first(x))
            x = keras.layers.BatchNormalization(name="lost")(x)
            return keras.layers.Softmax()(layers.DoReFaDense(5, **EDGE)(x))

        self.assertRefused(
            r"^layer 'lost' \(BatchNormalization\): batch norm must follow "
            "a convolution$",
            _model(body),
        )

    def test_norm_behind_what_stands_between(self):
        pool = keras.layers.MaxPooling2D(name="pool")
        norm = keras.layers.BatchNormalization(name="late")
        self.assertRefused(
            "^layer 'late': 'pool' stands between it and 'conv', into which it "
            "is to be folded: put it directly behind, or use float32$",
            _model(lambda x: _head(_act(norm(pool(_conv()(_first(x))))))),
        )

    def test_norm_of_something_else(self):
        norm = keras.layers.BatchNormalization(axis=1, name="rows")
        self.assertRefused(
            "^layer 'rows' does not norm channels$",
            _model(lambda x: _head(_act(norm(_conv()(x))))),
        )

    def test_convolution_on_sums(self):
        late = layers.DoReFaConv2D(6, 3, weight_bits=4, name="late")
        self.assertRefused(
            "^layer 'late' reads what is not quantized: put a DoReFaActivation",
            _model(lambda x: _head(_act(late(_conv()(_first(x)))))),
        )

    def test_plain_convolution_inside(self):
        late = keras.layers.Conv2D(6, 3, name="late")
        self.assertRefused(
            "^layer 'late' has 32-bit weights; int8 kernels",
            _model(lambda x: _head(_act(late(_first(x))))),
        )

    @parameterized.parameters(9, 16, 31)
    def test_wide_activation_of_a_sum(self, bits):
        def body(x):
            x = _first(x)
            y = layers.ResidualQuantizer(4)(_conv()(x))
            return _head(_act(keras.layers.Add()([x, y]), bits))

        self.assertRefused(
            rf"^layer 'act' \(DoReFaActivation\): {bits}-bit activations",
            _model(body),
        )

    def test_activation_of_another_grid(self):
        def body(x):
            x = _act(keras.layers.Flatten()(_first(x)), 3)
            return keras.layers.Softmax()(layers.DoReFaDense(5, **EDGE)(x))

        self.assertRefused(
            "^layer 'act' .*: its input is on another grid already$",
            _model(body),
        )

    @parameterized.parameters(
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.AveragePooling2D(6),
    )
    def test_hidden_layer_on_an_average_that_nothing_rounds(self, pool):
        def body(x):
            x = keras.layers.Flatten()(pool(_first(x)))
            x = _act(layers.DoReFaDense(5, weight_bits=4, name="hidden")(x))
            return keras.layers.Softmax()(layers.DoReFaDense(5, **EDGE)(x))

        self.assertRefused(
            "^layer 'hidden' reads what is not quantized: put a DoReFaActiv",
            _model(body),
        )

    def test_average_of_partial_windows(self):
        for options in ({"pool_size": 4}, {"pool_size": 2, "strides": 1}):
            pool = keras.layers.AveragePooling2D(
                padding="same", name="edges", **options
            )
            self.assertRefused(
                r"^layer 'edges' \(AveragePooling2D\): padding='same' averages "
                "fewer values along the edge, .*: use padding='valid', or flo",
                _model(lambda x, pool=pool: _head(_act(pool(_first(x))))),
            )

    def test_average_on_another_grid_than_its_input(self):
        pool = layers.RoundedAveragePooling2D(2, scale=1 / 7, name="pool")
        self.assertRefused(
            r"^layer 'pool' \(RoundedAveragePooling2D\): its scale is 0.14285"
            "7, that of its input 0.0666667: make them equal, or use float32$",
            _model(lambda x: _head(pool(_first(x)))),
        )
        self.assertRefused(
            "^layer 'pool' .*: it reads what is not quantized: put a DoReFaAct",
            _model(lambda x: _head(pool(_conv()(_first(x))))),
        )

    def test_joined_grids_that_differ(self):
        def body(x):
            x = _first(x)
            y = _act(_conv()(x), 3)
            return _head(keras.layers.Concatenate(name="cat")([x, y]))

        self.assertRefused(
            r"^layer 'cat' \(Concatenate\): its inputs lie on grids of 1/15 "
            "and 1/7: quantize them alike, or use float32$",
            _model(body),
        )

    def test_joined_sums(self):
        def body(x):
            x = _first(x)
            return _head(keras.layers.Concatenate(name="cat")([x, _conv()(x)]))

        self.assertRefused(
            "^layer 'cat' .*: it joins what is not quantized: put a DoReFaActi",
            _model(body),
        )

    @parameterized.parameters((1 / 255, 0.0), (2.0, -1.0), (1 / 127.5, -1.0))
    def test_rescaling_at_the_input(self, scale, offset):
        layer = keras.layers.Rescaling(scale, offset, name="range")
        self.assertRefused(
            r"^layer 'range' \(Rescaling\): it makes scale .* of its input, "
            "but an integer file's first layer reads pixels / 255: .*unit_pix",
            _model(lambda x: _head(_first(layer(x)))),
        )

    def test_rescaling_inside(self):
        layer = keras.layers.Rescaling(2.0, name="range")
        self.assertRefused(
            "^layer 'range' .*: integer export knows it at the input only$",
            _model(lambda x: _head(layer(_first(x)))),
        )

    def test_branch_of_a_sum(self):
        def body(x):
            x = layers.ResidualQuantizer(2, linear=True)(_conv()(_first(x)))
            x = keras.layers.Add(name="sum")([x, x])
            return _head(layers.ResidualQuantizer(4, projection=True)(x))

        self.assertRefused("must follow a convolution", _model(body))

    def test_sum_of_three(self):
        def body(x):
            x = _first(x)
            return _head(_act(keras.layers.Add(name="sum")([x, x, x])))

        self.assertRefused(
            "^layer 'sum' .*: a sum needs two quantized inputs", _model(body)
        )

    def test_shape_that_is_not_known(self):
        model = _model(
            lambda x: _act(keras.layers.Cropping2D(1, name="cut")(_first(x))),
            (None, None, 3),
        )
        model = keras.Model(model.inputs, _head(model.output), name="net")
        with self.assertRaisesRegex(
            InputError,
            "^layer 'cut' makes a shape that is not known: give the model a "
            "fixed input shape$",
        ):
            int8_file.to_tflite(integer_network.fold(model))

    def test_sum_without_upper_end(self):
        def body(x):
            x = _first(x)
            y = layers.ResidualQuantizer(4)(_conv()(x))
            x = keras.layers.Add(name="sum")([x, y])
            return _head(layers.DoReFaActivation(32, name="act")(x))

        self.assertRefused(
            "^layer 'act' .*: ReLU on a sum, with no upper end$", _model(body)
        )

    def test_sum_that_nothing_rounds(self):
        def body(x):
            x = _first(x)
            y = layers.ResidualQuantizer(4)(_conv()(x))
            return _head(keras.layers.Add(name="sum")([x, y]))

        self.assertRefused(
            "^layer 'sum': a sum of two quantized tensors needs a DoReFaActiva"
            "tion of 8 bits or fewer behind it, a ResidualQuantizer with lin",
            _model(body),
        )

    def test_sum_with_too_many_levels(self):
        def body(x):
            x = _first(x)
            y = layers.ResidualQuantizer(5)(_conv()(x))
            x = keras.layers.Add(name="sum")([x, y])
            return _head(layers.DoReFaActivation(32, clip=True, name="act")(x))

        self.assertRefused(
            "^layer 'act' .*: the sum has 465 levels, int8 holds 255$",
            _model(body),
        )

    def test_branch_that_is_no_convolution(self):
        add = layers.DoReFaAdd(4, name="sum")
        self.assertRefused(
            r"^layer 'sum' \(DoReFaAdd\): its branch is not a convolution$",
            _model(lambda x: _head((lambda y: add([y, y]))(_first(x)))),
        )

    def test_shortcut_that_is_not_quantized(self):
        add = layers.DoReFaAdd(4, name="sum")

        def body(x):
            x = _first(x)
            twin = layers.DoReFaConv2D(6, 3, padding="same", weight_bits=2)
            return _head(add([twin(x), _conv()(x)]))

        self.assertRefused(
            "^layer 'sum' .*: its shortcut is not quantized$", _model(body)
        )

    def test_without_softmax(self):
        model = _model(
            lambda x: layers.DoReFaDense(5, name="logits", **EDGE)(
                keras.layers.Flatten()(_first(x))
            )
        )
        self.assertRefused(
            r"^layer 'logits' \(DoReFaDense\): the model must end in a "
            "softmax$",
            model,
        )

    def test_softmax_in_the_middle(self):
        def body(x):
            x = keras.layers.GlobalAveragePooling2D()(_first(x))
            x = layers.DoReFaDense(5, **EDGE)(x)
            x = keras.layers.Softmax(name="one")(x)
            x = layers.DoReFaDense(5, **EDGE)(x)
            return keras.layers.Softmax(name="two")(x)

        self.assertRefused("^layer 'two' is a second softmax$", _model(body))

    def test_softmax_over_maps(self):
        softmax = keras.layers.Softmax(axis=1, name="maps")
        self.assertRefused(
            r"^layer 'maps' .*: a softmax over \[batch, classes\] only$",
            _model(lambda x: softmax(_conv()(x))),
        )

    def test_unknown_size(self):
        model = _model(lambda x: _head(_first(x)), (None, None, 3))
        self.assertIsNone(int8_file.refusal(model))
        self.assertRefused(
            "^layer 'mean' averages over a size that is not known: give the "
            "model a fixed input shape$",
            model,
            ["integer"],
        )

    @parameterized.parameters("first", "first_norm", "logits")
    def test_weights_that_are_not_finite(self, name):
        model = _model(lambda x: _head(_first(x)))
        weight = model.get_layer(name).weights[0]
        value = weight.numpy()
        value[..., 0] = np.nan
        weight.assign(value)
        # The convolution is named, whose batch norm it is.
        at = "logits" if name == "logits" else "first"
        self.assertRefused(
            f"^layer '{at}': (.*: )?a number is not finite; did training div",
            model,
        )

    def test_a_twin_is_not_folded_again(self):
        twin = integer_network.fold(integer_nets.varied())
        self.assertRefused(r"^layer 'pixels_codes' \(ToLevels\): ", twin)

    def test_models_of_another_form(self):
        nested = keras.Sequential(
            [keras.Input((4, 4, 3)), integer_nets.varied((4, 4, 3))]
        )
        self.assertRefused(
            "^layer 'varied' is a model inside the model", nested
        )
        dense = layers.DoReFaDense(3, name="twice", **EDGE)
        self.assertRefused(
            "^layer 'twice' is used 2 times",
            _model(lambda x: keras.layers.Softmax()(dense(dense(x))), (3,)),
        )
        image = keras.Input((8, 8, 3))
        two = keras.Model(image, [_head(_first(image)), image], name="two")
        self.assertRefused("^model 'two' has 2 outputs", two)


if __name__ == "__main__":
    tf.test.main()
