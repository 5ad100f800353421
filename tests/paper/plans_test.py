"""The plan of the reproduction: what is trained, what is done, how long."""

import csv
import json
import pathlib
from unittest import mock

import tensorflow as tf
from absl.testing import parameterized

from paper import plans, stages, sweeps
from qmia_tf.auditing import accuracy_matching
from qmia_tf.errors import InputError
from qmia_tf.training import recipes


def names(jobs):
    return [str(job.folder) for job in jobs]


class JobsTest(parameterized.TestCase, tf.test.TestCase):
    def test_every_row_for_seed_0_and_three_for_others(self):
        jobs = plans.jobs(["all"], seeds=(0, 1), regimes=("plain",))
        self.assertEqual(
            names(jobs)[:3],
            [
                "cifar10/plain/w32a32-seed0",
                "cifar10/plain/w4a4-seed0",
                "cifar10/plain/w16a4-seed0",
            ],
        )
        seed_1 = [x.model for x in jobs if x.seed == 1]
        self.assertEqual(seed_1, ["w32a32", "w4a4", "w16a16"] * 2)
        self.assertLen(jobs, 2 * (7 + 3))

    def test_stem_is_part_of_the_regime(self):
        (job,) = plans.jobs(
            ["cifar10"],
            seeds=(2,),
            regimes=("plain",),
            models=["w4a4"],
            stem="cifar",
        )
        self.assertEqual(str(job.folder), "cifar10/plain-cifar/w4a4-seed2")
        self.assertEqual(job.recipe.stem, "cifar")

    def test_choices_are_some_models_of_seed_0(self):
        jobs = plans.jobs(["all"], seeds=(0, 1), regimes=("plain", "choices"))
        chosen = [job for job in jobs if job.regime != "plain"]
        self.assertLen(jobs, 2 * (7 + 3) + len(chosen))
        self.assertEqual(
            names(chosen),
            [
                "cifar10/augmented-adam/w32a32-seed0",
                "cifar10/augmented-epochs60/w32a32-seed0",
                "cifar10/augmented-cifar-width16/w32a32-seed0",
                "cifar10/augmented-cifar-width16/w4a4-seed0",
            ],
        )
        chosen_recipes = [job.recipe for job in chosen]
        self.assertEqual(
            [x.optimizer for x in chosen_recipes[:2]], ["adam", "sgd"]
        )
        self.assertEqual([x.epochs for x in chosen_recipes[:2]], [30, 60])
        self.assertEqual(
            [x.stem for x in chosen_recipes[1:3]], ["imagenet", "cifar"]
        )
        (job,) = plans.jobs(
            ["cifar10"], seeds=(0,), regimes=("choices",), models=["w4a4"]
        )
        self.assertEqual(job, chosen[-1])

    def test_recipes_are_the_papers(self):
        augmented = plans.Job("cifar10", "augmented", "w4a4", 0)
        self.assertEqual(augmented.recipe, recipes.get("paper_cifar10"))
        plain = plans.Job("fashion_mnist", "plain", "w4a4", 0)
        expected = recipes.get(
            "paper_fashion_mnist", crop_padding=0, flip=False
        )
        self.assertEqual(plain.recipe, expected)

    def test_parts_of_a_regime(self):
        fields = plans.regime_fields("plain-adam-epochs60-width16-batch32")
        expected = {
            "crop_padding": 0,
            "flip": False,
            "optimizer": "adam",
            "momentum": 0.0,
            "epochs": 60,
            "width": 16,
            "batch_size": 32,
        }
        self.assertEqual(fields, expected)

    def test_files(self):
        def schemes(model, seed):
            return plans.Job("cifar10", "plain", model, seed).schemes

        self.assertEqual(schemes("w32a32", 0), ("int8_ptq", "tfmot_int8"))
        self.assertEqual(schemes("w32a32", 1), ("int8_ptq",))
        self.assertEqual(schemes("w4a4", 0), ("int8",))
        self.assertEqual(schemes("w16a16", 0), ("float32",))
        # The long fine-tuning is for what is compared.
        other = plans.Job("cifar10", "augmented-adam", "w32a32", 0)
        self.assertEqual(other.schemes, ("int8_ptq",))

    def test_targets(self):
        full = plans.Job("cifar10", "plain", "w32a32", 1)
        self.assertEqual(full.targets, ("keras", "int8_ptq", "keras_rounded"))
        job = plans.Job("cifar10", "plain", "w4a4", 1)
        self.assertEqual(job.targets, ("keras", "int8", "keras_rounded"))

    def test_fewer_epochs_are_asked_where_asking_is_slow(self):
        points = [
            plans.Job("cifar10", "plain", model, 0, size).sweep_points
            for size in (plans.PAPER_SIZE, plans.QUICK)
            for model in ("w4a4", "w16a16")
        ]
        self.assertEqual(points, [6, 3, 2, 2])

    @parameterized.parameters(
        ("regime 'curved'", {"regimes": ["curved"]}),
        ("regime 'plain-fast'", {"regimes": ["plain-fast"]}),
        ("no model 'w3'", {"models": ["w3"]}),
        ("no data set 'imagenet'", {"datasets": ["imagenet"]}),
        ("no stem 'vit'", {"stem": "vit"}),
        ("seed must be 0 or more", {"seeds": [-1]}),
        ("nothing to do", {"seeds": []}),
        ("nothing to do", {"regimes": ["choices"]}),
        ("stems of their own", {"regimes": ["choices"], "stem": "cifar"}),
    )
    def test_refuses(self, message, change):
        given = {"datasets": ["digits"], "seeds": [0], "regimes": ["plain"]}
        given |= change
        with self.assertRaisesRegex(InputError, message):
            plans.jobs(given.pop("datasets"), **given)


class StagesTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.out = pathlib.Path(self.create_tempdir())
        self.full = plans.Job("cifar10", "plain", "w32a32", 0)
        self.job = plans.Job("cifar10", "plain", "w4a4", 0)

    def put(self, job, *files):
        for name in files:
            path = self.out / job.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")

    def audit(self, job, *targets):
        self.put(job, "audit.json")
        stored = {"targets": [{"target": target} for target in targets]}
        path = self.out / job.folder / "audit.json"
        path.write_text(json.dumps(stored))

    def sweep(self, job, scores=tuple(accuracy_matching.SCORES)):
        self.put(job, "epochs.json", "matched.json", "artefacts.json")
        leaks = dict.fromkeys(scores, 0.5)
        for name, content in (
            ("epochs.json", {"points": [{"leaks": leaks}]}),
            ("matched.json", {"trained": {"leak": leaks}}),
        ):
            path = self.out / job.folder / name
            path.write_text(json.dumps(content))

    def history(self, job, seconds):
        path = self.out / job.folder / "history.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            writer = csv.writer(file)
            writer.writerow(["epoch", "seconds"])
            writer.writerows(enumerate(seconds, 1))

    def export(self, job, *schemes):
        self.put(job, *(f"artifacts/{scheme}.tflite" for scheme in schemes))
        path = self.out / job.folder / "artifacts" / "manifest.json"
        path.write_text(json.dumps(dict.fromkeys(schemes, {})))

    def test_a_stage_is_done_if_its_file_is_there(self):
        self.put(self.job, "model.keras", "artifacts/int8.tflite")
        self.audit(self.job, "keras")
        # Killed before the file was in the manifest.
        self.assertEqual(stages.done(self.job, self.out), ("train",))
        self.export(self.job, "int8")
        # A file was made since.
        self.assertNotIn("attack", stages.done(self.job, self.out))
        self.audit(self.job, *self.job.targets, "int8_twin")
        self.assertEqual(
            stages.done(self.job, self.out), ("train", "export", "attack")
        )
        self.put(self.job, "parity.json")
        self.sweep(self.job)
        self.assertEqual(stages.done(self.job, self.out), stages.STAGES)
        # An attack was added since, or its files were not compared with it.
        self.sweep(self.job, ["gap", "margin"])
        self.assertNotIn("sweep", stages.done(self.job, self.out))
        self.sweep(self.job)
        (self.out / self.job.folder / "artefacts.json").unlink()
        self.assertNotIn("sweep", stages.done(self.job, self.out))

    def test_held_against_full_precision_where_that_is_trained(self):
        self.sweep(self.job)
        self.assertIn("sweep", stages.done(self.job, self.out))
        held = self.out / self.job.folder / "matched.json"
        held.unlink()
        self.assertIn("sweep", stages.done(self.job, self.out))
        self.put(self.full, "model.keras")
        self.assertNotIn("sweep", stages.done(self.job, self.out))
        self.sweep(self.job)
        self.assertIn("sweep", stages.done(self.job, self.out))
        # By an attack that was made since it was not.
        text = held.read_text().replace('"likelihood"', '"other"')
        held.write_text(text)
        self.assertNotIn("sweep", stages.done(self.job, self.out))

    def test_stored_results_need_no_run_directory(self):
        self.sweep(self.job)
        self.audit(self.job, *self.job.targets)
        self.assertFalse(stages.is_stored(self.job, self.out))
        self.put(self.job, "parity.json")
        self.assertTrue(stages.is_stored(self.job, self.out))
        self.assertNotIn("train", stages.done(self.job, self.out))
        self.audit(self.job, "keras")
        self.assertFalse(stages.is_stored(self.job, self.out))
        # Full precision needs no comparison; a later control is missed.
        self.sweep(self.full)
        self.audit(self.full, "keras", "int8_ptq", "tfmot_int8")
        self.assertFalse(stages.is_stored(self.full, self.out))
        self.audit(self.full, *self.full.targets)
        self.assertTrue(stages.is_stored(self.full, self.out))
        both = [self.full, self.job]
        other = plans.Job("cifar10", "plain", "w4a4", 1)
        with mock.patch.object(
            stages.stored_results, "has_comparison", return_value=True
        ):
            # Full precision is stored and need not be trained for it.
            missing = stages.not_stored(both, self.out)
            self.assertEqual(missing, [self.job])
            self.audit(self.job, *self.job.targets)
            self.assertEqual(stages.not_stored(both, self.out), [])
            missing = stages.not_stored([*both, other], self.out)
        self.assertEqual(missing, [other])

    def test_stages_that_a_run_does_not_have(self):
        wide = plans.Job("cifar10", "plain", "w16a16", 0)
        self.assertNotIn("parity", stages.needed(wide))
        clip = plans.Job("cifar10", "plain", "w32a32_clip", 0)
        self.assertEqual(stages.needed(clip), ("train", "attack", "sweep"))

    def test_time_from_the_history_of_others(self):
        self.history(self.full, [10.0, 30.0, 500.0])
        rows = stages.plan_runs([self.full, self.job], self.out)
        # The median epoch; 27 are left, and 30 at 1.2 times that.
        self.assertEqual(rows[0].seconds["train"], 27 * 30.0)
        self.assertAlmostEqual(rows[1].seconds["train"], 30 * 36.0)
        self.assertEqual(rows[0].epochs, 3)

    def test_time_is_measured_once_where_nothing_is_known(self):
        asked = []

        def step(job):
            asked.append(job)
            return 7.0

        rows = stages.plan_runs([self.full, self.job], self.out, step=step)
        self.assertEqual(asked, [self.full])
        self.assertAlmostEqual(rows[1].seconds["train"], 30 * 7.0 * 1.2)

    def test_lines(self):
        self.put(self.full, "model.keras")
        self.sweep(self.full)
        self.audit(self.full, *self.full.targets)
        self.export(self.full, "int8_ptq", "tfmot_int8")
        shown = stages.plan_lines(
            stages.plan_runs([self.full, self.job], self.out)
        )
        self.assertEqual(shown[0], "cifar10/plain/w32a32-seed0  done")
        self.assertIn("done: nothing; to do: train, export,", shown[1])
        self.assertTrue(shown[1].endswith("; ? min"))
        self.assertIn("1 runs not known", shown[2])


class SweepTest(tf.test.TestCase):
    def test_even_epochs_with_the_last(self):
        kept = {epoch: f"e{epoch}" for epoch in range(3, 31, 3)}
        self.assertEqual(list(sweeps.choose_epochs(kept, 4)), [3, 12, 21, 30])
        self.assertEqual(sweeps.choose_epochs(kept, 12), kept)
        self.assertEqual(list(sweeps.choose_epochs(kept, 1)), [30])


if __name__ == "__main__":
    tf.test.main()
