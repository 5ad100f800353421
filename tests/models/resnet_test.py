"""Tests of the network: its counts, its wiring, its numbers."""

import os

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from keras import layers

from qmia_tf.errors import InputError
from qmia_tf.layers import (
    DoReFaActivation,
    DoReFaAdd,
    DoReFaConv2D,
    DoReFaDense,
)
from qmia_tf.models.resnet import Bits, resnet18

SHAPE = (8, 8, 1)


def _pixels(batch=3, shape=SHAPE):
    codes = np.random.default_rng(0).integers(0, 256, (batch, *shape))
    return (codes / 255).astype(np.float32)


def _tiny(weight_bits=32, activation_bits=32, **options):
    options = {"width": 2, "stem": "cifar", **options}
    return resnet18(
        SHAPE,
        3,
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        **options,
    )


def _of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


def _count(channels, classes, stem, width):
    """Returns (trainable, moving averages) of the published network."""
    convolutions = channels * width * {"imagenet": 7, "cifar": 3}[stem] ** 2
    normed = width
    into = width
    for out in (width, 2 * width, 4 * width, 8 * width):
        convolutions += 9 * (into * out + 3 * out * out)
        normed += 4 * out
        if into != out:
            convolutions += into * out
            normed += out
        into = out
    return convolutions + 2 * normed + (into + 1) * classes, 2 * normed


def _plain_resnet18(shape, classes, stem, width):
    """The full-precision network in stock layers, one list after another."""
    norm = dict(momentum=0.9, epsilon=1e-5)

    def unit(x, filters, size, stride):
        x = layers.Conv2D(filters, size, stride, "same", use_bias=False)(x)
        return layers.BatchNormalization(**norm)(x)

    inputs = keras.Input(shape)
    size, stride = (7, 2) if stem == "imagenet" else (3, 1)
    x = layers.ReLU()(unit(inputs, width, size, stride))
    if stem == "imagenet":
        x = layers.MaxPool2D(3, 2, "same")(x)
    plan = [(1, 1), (1, 1), (2, 2), (2, 1), (4, 2), (4, 1), (8, 2), (8, 1)]
    for wider, stride in plan:
        y = layers.ReLU()(unit(x, wider * width, 3, stride))
        y = unit(y, wider * width, 3, 1)
        if stride == 2:
            x = unit(x, wider * width, 1, 2)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAvgPool2D()(x)
    return keras.Model(inputs, layers.Dense(classes, "softmax")(x))


def _stir(model):
    """Gives every batch norm averages and scales that matter."""
    random = np.random.default_rng(0)
    for layer in _of(model, layers.BatchNormalization):
        size = layer.gamma.shape[0]
        layer.set_weights(
            [
                random.uniform(0.3, 0.9, size),
                random.normal(0, 0.3, size),
                random.normal(0, 0.3, size),
                random.uniform(0.5, 2, size),
            ]
        )


class CountTest(parameterized.TestCase, tf.test.TestCase):
    # torchvision's resnet18, and the 3x3 stem of the CIFAR literature.
    @parameterized.parameters(
        ("imagenet", 1000, 11_689_512), ("cifar", 10, 11_173_962)
    )
    def test_published(self, stem, classes, trainable):
        model = resnet18((32, 32, 3), classes, stem=stem)
        count = sum(np.prod(w.shape) for w in model.trainable_weights)
        self.assertEqual(count, trainable)
        # Two moving averages for each of 4800 normed channels.
        self.assertEqual(model.count_params(), trainable + 2 * 4800)

    def test_formula_is_the_published_one(self):
        self.assertEqual(
            _count(3, 1000, "imagenet", 64), (11_689_512, 2 * 4800)
        )

    @parameterized.product(
        stem=("imagenet", "cifar"),
        case=(
            (SHAPE, (4, 4)),
            ((32, 32, 3), (32, 32)),
            ((9, 7, 3), (4, 4)),
            ((1, 1, 1), (16, 16)),
        ),
    )
    def test_any_size(self, stem, case):
        shape, bits = case
        model = resnet18(
            shape,
            5,
            stem=stem,
            width=3,
            weight_bits=bits[0],
            activation_bits=bits[1],
        )
        self.assertEqual(model.input_shape, (None, *shape))
        self.assertEqual(model.output_shape, (None, 5))
        trainable, averages = _count(shape[-1], 5, stem, 3)
        self.assertEqual(
            sum(np.prod(w.shape) for w in model.trainable_weights), trainable
        )
        self.assertEqual(model.count_params(), trainable + averages)


class WiringTest(parameterized.TestCase, tf.test.TestCase):
    # weight, activation: first and last, head's input, residual, steps
    @parameterized.parameters(
        (4, 4, 8, 8, (255, 15)),
        (8, 8, 8, 8, (255, 255)),
        (16, 4, 32, 8, (255, 15)),
        (4, 16, 8, 32, (255, 65535)),
        (16, 16, 32, 32, (255, 65535)),
        (4, 24, 8, 32, (None, None)),
        (32, 32, 32, 32, (None, None)),
    )
    def test_bit_widths(self, weight, activation, edge, residual, steps):
        model = _tiny(weight, activation)
        stem, *convolutions = _of(model, DoReFaConv2D)
        self.assertLen(convolutions, 19)
        self.assertEqual(
            (stem.name, stem.weight_bits, stem.weight_quantizer.name),
            ("stem", edge, "symmetric"),
        )
        (head,) = _of(model, DoReFaDense)
        self.assertEqual(
            (head.weight_bits, head.weight_quantizer.name, head.input_steps),
            (edge, "symmetric", None),
        )
        self.assertEqual(stem.input_steps, steps[0])
        for layer in convolutions:
            self.assertEqual(
                (
                    layer.weight_bits,
                    layer.weight_quantizer.name,
                    layer.input_steps,
                ),
                (weight, "dorefa", steps[1]),
            )
        adds = _of(model, DoReFaAdd)
        self.assertLen(adds, 8 if residual == 8 else 0)
        if adds:
            self.assertEqual(
                [layer.projection for layer in adds],
                [False, False, True, False, True, False, True, False],
            )
            self.assertEqual(
                [layer.rounded for layer in adds], [True] * 7 + [False]
            )
        else:
            # The last one clips without rounding.
            *inner, last = _of(model, DoReFaActivation)
            self.assertEqual({x.bits for x in inner}, {activation})
            self.assertEqual((len(inner), last.bits), (16, 32))
            self.assertEqual(last.clip, activation < 32)

    def test_32_residual_bits_do_not_round_the_branch(self):
        model = _tiny(4, 4, residual_bits=32)
        self.assertEmpty(_of(model, DoReFaAdd))
        self.assertLen(_of(model, layers.Add), 8)

    def test_gradient_bits_spare_the_edges(self):
        model = _tiny(4, 4, gradient_bits=6)
        stem, *convolutions = _of(model, DoReFaConv2D)
        self.assertEqual({layer.gradient_bits for layer in convolutions}, {6})
        self.assertEqual(stem.gradient_bits, 32)
        self.assertEqual(_of(model, DoReFaDense)[0].gradient_bits, 32)
        # Layers of one shape must not share their noise.
        states = [
            tuple(layer.seed_generator.state.numpy()) for layer in convolutions
        ]
        self.assertLen(set(states), 19)

    @parameterized.parameters(
        ("cifar", (4, 4)), ("imagenet", (4, 4)), ("cifar", (16, 16))
    )
    def test_inputs_are_on_the_grid_that_layers_are_told(self, stem, bits):
        model = _tiny(*bits, stem=stem)
        _stir(model)
        on_grid = [
            layer for layer in _of(model, DoReFaConv2D) if layer.input_steps
        ]
        self.assertLen(on_grid, 20)
        seen = keras.Model(model.input, [layer.input for layer in on_grid])
        inside = 0
        for layer, x in zip(on_grid, seen(_pixels()), strict=True):
            codes = x.numpy().astype(np.float64) * layer.input_steps
            off = np.abs(codes - np.rint(codes)).max()
            # float32's own error of i / n.
            self.assertLess(off, 2.0**-23 * layer.input_steps, layer.name)
            self.assertBetween(codes.min(), 0, layer.input_steps)
            self.assertBetween(codes.max(), 0, layer.input_steps)
            inside += np.mean((codes > 0) & (codes < layer.input_steps))
        self.assertGreater(inside / 20, 0.05)


class WeightsTest(parameterized.TestCase, tf.test.TestCase):
    def test_seed_decides_at_every_bit_width(self):
        first = _tiny().get_weights()
        for bits in ((4, 4), (1, 1), (16, 4), (16, 16)):
            other = _tiny(*bits, gradient_bits=bits[1]).get_weights()
            self.assertLen(other, len(first))
            for ours, theirs in zip(first, other, strict=True):
                self.assertAllEqual(ours, theirs)

    def test_another_seed_is_another_network(self):
        kernels = [
            [w.numpy() for w in _tiny(seed=seed).weights if w.name == "kernel"]
            for seed in (0, 1)
        ]
        self.assertLen(kernels[0], 21)
        for ours, theirs in zip(*kernels, strict=True):
            self.assertNotAllClose(ours, theirs)

    def test_layers_of_one_shape_start_different(self):
        model = _tiny()
        kernels = [layer.kernel.numpy() for layer in _of(model, DoReFaConv2D)]
        self.assertLen({kernel.tobytes() for kernel in kernels}, 20)

    @parameterized.parameters((32, 32), (4, 4))
    def test_batch_norms_start_at_gamma_three_tenths(self, *bits):
        norms = _of(_tiny(*bits), layers.BatchNormalization)
        self.assertLen(norms, 20)
        for norm in norms:
            self.assertAllEqual(norm.gamma, np.full(norm.gamma.shape, 0.3, "f"))

    @parameterized.parameters((32, 32), (4, 4))
    def test_only_the_added_branches_start_at_beta_zero(self, *bits):
        model = _tiny(*bits)
        added = [
            layer.input[1]._keras_history.operation
            for layer in _of(model, (layers.Add, DoReFaAdd))
        ]
        self.assertLen(added, 8)
        for norm in _of(model, layers.BatchNormalization):
            beta = 0.0 if norm in added else 0.3
            self.assertAllEqual(norm.beta, np.full(norm.beta.shape, beta, "f"))


class NumbersTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(
        stem=("imagenet", "cifar"), shape=(SHAPE, (9, 11, 3))
    )
    def test_full_precision_is_the_plain_network(self, stem, shape):
        model = resnet18(shape, 3, stem=stem, width=2)
        _stir(model)
        plain = _plain_resnet18(shape, 3, stem, 2)
        plain.set_weights(model.get_weights())
        x = _pixels(3, shape)
        outputs = model(x)
        self.assertAllClose(outputs, plain(x), rtol=0, atol=1e-6)
        self.assertAllClose(np.sum(outputs, -1), np.ones(3), rtol=1e-6)
        # Three images, three answers: what is compared is not constant.
        self.assertGreater(np.ptp(outputs, axis=0).max(), 1e-3)
        self.assertAllClose(
            model(x, training=True),
            plain(x, training=True),
            rtol=0,
            atol=1e-5,
        )

    def test_clip_at_32_bits(self):
        for clip in (True, False):
            model = _tiny(clip=clip)
            _stir(model)
            outputs = [x.output for x in _of(model, DoReFaActivation)]
            self.assertLen(outputs, 17)
            peaks = [
                np.max(y) for y in keras.Model(model.input, outputs)(_pixels())
            ]
            self.assertEqual(max(peaks) <= 1.0, clip)

    @parameterized.parameters("cifar", "imagenet")
    def test_batch_size_changes_no_code(self, stem):
        model = _tiny(4, 4, stem=stem)
        _stir(model)
        codes = keras.Model(model.input, _of(model, DoReFaAdd)[-2].output)
        whole = codes(_pixels()).numpy()
        alone = np.concatenate([codes(_pixels()[i : i + 1]) for i in range(3)])
        self.assertGreater(len(np.unique(whole)), 2)
        wrong = np.sum(whole != alone)
        self.assertEqual(wrong, 0, f"{wrong} of {whole.size} codes differ")

    def test_keras_file(self):
        model = _tiny(4, 4)
        _stir(model)
        path = os.path.join(self.create_tempdir().full_path, "model.keras")
        model.save(path)
        again = keras.saving.load_model(path, safe_mode=True)
        self.assertEqual(again.name, "resnet18_cifar_w4a4")
        self.assertAllEqual(again(_pixels()), model(_pixels()))

    def test_every_weight_gets_a_gradient_at_four_bits(self):
        model = _tiny(4, 4)
        with tf.GradientTape() as tape:
            outputs = model(_pixels(), training=True)
            loss = -tf.reduce_mean(tf.math.log(outputs[:, 0]))
        gradients = tape.gradient(loss, model.trainable_variables)
        for weight, gradient in zip(
            model.trainable_variables, gradients, strict=True
        ):
            self.assertTrue(np.all(np.isfinite(gradient)), weight.path)
            if weight.name in ("kernel", "gamma"):
                self.assertGreater(np.abs(gradient).max(), 0, weight.path)


class BitsTest(parameterized.TestCase, tf.test.TestCase):
    # weight, activation -> first and last, residual
    @parameterized.parameters(
        (32, 32, 32, 32),
        (4, 4, 8, 8),
        (8, 8, 8, 8),
        (9, 9, 32, 32),
        (16, 4, 32, 8),
        (1, 16, 8, 32),
    )
    def test_defaults(self, weight, activation, first_last, residual):
        bits = Bits(weight, activation)
        self.assertEqual(
            (bits.first_last, bits.residual), (first_last, residual)
        )
        self.assertEqual((bits.gradient, bits.clip), (32, False))

    def test_stated_stays(self):
        bits = Bits(4, 4, first_last=32, residual=32, gradient=6, clip=True)
        self.assertEqual((bits.first_last, bits.residual), (32, 32))
        self.assertEqual((bits.gradient, bits.clip), (6, True))

    def test_parse(self):
        for text in ("w4a4", " W16A4 ", "w32a32"):
            bits = Bits.parse(text)
            self.assertEqual(bits.name, text.strip().lower())
            self.assertEqual(bits, Bits(bits.weight, bits.activation))

    @parameterized.parameters(
        "", "4,4", "w4", "a4w4", "w4a4x", "w-4a4", "w4.0a4"
    )
    def test_parse_refuses(self, text):
        with self.assertRaisesRegex(InputError, f"like w4a4, got '{text}'"):
            Bits.parse(text)

    @parameterized.parameters(
        ({"weight": 0}, "weight_bits must be in 1..32, got 0"),
        ({"weight": True}, "weight_bits must be an integer"),
        ({"activation": 33}, "activation_bits must be in 1..32, got 33"),
        ({"activation": 4.0}, "activation_bits must be an integer"),
        ({"gradient": 0}, "gradient_bits must be in 1..32, got 0"),
        ({"first_last": 1}, "first_last_bits must be in 2..32, got 1"),
        ({"first_last": 33}, "first_last_bits must be in 1..32, got 33"),
        ({"residual": 4}, "residual_bits must be 8 or 32, got 4"),
        (
            {"residual": 8, "activation": 9},
            "residual_bits=8 needs activation_bits in 1..8, got 9; "
            "use residual_bits=32",
        ),
    )
    def test_errors(self, fields, message):
        with self.assertRaisesRegex(InputError, message):
            Bits(**fields)
        options = {f"{name}_bits": value for name, value in fields.items()}
        with self.assertRaisesRegex(InputError, message):
            resnet18(SHAPE, 3, **options)

    @parameterized.parameters("w0a4", "w4a33")
    def test_parse_checks_the_range(self, text):
        with self.assertRaisesRegex(InputError, "_bits must be in 1..32"):
            Bits.parse(text)


class ErrorsTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        (SHAPE, 3, {"stem": "vgg"}, "stem must be one of.*got 'vgg'"),
        ((8, 8), 3, {}, r"input_shape must be \(height.*got \(8, 8\)"),
        ((8, 8, 0), 3, {}, "each 1 or more, got"),
        ((8, None, 3), 3, {}, "each 1 or more, got"),
        ((8.0, 8, 3), 3, {}, "each 1 or more, got"),
        (SHAPE, 1, {}, "classes must be.*2 or more, got 1"),
        (SHAPE, 2.5, {}, "classes must be.*2 or more, got 2.5"),
        (SHAPE, 3, {"width": 0}, "width must be.*1 or more, got 0"),
        (SHAPE, 3, {"width": 1.5}, "width must be.*1 or more, got 1.5"),
    )
    def test_network(self, shape, classes, options, message):
        with self.assertRaisesRegex(InputError, message):
            resnet18(shape, classes, **options)


if __name__ == "__main__":
    tf.test.main()
