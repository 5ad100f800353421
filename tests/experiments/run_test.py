"""Tests of the stages of a run: what is done is not done again."""

import dataclasses
import json
from unittest import mock

import folders
import numpy as np
import other_writer
import tensorflow as tf
import tiny_models
import tiny_runs
from absl.testing import parameterized

from qmia_tf import files, onednn, outputs, terminal
from qmia_tf.attacks import tfprivacy
from qmia_tf.auditing import label_only_queries, risky_members
from qmia_tf.auditing.audit_config import AuditConfig
from qmia_tf.data import split
from qmia_tf.deploy import export as exporting
from qmia_tf.deploy.tflite import post_training
from qmia_tf.experiments import configuration, run, training_run
from qmia_tf.models.resnet import Bits
from qmia_tf.run_dir import RunDir
from qmia_tf.targets import queries
from qmia_tf.training import recipes, resumable_loop

RECORDS = 60


class Folder(folders.Folder):
    def setUp(self):
        super().setUp()
        self.run_dir = self.dir / "w4a4"
        self.data = tiny_models.dataset(RECORDS)


class ConfigurationTest(Folder):
    @parameterized.product(
        recipe=recipes.RECIPES.names(),
        bits=(Bits(), Bits(4, 4), Bits(16, 4, clip=True, gradient=6)),
    )
    def test_round_trip_through_json(self, recipe, bits):
        given = recipes.get(recipe, epochs=33, learning_rate=1 / 3, width=5)
        config = tiny_runs.config(
            self.data,
            bits=bits,
            recipe=given,
            split_seed=3,
            member_fraction=0.3,
            seed=2**32 - 1,
        )
        stored = json.loads(json.dumps(config))
        self.assertEqual(stored, config)
        # The run follows from what is stored: the recipe comes back, but
        # for what other parts of the configuration say.
        fields = configuration.recipe_of(stored).as_dict()
        wanted = given.as_dict()
        for name in ("dataset", "stem", "width"):
            del fields[name], wanted[name]
        self.assertEqual(fields, wanted)
        self.assertEqual(stored["model"]["stem"], given.stem)
        self.assertEqual(stored["model"]["width"], 5)
        again = Bits(
            **{
                name: stored["model"][f"{name}_bits"]
                for name in (
                    "weight",
                    "activation",
                    "first_last",
                    "residual",
                    "gradient",
                )
            },
            clip=stored["model"]["clip"],
        )
        self.assertEqual(again, bits)

    def test_says_which_data(self):
        config = tiny_runs.config(self.data, pool="train")
        self.assertEqual(
            config["dataset"],
            {
                "name": "tiny",
                "pool": "train",
                "fingerprint": self.data.fingerprint(),
                "classes": 4,
                "image_shape": [6, 5, 1],
            },
        )

    @parameterized.parameters(
        ({"seed": -1}, "seed must be in 0..4294967295, got -1"),
        ({"seed": 2**32}, "seed must be in 0..4294967295, got 4294967296"),
        ({"split_seed": -1}, "seed must be 0 or more, got -1"),
        ({"member_fraction": 1.0}, "member_fraction must lie in"),
        ({"member_fraction": 0.01}, "leave 1 as the members"),
        ({"pool": "val"}, "pool must be one of .* got 'val'"),
    )
    def test_what_no_run_can_be_made_of(self, options, message):
        self.assertRefused(message, tiny_runs.config, self.data, **options)


class TrainTest(Folder):
    def train(self, config=None, data=None, **options):
        """Runs the stage without its two slow parts; returns their calls."""
        with (
            mock.patch.object(
                resumable_loop, "train", return_value=True
            ) as train,
            mock.patch.object(resumable_loop, "make_deterministic") as settle,
        ):
            trained = training_run.train_run(
                self.run_dir,
                data or self.data,
                config or tiny_runs.config(self.data, seed=8),
                **options,
            )
        return trained, train, settle

    def test_members_train_and_nonmembers_are_only_measured(self):
        trained, train, settle = self.train(keep_every=3)
        self.assertTrue(trained)
        settle.assert_called_once_with(8)
        model, (images, labels) = train.call_args.args
        given = train.call_args.kwargs
        sides = split.load(self.run_dir / "split.npz", self.data.fingerprint())
        self.assertLen(sides.members, RECORDS // 2)
        self.assertAllEqual(images, self.data.images[sides.members])
        self.assertAllEqual(labels, self.data.labels[sides.members])
        judged = {image.tobytes() for image in given["nonmembers"][0]}
        self.assertEqual(
            judged,
            {image.tobytes() for image in self.data.images[sides.nonmembers]},
        )
        self.assertEqual(given["keep_every"], 3)
        self.assertEqual(given["seed"], 8)
        self.assertEqual(model.input_shape, (None, 6, 5, 1))
        self.assertEqual(model.output_shape, (None, 4))
        self.assertEqual(given["recipe"], recipes.get("digits"))

    def test_at_most_so_many_nonmembers_are_measured(self):
        with mock.patch.object(training_run, "VALIDATION_RECORDS", 7):
            _, train, _ = self.train()
            _, again, _ = self.train()
        first, second = (
            call.call_args.kwargs["nonmembers"] for call in (train, again)
        )
        self.assertLen(first[0], 7)
        self.assertAllEqual(first[0], second[0])

    def computed(self):
        return configuration.read(self.run_dir).get("tensorflow")

    def test_how_it_is_computed_is_noted(self):
        self.train()
        self.assertEqual(self.computed(), onednn.record())
        # Nothing was trained yet, so the next process may be another one.
        other = {"onednn": not onednn.is_on(), "intra_op_threads": 3}
        with mock.patch.object(onednn, "record", return_value=other):
            self.train()
        self.assertEqual(self.computed(), other)
        # Half trained: training.train says whether it may go on.
        RunDir(self.run_dir).last_checkpoint.parent.mkdir()
        RunDir(self.run_dir).last_checkpoint.write_bytes(b"half")
        self.train()
        self.assertEqual(self.computed(), other)

    @parameterized.parameters(
        ({}, None),
        ({"intra_op_threads": 64}, "64 threads"),
        ({"onednn": None}, "oneDNN {other}"),
    )
    def test_finished_run_that_was_computed_otherwise_is_said(
        self, changes, words
    ):
        self.train()
        (self.run_dir / "model.keras").write_bytes(b"finished")
        config = configuration.read(self.run_dir)
        if "onednn" in changes:
            changes = {"onednn": not onednn.is_on()}
        config["tensorflow"].update(changes)
        files.write_json(self.run_dir / "config.json", config)
        with mock.patch.object(terminal, "say") as say:
            trained, train, _ = self.train()
        self.assertFalse(trained)
        train.assert_not_called()
        self.assertEqual(configuration.read(self.run_dir), config)
        if words is None:
            say.assert_not_called()
            return
        say.assert_called_once()
        (line,) = say.call_args.args
        on = {True: "on", False: "off"}[onednn.is_on()]
        other = {True: "off", False: "on"}[onednn.is_on()]
        self.assertRegex(
            line,
            f"w4a4 was trained with .*{words.format(other=other)}.*; this "
            f"process has oneDNN {on}, {onednn.threads()} thread",
        )
        self.assertNotIn("\n", line)

    def test_finished_run_from_before_it_was_noted_is_taken(self):
        self.train()
        (self.run_dir / "model.keras").write_bytes(b"finished")
        config = configuration.read(self.run_dir)
        del config["tensorflow"]
        files.write_json(self.run_dir / "config.json", config)
        with mock.patch.object(terminal, "say") as say:
            self.train()
        say.assert_not_called()
        self.assertIsNone(self.computed())

    @parameterized.parameters(False, True)
    def test_other_configuration_is_refused(self, finished):
        self.train()
        if finished:
            (self.run_dir / "model.keras").write_bytes(b"finished")
        other = tiny_runs.config(self.data, seed=8, bits=Bits(2, 4))
        self.assertRefused(
            r"w4a4 holds a run with another configuration "
            r"\(model.weight_bits: 4 -> 2\): choose another --run_dir",
            self.train,
            other,
        )

    def test_other_data_are_refused(self):
        self.train()
        other = tiny_models.dataset(RECORDS, seed=1)
        ours, theirs = other.fingerprint()[:12], self.data.fingerprint()[:12]
        self.assertRefused(
            f"w4a4 was made from other data: the fingerprint of tiny is "
            f"{ours}, the run's is {theirs}",
            self.train,
            tiny_runs.config(self.data, seed=8),
            other,
        )


class Trained(Folder):
    """A run directory as training leaves it, with a model of a few weights."""

    def setUp(self):
        super().setUp()
        config = tiny_runs.config(self.data)
        RunDir(self.run_dir).open(config)
        self.split = training_run.open_split(self.run_dir, self.data, config)
        self.model = self.run_dir / "model.keras"
        self.save_model()

    def save_model(self, seed=0):
        tiny_models.classifier(seed=seed).save(self.model)

    def query(self, **options):
        """Queries; returns the paths and which targets were really asked."""
        with mock.patch.object(
            queries, "outputs_of", side_effect=queries.outputs_of
        ) as query:
            paths, self.left_out = run.query_run(
                self.run_dir, self.data, **options
            )
        asked = [call.args[0].info["target"] for call in query.call_args_list]
        return paths, asked


class QueryTest(Trained):
    def test_every_target_is_asked_once(self):
        run.export_run(self.run_dir, schemes=["float32"])
        paths, asked = self.query()
        self.assertEqual(asked, ["keras", "float32"])
        folder = self.run_dir / "outputs"
        self.assertEqual(paths, [folder / "keras.npz", folder / "float32.npz"])
        for path in paths:
            answers = outputs.load(path).in_record_order()
            self.assertEqual(answers.info["run"], "w4a4")
            self.assertAllEqual(answers.record_ids, np.arange(RECORDS))
            self.assertAllEqual(answers.labels, self.data.labels)
            self.assertAllEqual(
                np.flatnonzero(answers.members), self.split.members
            )
            expected = tiny_models.classifier()(
                self.data.images / np.float32(255)
            )
            self.assertAllClose(answers.probabilities, expected, atol=1e-6)
        before = [path.stat().st_mtime_ns for path in paths]
        self.assertEqual(self.query(), (paths, []))
        after = [path.stat().st_mtime_ns for path in paths]
        self.assertEqual(before, after)

    def test_only_what_changed_is_asked_again(self):
        run.export_run(self.run_dir, schemes=["float32"])
        self.query()
        self.save_model(seed=5)
        self.assertEqual(self.query()[1], ["keras"])
        run.export_run(self.run_dir, schemes=["float32"])
        paths, asked = self.query()
        self.assertEqual(asked, ["float32"])
        expected = tiny_models.classifier(seed=5)(
            self.data.images / np.float32(255)
        )
        for path in paths:
            answers = outputs.load(path).in_record_order()
            self.assertAllClose(answers.probabilities, expected, atol=1e-6)
        self.assertEqual(self.query()[1], [])

    def test_bad_options_reach_the_user(self):
        run.export_run(self.run_dir, schemes=["float32"])
        self.assertRefused("num_threads", self.query, num_threads=0)
        self.assertRefused("kernels must be", self.query, kernels=["gpu"])
        self.assertRefused("got 'none'", self.query, kernels=[])
        self.assertFalse((self.run_dir / "outputs").exists())

    def test_model_of_other_data(self):
        tiny_models.classifier(shape=(8, 8, 1)).save(self.model)
        self.assertRefused(
            r"target 'keras' takes images of \[8, 8, 1\]", self.query
        )
        tiny_models.classifier(classes=3).save(self.model)
        self.assertRefused(
            r"outputs 3 classes, the labels are of 4", self.query
        )
        self.assertEmpty(list(self.run_dir.glob("outputs/*.npz")))

    def test_cut_off_artifact(self):
        run.export_run(self.run_dir, schemes=["float32"])
        path = self.run_dir / "artifacts" / "float32.tflite"
        path.write_bytes(path.read_bytes()[:1000])
        self.assertRefused("float32.tflite cannot be run by LiteRT", self.query)

    def test_artifact_that_is_gone(self):
        run.export_run(self.run_dir, schemes=["float32"])
        (self.run_dir / "artifacts" / "float32.tflite").unlink()
        self.assertRefused("float32.tflite is gone: export it", self.query)


class ExportTest(Trained):
    def export(self, *schemes, **settings):
        return run.export_run(
            self.run_dir,
            self.load_data,
            schemes=schemes,
            settings=exporting.Settings(**settings),
        )

    def setUp(self):
        super().setUp()
        self.load_data = mock.Mock(return_value=self.data)

    def test_calibrates_on_members_alone(self):
        (entry,) = self.export("int8_ptq", calibration_records=500)
        self.assertEqual(entry["calibrated_on"], len(self.split.members))
        members = self.data.images[self.split.members]
        with mock.patch.object(
            post_training, "to_int8_ptq", wraps=post_training.to_int8_ptq
        ) as convert:
            self.export("int8_ptq", calibration_records=9, calibration_seed=2)
        (_, images), _ = convert.call_args
        known = {image.tobytes() for image in members}
        self.assertLen(images, 9)
        self.assertContainsSubset({i.tobytes() for i in images}, known)

    def test_data_are_loaded_only_if_a_scheme_needs_them(self):
        self.export("float32")
        self.load_data.assert_not_called()
        self.export("auto")
        self.load_data.assert_called_once_with()
        self.export("auto")
        self.load_data.assert_called_once_with()

    def test_recipe_and_seed_are_the_runs(self):
        with mock.patch.object(exporting, "export") as export:
            self.export("auto", tfmot_epochs=1, seed=99)
        settings = export.call_args.kwargs["settings"]
        self.assertEqual(settings.seed, 0)
        # But for what config.json says elsewhere.
        given = {**settings.recipe.as_dict(), "name": "digits"}
        self.assertEqual(given, recipes.get("digits").as_dict())
        self.assertEqual(settings.tfmot_epochs, 1)

    def test_no_data(self):
        self.load_data = None
        self.assertRefused("needs members", self.export, "auto")


class OtherWriterTest(Trained):
    """Two processes: on one thing the second stops, on others it works."""

    @parameterized.parameters(
        ("model.keras", "train"),
        ("audit.json", "attack"),
        ("outputs/keras.npz", "query"),
        ("artifacts/float32.tflite", "export"),
    )
    def test_second_writer_stops(self, product, stage):
        config = tiny_runs.config(self.data)
        stages = {
            "train": lambda: training_run.train_run(
                self.run_dir, self.data, config
            ),
            "attack": lambda: run.attack_run(self.run_dir, self.data),
            "query": lambda: run.query_run(self.run_dir, self.data),
            "export": lambda: run.export_run(self.run_dir, schemes=["float32"]),
        }
        with other_writer.writing(self.run_dir / product):
            self.assertRefused(
                f"{product} is being written by process", stages[stage]
            )

    def test_stored_outputs_need_no_lock(self):
        run.query_run(self.run_dir, self.data)
        with other_writer.writing(self.run_dir / "outputs" / "keras.npz"):
            run.query_run(self.run_dir, self.data)


class MissingStageTest(Trained):
    def test_not_trained(self):
        self.model.unlink()
        message = r"w4a4 has no model.keras: train it first, with qmia train"
        self.assertRefused(message, self.query)
        self.assertRefused(message, run.export_run, self.run_dir)
        self.assertRefused(message, run.attack_run, self.run_dir, self.data)

    def test_not_a_run(self):
        elsewhere = self.run_dir.parent / "elsewhere"
        message = r"elsewhere is not a run directory \(no config.json\)"
        self.assertRefused(message, run.export_run, elsewhere)
        self.assertRefused(message, run.query_run, elsewhere, self.data)
        self.assertFalse(elsewhere.exists())

    @parameterized.parameters("{}", "[]", "3", '{"schema_version": 99}')
    def test_configuration_of_another_version(self, text):
        (self.run_dir / "config.json").write_text(text)
        self.assertRefused(
            r"config.json has schema_version (None|99), not 1", self.query
        )


class AttackTest(Trained):
    def test_audits_every_target(self):
        run.export_run(self.run_dir, schemes=["float32"])
        result = run.attack_run(self.run_dir, self.data, label_only=None)
        self.assertEqual(
            [target.target for target in result.targets], ["keras", "float32"]
        )
        # The name is as of a TFDS data set, which is shown.
        first = result.targets[0]
        image = self.data.images[first.risky_members[0].record_id]
        self.assertEqual(
            first.risky_members[0].picture, risky_members.as_png(image)
        )
        names = [class_audit.name for class_audit in first.per_class]
        self.assertContainsSubset(names, self.data.class_names)
        self.assertNotEmpty(names)
        stored = files.read_json(self.run_dir / "audit.json")
        self.assertEqual(stored["fingerprint"], self.data.fingerprint())
        self.assertEqual(stored["name"], "w4a4")
        self.assertEqual(
            stored["blind_baseline"]["features"],
            "image statistics and the label",
        )
        self.assertEqual(stored["blind_baseline"]["members"], RECORDS // 4)
        expected = tiny_models.classifier()(self.data.images / np.float32(255))
        right = expected.numpy().argmax(axis=1) == self.data.labels
        for target in stored["targets"]:
            self.assertEqual(target["members"], RECORDS // 2)
            self.assertAllClose(
                target["accuracy_members"]["value"],
                right[self.split.members].mean(),
            )
            self.assertAllClose(
                target["accuracy_nonmembers"]["value"],
                right[self.split.nonmembers].mean(),
            )

    def test_options_arrive(self):
        run.export_run(self.run_dir, schemes=["float32"])
        settings = tfprivacy.Settings(trained_records=1000)
        with mock.patch.object(run.audit_pipeline, "audit") as audit:
            run.attack_run(
                self.run_dir,
                self.data,
                num_threads=3,
                kernels=["builtin"],
                audit_seed=7,
                tfprivacy=settings,
            )
            _, targets, _, given = audit.call_args.args
            run.attack_run(self.run_dir, self.data)
            without = audit.call_args.args[3]
        self.assertEqual(
            [(x.name, x.kernel_set, x.threads) for x in targets],
            [("keras", "keras", None), ("float32.builtin", "builtin", 3)],
        )
        usual = AuditConfig(
            label_only=label_only_queries.Settings(),
            tfprivacy=tfprivacy.settings_of("threshold"),
        )
        self.assertEqual(
            given, dataclasses.replace(usual, seed=7, tfprivacy=settings)
        )
        self.assertEqual(without, usual)

    def test_what_stands_beside_each_target(self):
        run.export_run(self.run_dir, schemes=["float32"])
        settings = label_only_queries.Settings(records=8)
        result = run.attack_run(self.run_dir, self.data, label_only=settings)
        self.assertEqual(
            sorted(
                p.name for p in (self.run_dir / "augmented_queries").iterdir()
            ),
            [
                "float32.noise.npz",
                "float32.npz",
                "keras.noise.npz",
                "keras.npz",
            ],
        )
        for target in result.targets:
            label_only = target.attack("correct_augmentations")
            self.assertEqual(
                (label_only.members, label_only.nonmembers), (4, 4)
            )
            self.assertEqual(label_only.excluded, RECORDS - 8)
            self.assertEqual(target.attack("quantile").excluded, 0)
            left_out = {attack.name for attack in target.attacks_left_out}
            self.assertContainsSubset({"lira_online", "rmia_offline"}, left_out)
        # The file is also asked together with its Keras model.
        self.assertEqual(
            [(joint.first, joint.second) for joint in result.joint_attacks],
            [("float32", "keras")],
        )
        self.assertEqual(result.references, [])
        self.assertEqual(result.duplicates.members, 0)

    def test_references_and_parent_that_are_given(self):
        others = []
        for name, changes in (
            ("parent", {"bits": Bits()}),
            ("r0", {"split_seed": 1}),
            ("r1", {"split_seed": 2}),
        ):
            folder = self.run_dir.parent / name
            config = tiny_runs.config(self.data, **changes)
            RunDir(folder).open(config)
            tiny_models.classifier(seed=len(others) + 3).save(
                folder / "model.keras"
            )
            run.query_run(folder, self.data)
            others.append(folder)
        result = run.attack_run(
            self.run_dir,
            self.data,
            parent=others[0],
            references=others[1:],
            label_only=None,
        )
        self.assertEqual(result.references, ["r0.keras", "r1.keras"])
        (target,) = result.targets
        ran = {attack.name: attack for attack in target.attacks}
        self.assertContainsSubset(
            {"difficulty_parent", "difficulty", "lira_offline", "rmia_online"},
            set(ran),
        )
        # Records that trained both references have no out-model.
        trained = [
            outputs.load(folder / "outputs/keras.npz").in_record_order()
            for folder in others[1:]
        ]
        both = trained[0].members & trained[1].members
        self.assertGreater(both.sum(), 0)
        self.assertEqual(ran["lira_offline"].excluded, both.sum())
        neither = ~trained[0].members & ~trained[1].members
        self.assertEqual(
            ran["lira_online"].excluded, both.sum() + neither.sum()
        )
        self.assertEqual(
            [(joint.first, joint.second) for joint in result.joint_attacks],
            [("keras", "parent")],
        )


if __name__ == "__main__":
    tf.test.main()
