"""Tests of parity: of trained networks, and of files that were changed."""

import contextlib
import pathlib
import shutil
import tempfile
from unittest import mock

import integer_runs
import numpy as np
import slow_tests
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf import files
from qmia_tf.deploy.integer import int8_file, integer_network
from qmia_tf.deploy.parity import code_parity
from qmia_tf.deploy.tflite import flatbuffer, post_training
from qmia_tf.deploy.tflite.interpreter import KERNELS
from qmia_tf.errors import InputError
from qmia_tf.models import keras_files
from qmia_tf.run_dir import RunDir

# Largest share of codes that differ between trained network and twin. Not
# every threshold can be kept between the same two sums; the more levels there
# are the less room is between them, and a code that differs goes on into all
# layers behind. Measured: 0.53 %, 0.0003 %, 0, 0.1 %, 5.2 %.
FAST = {(4, 4): 0.02}
SLOW = {(1, 1): 0.001, (2, 2): 0.001, (3, 5): 0.01, (7, 8): 0.15}
SHARES = {**FAST, **SLOW}
# Files, and how far their probabilities may be from the twin's: a float head
# adds in an order of its own.
HEADS = {"int8": 1e-4, "int8_io": 0, "logits": 0}
IMAGES = integer_runs.digits().images
CHANNEL = 3  # one that is neither dead nor at an end of the clip
INTEGER = {"head": "integer", "logits_range": (-60.0, 60.0)}
DEFAULT = {"kernels": ("default",), "threads": (1,), "batch_sizes": (64,)}


def write(folder, model, name="int8", **options):
    """Writes a model's twin and its file; returns their paths."""
    folder = pathlib.Path(folder)
    twin = integer_network.fold(model, **options)
    paths = folder / f"{name}_twin.keras", folder / f"{name}.tflite"
    keras_files.save(twin, paths[0])
    paths[1].write_bytes(int8_file.to_tflite(twin))
    return paths


def ways(check):
    """What was compared with the file, and how."""
    return [
        (c.kernels, c.num_threads, c.batch_size, c.records)
        for c in check.comparisons
        if c.against == "tflite"
    ]


class TrainedDigitsTest(parameterized.TestCase, tf.test.TestCase):
    """Networks that have learnt the digits, in every way."""

    def check(self, bits, **options):
        model = integer_runs.trained(*bits)
        folder = self.create_tempdir().full_path
        path = RunDir(folder).model
        keras_files.save(model, path)
        if options.get("head") == "integer":
            options["logits_range"] = integer_network.calibrate(
                integer_network.fold(model), IMAGES[:500]
            )
        twin, file = write(folder, model, **options)
        return code_parity.check(
            twin,
            file,
            IMAGES[:500],
            model=path,
            logits=options.get("outputs") == "logits",
        )

    def check_kept(self, bits, check):
        trained, *files = check.comparisons
        by_kernels = {name: [] for name in KERNELS}
        for entry in files:
            by_kernels[entry.kernels].append(entry)
            # Every int8 tensor of 20 convolutions, 8 sums and the image.
            self.assertGreaterEqual(len(entry.stages), 29)
            self.assertGreater(entry.codes, 6_000 * entry.records)
        for entry in by_kernels["default"]:
            self.assertEqual(
                entry.mismatches, 0, f"of {entry.codes} codes of {bits}"
            )
            self.assertEqual(entry.labels_differ, 0)
            self.assertLess(entry.largest_probability, 1e-5)
        self.assertEqual(
            ways(check),
            [
                ("default", 1, 64, 500),
                ("default", 2, 64, 500),
                ("builtin", 1, 64, 500),
                ("reference", 1, 64, 500),
                ("default", 1, 1, 50),
                ("default", 2, 1, 50),
                ("builtin", 1, 1, 50),
                ("reference", 1, 1, 50),
            ],
        )
        self.assertIs(check.kept, True)
        # They round twice: nothing is promised, but it is not the same.
        for name in ("builtin", "reference"):
            for entry in by_kernels[name]:
                self.assertGreater(entry.mismatches, 0, name)
        return trained

    def check_trained(self, bits, trained, *, labels):
        """Thresholds that no multiplier could keep, and what follows."""
        self.assertGreaterEqual(len(trained.stages), 17)
        share = trained.mismatches / trained.codes
        self.assertLess(share, SHARES[bits], f"codes of {bits}")
        # Where the network hardly decides, a code or int8's coarse logits do.
        self.assertLessEqual(trained.labels_differ, labels)
        first = trained.stages[0]
        self.assertLess(first.mismatches / first.codes, 1e-3)
        self.assertLessEqual(first.largest, 1)

    @parameterized.parameters(*FAST)
    def test_both_heads(self, *bits):
        self.both_heads(bits)

    @parameterized.parameters(*SLOW)
    @slow_tests.slow
    def test_more_bit_widths(self, *bits):
        self.both_heads(bits)

    def both_heads(self, bits):
        check = self.check(bits)
        self.assertEqual(check.float_layers, ["logits"])
        trained = self.check_kept(bits, check)
        self.check_trained(bits, trained, labels=5)
        check = self.check(bits, head="integer")
        self.assertEqual(check.float_layers, [])
        trained = self.check_kept(bits, check)
        self.check_trained(bits, trained, labels=15)

    def test_int8_logits(self):
        check = self.check((4, 4), head="integer", outputs="logits")
        trained = self.check_kept((4, 4), check)
        self.check_trained((4, 4), trained, labels=15)


class SmallTest(parameterized.TestCase, tf.test.TestCase):
    """A network of six integer layers."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.source = pathlib.Path(tempfile.mkdtemp())
        cls.enterClassContext(contextlib.closing(_Folder(cls.source)))
        cls.model = integer_runs.small()
        write(cls.source, cls.model)
        write(cls.source, cls.model, "int8_io", **INTEGER)
        write(cls.source, cls.model, "logits", outputs="logits", **INTEGER)
        keras_files.save(cls.model, RunDir(cls.source).model)

    def paths(self, name="int8"):
        return (
            self.source / f"{name}_twin.keras",
            self.source / f"{name}.tflite",
        )

    def copy(self, name="int8"):
        """A file that may be changed."""
        folder = pathlib.Path(self.create_tempdir().full_path)
        return pathlib.Path(shutil.copy(self.paths(name)[1], folder))

    def check(self, name="int8", images=IMAGES[:70], **options):
        options = {"logits": name == "logits", **options}
        return code_parity.check(*self.paths(name), images, **options)

    def assertRefused(self, pattern, call, *args, **options):
        with self.assertRaises(InputError) as caught:
            call(*args, **options)
        self.assertRegex(str(caught.exception), pattern)
        self.assertNotIn("\n", str(caught.exception))


class _Folder:
    def __init__(self, path):
        self.path = path

    def close(self):
        shutil.rmtree(self.path)


class CheckTest(SmallTest):
    @parameterized.parameters(*HEADS)
    def test_is_kept(self, name):
        check = self.check(name, model=RunDir(self.source).model, scheme=name)
        trained, *file_comparisons = check.comparisons
        self.assertEqual(check.scheme, name)
        twin, file = self.paths(name)
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
        given = code_parity.Trained(RunDir(self.source).model)
        with_path, with_model, without = (
            self.check(model=model, **DEFAULT).comparisons
            for model in (RunDir(self.source).model, given, None)
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

        calls = []
        with mock.patch.object(code_parity.Observed, "run", noted):
            check = self.check(
                images=IMAGES[:count],
                kernels=("default",),
                threads=(1,),
                batch_sizes=sizes,
            )
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
            ) as target,
            mock.patch.object(
                code_parity, "Observed", wraps=code_parity.Observed
            ) as observed,
        ):
            check = self.check(kernels=("builtin", "default"), threads=(2, 1))
        self.assertEqual(
            ways(check),
            [
                ("builtin", 2, 64, 70),
                ("default", 2, 64, 70),
                ("default", 1, 64, 70),
                ("builtin", 2, 1, 50),
                ("default", 2, 1, 50),
                ("default", 1, 1, 50),
            ],
        )
        for call in target.call_args_list:
            self.assertEqual(call.kwargs["batch_size"], 64)
        for opened in (target, observed):
            self.assertEqual(
                [
                    (call.kwargs["kernels"], call.kwargs["num_threads"])
                    for call in opened.call_args_list
                ],
                [("builtin", 2), ("default", 2), ("default", 1)],
            )

    def test_answers_are_the_files_own_under_the_default_kernels(self):
        predict = code_parity.File.predict

        def shifted(target, images):
            return predict(target, images) + np.float32(0.25)

        with mock.patch.object(code_parity.File, "predict", shifted):
            check = self.check(kernels=("default", "builtin"), threads=(1,))
        for entry in check.comparisons:
            most = 0.26 if entry.kernels == "default" else 0.1
            self.assertBetween(entry.largest_probability, most - 0.1, most)
        self.assertLen(check.broken, 2)
        self.assertIs(check.kept, False)

    @parameterized.parameters("int8", "int8_io", "logits")
    def test_answers_without_delegates(self, name):
        check = self.check(name, kernels=("reference",), threads=(1,))
        target = code_parity.File(
            self.paths(name)[1],
            kernels="reference",
            num_threads=1,
            batch_size=64,
            logits=name == "logits",
        )
        twin = code_parity.Twin(self.paths(name)[0], logits=name == "logits")
        away = np.abs(target.predict(IMAGES[:70]) - twin.run(IMAGES[:70])[1])
        self.assertAllClose(
            check.comparisons[0].largest_probability, away.max(), atol=1e-5
        )
        self.assertIsNone(check.kept)

    def test_float_layer_that_is_rounded_promises_nothing(self):
        folder = self.create_tempdir().full_path
        paths = write(folder, integer_runs.small(first=32))
        check = code_parity.check(*paths, IMAGES[:70], **DEFAULT)
        self.assertEqual(check.rounded_layers, ["stem"])
        self.assertEqual(check.float_layers, ["stem", "logits"])
        self.assertIsNone(check.kept)
        self.assertEmpty(check.broken)
        # Still nearly the same.
        (entry,) = check.comparisons
        self.assertLess(entry.mismatches / entry.codes, 1e-3)

    @parameterized.parameters(
        (IMAGES[:0], "uint8"),
        (IMAGES[:9] / 255, "float64"),
        (IMAGES[:9, :7], r"\[9, 7, 8, 1\]"),
    )
    def test_images_that_do_not_fit(self, images, pattern):
        self.assertRefused(
            f"uint8 images of .* got .*{pattern}", self.check, images=images
        )

    def test_logits_that_are_none(self):
        with self.assertRaisesRegex(InputError, "not output probabilities"):
            self.check("logits", logits=False, **DEFAULT)
        with self.assertRaisesRegex(InputError, "outputs probabilities"):
            self.check("int8_io", logits=True, **DEFAULT)

    @parameterized.parameters(
        ({"kernels": ("gpu",)}, "kernels must be one of .* got 'gpu'"),
        ({"threads": (0,)}, "num_threads must be >= 1, got 0"),
    )
    def test_options_out_of_range(self, options, pattern):
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


class ChangedFileTest(SmallTest):
    @parameterized.product(
        scheme=("int8", "int8_io"),
        change=(
            ("act/bias", louder),
            ("norm/bias", louder),
            ("act/kernel", turned),
            ("norm/kernel", turned),
            ("act/kernel", wider),
            ("norm/kernel", wider),
            ("norm", moved),
            ("norm", wider),
        ),
    )
    def test_one_number_breaks_the_promise(self, scheme, change):
        path, (name, edit) = self.copy(scheme), change
        integer_runs.change(path, name, edit)
        self.check_broken(scheme, path, codes=True)

    @parameterized.parameters(
        ("logits/bias", louder), ("logits/kernel", turned), ("logits", wider)
    )
    def test_integer_head(self, name, edit):
        path = self.copy("int8_io")
        integer_runs.change(path, name, edit)
        self.check_broken("int8_io", path, codes=True)

    @parameterized.parameters(("logits/bias", 0.3), ("logits/kernel", -2.0))
    def test_float_head_has_no_codes_but_answers(self, name, more):
        def edit(numbers, quantization):
            del quantization
            numbers[1] += more

        path = self.copy()
        integer_runs.change(path, name, edit)
        check = self.check_broken("int8", path, codes=False)
        self.assertRegex(check.verdict, "BROKEN: probabilities differ by up")

    def test_float_head_that_gives_no_numbers(self):
        def edit(numbers, quantization):
            del quantization
            numbers[1] = np.nan

        path = self.copy()
        integer_runs.change(path, "logits/bias", edit)
        check = self.check_broken("int8", path, codes=False)
        self.assertEqual(check.comparisons[0].largest_probability, 1.0)

    def check_broken(self, scheme, path, *, codes):
        twin, before = self.paths(scheme)
        self.assertNotEqual(path.read_bytes(), before.read_bytes())
        check = code_parity.check(twin, path, IMAGES[:70], threads=(1, 2))
        by_default = [c for c in check.comparisons if c.kernels == "default"]
        self.assertLen(by_default, 4)
        self.assertEqual(check.broken, by_default)
        self.assertIs(check.kept, False)
        self.assertStartsWith(check.verdict, "int8: PROMISE BROKEN: ")
        for entry in by_default:
            self.assertEqual(entry.mismatches > 0, codes, entry)
        return check


class OtherFileTest(SmallTest):
    """Files that are no twin's, or another one's."""

    def refuse(self, pattern, path):
        self.assertRefused(
            pattern,
            code_parity.check,
            self.paths()[0],
            path,
            IMAGES[:9],
            **DEFAULT,
        )

    def test_other_weights_are_told_by_their_codes(self):
        folder = self.create_tempdir().full_path
        _, path = write(folder, integer_runs.small(seed=1))
        check = code_parity.check(self.paths()[0], path, IMAGES[:9], **DEFAULT)
        self.assertGreater(check.comparisons[0].mismatches, 1000)
        self.assertIs(check.kept, False)

    @parameterized.parameters(
        ({"prefix": "other_"}, "'other_pixels_codes' is .* in the file, miss"),
        ({"width": 7}, r"'act' is \[8, 8, 7\] in the file, \[8, 8, 6\] in"),
    )
    def test_other_network(self, options, pattern):
        folder = self.create_tempdir().full_path
        _, path = write(folder, integer_runs.small(**options))
        self.refuse(f"is not this twin's file .{pattern}.*export both", path)

    def test_input_of_another_range(self):
        converter = tf.lite.TFLiteConverter.from_keras_model(
            tiny_models.classifier()
        )
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        wide = np.random.default_rng(0).uniform(-1, 1, (9, 1, 6, 5, 1))
        wide[0, 0, 0, :2, 0] = -1, 1
        converter.representative_dataset = lambda: (
            [pixels.astype(np.float32)] for pixels in wide
        )
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        ]
        converter.inference_input_type = tf.int8
        path = pathlib.Path(self.create_tempdir().full_path) / "wide.tflite"
        path.write_bytes(converter.convert())
        file = code_parity.File(
            path, kernels="default", num_threads=1, batch_size=4, logits=False
        )
        self.assertRefused(
            "'wide' takes numbers of -.*pixels / 255 fill 0 to 1 only",
            file.predict,
            tiny_models.images(9),
        )

    def test_file_with_fewer_integers_or_more(self):
        self.refuse(
            r"'average' is \[1, 1, 6\] in the file, missing in the twin",
            self.paths("int8_io")[1],
        )
        self.assertRefused(
            r"'average' is missing in the file, \[1, 1, 6\] in the twin",
            code_parity.check,
            self.paths("int8_io")[0],
            self.paths("int8")[1],
            IMAGES[:9],
            **DEFAULT,
        )

    def test_float_file(self):
        path = self.create_tempdir().full_path + "/float32.tflite"
        pathlib.Path(path).write_bytes(post_training.to_float32(self.model))
        self.refuse("'pixels_codes' is missing in the file", path)

    @parameterized.parameters(b"", b"cut", None)
    def test_damaged_file(self, content):
        path = self.copy()
        if content is None:
            content = path.read_bytes()[:2000]
        path.write_bytes(content)
        self.refuse("tflite (is not a .tflite file|cannot be run)", path)

    def test_missing_file(self):
        self.refuse("no model file", self.source / "gone.tflite")

    def test_twin_that_is_none(self):
        self.assertRefused(
            "is not this twin's file",
            code_parity.check,
            RunDir(self.source).model,
            self.paths()[1],
            IMAGES[:9],
            **DEFAULT,
        )


if __name__ == "__main__":
    tf.test.main()
