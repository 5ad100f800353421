"""Tests of the evaluation on a device, against the target asked here."""

import hashlib
import json
import re
from unittest import mock

import folders
import numpy as np
import other_writer
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

from qmia_tf import outputs
from qmia_tf.data.records import Records
from qmia_tf.deploy import timing
from qmia_tf.edge import (
    device,
    device_data,
    evaluation,
    evaluation_text,
    resumable_queries,
)
from qmia_tf.errors import InputError
from qmia_tf.targets.tflite_target import TFLiteTarget

COUNT = 34


def some_records(*, shape=tiny_models.SHAPE, classes=tiny_models.CLASSES):
    return Records(
        name="tiny",
        values=tiny_models.images(COUNT, shape=shape),
        labels=np.arange(COUNT) % classes,
        members=np.arange(COUNT) < COUNT // 2,
        record_ids=np.arange(COUNT) * 3,
        fingerprint="f" * 64,
        classes=classes,
    )


def timings(threads, latency, images_per_second):
    keys = ("median", "p95", "first", "runs")
    return {
        "threads": threads,
        "latency_ms": dict(zip(keys, latency, strict=True)),
        "images_per_second": images_per_second,
        "batch": 10,
    }


class Evaluated(folders.Folder):
    def setUp(self):
        super().setUp()
        self.data = self.dir / "data.npz"
        self.out = self.dir / "board.npz"
        self.records = some_records()
        device_data.save(self.records, self.data, run="w4a4")

    def model(self, name="int8.tflite", **options):
        model = options.pop("model", None) or tiny_models.classifier()
        options = {"inputs": tf.uint8, "outputs": tf.int8, **options}
        return tiny_models.write_tflite(model, self.dir / name, **options)

    def evaluate(self, model, **options):
        options = {"threads": [1], "seconds": 0.0, "batch_size": 10, **options}
        return evaluation.evaluate(model, self.data, self.out, **options)


class EvaluateTest(Evaluated):
    @parameterized.product(
        types=((tf.uint8, tf.int8), (tf.uint8, None), (None, None)),
        kernels=("default", "reference"),
    )
    def test_saves_what_the_target_answers(self, types, kernels):
        path = self.model(inputs=types[0], outputs=types[1])
        summary = self.evaluate(path, kernels=kernels)
        saved = outputs.load(self.out)
        target = TFLiteTarget(
            path, kernels=kernels, batch_size=10, num_threads=1
        )
        expected = target.predict(self.records.values)
        self.assertAllEqual(saved.probabilities, expected)
        for name in ("labels", "members", "record_ids"):
            self.assertAllEqual(
                getattr(saved, name), getattr(self.records, name)
            )
        suffix = "" if kernels == "default" else ".reference"
        self.assertEqual(
            saved.info,
            {
                **target.info,
                "target": f"int8{suffix}",
                "fingerprint": "f" * 64,
                "run": "w4a4",
                "latency_threads": 1,
                "latency_ms": summary["timings"][0]["latency_ms"]["median"],
            },
        )

    def test_counts_what_is_right(self):
        path = self.model()
        summary = self.evaluate(path)
        answers = TFLiteTarget(path).predict(self.records.values)
        right = answers.argmax(axis=1) == self.records.labels
        half = COUNT // 2
        self.assertEqual(
            summary["right"],
            {"members": right[:half].sum(), "nonmembers": right[half:].sum()},
        )
        self.assertEqual(summary["data"]["members"], half)
        self.assertEqual(summary["data"]["nonmembers"], COUNT - half)

    def test_result_is_json_that_names_everything(self):
        path = self.model()
        summary = self.evaluate(path)
        self.assertEqual(
            json.loads(json.dumps(summary, allow_nan=False)), summary
        )
        content = path.read_bytes()
        self.assertEqual(
            summary["model"],
            {
                "file": "int8.tflite",
                "target": "int8",
                "sha256": hashlib.sha256(content).hexdigest(),
                "size_bytes": len(content),
                "kernel_set": "default",
                "outputs": "probabilities",
                "fixed_batch": None,
            },
        )
        self.assertEqual(summary["device"], device.facts())
        self.assertEqual(summary["query"], {"threads": 1, "resumed_at": 0})
        memory = summary["memory"]
        self.assertLessEqual(memory["before_model_bytes"], memory["peak_bytes"])
        self.assertEqual(
            list(self.dir.glob("*.partial")), [], "the partial file is left"
        )

    def test_times_each_number_of_threads(self):
        asked = []

        def measure(call, **options):
            asked.append(options)
            call()
            return timing.Timing(4.0, 5.0, 60.0, 7)

        with (
            mock.patch.object(timing, "measure", measure),
            mock.patch.object(
                evaluation, "TFLiteTarget", side_effect=TFLiteTarget
            ) as constructor,
        ):
            summary = self.evaluate(self.model(), threads=[2, 1, 2])
        self.assertEqual(
            [call.kwargs["num_threads"] for call in constructor.call_args_list],
            [1, 2],
        )
        self.assertEqual(
            summary["timings"],
            [
                timings(threads, (4.0, 5.0, 60.0, 7), 2500.0)
                for threads in (1, 2)
            ],
        )
        self.assertLen(asked, 4)
        self.assertEqual(summary["query"]["threads"], 2)
        info = outputs.load(self.out).info
        self.assertEqual((info["latency_ms"], info["latency_threads"]), (4, 1))

    @parameterized.parameters((1, [1]), (3, [1, 2]), (8, [1, 2, 4]))
    def test_usual_threads(self, cores, expected):
        with mock.patch.object(device, "cores", lambda: cores):
            summary = self.evaluate(self.model(), threads=None)
        self.assertEqual([t["threads"] for t in summary["timings"]], expected)

    def test_logits(self):
        path = self.model(model=tiny_models.classifier(softmax=False))
        summary = self.evaluate(path, logits=True)
        saved = outputs.load(self.out)
        expected = TFLiteTarget(path, logits=True).predict(self.records.values)
        self.assertAllEqual(saved.probabilities, expected)
        self.assertEqual(saved.info["outputs"], "logits")
        self.assertEqual(summary["model"]["outputs"], "logits")

    def test_fixed_batch(self):
        path = self.model(inputs=None, outputs=None, batch=4)
        summary = self.evaluate(path)
        self.assertEqual(summary["model"]["fixed_batch"], 4)
        self.assertEqual(summary["timings"][0]["batch"], 4)

    def test_answers_that_depend_on_the_batch(self):
        path = tiny_models.write_batch_dependent(self.dir / "batch.tflite")
        self.assertRefused(
            "'batch' does not answer .*batch", self.evaluate, path
        )
        self.assertFalse(self.out.exists())

    def test_a_signature(self):
        path = self.model()
        self.assertNotIn("signature", self.evaluate(path)["model"])
        summary = self.evaluate(path, signature="serving_default")
        self.assertEqual(summary["model"]["signature"], "serving_default")
        saved = outputs.load(self.out)
        self.assertEqual(saved.info["signature"], "serving_default")
        expected = TFLiteTarget(path).predict(self.records.values)
        self.assertAllEqual(saved.probabilities, expected)
        with self.assertRaisesRegex(InputError, "has no signature 'infer'"):
            self.evaluate(path, signature="infer")

    @parameterized.parameters(
        ("my model (2).tflite", "my_model_2_"), ("_.tflite", "model")
    )
    def test_target_is_named_so_that_it_can_be_a_file(self, file, name):
        self.evaluate(self.model(file))
        self.assertEqual(outputs.load(self.out).target, name)

    def test_interrupted_it_goes_on(self):
        path = self.model()
        whole = self.evaluate(path)
        expected = self.out.read_bytes()
        self.out.unlink()
        ask, calls = TFLiteTarget.predict, []

        def interrupted(target, images):
            calls.append(len(images))
            if calls.count(10) == 7:  # Four batches are timed, two asked.
                raise KeyboardInterrupt
            return ask(target, images)

        with (
            mock.patch.object(TFLiteTarget, "predict", interrupted),
            self.assertRaises(KeyboardInterrupt),
        ):
            self.evaluate(path)
        self.assertFalse(self.out.exists())
        again = self.evaluate(path)
        self.assertEqual(again["query"]["resumed_at"], 20)
        self.assertEqual(again["right"], whole["right"])
        saved = outputs.load(self.out)
        self.out.write_bytes(expected)
        self.assertAllEqual(
            saved.probabilities, outputs.load(self.out).probabilities
        )
        self.assertEqual([path.name for path in self.dir.glob("*partial*")], [])

    @parameterized.parameters("model", "data", "kernels", "batch_size")
    def test_goes_on_only_with_the_same(self, what):
        path, options = self.model(), {}
        first = self.key(path)
        if what == "model":
            path = self.model(model=tiny_models.classifier(seed=5))
        elif what == "data":
            self.records.labels[0] = 1
            device_data.save(self.records, self.data, run="w4a4")
        else:
            options = {what: {"kernels": "builtin", "batch_size": 11}[what]}
        self.assertNotEqual(self.key(path, **options), first)

    def key(self, path, **options):
        """What says which outputs an interrupted process has kept."""
        with (
            mock.patch.object(
                resumable_queries, "_rows", side_effect=KeyboardInterrupt
            ),
            mock.patch.object(resumable_queries, "_save") as save,
            self.assertRaises(KeyboardInterrupt),
        ):
            self.evaluate(path, **options)
        return save.call_args.args[1]


class BadInputTest(Evaluated):
    def refuse(self, pattern, model, **options):
        self.assertRefused(pattern, self.evaluate, model, **options)
        self.assertFalse(self.out.exists())

    @parameterized.parameters(
        ({"threads": [0]}, r"threads must be numbers of 1 or more, got \[0\]"),
        ({"threads": [2, -1]}, r"got \[2, -1\]"),
        ({"threads": []}, r"got \[\]"),
    )
    def test_options(self, options, message):
        self.refuse(message, self.model(), **options)

    @parameterized.parameters((8, 8, 1), (6, 5, 3), (5, 6, 1))
    def test_images_of_another_shape(self, *shape):
        device_data.save(some_records(shape=shape), self.data, run="w4a4")
        self.refuse(
            r"target 'int8' takes images of \[6, 5, 1\], got \[\d, \d, \d\]",
            self.model(),
        )

    def test_data_of_other_classes(self):
        device_data.save(some_records(classes=3), self.data, run="w4a4")
        self.refuse(r"outputs \[10, 4\], expected \[10, 3\]", self.model())

    def test_logits(self):
        path = self.model(model=tiny_models.classifier(softmax=False))
        self.refuse(
            "does not output probabilities: .*query with logits=True", path
        )

    def test_files_that_are_not_there(self):
        self.refuse("there is no model file", self.dir / "x.tflite")
        self.data.unlink()
        self.refuse("cannot read .*data.npz", self.model())

    @parameterized.parameters("board.json", "data.npz", "int8.tflite")
    def test_place_of_the_outputs(self, name):
        path = self.model()
        self.out = self.dir / name
        before = {p.name: p.read_bytes() for p in self.dir.iterdir()}
        with self.assertRaisesRegex(
            InputError, "an .npz file|would be written over"
        ):
            self.evaluate(path)
        after = {p.name: p.read_bytes() for p in self.dir.iterdir()}
        self.assertEqual(before, after)

    def test_second_writer_stops(self):
        path = self.model()
        with other_writer.writing(self.out):
            self.assertRefused(
                "board.npz is being written by process", self.evaluate, path
            )
        self.assertFalse(self.out.exists())

    def test_place_that_cannot_be_written(self):
        (self.dir / "file").write_text("mine")
        self.out = self.dir / "file" / "o.npz"
        with (
            mock.patch.object(evaluation, "TFLiteTarget") as target,
            self.assertRaisesRegex(InputError, "cannot write"),
        ):
            self.evaluate(self.model())
        target.assert_not_called()


class PageTest(Evaluated):
    def page(self, **changes):
        summary = self.evaluate(self.model())
        summary.update(changes)
        return evaluation_text.page(summary)

    def test_says_what_was_found(self):
        summary = self.evaluate(self.model(), kernels="reference")
        summary["right"] = {"members": 1234, "nonmembers": 5}
        summary["data"].update(members=2000, nonmembers=8)
        summary["timings"] = [timings(4, (1.5, 2.25, 30.0, 9), 1234.5)]
        summary["memory"] = {"peak_bytes": 95e6, "before_model_bytes": 31e6}
        summary["device"].update(board="Pi 4", cpu="A72", cores=4)
        text = re.sub(" +", " ", evaluation_text.page(summary))
        for line in (
            f"model int8.tflite, 0.00 MB, sha256 "
            f"{summary['model']['sha256'][:12]}",
            "members 1,234 2,000 61.70",
            "nonmembers 5 8 62.50",
            "4 1.500 2.250 30.000 1,234",
            "images/s in batches of 10",
            "peak memory 95 MB; 31 MB of it before the model was read",
            "data data.npz: tiny of run w4a4",
        ):
            self.assertIn(f"\n{line}", f"\n{text}")
        self.assertRegex(text, "kernels reference of LiteRT .*probabilities")
        self.assertRegex(text, r"device Pi 4, A72, \w+, 4 core\(s\)")
        self.assertLess(max(map(len, text.splitlines())), 100)

    def test_memory_that_is_not_counted(self):
        memory = {"peak_bytes": None, "before_model_bytes": None}
        self.assertEndsWith(
            self.page(memory=memory),
            "peak memory: this system does not count it",
        )


if __name__ == "__main__":
    tf.test.main()
