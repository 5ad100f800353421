"""Files of Keras models: what opens them, what is refused before it runs."""

import functools
import json
import pathlib
import zipfile

import h5py
import keras
import keras2_nets
import numpy as np
import tensorflow as tf
import tf_keras
import tiny_models
from absl.testing import parameterized
from keras2_nets import SHAPE, Opened, bytes_in, rewrite, sequence
from tf_keras import layers

from qmia_tf.models import config_safety
from qmia_tf.targets.model_options import ModelOptions

UNIT = ModelOptions(input_range="0..1")


def configured(path, edit):
    """Changes the configuration in a file as `edit` does; gives the path.

    Args:
        edit: callable, gets the configuration and changes it.
    """
    if zipfile.is_zipfile(path):

        def change(members):
            config = json.loads(members["config.json"])
            edit(config)
            members["config.json"] = json.dumps(config)

        return rewrite(path, change)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        edit(config)
        file.attrs["model_config"] = json.dumps(config)
    return path


def last(config):
    """The configuration of the last layer."""
    return config["config"]["layers"][-1]


def layer_is(class_name, **others):
    """Makes the last layer of a configuration another one."""
    return lambda config: last(config).update(class_name=class_name, **others)


def setting_is(key, value):
    """Changes a setting of the last layer."""
    return lambda config: last(config)["config"].update({key: value})


class Refused(Opened):
    def trap(self):
        """A lambda that makes a file when it is run, and that file."""
        mark = self.folder / "it_ran"
        code = f"lambda x: (__import__('pathlib').Path({str(mark)!r}).touch(),"
        return eval(f"{code} x)[1]"), mark


class LambdaTest(Refused):
    @parameterized.product(
        ending=(".h5", ".keras"),
        where=("alone", "nested", "wrapped"),
    )
    def test_of_keras2_is_not_run(self, ending, where):
        trap, mark = self.trap()
        layer = layers.Lambda(trap)
        if where == "nested":
            layer = tf_keras.Sequential([layers.InputLayer(SHAPE), layer])
        if where == "wrapped":
            layer = layers.TimeDistributed(layer)
        path = self.folder / f"{where}{ending}"
        keras2_nets.save(sequence(layer), path)
        mark.unlink()
        self.assertNotOpened(
            rf"{where}\{ending} has a Lambda layer, which is program code .* "
            "safe mode does not run .* qmia_tf.audit",
            path,
            UNIT,
        )
        self.assertFalse(mark.exists())
        # Without a look beforehand it would have been: the trap works.
        options = {} if ending == ".h5" else {"safe_mode": False}
        tf_keras.models.load_model(path, compile=False, **options)
        self.assertTrue(mark.exists())
        mark.unlink()

    def test_of_keras3_is_not_run(self):
        trap, mark = self.trap()
        model = keras.Sequential(
            [
                keras.Input(SHAPE),
                keras.layers.Lambda(trap),
                keras.layers.Flatten(),
                keras.layers.Dense(4, "softmax"),
            ]
        )
        for ending in (".h5", ".keras"):
            path = keras2_nets.save(model, self.folder / f"three{ending}")
            mark.unlink(missing_ok=True)
            self.assertNotOpened(r"has a Lambda layer, which is", path, UNIT)
            self.assertFalse(mark.exists())
            keras.saving.load_model(path, compile=False, safe_mode=False)
            self.assertTrue(mark.exists())


class ForeignTest(Refused):
    @parameterized.product(
        ending=(".h5", ".keras"),
        case=(
            (layer_is("Mine"), "names 'Mine', which is none of Keras' pub"),
            (layer_is("Custom>Mine"), "names 'Custom>Mine', which"),
            (layer_is("TFSMLayer"), "names 'TFSMLayer', which"),
            (layer_is("TextVectorization"), "names 'TextVectorization', which"),
            (layer_is(7), "names 7, which"),
            (
                layer_is("Popen", module="subprocess", registered_name=None),
                "names 'Popen', which",
            ),
            (
                layer_is("Dense", module="evil.layers"),
                "names 'evil.layers.Dense', which",
            ),
            (
                layer_is("Dense", registered_name="Custom>Dense"),
                "names 'Custom>Dense', which",
            ),
            (setting_is("activation", "mine"), "names 'mine', which"),
            (
                setting_is(
                    "activation",
                    {
                        "module": "builtins",
                        "class_name": "function",
                        "config": "eval",
                        "registered_name": "function",
                    },
                ),
                "names 'eval', which",
            ),
            (
                setting_is(
                    "activation", {"class_name": "function", "config": {}}
                ),
                "names {}, which",
            ),
            (
                setting_is(
                    "kernel_initializer",
                    {
                        "module": "os",
                        "class_name": "system",
                        "config": {"command": "true"},
                    },
                ),
                "names 'system', which",
            ),
            (
                setting_is(
                    "kernel_regularizer",
                    {"class_name": "__lambda__", "config": {"value": "YQ=="}},
                ),
                "has a Lambda layer, which",
            ),
        ),
    )
    def test_is_named(self, ending, case):
        edit, pattern = case
        path = self.folder / f"foreign{ending}"
        configured(keras2_nets.save(bytes_in(), path), edit)
        self.assertNotOpened(rf"foreign\{ending} {pattern}", path)

    @parameterized.parameters(".h5", ".keras")
    def test_operation_that_does_more_than_compute(self, ending):
        mark = self.folder / "written"
        path = self.folder / f"writes{ending}"
        pixels = tf_keras.Input(SHAPE)
        x = tf.math.truediv(pixels, 255.0)
        x = layers.Dense(4, "softmax")(layers.Flatten()(x))
        keras2_nets.save(tf_keras.Model(pixels, x), path)

        def write(config):
            entry = config["config"]["layers"][1]
            entry["config"]["function"] = "io.write_file"
            entry["inbound_nodes"] = [
                ["_CONSTANT_VALUE", -1, str(mark), {"contents": "gone"}]
            ]

        configured(path, write)
        self.assertNotOpened(
            "has TensorFlow's operation io.write_file in its layer "
            "'tf.math.truediv.*', which is not known to compute .* yourself",
            path,
        )
        self.assertFalse(mark.exists())

    def test_initializers_of_tensorflow(self):
        dense = layers.Dense(
            3, kernel_initializer=tf.constant_initializer(0.1), name="dense"
        )
        model = sequence(layers.Rescaling(1 / 255), dense)
        path = keras2_nets.save(model, self.folder / "constant.keras")
        with zipfile.ZipFile(path) as archive:
            self.assertIn(b"init_ops_v2", archive.read("config.json"))
        self.assertAnswers(path, model)

    def test_other_operations_of_tensorflow_2_3(self):
        for op in ("EagerPyFunc", None):
            path = keras2_nets.save(bytes_in(), self.folder / "raw.h5")
            node = {"name": "x", "op": op} if op else "ignored"
            settings = {"name": "x", "node_def": node, "constants": {}}
            edit = layer_is("TensorFlowOpLayer", config=settings)
            self.assertNotOpened(
                f"operation {op} in its layer 'x'", configured(path, edit)
            )

    def test_listed_operations_are_tensorflows(self):
        for name in config_safety.FUNCTIONS:
            operation = functools.reduce(getattr, name.split("."), tf)
            self.assertTrue(callable(operation), name)
        known = tf.raw_ops.__dict__
        self.assertEmpty([op for op in config_safety.OPS if op not in known])


class OldTest(Opened):
    """What earlier releases wrote, and files under other names."""

    def setUp(self):
        super().setUp()
        self.model = bytes_in()

    def assertOpened(self, path, model=None):
        target = self.assertAnswers(path, model or self.model)
        self.assertStartsWith(target.info["library"], "tf_keras")

    def test_modules_of_keras_2_12(self):
        path = keras2_nets.save(
            tf_keras.Model(self.model.inputs, self.model.outputs),
            self.folder / "old.keras",
        )

        def as_then(config):
            self.assertIn("tf_keras.src", config["module"])
            config["module"] = "keras.engine.functional"

        self.assertOpened(configured(path, as_then))

    def test_classes_of_tensorflow_1(self):
        model = sequence(layers.Rescaling(1 / 255), layers.BatchNormalization())
        path = keras2_nets.save(model, self.folder / "one.h5")

        def as_then(config):
            config["config"]["layers"][2]["class_name"] = "BatchNormalizationV1"

        self.assertOpened(configured(path, as_then), model)

    def test_operations_of_tensorflow_2_3(self):
        """Then an operation of TensorFlow stood in the file as such."""
        pixels = tf_keras.Input(SHAPE)
        x = layers.Flatten()(pixels / 127.5 - 1.0)
        model = tf_keras.Model(pixels, layers.Dense(4, "softmax")(x))
        path = keras2_nets.save(model, self.folder / "raw.h5")

        def as_then(config):
            entries = config["config"]["layers"]
            for index, op, number in ((1, "RealDiv", 127.5), (2, "Sub", 1.0)):
                node = {
                    "name": op,
                    "op": op,
                    "input": ["a", "b"],
                    "attr": {"T": {"type": "DT_FLOAT"}},
                }
                settings = {"name": op, "constants": {"1": number}}
                entries[index] = {
                    "class_name": "TensorFlowOpLayer",
                    "config": {**settings, "node_def": node},
                    "name": f"tf_op_layer_{op}",
                    "inbound_nodes": [[[entries[index - 1]["name"], 0, 0, {}]]],
                }
            entries[3]["inbound_nodes"] = [[["tf_op_layer_Sub", 0, 0, {}]]]

        options = ModelOptions("0..255")
        self.assertAnswers(configured(path, as_then), model, options)

    def test_hdf5_named_keras(self):
        path = keras2_nets.save(self.model, self.folder / "net.h5")
        self.assertOpened(path.rename(self.folder / "hdf5.keras"))

    def test_archive_named_h5(self):
        path = keras2_nets.save(self.model, self.folder / "net.keras")
        self.assertOpened(path.rename(self.folder / "archive.h5"))
        model = tiny_models.classifier()
        model.save(self.folder / "three.keras")
        path = (self.folder / "three.keras").rename(self.folder / "three.h5")
        self.assertNotOpened("three.h5 is .* rename it to three.keras", path)

    def test_a_compiled_model_with_a_loss_of_its_own(self):
        def mine(labels, rows):
            return tf.reduce_mean(labels - rows)

        self.model.compile("adam", mine)
        for name in ("mine.h5", "mine.keras"):
            self.assertOpened(keras2_nets.save(self.model, self.folder / name))


class Keras3Test(Opened):
    def test_h5_is_opened_by_keras_3(self):
        path = self.folder / "three.h5"
        for model, flags in (
            (tiny_models.classifier(shape=SHAPE), UNIT),
            (tiny_models.quantized(shape=SHAPE), ModelOptions()),
        ):
            keras2_nets.save(model, path)
            target = self.assertAnswers(path, model, flags, fed=self.unit)
            library = f"keras {keras.__version__}"
            self.assertEqual(target.info["library"], library)

    def test_h5_with_operations(self):
        pixels = keras.Input(SHAPE)
        x = keras.layers.Flatten()(keras.ops.true_divide(pixels, 255.0))
        model = keras.Model(pixels, keras.layers.Dense(4, "softmax")(x))
        path = keras2_nets.save(model, self.folder / "ops.h5")
        self.assertNotOpened(
            "operation keras.ops.true_divide, which Keras 3 does not open", path
        )

    def test_class_that_the_file_does_not_hold(self):
        class Mine(keras.layers.Dense):
            pass

        model = keras.Sequential([keras.Input((3,)), Mine(2, name="mine")])
        path = keras2_nets.save(model, self.folder / "mine.keras")
        self.assertNotOpened(
            "mine.keras cannot be loaded .* Could not locate class 'Mine'.* "
            r"load it yourself .* a function\) .*model.export\(DIR\)",
            path,
        )
        path = keras2_nets.save(model, self.folder / "mine.h5")
        self.assertNotOpened(
            "mine.h5 names 'Mine', which is none of Keras'", path
        )


class DamagedTest(Opened):
    def test_weights_only(self):
        bytes_in().save_weights(self.folder / "old.h5")
        tiny_models.classifier().save_weights(self.folder / "new.weights.h5")
        for name in ("old.h5", "new.weights.h5"):
            self.assertNotOpened(
                rf"{name} holds weights only \(model.save_weights\): build",
                self.folder / name,
            )

    def test_hdf5_of_something_else(self):
        path = self.folder / "data.h5"
        with h5py.File(path, "w") as file:
            file["x"] = np.zeros(3)
        self.assertNotOpened("data.h5 is an HDF5 file, but of no Keras", path)

    @parameterized.parameters(
        ("[]", "damaged or was cut off .*not a JSON object"),
        ("{", "damaged or was cut off"),
        ('{"a":' * 100_000, "damaged or was cut off"),
        (3, "damaged or was cut off"),
        (
            "{}",
            "saved by Keras 2.*, cannot be loaded as a Keras model: .*: whe",
        ),
    )
    def test_configuration(self, text, pattern):
        path = keras2_nets.save(bytes_in(), self.folder / "config.h5")
        with h5py.File(path, "r+") as file:
            del file.attrs["model_config"]
            if isinstance(text, str) and len(text) > 60_000:
                text = text[: 5 * 12_000]
            file.attrs["model_config"] = text
        self.assertNotOpened(f"config.h5.* {pattern}", path)

    @parameterized.parameters(".h5", ".hdf5", ".keras")
    def test_cut_off(self, ending):
        whole = keras2_nets.save(bytes_in(), self.folder / f"whole{ending}")
        content = whole.read_bytes()
        path = self.folder / f"half{ending}"
        for share in (0.0, 0.01, 0.5, 0.9):
            path.write_bytes(content[: int(share * len(content))])
            self.assertNotOpened(rf"half\{ending}.*(cut off|damaged)", path)

    def test_weights_are_gone(self):
        path = keras2_nets.save(bytes_in(), self.folder / "gone.h5")
        with h5py.File(path, "r+") as file:
            del file["model_weights/last"]
        self.assertNotOpened("gone.h5, saved by Keras 2.* cannot be load", path)
        path = keras2_nets.save(bytes_in(), self.folder / "gone.keras")
        rewrite(path, lambda members: members.pop("model.weights.h5"))
        self.assertNotOpened("gone.keras, saved by Keras 2.* cannot be", path)

    def test_damaged_json_of_an_archive(self):
        for name in ("metadata.json", "config.json"):
            path = keras2_nets.save(bytes_in(), self.folder / "json.keras")
            rewrite(
                path, lambda members, name=name: members.update({name: "["})
            )
            self.assertNotOpened("json.keras is damaged or was cut off", path)

    def test_text_named_h5(self):
        path = pathlib.Path(self.folder / "notes.h5")
        path.write_text("hello")
        self.assertNotOpened("notes.h5 is not an HDF5 file", path)


if __name__ == "__main__":
    tf.test.main()
