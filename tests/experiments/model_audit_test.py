"""qmia_tf.audit: functions, tables, saved outputs, several targets."""

import functools
import json
import pathlib
import subprocess
import sys
from unittest import mock

import numpy as np
import own_task
import synthetic_audits
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

import qmia_tf
from qmia_tf import files, onednn
from qmia_tf.attacks.augmentations import Augmentations, Noise
from qmia_tf.auditing import audit_result, label_only_queries
from qmia_tf.deploy import timing
from qmia_tf.errors import InputError
from qmia_tf.experiments import audit_pipeline
from qmia_tf.targets import keras_facts, range_trial

FEW = label_only_queries.Settings(
    records=40,
    augmentations=Augmentations(shift=0),
    noise=Noise(sigmas=(0.1,), draws=2),
)
COPIES = {"correct_augmentations", "agreeing_augmentations", "noise_robustness"}
REFERENCES = {"difficulty", "lira_online", "lira_offline"}
REFERENCES |= {"rmia_online", "rmia_offline", "base_online", "base_offline"}
REFERENCES |= {"bavaria_online", "bavaria_offline"}
COUNT = own_task.MEMBERS + own_task.NONMEMBERS


def reasons(target):
    return {attack.name: attack.reason for attack in target.attacks_left_out}


class Folder(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.lines = []
        quick = functools.partial(timing.measure, seconds=0, least=1, warmup=1)
        self.enter_context(mock.patch.object(timing, "measure", quick))
        # How many are tried depends on the time, unless there is enough.
        self.enter_context(mock.patch.object(range_trial, "SECONDS", 999))

    def audit(self, *arguments, **options):
        options = {"progress": self.lines.append, "out": self.dir, **options}
        return qmia_tf.audit(*arguments, **options)

    def assertRefused(self, pattern, *arguments, **options):
        with self.assertRaisesRegex(InputError, pattern) as caught:
            self.audit(*arguments, **options)
        self.assertNotIn("\n", str(caught.exception))


class TableTest(Folder):
    """Records of five numbers, and a function that answers."""

    def setUp(self):
        super().setUp()
        self.sides = own_task.table()

    def test_of_the_package_itself(self):
        result = qmia_tf.audit(own_task.linear, *self.sides, progress=None)
        (target,) = result.targets
        self.assertEqual(result.name, "linear")
        self.assertEqual(target.target, "linear")
        self.assertEqual(target.kind, "callable")
        self.assertEqual((target.members, target.nonmembers), (60, 50))
        labels = np.concatenate([labels for _, labels in self.sides])
        values = np.concatenate([values for values, _ in self.sides])
        right = own_task.linear(values).argmax(axis=1) == labels
        self.assertAlmostEqual(target.accuracy_members.value, right[:60].mean())
        self.assertAlmostEqual(
            target.attack("gap").auc.value,
            (1 + right[:60].mean() - right[60:].mean()) / 2,
        )
        self.assertIsNotNone(result.blind_baseline)
        self.assertFalse(result.duplicates.warning)

    def test_what_cannot_be_asked_is_left_out_with_the_reason(self):
        result = self.audit(own_task.linear, *self.sides)
        missing = reasons(result.targets[0])
        self.assertEqual(
            set(missing), COPIES | REFERENCES | {"difficulty_parent"}
        )
        for name in COPIES:
            self.assertEndsWith(
                missing[name],
                ": the records are not uint8 images [N, height, width, "
                "channels]",
            )
        self.assertEqual(
            missing["lira_online"],
            "needs models trained alike on other records",
        )
        self.assertIn(
            "quantile", [attack.name for attack in result.targets[0].attacks]
        )
        self.assertFalse((self.dir / "augmented_queries").exists())

    def test_what_is_written(self):
        result = self.audit(own_task.linear, *self.sides)
        self.assertEqual(audit_result.load(self.dir), result)
        config = files.read_json(self.dir / "config.json")
        self.assertEqual(config, result.config)
        self.assertEqual(config["kind"], "own")
        self.assertEqual(config["split"], {"members": 60, "nonmembers": 50})
        self.assertEqual(config["dataset"]["record_shape"], [5])
        self.assertEqual(config["models"][0]["name"], "linear")
        schema = pathlib.Path(__file__).parents[2] / "docs"
        schema = json.loads((schema / "audit.schema.json").read_text())
        try:
            import jsonschema
        except ImportError:
            self.skipTest("needs jsonschema: pip install jsonschema")
        stored = json.loads((self.dir / "audit.json").read_text())
        jsonschema.Draft202012Validator(schema).validate(stored)

    def test_logits_give_the_same_as_probabilities(self):
        def logits(values):
            return np.log(own_task.linear(values)) + 5

        result = self.audit(
            {"p": own_task.linear, "z": logits},
            *self.sides,
            outputs=["auto", "logits"],
        )
        one, two = result.targets
        self.assertEqual(
            (one.outputs, two.outputs), ("probabilities", "logits")
        )
        for attack in one.attacks:
            # float32 probabilities next to 1 are ties where logits are none.
            self.assertAllClose(
                attack.auc.value, two.attack(attack.name).auc.value, atol=0.02
            )

    def test_several_are_compared_with_the_first(self):
        def blunt(values):
            return 0.5 * own_task.linear(values) + 0.5 / 3

        result = self.audit([own_task.linear, blunt], *self.sides)
        self.assertEqual(
            [target.target for target in result.targets], ["linear", "blunt"]
        )
        (agreement,) = result.agreements
        self.assertEqual(
            (agreement.target, agreement.other), ("blunt", "linear")
        )
        self.assertEqual((agreement.records, agreement.labels_differ), (110, 0))
        self.assertEqual(
            [(joint.first, joint.second) for joint in result.joint_attacks],
            [("blunt", "linear")],
        )
        one, two = (target.records_sha256 for target in result.targets)
        self.assertEqual(one, two)

    @parameterized.parameters(
        ({"seed": 1.5}, "seed must be Integral, got 1.5"),
        ({"label_only": 10}, "label_only must be .*Settings.*, got 10"),
        (
            {"tfprivacy": True},
            "tfprivacy is one of off, .*or Settings; got True",
        ),
        ({"file_timeout": "5"}, "file_timeout must be a number > 0, got '5'"),
        ({"attack_options": {"rmia": 3}}, "are a dict of dicts"),
        ({"out": ""}, "out is empty"),
    )
    def test_options_of_another_type_are_refused_at_once(self, options, text):
        with self.assertRaisesRegex(InputError, text):
            qmia_tf.audit(None, None, None, **options)

    def test_references(self):
        rng = np.random.default_rng(7)
        values = np.concatenate([values for values, _ in self.sides])
        paths = []
        for number in range(4):
            path = self.dir / f"r{number}.npz"
            inside = rng.random(COUNT) < 0.5
            sharper = own_task.linear(values) ** rng.uniform(0.5, 2)
            sharper /= sharper.sum(axis=1, keepdims=True)
            np.savez(path, probabilities=sharper, members=inside)
            paths.append(path)
        result = self.audit(own_task.linear, *self.sides, references=paths)
        self.assertEqual(result.references, ["r0", "r1", "r2", "r3"])
        ran = {attack.name for attack in result.targets[0].attacks}
        self.assertContainsSubset(REFERENCES, ran)
        (self.dir / "other").mkdir()
        twin = self.dir / "other" / "r0.npz"
        twin.write_bytes(paths[0].read_bytes())
        self.assertRefused(
            "two references are called 'r0'",
            own_task.linear,
            *self.sides,
            references=[paths[0], twin],
        )

    @parameterized.named_parameters(
        ("sums", lambda v: own_task.linear(v) * 2, None,
         "does not output probabilities: no number is negative and all rows "
         "sum to 2: divide them by that$"),
        ("percent", lambda v: own_task.linear(v) * 100, None,
         "not output probabilities: all rows sum to 100: divide percentages"),
        ("percent_logits", lambda v: own_task.linear(v) * 100, "logits",
         "does not output logits: all rows sum to 100: divide percentages"),
        ("sigmoids", lambda v: own_task.linear(v) ** 0.3, None,
         "all lie in 0..1, but those of record 0 sum to .*multi-label.*need"),
        ("sigmoid_logits", lambda v: own_task.linear(v) ** 0.3, "logits",
         "not output logits: all lie in 0..1, but .*multi-label"),
        ("not_logits", own_task.linear, "logits",
         "outputs probabilities, not logits: all rows sum to 1: give"),
        ("nan", lambda v: own_task.linear(v) * np.nan, None, "not finite"),
        ("fewer", lambda v: own_task.linear(v[:, :5])[:, :2] /
         own_task.linear(v)[:, :2].sum(1, keepdims=True), None,
         "outputs 2 classes, but there is a label 2"),
        ("order", lambda v: own_task.linear(v)[:, [1, 2, 0]], None,
         "members, and chance is .*class_names.*allow_chance"),
        ("constant", lambda v: np.tile([0.5, 0.3, 0.2], (len(v), 1)), None,
         "and chance is"),
    )  # fmt: skip
    def test_answers_that_reveal_a_mistake(self, function, outputs, pattern):
        self.assertRefused(pattern, function, *self.sides, outputs=outputs)
        self.assertFalse((self.dir / "outputs").exists())

    def test_rounded_probabilities_are_taken(self):
        """Two digits, many classes: sums miss one by more than a tenth."""
        rng = np.random.default_rng(3)
        spread = rng.normal(0, 0.3, (3, 97))

        def answer(values):
            rows = own_task.linear(values)
            rest = np.exp(values[:, :3] @ spread) / 400
            rows = np.column_stack([rows, rest])
            return (rows / rows.sum(axis=1, keepdims=True)).round(2)

        rows = answer(np.concatenate([values for values, _ in self.sides]))
        self.assertGreater(np.abs(rows.sum(axis=1) - 1).max(), 0.1)
        result = self.audit(answer, *self.sides)
        self.assertEqual(result.targets[0].probability_step, 0.01)
        stored = np.load(self.dir / "outputs" / "answer.npz")
        self.assertAllClose(stored["probabilities"], rows, atol=1e-7)

    def test_logits_that_only_once_are_probabilities_are_found(self):
        def late(values):
            rows = own_task.linear(values)
            if len(values) == COUNT:
                rows[107] = [2, -1, -0.5]
            return rows

        self.assertRefused("those of record 107 sum to 0.5", late, *self.sides)

    def test_chance_can_be_allowed(self):
        def permuted(values):
            return own_task.linear(values)[:, [1, 2, 0]]

        result = self.audit(permuted, *self.sides, allow_chance=True)
        self.assertLess(result.targets[0].accuracy_members.value, 0.3)

    def test_class_names_count_the_classes(self):
        self.assertRefused(
            "outputs 3 classes, the labels are of 4",
            own_task.linear,
            *self.sides,
            class_names=["a", "b", "c", "d"],
        )

    def test_pixels_are_of_images(self):
        self.assertRefused(
            "input_range=.0, 1. is about numbers of 0..255, and the records "
            "lie in -.*leave it out",
            own_task.linear,
            *self.sides,
            input_range="0..1",
        )

    def test_records_on_both_sides(self):
        (one, labels), (two, others) = self.sides
        two = np.concatenate([two[:-2], one[:2]])
        result = self.audit(own_task.linear, (one, labels), (two, others))
        self.assertEqual(result.duplicates.members, 2)
        self.assertTrue(any("2 member(s) have an" in x for x in self.lines))
        self.assertRefused(
            "every member is also on the other side",
            own_task.linear,
            (one, labels),
            (one, labels),
        )

    def test_few_records(self):
        (one, labels), (two, others) = self.sides
        result = self.audit(
            own_task.linear, (one[:20], labels[:20]), (two[:9], others[:9])
        )
        said = [line for line in self.lines if "only" in line]
        self.assertStartsWith(said[0], "warning: only 20 members: the interv")
        self.assertStartsWith(said[1], "warning: only 9 nonmembers")
        wide = result.targets[0].attack("gap").auc
        self.assertGreater(wide.high - wide.low, 0.2)

    @parameterized.parameters(
        (None, None, "nothing to audit: give a model"),
        ("x", None, "nonmembers is missing: an audit needs both sides"),
        (None, "x", "members is missing"),
    )
    def test_a_side_is_missing(self, members, nonmembers, pattern):
        self.assertRefused(pattern, None, members, nonmembers)

    def test_no_model_or_no_records(self):
        self.assertRefused("records are missing: give members", own_task.linear)
        path = self.dir / "a.npz"
        np.savez(path, x=1, y=1)
        self.assertRefused("are records: give the target", None, path, path)
        np.savez(path, preds=1, labels=1)
        self.assertRefused(
            "holds labels, preds: outputs are called probabilities or logits, "
            "records images or x",
            None,
            path,
            path,
        )

    @parameterized.parameters(
        ({"recipe": {"name": "digits"}}, "is a run directory, whose audit"),
        ({}, "config.json is neither an audit's nor a run's, or .* damaged"),
        ({"kind": "other"}, "neither .*: choose another out, or delete"),
        ([], "config.json: the file holds"),
    )
    def test_what_is_not_an_audit_is_left_alone(self, config, pattern):
        files.write_json(self.dir / "config.json", config)
        self.assertRefused(pattern, own_task.linear, *self.sides)

    def test_a_run_without_its_configuration_is_left_alone(self):
        (self.dir / "model.keras").touch()
        self.assertRefused("is a run directory", own_task.linear, *self.sides)


class ImagesTest(Folder):
    """Images, and a function that answers about pixels / 255."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = tiny_models.classifier()
        cls.sides = own_task.images(cls.model)

    def test_copies_are_asked_about(self):
        result = self.audit(
            {"net": self.model},
            *self.sides,
            input_range="0..1",
            label_only=FEW,
        )
        target = result.targets[0]
        ran = {attack.name for attack in target.attacks}
        self.assertContainsSubset(COPIES, ran)
        self.assertEqual(target.attack("noise_robustness").members, 20)
        self.assertEqual(target.kind, "keras")
        self.assertGreater(target.latency_ms, 0)
        self.assertEqual(target.latency_threads, onednn.threads())
        self.assertEqual(target.onednn, onednn.is_on())
        self.assertTrue(
            (self.dir / "augmented_queries" / "net.noise.npz").is_file()
        )

    def test_a_tflite_file_needs_no_tensorflow(self):
        tiny_models.write_tflite(self.model, self.dir / "net.tflite")
        for name, (values, labels) in zip("ab", self.sides, strict=True):
            np.savez(self.dir / f"{name}.npz", x=values, y=labels)
        code = (
            "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = "
            "None; import qmia_tf; qmia_tf.audit('net.tflite', 'a.npz', "
            "'b.npz', input_range='0..1', out='out')"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.dir,
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        (target,) = audit_result.load(self.dir / "out").targets
        self.assertEqual((target.latency_threads, target.onednn), (2, None))
        self.assertIn(
            "agreeing_augmentations", [x.name for x in target.attacks]
        )

    def test_a_function_is_asked_about_copies_again(self):
        asked = []

        def answer(images):
            asked.append(len(images))
            return self.model.predict(images / np.float32(255), verbose=0)

        with mock.patch.object(
            audit_pipeline.audits,
            "audit_outputs",
            return_value=synthetic_audits.result(),
        ):
            self.audit(answer, *self.sides, label_only=FEW)
            first = sum(asked)
            self.audit(answer, *self.sides, label_only=FEW)
        self.assertEqual(sum(asked), 2 * first)

    def test_the_wrong_range_stops(self):
        # Brightness decides: with 255 times the pixels it is always class 1.
        def answer(images):
            dark = np.abs(images.mean(axis=(1, 2, 3)) - 0.5) < 0.02
            rows = np.where(dark[:, None], [0.9, 0.1], [0.1, 0.9])
            return rows

        images = tiny_models.images(COUNT, seed=5)
        labels = own_task.labelled(answer(images / np.float32(255)))
        sides = own_task.split(images, labels)
        options = {"label_only": None}
        self.audit(answer, *sides, input_range="0..1", **options)
        self.assertRefused(
            "taken as pixels of 0..255, 38 of 60 members are classified right"
            " .*; taken as pixels of 0..1, 59 of 60 .*: give "
            "input_range=.0, 1. ",
            answer,
            *sides,
            input_range="0..255",
            **options,
        )
        # Where no range is better, chance stops as before.
        labels = np.random.default_rng(0).permutation(labels)
        self.assertRefused(
            r"check input_range \(pixels were taken as 0..255\)",
            answer,
            *own_task.split(images, labels),
            input_range="0..255",
            **options,
        )

    def test_answers_of_the_same_file_and_records_stay(self):
        path = self.dir / "net.keras"
        self.model.save(path)
        (one, labels), others = self.sides
        fewer = (one[1:], labels[1:]), others
        self.assertEqual(self.opened(path, *self.sides), 1)
        self.assertEqual(self.opened(path, *self.sides), 0)
        self.assertEqual(self.opened(path, *fewer), 1)
        self.assertEqual(self.opened(path, *fewer), 0)
        # Without copies, whose answers have a fingerprint as well.
        for sides in (self.sides, fewer):
            self.assertEqual(self.opened(path, *sides, label_only=None), 1)
        self.model.layers[-3].bias.assign_add([0, 0, 0, 0.01])
        self.model.save(path)
        self.assertEqual(self.opened(path, *fewer), 1)
        self.assertEqual(self.opened(path, *fewer), 0)
        (self.dir / "outputs" / "net.npz").write_bytes(b"cut off")
        self.assertEqual(self.opened(path, *fewer), 1)
        (self.dir / "augmented_queries" / "net.npz").unlink()
        self.assertEqual(self.opened(path, *fewer), 1)
        self.assertEqual(self.opened(path, *fewer), 0)

    def opened(self, path, *sides, label_only=FEW):
        """Audits without attacks; says how often the model was opened."""
        opener = keras_facts.open_model
        with (
            mock.patch.object(
                keras_facts, "open_model", side_effect=opener
            ) as opening,
            mock.patch.object(
                audit_pipeline.audits,
                "audit_outputs",
                return_value=synthetic_audits.result(),
            ),
        ):
            self.audit(path, *sides, input_range="0..1", label_only=label_only)
        return opening.call_count


class SavedTest(Folder):
    """Outputs that somebody saved; no model is asked."""

    def setUp(self):
        super().setUp()
        self.sides = own_task.table()
        self.rows = [own_task.linear(values) for values, _ in self.sides]

    def saved(self, name, **arrays):
        np.savez(self.dir / name, **arrays)
        return self.dir / name

    def saved_sides(self):
        return [
            self.saved(name, probabilities=rows, labels=labels)
            for name, rows, (_, labels) in zip(
                ("in.npz", "out.npz"), self.rows, self.sides, strict=True
            )
        ]

    def whole(self, name="both.npz", **more):
        return self.saved(
            name,
            probabilities=np.concatenate(self.rows),
            labels=np.concatenate([labels for _, labels in self.sides]),
            members=np.arange(COUNT) < own_task.MEMBERS,
            **more,
        )

    def test_one_file_a_side(self):
        asked = self.audit(own_task.linear, *self.sides)
        result = self.audit(None, *self.saved_sides(), out=self.dir / "saved")
        for attack in result.targets[0].attacks:
            wanted = asked.targets[0].attack(attack.name)
            self.assertAllClose(attack.auc.value, wanted.auc.value, atol=1e-6)
        missing = reasons(result.targets[0])
        self.assertEndsWith(
            missing["correct_augmentations"],
            "queries: saved outputs cannot be queried with augmented images",
        )
        self.assertEqual(
            missing["quantile"],
            "needs the records themselves: only outputs were given",
        )
        self.assertIsNone(result.blind_baseline)
        self.assertIsNone(result.duplicates)

    def test_files_that_say_who_is_a_member(self):
        one, two = self.whole(), self.whole("second.npz")
        result = self.audit([one, two])
        self.assertEqual(
            [target.target for target in result.targets], ["both", "second"]
        )
        self.assertLen(result.joint_attacks, 1)
        self.assertEqual(result.agreements[0].labels_differ, 0)

    def test_beside_a_model(self):
        rows = np.concatenate(self.rows)[::-1]
        path = self.saved(
            "pi4.npz", probabilities=rows, record_ids=np.arange(COUNT)[::-1]
        )
        result = self.audit([own_task.linear, path], *self.sides)
        first, second = result.targets
        self.assertEqual(second.target, "pi4")
        self.assertIn("quantile", [attack.name for attack in second.attacks])
        self.assertEndsWith(
            reasons(second)["noise_robustness"],
            "cannot be queried with augmented images",
        )
        self.assertAllClose(
            first.attack("loss").auc.value,
            second.attack("loss").auc.value,
            atol=1e-6,
        )

    def test_models_of_other_tasks(self):
        def four(values):
            rows = own_task.linear(values)
            return np.column_stack([rows, np.zeros(len(rows))])

        self.assertRefused(
            "'four' has 4 classes, 'linear' 3: compare models of one",
            [own_task.linear, four],
            *self.sides,
        )

    def test_files_about_other_records(self):
        one = self.whole()
        two = self.whole("second.npz", record_ids=np.arange(COUNT) + 1)
        self.assertRefused(
            "'second' and 'both' are not about the same records .their rec",
            [one, two],
        )
        path = self.saved(
            "two.npz",
            probabilities=[[0.5, 0.5]] * COUNT,
            labels=[0, 1] * (COUNT // 2),
            members=[1, 1, 0, 0, 1] * (COUNT // 5),
        )
        self.assertRefused(
            "'two' has 2 classes, 'both' 3", [one, path], allow_chance=True
        )

    def test_labels_that_are_not_the_models(self):
        labels = [labels for _, labels in self.sides]
        paths = [
            self.saved(name, probabilities=rows, labels=(own + 1) % 3)
            for name, rows, own in zip(
                ("a.npz", "b.npz"), self.rows, labels, strict=True
            )
        ]
        self.assertRefused("and chance is", None, *paths)

    def test_words_about_a_model_that_is_not_there(self):
        self.assertRefused(
            "input_range is about a model or its records, and only saved",
            None,
            *self.saved_sides(),
            input_range="0..1",
        )

    def test_outputs_beside_records_or_models(self):
        one, two = self.saved_sides()
        self.assertRefused(
            "in.npz holds outputs, the other side records: give both sides",
            None,
            one,
            self.sides[1],
        )
        self.assertRefused(
            "about which no model can be queried", own_task.linear, one, two
        )


if __name__ == "__main__":
    tf.test.main()
