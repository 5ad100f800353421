"""quantize_model: operations on tensors, and what stays in floats."""

import os
import warnings

import keras
import numpy as np
import operation_nets
import slow_tests
import tensorflow as tf
from absl.testing import parameterized
from float_nets import quantize, quantize_finely
from keras import layers

from qmia_tf.models import keras_files
from qmia_tf.qat import describe, node_list, plan

APPLICATIONS = keras.applications
SHAPE = (16, 16, 3)
PREPROCESS = {
    "tf": APPLICATIONS.mobilenet_v2.preprocess_input,
    "torch": APPLICATIONS.densenet.preprocess_input,
    "caffe": APPLICATIONS.vgg16.preprocess_input,
    "by_hand": lambda x: (x - 127.5) / 127.5,
    "backwards": lambda x: 1.0 - x / 255.0,
    "reversed": lambda x: x[..., ::-1] / 255.0,
}
# Of the first layer's grid 1/n; None: it reads floats.
STEPS = {
    "tf": 255,
    "torch": None,
    "caffe": None,
    "by_hand": 255,
    "backwards": 255,
    "reversed": 255,
}


def _images(count=12, shape=SHAPE):
    """Noise, brighter and darker: averages over the picture differ."""
    rng = np.random.default_rng(0)
    colors = rng.uniform(0, 255, (count, 1, 1, shape[-1]))
    noise = rng.normal(0, 60, (count, *shape))
    return (colors + noise).clip(0, 255).astype(np.uint8)


def _settled(model, images=None):
    """Its batch norms hold the statistics of the images."""
    images = _images() if images is None else images
    graph = [model, *(x for x in model.layers if isinstance(x, keras.Model))]
    for part in graph:
        for layer in part.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.momentum = 0.0
                layer.trainable = True
    model(images.astype(np.float32), training=True)
    return model


def _kinds(model):
    nodes = node_list.read(model).nodes
    return {node.name: type(node.layer).__name__ for node in nodes}


def _of(body, shape=(4, 4, 3)):
    inputs = keras.Input(shape)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(body(inputs))))


def _sum(x):
    return layers.ReLU()(x) + layers.Conv2D(3, 1)(x)


def _difference(x):
    return layers.ReLU()(x) - layers.Conv2D(3, 1)(x)


def _product(x):
    return layers.ReLU()(x) * layers.Conv2D(3, 1)(x)


def _relu(x):
    return keras.ops.relu6(keras.ops.relu(x * 2.0))


def _mean(x):
    return keras.ops.mean(x, axis=(1, 2), keepdims=True)


def _most(x):
    return keras.ops.max(x, axis=[-3, -2])


def _hard_sigmoid(x):
    return layers.ReLU(6.0)(x * 9.0 + 3.0) * (1.0 / 6.0)


def _really_hard_sigmoid(x):
    return layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)


def _other_constants(x):
    return layers.ReLU(6.0)(x + 2.0) / 6.0


def _reciprocal(x):
    return 1.0 / (x + 1.0)


def _branching(x):
    y = x / 2.0
    return layers.Add()([y - 0.25, y * 4.0])


def _of_three(x):
    return keras.ops.concatenate([x, x * 3.0], axis=-1)


def _columns(x):
    return x * np.arange(4, dtype=np.float32).reshape(1, 1, 4, 1)


BODIES = {
    _sum: "Add",
    _difference: "Subtract",
    _product: "Multiply",
    _relu: "ReLU ReLU Rescaling",
    _mean: "GlobalAveragePooling2D",
    _most: "GlobalMaxPooling2D",
    _hard_sigmoid: "Rescaling ReLU Rescaling",
    _really_hard_sigmoid: "Activation",
    _other_constants: "Rescaling ReLU Rescaling",
    _reciprocal: "Rescaling Operation",
    _branching: "Rescaling Rescaling Rescaling",
    _of_three: "Rescaling Concatenate",
    _columns: "Operation",
}
STOCK = ("InputLayer", "Flatten", "Dense", "Conv2D")


class Compared(parameterized.TestCase, tf.test.TestCase):
    def assertSame(self, quantized, model, fed, atol=1e-5):
        outputs, wanted = (
            net(fed, training=False) for net in (quantized, model)
        )
        self.assertAllClose(outputs, wanted, atol=atol)

    def assertCorrelated(self, outputs, wanted, least):
        outputs, wanted = np.ravel(outputs), np.ravel(wanted)
        self.assertGreater(np.corrcoef(outputs, wanted)[0, 1], least)

    def assertSaved(self, quantized, fed):
        path = os.path.join(self.create_tempdir().full_path, "q.keras")
        keras_files.save(quantized, path)
        outputs = keras_files.load(path)(fed, training=False)
        self.assertAllEqual(outputs, quantized(fed, training=False))


class LayersTest(Compared):
    @parameterized.parameters(*BODIES)
    def test_what_an_operation_amounts_to(self, body):
        model = _of(body)
        kinds = [kind for kind in _kinds(model).values() if kind not in STOCK]
        expected = BODIES[body].split()
        if body in (_sum, _difference, _product):
            expected.append("ReLU")
        if body is _branching:
            expected.append("Add")
        self.assertCountEqual(kinds, expected)

    @parameterized.parameters(*BODIES)
    def test_32_bits_change_nothing(self, body):
        model = _of(body)
        same = quantize(model, 32)
        x = np.random.default_rng(0).random((3, 4, 4, 3), np.float32)
        self.assertAllClose(same(x), model(x), atol=1e-5)

    def test_two_that_read_results_of_their_own_class(self):
        """A list among the arguments, in the order in which it is read."""
        model = _of(lambda x: keras.ops.stack([x[..., 2], x[..., 0]], axis=-1))
        same = quantize(model, 32)
        x = np.random.default_rng(0).random((3, 4, 4, 3), np.float32)
        self.assertAllClose(same(x), model(x), atol=1e-6)

    def test_a_hard_sigmoid_is_not_clipped(self):
        """As a ReLU6 it would be: its input reaches to 6."""
        model = _of(_really_hard_sigmoid)
        quantized = quantize(model, 8)
        x = np.random.default_rng(0).random((3, 4, 4, 3), np.float32)
        self.assertAllClose(quantized(x), model(x), atol=0.02)


class PreprocessTest(Compared):
    @parameterized.parameters(*PREPROCESS)
    def test_the_guide(self, name):
        model = _settled(operation_nets.transfer(PREPROCESS[name]))
        fed = _images().astype(np.float32)
        wanted = model(fed, training=False)
        self.assertSame(quantize(model, 32), model, fed)
        quantized = quantize(model, 8, _images())
        self.assertCorrelated(quantized(fed, training=False), wanted, 0.97)
        self.assertEqual(quantized.get_layer("stem").input_steps, STEPS[name])

    @parameterized.parameters(*PREPROCESS)
    def test_unit_pixels(self, name):
        model = _settled(operation_nets.transfer(PREPROCESS[name]))
        fed = _images().astype(np.float32)
        wanted = model(fed, training=False)
        quantized = quantize(model, 8, _images(), unit_pixels=True)
        outputs = quantized(fed / 255, training=False)
        self.assertCorrelated(outputs, wanted, 0.97)

    @parameterized.parameters("tf", "caffe")
    def test_saved_and_loaded_in_safe_mode(self, name):
        model = _settled(operation_nets.transfer(PREPROCESS[name]))
        fed = _images().astype(np.float32)
        self.assertSaved(quantize(model, 4, _images()), fed)

    def test_the_model_is_not_changed(self):
        model = _settled(operation_nets.transfer(PREPROCESS["caffe"]))
        config = model.get_config()
        fed = _images().astype(np.float32)
        before = model(fed, training=False)
        quantize(model, 8, _images())
        self.assertAllEqual(model(fed, training=False), before)
        self.assertEqual(str(model.get_config()), str(config))


FAMILIES = {
    "mobilenet_v3": operation_nets.mobilenet_v3,
    "convnext": operation_nets.convnext,
    "hub": operation_nets.hub_resnet,
    "hub_v2": lambda: operation_nets.hub_resnet(before=True),
}
# Besides the input: what int8 files cannot hold.
FLOATS = {
    "mobilenet_v3": {"swish", "scaled", "last_swish", "multiply"},
    "convnext": {"stem_norm", "head_norm"}
    | {f"{block}_{x}" for block in "ab" for x in ("norm", "gelu", "scale")},
    "hub": set(),
    "hub_v2": {"pad"},
}


class FamilyTest(Compared):
    @parameterized.parameters(*FAMILIES)
    def test_quantized_it_answers_alike(self, name):
        model = _settled(FAMILIES[name]())
        fed = _images().astype(np.float32)
        self.assertSame(quantize(model, 32), model, fed)
        wanted = model(fed, training=False)
        quantized = quantize(model, 8, _images(), insert_batch_norm=True)
        self.assertCorrelated(quantized(fed, training=False), wanted, 0.9)
        # With fine grids nothing changes: every factor, also that of a gated
        # product, is undone. 1/65535 of each range, added up over the layers.
        fine = quantize_finely(model, _images())
        self.assertSame(fine, model, fed, atol=2e-3 * np.std(wanted))

    @parameterized.parameters(*FAMILIES)
    def test_what_stays_in_floats_is_listed(self, name):
        model = FAMILIES[name]()
        entries = plan(model, weight_bits=4, activation_bits=4)
        left = {
            entry.layer
            for entry in entries
            if entry.warning.startswith("left in floats")
        }
        names = {re_numbered(layer) for layer in left}
        self.assertEqual(names - {"normalization"}, FLOATS[name])
        alone = describe(entries).splitlines()[-2]
        for layer in left:
            self.assertIn(layer, alone)

    @parameterized.parameters(
        ("mobilenet_v3", "left in floats, .* int8 files"),
        ("convnext", "left in floats, .* int8 files"),
        ("hub_v2", "left in floats, .* int8 files"),
        ("convnext", "a_depthwise, b_.* in groups"),
    )
    def test_and_warned_about_before_any_export(self, name, message):
        with self.assertWarnsRegex(UserWarning, message):
            quantize(FAMILIES[name]())

    def test_a_resnet_of_the_hub_has_integers_throughout(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            quantized = quantize(_settled(operation_nets.hub_resnet()))
        kernels = [x for x in quantized.layers if hasattr(x, "input_steps")]
        steps = {layer.name: layer.input_steps for layer in kernels}
        # Behind the average the last layer reads floats, as everywhere.
        self.assertIsNone(steps.pop("predictions"))
        self.assertNotIn(None, steps.values())


def re_numbered(name):
    """Operations are numbered in the order in which a process makes them."""
    return name.rstrip("0123456789").rstrip("_")


@slow_tests.slow
class ApplicationTest(Compared):
    @parameterized.parameters(
        "MobileNetV3Small", "MobileNetV3Large", "ConvNeXtTiny"
    )
    def test_untrained(self, name):
        keras.utils.set_random_seed(0)
        shape = (32, 32, 3)
        model = getattr(APPLICATIONS, name)(
            weights=None, input_shape=shape, classes=5
        )
        fed = _images(4, shape).astype(np.float32)
        self.assertSame(quantize(model, 32), model, fed)
        quantized = quantize(
            model, 4, _images(4, shape), insert_batch_norm=True
        )
        self.assertSaved(quantized, fed)

    def test_the_guide_with_mobilenet_v2(self):
        """Untrained and so deep it forgives no coarser grid, and no clip."""
        keras.utils.set_random_seed(0)
        base = APPLICATIONS.MobileNetV2(
            weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.35
        )
        images = _images(8, (32, 32, 3))
        fed = images.astype(np.float32)
        # Not through the augmentation: calibration goes without it.
        _settled(base, PREPROCESS["tf"](fed.copy()))
        model = operation_nets.transfer(PREPROCESS["tf"], base, (32, 32, 3))
        quantized = quantize_finely(model, images)
        outputs = quantized(fed, training=False)
        self.assertCorrelated(outputs, model(fed, training=False), 0.999)


if __name__ == "__main__":
    tf.test.main()
