"""Tests of parity: of a small network's files, and of files that differ."""

import atexit
import functools
import pathlib
import shutil
import tempfile
from unittest import mock

import integer_runs
import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf import files
from qmia_tf.deploy.parity import code_parity
from qmia_tf.deploy.tflite import flatbuffer, post_training
from qmia_tf.errors import InputError
from qmia_tf.models import keras_files
from qmia_tf.run_dir import RunDir

# Files, and how far their probabilities may be from the twin's: a float head
# adds in an order of its own.
HEADS = {"int8": 1e-4, "int8_io": 0, "logits": 0}
IMAGES = integer_runs.digits().images
CHANNEL = 3  # one that is neither dead nor at an end of the clip
INTEGER = {"head": "integer", "logits_range": (-60.0, 60.0)}
DEFAULT = {"kernels": ("default",), "threads": (1,), "batch_sizes": (64,)}


@functools.cache
def source():
    """A folder with the files of a network of six integer layers."""
    folder = pathlib.Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    model = integer_runs.small()
    integer_runs.write(folder, model)
    integer_runs.write(folder, model, "int8_io", **INTEGER)
    integer_runs.write(folder, model, "logits", outputs="logits", **INTEGER)
    keras_files.save(model, RunDir(folder).model)
    return folder


def paths(name="int8"):
    return source() / f"{name}_twin.keras", source() / f"{name}.tflite"


class ParityTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.model = RunDir(source()).model

    def copy(self, name="int8"):
        """A file that may be changed."""
        return pathlib.Path(shutil.copy(paths(name)[1], self.dir))

    def check(self, name="int8", images=IMAGES[:70], **options):
        options = {"logits": name == "logits", **options}
        return code_parity.check(*paths(name), images, **options)

    def file(self, path, **options):
        options = {
            "kernels": "default",
            "num_threads": 1,
            "batch_size": 64,
            "logits": False,
            **options,
        }
        return code_parity.File(path, **options)

    def assertRefused(self, pattern, call, *args, **options):
        with self.assertRaises(InputError) as caught:
            call(*args, **options)
        self.assertRegex(str(caught.exception), pattern)
        self.assertNotIn("\n", str(caught.exception))


class CheckTest(ParityTest):
    @parameterized.parameters(*HEADS)
    def test_is_kept(self, name):
        check = self.check(name, model=self.model, scheme=name)
        trained, *file_comparisons = check.comparisons
        self.assertEqual(check.scheme, name)
        twin, file = paths(name)
        self.assertEqual(check.sha256, files.sha256(file))
        self.assertEqual(check.twin_sha256, files.sha256(twin))
        self.assertIs(check.kept, True)
        self.assertEqual(trained.against, "keras")
        self.assertEqual(trained.records, 70)
        self.assertEqual([t.name for t in trained.stages], ["act", "sum"])
        # 8 x 8 and 4 x 4 pixels of 6 channels.
        self.assertEqual(trained.codes, 70 * 6 * (64 + 16))
        (graph,) = flatbuffer.unpack(file.read_bytes()).subgraphs
        computed = {index for op in graph.operators for index in op.outputs}
        sizes = {
            tensor.name.decode(): int(np.prod(tensor.shape))
            for index, tensor in enumerate(graph.tensors)
            if tensor.type == 9 and index in computed
        }
        self.assertGreaterEqual(len(sizes), 5)
        for entry in file_comparisons:
            self.assertEqual([t.name for t in entry.stages], list(sizes))
            self.assertEqual(entry.codes, entry.records * sum(sizes.values()))
            if entry.kernels == "default":
                self.assertEqual(entry.mismatches, 0)
                self.assertEqual(entry.labels_differ, 0)
                self.assertLess(entry.largest_probability, HEADS[name] or 1e-12)

    def test_trained_model_may_be_loaded_already_or_left_out(self):
        given = code_parity.Trained(self.model)
        with_path, with_model, without = (
            self.check(model=model, **DEFAULT).comparisons
            for model in (self.model, given, None)
        )
        self.assertEqual(with_path, with_model)
        self.assertEqual(with_path[1:], without)

    @parameterized.parameters(
        (70, (64, 1), {64: 70, 1: 50}),
        (70, (1, 64), {64: 50, 1: 70}),
        (30, (64, 1), {64: 30, 1: 30}),
        (130, (64, 7), {64: 130, 7: 50}),
    )
    def test_other_batch_sizes_see_fifty(self, count, sizes, records):
        run = code_parity.Observed.run

        def noted(observed, images):
            calls.append(len(images))
            return run(observed, images)

        calls, options = [], {**DEFAULT, "batch_sizes": sizes}
        with mock.patch.object(code_parity.Observed, "run", noted):
            check = self.check(images=IMAGES[:count], **options)
        self.assertEqual(
            {c.batch_size: c.records for c in check.comparisons}, records
        )
        self.assertEqual([c.batch_size for c in check.comparisons], list(sizes))
        self.assertIs(check.kept, True)
        self.assertEqual(sum(calls), sum(records.values()))
        self.assertContainsSubset(
            [min(size, seen) for size, seen in records.items()], calls
        )
        self.assertLessEqual(max(calls), max(sizes))

    def test_kernels_and_threads_are_those_asked_for(self):
        with (
            mock.patch.object(
                code_parity, "File", wraps=code_parity.File
            ) as file,
            mock.patch.object(
                code_parity, "Observed", wraps=code_parity.Observed
            ) as observed,
        ):
            check = self.check(kernels=("builtin", "default"), threads=(2, 1))
        ways = [("builtin", 2), ("default", 2), ("default", 1)]
        self.assertEqual(
            integer_runs.ways(check),
            [(*way, 64, 70) for way in ways] + [(*way, 1, 50) for way in ways],
        )
        for opened in (file, observed):
            given = [call.kwargs for call in opened.call_args_list]
            self.assertEqual(
                [(way["kernels"], way["num_threads"]) for way in given], ways
            )
        for call in file.call_args_list:
            self.assertEqual(call.kwargs["batch_size"], 64)

    def test_outputs_are_the_files_own_under_the_default_kernels(self):
        predict = code_parity.File.predict

        def shifted(file, images):
            return predict(file, images) + np.float32(0.25)

        with mock.patch.object(code_parity.File, "predict", shifted):
            check = self.check(kernels=("default", "builtin"), threads=(1,))
        for entry in check.comparisons:
            most = 0.26 if entry.kernels == "default" else 0.1
            self.assertBetween(entry.largest_probability, most - 0.1, most)
        self.assertLen(check.broken, 2)
        self.assertIs(check.kept, False)

    @parameterized.parameters(*HEADS)
    def test_outputs_without_delegates(self, name):
        check = self.check(name, kernels=("reference",), threads=(1,))
        is_logits = name == "logits"
        file = self.file(paths(name)[1], kernels="reference", logits=is_logits)
        twin = code_parity.Twin(paths(name)[0], logits=is_logits)
        away = np.abs(file.predict(IMAGES[:70]) - twin.run(IMAGES[:70])[1])
        self.assertAllClose(
            check.comparisons[0].largest_probability, away.max(), atol=1e-5
        )
        self.assertIsNone(check.kept)

    def test_float_layer_that_is_rounded_promises_nothing(self):
        made = integer_runs.write(self.dir, integer_runs.small(first=32))
        check = code_parity.check(*made, IMAGES[:70], **DEFAULT)
        self.assertEqual(check.rounded_layers, ["stem"])
        self.assertEqual(check.float_layers, ["stem", "logits"])
        self.assertIsNone(check.kept)
        self.assertEmpty(check.broken)
        # Still nearly the same.
        (entry,) = check.comparisons
        self.assertLess(entry.mismatches / entry.codes, 1e-3)

    @parameterized.parameters(
        ({"images": IMAGES[:0]}, "uint8 images of .* got .*uint8"),
        ({"images": IMAGES[:9] / 255}, "uint8 images of .* got .*float64"),
        ({"images": IMAGES[:9, :7]}, r"uint8 images .* got .*\[9, 7, 8, 1\]"),
        ({"kernels": ("gpu",)}, "kernels must be one of .* got 'gpu'"),
        ({"threads": (0,)}, "num_threads must be >= 1, got 0"),
        ({"name": "logits", "logits": False}, "not output probabilities"),
        ({"name": "int8_io", "logits": True}, "outputs probabilities"),
    )
    def test_what_does_not_fit(self, options, pattern):
        self.assertRefused(pattern, self.check, **options)


def louder(numbers, quantization):
    del quantization
    numbers[CHANNEL] += 5000


def turned(numbers, quantization):
    kernel = numbers.reshape(len(quantization.scale), -1)[CHANNEL]
    kernel[len(kernel) // 2] *= -1


def wider(numbers, quantization):
    del numbers
    quantization.scale[min(CHANNEL, len(quantization.scale) - 1)] *= 1.05


def moved(numbers, quantization):
    del numbers
    quantization.zeroPoint[0] += 1


def added(more):
    def edit(numbers, quantization):
        del quantization
        numbers[1] += more

    return edit


CHANGES = (
    ("act/bias", louder),
    ("norm/bias", louder),
    ("act/kernel", turned),
    ("norm/kernel", turned),
    ("act/kernel", wider),
    ("norm/kernel", wider),
    ("norm", moved),
    ("norm", wider),
)
HEAD_CHANGES = (
    ("logits/bias", louder),
    ("logits/kernel", turned),
    ("logits", wider),
)


class ChangedFileTest(ParityTest):
    def check_broken(self, scheme, change, *, codes):
        path, (twin, before) = self.copy(scheme), paths(scheme)
        integer_runs.change(path, *change)
        self.assertNotEqual(path.read_bytes(), before.read_bytes())
        check = code_parity.check(
            twin, path, IMAGES[:70], kernels=("default", "builtin")
        )
        by_default = [c for c in check.comparisons if c.kernels == "default"]
        self.assertLen(by_default, 4)
        self.assertEqual(check.broken, by_default)
        self.assertIs(check.kept, False)
        self.assertStartsWith(check.verdict, "int8: PROMISE BROKEN: ")
        for entry in by_default:
            self.assertEqual(entry.mismatches > 0, codes, entry)
        return check

    @parameterized.parameters(
        *(("int8", change) for change in CHANGES),
        *(("int8_io", change) for change in (*CHANGES, *HEAD_CHANGES)),
    )
    def test_one_number_breaks_the_promise(self, scheme, change):
        self.check_broken(scheme, change, codes=True)

    @parameterized.parameters(
        ("logits/bias", 0.3), ("logits/kernel", -2.0), ("logits/bias", np.nan)
    )
    def test_float_head_has_no_codes_but_outputs(self, name, more):
        check = self.check_broken("int8", (name, added(more)), codes=False)
        self.assertRegex(check.verdict, "BROKEN: probabilities differ by up")
        if np.isnan(more):
            self.assertEqual(check.comparisons[0].largest_probability, 1.0)


class OtherFileTest(ParityTest):
    """Files that are no twin's, or another one's."""

    def refuse(self, pattern, path, twin=None):
        twin = twin or paths()[0]
        self.assertRefused(
            *(pattern, code_parity.check, twin, path, IMAGES[:9]), **DEFAULT
        )

    def test_other_weights_are_told_by_their_codes(self):
        _, path = integer_runs.write(self.dir, integer_runs.small(seed=1))
        check = code_parity.check(paths()[0], path, IMAGES[:9], **DEFAULT)
        self.assertGreater(check.comparisons[0].mismatches, 1000)
        self.assertIs(check.kept, False)

    @parameterized.parameters(
        ({"prefix": "other_"}, "'other_pixels_codes' is .* in the file, miss"),
        ({"width": 7}, r"'act' is \[8, 8, 7\] in the file, \[8, 8, 6\] in"),
    )
    def test_other_network(self, options, pattern):
        _, path = integer_runs.write(self.dir, integer_runs.small(**options))
        self.refuse(f"is not this twin's file .{pattern}.*export both", path)

    def test_input_of_another_range(self):
        wide = np.random.default_rng(0).uniform(-1, 1, (9, 1, 6, 5, 1))
        wide[0, 0, 0, :2, 0] = -1, 1
        converter = tf.lite.TFLiteConverter.from_keras_model(
            tiny_models.classifier()
        )
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [pixels.astype(np.float32)] for pixels in wide
        )
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        ]
        converter.inference_input_type = tf.int8
        path = self.dir / "wide.tflite"
        path.write_bytes(converter.convert())
        self.assertRefused(
            "'wide' takes numbers of -.*pixels / 255 fill 0 to 1 only",
            self.file(path).predict,
            tiny_models.images(9),
        )

    def test_file_with_fewer_integers_or_more(self):
        self.refuse(
            r"'average' is \[1, 1, 6\] in the file, missing in the twin",
            paths("int8_io")[1],
        )
        self.refuse(
            r"'average' is missing in the file, \[1, 1, 6\] in the twin",
            paths("int8")[1],
            paths("int8_io")[0],
        )

    def test_float_file(self):
        model = keras_files.load(self.model)
        keras_files.freeze(model)
        path = self.dir / "float32.tflite"
        path.write_bytes(post_training.to_float32(model))
        self.refuse("'pixels_codes' is missing in the file", path)

    @parameterized.parameters(b"", b"cut", None)
    def test_damaged_file(self, content):
        path = self.copy()
        if content is None:
            content = path.read_bytes()[:2000]
        path.write_bytes(content)
        self.refuse(
            "tflite (is not a .tflite file|cannot be run|is empty)", path
        )

    def test_missing_file(self):
        self.refuse("no model file", source() / "gone.tflite")

    def test_twin_that_is_none(self):
        self.refuse("is not this twin's file", paths()[1], self.model)


if __name__ == "__main__":
    tf.test.main()
