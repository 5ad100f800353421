"""Tests of the targets, against LiteRT and Keras asked by hand."""

import hashlib
from unittest import mock

import folders
import keras
import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized
from ai_edge_litert import interpreter as litert
from scipy import special

from qmia_tf import terminal
from qmia_tf.deploy.tflite import input_clipping
from qmia_tf.targets import queries
from qmia_tf.targets.keras_target import KerasTarget
from qmia_tf.targets.tflite_target import TFLiteTarget

RECORDS = 30


def by_hand(path, images, kernels="AUTO"):
    """One image at a time through LiteRT; the numbers in float64."""
    resolver = getattr(litert.OpResolverType, kernels)
    runner = litert.Interpreter(
        str(path), experimental_op_resolver_type=resolver
    )
    runner.allocate_tensors()
    (entry,), (exit_,) = runner.get_input_details(), runner.get_output_details()
    answers = []
    for image in images:
        value = image[None] / 255.0
        scale, zero = entry["quantization"]
        if scale:
            limits = np.iinfo(entry["dtype"])
            value = np.round(value / scale + zero)
            value = np.clip(value, limits.min, limits.max)
        runner.set_tensor(entry["index"], value.astype(entry["dtype"]))
        runner.invoke()
        answer = runner.get_tensor(exit_["index"])[0].astype(np.float64)
        scale, zero = exit_["quantization"]
        answers.append((answer - zero) * scale if scale else answer)
    return np.array(answers)


class Files(folders.Folder):
    def keras_file(self, model=None, name="model.keras"):
        path = self.dir / name
        (model or tiny_models.classifier()).save(path)
        return path

    def tflite_file(self, name="model.tflite", **options):
        model = options.pop("model", None) or tiny_models.classifier()
        return tiny_models.write_tflite(model, self.dir / name, **options)


class KerasTargetTest(Files):
    def test_answers_as_the_model(self):
        model = tiny_models.classifier()
        path = self.keras_file(model)
        images = tiny_models.images()
        expected = model.predict(images / np.float32(255), verbose=0)
        for given in (path, str(path), model):
            answer = KerasTarget(given, batch_size=10).predict(images)
            self.assertEqual(answer.dtype, np.float32)
            # Batches of another size: float32 sums in another order.
            self.assertAllClose(answer, expected, atol=1e-6)

    def test_info_names_the_file(self):
        path = self.keras_file()
        content = path.read_bytes()
        self.assertEqual(
            KerasTarget(path).info,
            {
                "target": "keras",
                "kind": "keras",
                "kernel_set": "keras",
                "sha256": hashlib.sha256(content).hexdigest(),
                "size_bytes": len(content),
                "probability_step": 0.0,
            },
        )

    def test_inference_pass_is_asked(self):
        pixels = keras.Input(tiny_models.SHAPE)
        x = keras.layers.Dropout(0.9)(pixels)
        x = keras.layers.Softmax()(keras.layers.Flatten()(x))
        model = keras.Model(pixels, x)
        images = tiny_models.images(3)
        expected = images.reshape(3, -1) / 255.0
        expected = np.exp(expected) / np.exp(expected).sum(axis=1)[:, None]
        answer = KerasTarget(model).predict(images)
        self.assertAllClose(answer, expected, atol=1e-6)

    @parameterized.parameters(None, b"", b"PK\x03\x04", b"TFL3TFL3")
    def test_bad_file(self, content):
        path = self.dir / "model.keras"
        if content is not None:
            path.write_bytes(content)
        self.assertRefused(r"model\.keras", KerasTarget, path)


class TFLiteTargetTest(Files):
    @parameterized.product(
        types=(
            (None, None),
            (tf.float32, tf.float32),
            (tf.uint8, tf.uint8),
            (tf.int8, tf.int8),
            (tf.uint8, tf.float32),
            (tf.float32, tf.int8),
        ),
        kernels=("default", "builtin", "reference"),
    )
    def test_equals_litert_by_hand(self, types, kernels):
        path = self.tflite_file(inputs=types[0], outputs=types[1])
        images = tiny_models.images(23)
        target = TFLiteTarget(path, kernels=kernels, batch_size=10)
        answer = target.predict(images)
        sets = {
            "default": "AUTO",
            "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
            "reference": "BUILTIN_REF",
        }
        expected = by_hand(path, images, sets[kernels])
        self.assertEqual(answer.dtype, np.float32)
        if types[0] is None:
            # Batches of another size: float32 sums in another order.
            self.assertAllClose(answer, expected, atol=1e-6)
        else:
            off = int(np.sum(answer != expected.astype(np.float32)))
            self.assertEqual(off, 0, f"{off} of {answer.size} differ")
        self.assertGreater(len(np.unique(answer.argmax(axis=1))), 1)

    def calibrated(self, values, inputs=tf.int8):
        """A file that was calibrated on other numbers than pixels / 255."""
        converter = tf.lite.TFLiteConverter.from_keras_model(
            tiny_models.classifier()
        )
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [pixels[None].astype(np.float32)] for pixels in values
        )
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        ]
        converter.inference_input_type = inputs
        path = self.dir / "other.tflite"
        path.write_bytes(converter.convert())
        return path

    def test_pixels_that_the_input_cannot_hold(self):
        """A file of pixels in -1..0: of pixels / 255 all but black clip."""
        dark = np.random.default_rng(0).uniform(-1, 0, (9, 6, 5, 1))
        target = TFLiteTarget(self.calibrated(dark))
        self.assertRefused(
            r"'other' takes numbers of -.* % of the pixels / 255 lie",
            target.predict,
            tiny_models.images(23),
        )
        # Black ones it can hold.
        target.predict(np.zeros((3, 6, 5, 1), np.uint8))

    @parameterized.parameters(
        (-1, 1, tf.int8, "-(1|0.9).* to (1|0.9)"),
        (0, 255, tf.uint8, "-?0 to 25"),
    )
    def test_a_file_of_another_range(self, low, high, inputs, pattern):
        wide = np.random.default_rng(0).uniform(low, high, (9, 6, 5, 1))
        wide[0, 0, :2, 0] = low, high
        self.assertRefused(
            f"'other' takes numbers of {pattern}.* pixels / 255 fill 0 to 1 on",
            TFLiteTarget(self.calibrated(wide, inputs)).predict,
            tiny_models.images(23),
        )

    def test_symmetric_codes_leave_half_of_them_idle(self):
        for dtype, steps in ((np.int8, 127), (np.int16, 32767)):
            self.assertFalse(input_clipping.is_wider(dtype, 1 / steps, 0))
            self.assertTrue(input_clipping.is_wider(dtype, 255 / steps, 0))
        self.assertTrue(input_clipping.is_wider(np.int8, 2 / 255, 0))
        self.assertFalse(input_clipping.is_wider(np.int8, 1 / 255, -128))

    @parameterized.parameters(
        (None, None, 0.0),
        (tf.uint8, tf.uint8, 1 / 256),
        (None, tf.int8, 1 / 256),
        # An int8 softmax, turned into floats inside the file.
        (tf.uint8, None, 1 / 256),
    )
    def test_info(self, inputs, outs, step):
        path = self.tflite_file("w4a4.tflite", inputs=inputs, outputs=outs)
        content = path.read_bytes()
        self.assertEqual(
            TFLiteTarget(path, kernels="reference").info,
            {
                "target": "w4a4",
                "kind": "tflite",
                "kernel_set": "reference",
                "sha256": hashlib.sha256(content).hexdigest(),
                "size_bytes": len(content),
                "outputs": "probabilities",
                "probability_step": step,
            },
        )
        self.assertEqual(TFLiteTarget(path, name="x").info["target"], "x")

    def test_uint8_pixels_pass_unchanged(self):
        model = tiny_models.classifier()
        target = TFLiteTarget(self.tflite_file(model=model, inputs=tf.uint8))
        self.assertTrue(target.interpreter.input.is_pixels)
        images = tiny_models.images(5)
        with mock.patch.object(
            target.interpreter, "run", side_effect=target.interpreter.run
        ) as run:
            target.predict(images)
        (fed,) = run.call_args.args
        self.assertEqual(fed.dtype, np.uint8)
        self.assertAllEqual(fed, images)

    @parameterized.parameters(1, 4, 40)
    def test_fixed_batch(self, batch):
        model = tiny_models.classifier()
        path = self.tflite_file(model=model, batch=batch)
        target = TFLiteTarget(path, batch_size=10)
        self.assertEqual(target.batch_size, batch)
        images = tiny_models.images(23)
        expected = model.predict(images / np.float32(255), verbose=0)
        self.assertAllClose(target.predict(images), expected, atol=1e-6)

    def test_threads_change_nothing_of_integers(self):
        path = self.tflite_file(inputs=tf.int8, outputs=tf.int8)
        images = tiny_models.images(23)
        one, two = (
            TFLiteTarget(path, num_threads=count).predict(images)
            for count in (1, 2)
        )
        self.assertAllEqual(one, two)

    def test_threads_reach_litert(self):
        path = self.tflite_file()
        with mock.patch.object(
            litert, "Interpreter", side_effect=litert.Interpreter
        ) as constructor:
            TFLiteTarget(path, num_threads=3, kernels="builtin")
        options = constructor.call_args.kwargs
        self.assertEqual(options["num_threads"], 3)
        self.assertEqual(
            options["experimental_op_resolver_type"],
            litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )

    @parameterized.parameters((None, None), (tf.uint8, tf.int8))
    def test_logits(self, inputs, outs):
        model = tiny_models.classifier(softmax=False)
        path = self.tflite_file(model=model, inputs=inputs, outputs=outs)
        images = tiny_models.images(23)
        target = TFLiteTarget(path, logits=True, batch_size=10)
        expected = by_hand(path, images)
        expected = special.softmax(expected, axis=1)
        answer = target.predict(images)
        self.assertEqual(answer.dtype, np.float32)
        # The logits are float32.
        self.assertAllClose(answer, expected, atol=1e-6)
        self.assertGreater(np.ptp(answer), 0.1)
        self.assertEqual(target.info["outputs"], "logits")
        self.assertEqual(target.info["probability_step"], 0)

    @parameterized.parameters((None, None), (tf.uint8, tf.int8))
    def test_logits_for_probabilities_and_the_reverse(self, inputs, outs):
        for softmax, pattern in (
            (False, "'model' does not output probabilities: those of record 0 "
             "sum to .*, the least is -.*: if these are logits, query with "),
            (True, "'model' outputs probabilities, not logits: leave out"),
        ):  # fmt: skip
            model = tiny_models.classifier(softmax=softmax)
            path = self.tflite_file(model=model, inputs=inputs, outputs=outs)
            target = TFLiteTarget(path, logits=softmax)
            self.assertRefused(pattern, target.predict, tiny_models.images())

    @parameterized.product(
        outs=(tf.int8, tf.uint8, None), kernels=("default", "reference")
    )
    def test_integer_softmax_can_be_audited(self, outs, kernels):
        path = self.tflite_file(inputs=tf.uint8, outputs=outs)
        data = tiny_models.dataset(200)
        answers = queries.outputs_of(
            TFLiteTarget(path, kernels=kernels),
            tiny_models.split_of(data).records(data),
        )
        levels = answers.probabilities * 256
        self.assertAllEqual(levels, np.round(levels))
        # Each level is off by half a step at most, so a row's sum is not 1.
        sums = answers.probabilities.sum(axis=1)
        self.assertGreater(np.abs(sums - 1).max(), 1e-3)

    def test_bad_options(self):
        path = self.tflite_file()
        for options, message in (
            ({"num_threads": 0}, "num_threads must be >= 1, got 0"),
            ({"batch_size": 0}, "batch_size must be >= 1, got 0"),
            ({"kernels": "gpu"}, "kernels must be one of .* got 'gpu'"),
        ):
            self.assertRefused(message, TFLiteTarget, path, **options)
        self.assertRefused(
            "there is no model file", TFLiteTarget, self.dir / "x.tflite"
        )


class ImagesTest(Files):
    @parameterized.named_parameters(
        ("float", np.zeros((3, 6, 5, 1), np.float32), "float32"),
        ("int64", np.zeros((3, 6, 5, 1), np.int64), "int64"),
        ("one_image", np.zeros((6, 5, 1), np.uint8), r"uint8 \[6, 5, 1\]"),
        ("none", np.zeros((0, 6, 5, 1), np.uint8), r"uint8 \[0, 6, 5, 1\]"),
    )
    def test_what_is_not_images(self, images, got):
        message = rf"uint8 \[N, height, width, channels\], got {got}"
        model = tiny_models.classifier()
        for target in (
            KerasTarget(model),
            TFLiteTarget(self.tflite_file(model=model)),
        ):
            self.assertRefused(message, target.predict, images)

    def test_flat_input(self):
        path = tiny_models.write_function(
            tf.nn.softmax, [(1, 6)], self.dir / "flat.tflite"
        )
        self.assertRefused(
            r"takes images of \[6\], got \[6, 5, 1\]",
            TFLiteTarget(path).predict,
            tiny_models.images(3),
        )


class ProgressTest(Files):
    @parameterized.parameters(True, False)
    def test_counts_images(self, shown):
        path = self.tflite_file()
        with (
            mock.patch("tqdm.tqdm") as tqdm,
            mock.patch.object(terminal, "_shows_bars", return_value=True),
        ):
            TFLiteTarget(path, batch_size=10).predict(
                tiny_models.images(23), progress=shown
            )
        moves = [call.args for call in tqdm.return_value.update.call_args_list]
        self.assertEqual(moves, [(10,), (10,), (3,)])
        options = tqdm.call_args.kwargs
        self.assertEqual(options["total"], 23)
        self.assertIs(options["disable"], not shown)


class SameForAllTest(Files):
    """Being listed as a member changes nothing but the listing."""

    def setUp(self):
        super().setUp()
        self.data = tiny_models.dataset(RECORDS)
        self.split = tiny_models.split_of(self.data)
        self.swapped = tiny_models.split_of(self.data, self.split.nonmembers)

    def fed(self, target, feeder, name, side):
        """Queries; returns record -> the bytes that reached the model."""
        seen = []
        original = getattr(feeder, name)

        def spy(values):
            seen.extend(
                (row.tobytes(), row.dtype) for row in np.asarray(values)
            )
            return original(values)

        with mock.patch.object(feeder, name, spy):
            answers = queries.outputs_of(
                target, side.records(self.data), progress=False
            )
        # Only to fill the last batch is a record asked about twice.
        self.assertLess(len(seen) - RECORDS, 7)
        self.assertContainsSubset(seen[RECORDS:], seen[:RECORDS])
        return answers, dict(zip(answers.record_ids, seen, strict=False))

    @parameterized.parameters("keras", "float32", "uint8", "int8")
    def test_same_bytes_and_answers_on_either_side(self, kind):
        model = tiny_models.classifier()
        if kind == "keras":
            target = KerasTarget(model, batch_size=7)
            spot = (target, "_call")
        else:
            types = {"float32": None, "uint8": tf.uint8, "int8": tf.int8}
            path = self.tflite_file(
                model=model, inputs=types[kind], outputs=types[kind]
            )
            target = TFLiteTarget(path, batch_size=7)
            spot = (target.interpreter, "run")
        first, fed = self.fed(target, *spot, self.split)
        second, fed_swapped = self.fed(target, *spot, self.swapped)
        self.assertEqual(fed, fed_swapped)
        self.assertLen(fed, RECORDS)
        if kind in ("keras", "float32"):
            for record, (content, dtype) in fed.items():
                pixels = self.data.images[record].astype(np.float32)
                self.assertEqual(dtype, np.float32)
                self.assertEqual(content, (pixels / np.float32(255)).tobytes())
        first, second = first.in_record_order(), second.in_record_order()
        self.assertAllEqual(first.members, ~second.members)
        self.assertAllEqual(first.labels, second.labels)
        if kind in ("uint8", "int8"):
            self.assertAllEqual(first.probabilities, second.probabilities)
        else:
            # A record's place in its batch may change the order of sums.
            self.assertAllClose(
                first.probabilities, second.probabilities, atol=1e-6
            )


class QueryTest(Files):
    def test_outputs_hold_every_record_once(self):
        data = tiny_models.dataset(RECORDS)
        sides = tiny_models.split_of(data, members=[3, 4, 20, 29])
        model = tiny_models.classifier()
        answers = queries.outputs_of(
            KerasTarget(model, name="mine"),
            sides.records(data),
            run="w4a4",
            progress=False,
        )
        self.assertEqual(answers.info["run"], "w4a4")
        self.assertEqual(answers.info["target"], "mine")
        self.assertEqual(answers.info["fingerprint"], data.fingerprint())
        self.assertAllEqual(answers.record_ids[answers.members], [3, 4, 20, 29])
        self.assertAllEqual(np.sort(answers.record_ids), np.arange(RECORDS))
        expected = model.predict(data.images / np.float32(255), verbose=0)
        for record, label, answer in zip(
            answers.record_ids,
            answers.labels,
            answers.probabilities,
            strict=True,
        ):
            self.assertEqual(label, data.labels[record])
            self.assertAllClose(answer, expected[record], atol=1e-6)

    @parameterized.parameters(
        (3, True, "target 'keras' outputs 4 classes, the labels are of 3: is "
         r"it a model of this data\?$"),
        (4, False, "target 'keras': row .*logits"),
    )  # fmt: skip
    def test_outputs_that_do_not_fit(self, classes, softmax, pattern):
        data = tiny_models.dataset(RECORDS, classes=classes)
        target = KerasTarget(tiny_models.classifier(softmax=softmax))
        records = tiny_models.split_of(data).records(data)
        self.assertRefused(pattern, queries.outputs_of, target, records)

    @parameterized.parameters("keras", "tflite")
    def test_not_a_number(self, kind):
        model = tiny_models.classifier()
        values = model.get_weights()
        values[-1][0] = np.nan
        model.set_weights(values)
        target = KerasTarget(model, name="model")
        if kind == "tflite":
            target = TFLiteTarget(self.tflite_file(model=model))
        data = tiny_models.dataset(RECORDS)
        self.assertRefused(
            "target 'model': row 0 .*a probability is not finite.*30 such rows",
            queries.outputs_of,
            target,
            tiny_models.split_of(data).records(data),
        )


if __name__ == "__main__":
    tf.test.main()
