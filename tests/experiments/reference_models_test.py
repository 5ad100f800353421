"""Reference runs: how they are planned, trained, and read."""

import json
from unittest import mock

import folders as test_folders
import numpy as np
import tensorflow as tf
import tiny_models
import tiny_runs
from absl.testing import parameterized

from qmia_tf import files, onednn, quantizers, terminal
from qmia_tf.errors import InputError
from qmia_tf.experiments import (
    configuration,
    executors,
    reference_models,
    reference_outputs,
    run,
    training_run,
)
from qmia_tf.models.resnet import Bits
from qmia_tf.run_dir import QUANTIZERS, RunDir
from qmia_tf.training import history, recipes, resumable_loop

RECORDS = 40


def a_config(data, **options):
    recipe = recipes.get("digits", epochs=1, width=2, batch_size=8)
    return tiny_runs.config(data, recipe=recipe, bits=Bits(), **options)


class Folder(test_folders.Folder):
    def setUp(self):
        super().setUp()
        self.data = tiny_models.dataset(RECORDS, shape=(8, 8, 1))


class PlanTest(Folder):
    def test_only_seeds_and_sides_differ_from_the_run(self):
        config = a_config(self.data, split_seed=3, seed=5)
        before = json.dumps(config)
        # How the run was computed is not how its references are.
        config["tensorflow"] = {"onednn": True, "intra_op_threads": 64}
        for plan in reference_models.plan(config, 6):
            self.assertIn(plan["split"].pop("complement"), (True, False))
            plan["split"]["seed"] = 3
            plan["seed"] = 5
            self.assertEqual(plan, json.loads(before))
        del config["tensorflow"]
        self.assertEqual(json.dumps(config), before)

    def test_more_are_added_to_the_same(self):
        config = a_config(self.data)
        self.assertEqual(
            reference_models.plan(config, 2),
            reference_models.plan(config, 8)[:2],
        )

    def test_of_other_bits_nothing_else_differs(self):
        config = a_config(self.data, split_seed=3, seed=5)
        own = reference_models.plan(config, 4)
        for bits in (None, Bits(), Bits.parse("w32a32")):
            self.assertEqual(reference_models.plan(config, 4, bits=bits), own)
            self.assertIsNone(reference_models.mismatched_name(config, bits))
        planned = reference_models.plan(config, 4, bits=Bits.parse("w4a2"))
        for matched, mismatched in zip(own, planned, strict=True):
            model = mismatched["model"]
            self.assertEqual(model["weight_bits"], 4)
            self.assertEqual(model["activation_bits"], 2)
            # As a run of these bits has it.
            expected = tiny_runs.config(
                self.data,
                recipe=recipes.get("digits", epochs=1, width=2, batch_size=8),
                bits=Bits(4, 2),
            )
            for key in ("model", QUANTIZERS):
                self.assertEqual(mismatched.pop(key), expected[key])
                matched.pop(key, None)
            self.assertEqual(matched, mismatched)

    def test_matched_ones_have_all_of_the_runs_model(self):
        """Also what the two bit widths do not say."""
        config = tiny_runs.config(
            self.data, recipe=recipes.get("digits"), bits=Bits(clip=True)
        )
        (first, _) = reference_models.plan(config, 2, bits=Bits())
        self.assertEqual(first["model"], config["model"])

    def test_is_json(self):
        planned = reference_models.plan(a_config(self.data), 4)
        self.assertEqual(json.loads(json.dumps(planned)), planned)

    @parameterized.parameters(0.5, 0.3)
    def test_pairs_share_the_records(self, fraction):
        config = a_config(self.data, member_fraction=fraction)
        inside = np.zeros(RECORDS, int)
        for number, plan in enumerate(reference_models.plan(config, 8)):
            split = training_run.open_split(
                self.dir / f"{number}", self.data, plan
            )
            inside[split.members] += 1
            self.assertLen(
                split.members,
                RECORDS * fraction
                + (0 if number % 2 == 0 else RECORDS * (1 - 2 * fraction)),
            )
        self.assertAllEqual(inside, np.full(RECORDS, 4))

    def test_seeds_are_all_different_and_none_is_the_runs(self):
        for seed in range(20):
            config = a_config(self.data, split_seed=seed, seed=seed)
            planned = reference_models.plan(config, 16)
            drawn = {plan["split"]["seed"] for plan in planned}
            self.assertLen(drawn, 8)
            self.assertNotIn(seed, drawn)
            trained = {plan["seed"] for plan in planned}
            self.assertLen(trained, 16)
            self.assertBetween(min(trained), 0, 2**32 - 1)
            self.assertBetween(max(trained), 0, 2**32 - 1)

    def test_another_run_has_others(self):
        plans = [
            reference_models.plan(a_config(self.data, **options), 2)
            for options in ({}, {"seed": 1}, {"split_seed": 1})
        ]
        self.assertLen({plan[0]["split"]["seed"] for plan in plans}, 3)

    def test_seed_at_the_end_of_its_range(self):
        with mock.patch.object(np.random, "SeedSequence") as sequence:
            last = np.array([7, 2**32 - 1], np.uint32)
            sequence.return_value.generate_state.return_value = last
            planned = reference_models.plan(a_config(self.data), 2)
        self.assertEqual([plan["seed"] for plan in planned], [2**32 - 1, 0])

    @parameterized.parameters(-2, 0, 1, 3)
    def test_bad_count(self, count):
        with self.assertRaisesRegex(
            InputError, f"in pairs: count must be 2, 4, ..., got {count}"
        ):
            reference_models.plan(a_config(self.data), count)


def save_untrained(model, data, *, run_dir, **options):
    """Stands in for training.train, whose tests train."""
    del data, options
    model.save(run_dir.model)
    return True


@mock.patch.object(resumable_loop, "make_deterministic", mock.Mock())
class TrainTest(Folder):
    def test_trains_queries_and_goes_on(self):
        run_dir = self.dir / "w32a32"
        config = a_config(self.data)
        RunDir(run_dir).open(config)
        lines = []
        with (
            mock.patch.object(
                resumable_loop, "train", side_effect=save_untrained
            ),
            mock.patch.object(terminal, "say", lines.append),
        ):
            folders = reference_models.train(run_dir, self.data, count=2)
        self.assertEqual(
            folders, [run_dir / "references/r00", run_dir / "references/r01"]
        )
        self.assertRegex(
            lines[0], "^reference r00 done; 1 of 2 done, about .*left$"
        )
        self.assertEqual(reference_outputs.of_run(run_dir), folders)
        loaded = reference_outputs.load(
            folders, "keras", fingerprint=self.data.fingerprint()
        )
        self.assertEqual([x.target for x in loaded], ["r00.keras", "r01.keras"])
        first, second = (x.load().in_record_order() for x in loaded)
        self.assertAllEqual(first.members, ~second.members)
        self.assertAllEqual(first.record_ids, np.arange(RECORDS))
        self.assertAllEqual(first.labels, self.data.labels)
        planned = reference_models.plan(config, 2)
        for folder, wanted in zip(folders, planned, strict=True):
            loaded = configuration.read(folder)
            self.assertEqual(loaded.pop("tensorflow"), onednn.record())
            self.assertEqual(loaded, wanted)
        # Killed and started again: nothing is trained or asked twice.
        kept = {
            path: path.stat().st_mtime_ns
            for pattern in ("*/model.keras", "*/outputs/keras.npz")
            for path in (run_dir / "references").glob(pattern)
        }
        self.assertLen(kept, 4)
        with mock.patch.object(resumable_loop, "train") as train:
            reference_models.train(run_dir, self.data, count=2)
        train.assert_not_called()
        self.assertEqual(kept, {path: path.stat().st_mtime_ns for path in kept})

    def test_files_are_made_where_they_are_asked_for(self):
        run_dir = self.dir / "run"
        RunDir(run_dir).open(a_config(self.data))
        with (
            mock.patch.object(training_run, "train_run") as train,
            mock.patch.object(run, "export_run") as export,
            mock.patch.object(run, "query_run") as query,
        ):
            reference_models.train(
                run_dir,
                self.data,
                count=2,
                schemes=["int8_ptq"],
                num_threads=3,
            )
            self.assertEqual(export.call_count, 2)
            self.assertEqual(export.call_args.kwargs["schemes"], ["int8_ptq"])
            self.assertIs(export.call_args.args[1](), self.data)
            self.assertEqual(query.call_args.kwargs["num_threads"], 3)
            export.reset_mock()
            reference_models.train(run_dir, self.data, count=4)
            export.assert_not_called()
            folders = [call.args[0].name for call in train.call_args_list]
        self.assertEqual(folders[2:], ["r00", "r01", "r02", "r03"])

    def test_of_other_bits_lie_beside_the_matched_ones(self):
        run_dir = RunDir(self.dir / "run")
        config = a_config(self.data)
        run_dir.open(config)
        bits = Bits(4, 4)
        with (
            mock.patch.object(training_run, "train_run") as train,
            mock.patch.object(run, "export_run") as export,
            mock.patch.object(run, "query_run"),
        ):
            folders = reference_models.train(
                run_dir, self.data, count=2, bits=bits, schemes=["int8"]
            )
            self.assertEqual(export.call_count, 2)
            folder = run_dir.path / "references_w4a4"
            self.assertEqual(folders, [folder / "r00", folder / "r01"])
            configs = [call.args[2] for call in train.call_args_list]
            self.assertEqual(
                configs, reference_models.plan(config, 2, bits=bits)
            )
            self.assertFalse(run_dir.references.exists())
            missing = reference_models.plan_missing(run_dir, count=4, bits=bits)
            text = reference_models.describe_missing(
                run_dir, missing, executors.Resources()
            )
            self.assertStartsWith(
                text, "4 references to train in references_w4a4: r00 to r03\n"
            )
            # One of other bits there is refused, field by field.
            other = reference_models.plan(config, 2, bits=Bits(2, 2))[0]
            run_dir.reference(0, "w4a4").open(other)
            train.reset_mock()
            self.assertRefused(
                r"references_w4a4/r00 holds .*weight_bits: 2 -> 4",
                reference_models.train,
                run_dir,
                self.data,
                count=2,
                bits=bits,
            )
        train.assert_not_called()

    def test_what_a_scheme_refuses_is_said_before_the_training(self):
        RunDir(self.dir / "run").open(a_config(self.data))
        with mock.patch.object(training_run, "train_run") as train:
            self.assertRefused(
                r"2 of 2 reference models failed; r00: .*scheme int8 cannot "
                r"carry .*: use --schemes=int8_ptq",
                reference_models.train,
                self.dir / "run",
                self.data,
                count=2,
                schemes=["int8"],
            )
        train.assert_not_called()

    def test_one_of_another_run_is_refused_with_the_differences(self):
        run_dir = self.dir / "run"
        config = a_config(self.data)
        RunDir(run_dir).open(config)
        other = {**reference_models.plan(config, 2)[1], "seed": 7}
        RunDir(run_dir).reference(1).open(other)
        with mock.patch.object(training_run, "train_run") as train:
            self.assertRefused(
                r"references/r01 holds .*another configuration \(seed: 7 -> ",
                reference_models.train,
                run_dir,
                self.data,
                count=2,
            )
        # Before anything is trained.
        train.assert_not_called()

    def test_one_that_differs_in_any_field_is_refused_by_its_name(self):
        run_dir = RunDir(self.dir / "run")
        config = a_config(self.data)
        config["quantizers"] = {"dorefa": 2}
        run_dir.open(config)
        planned = reference_models.plan(config, 2)[0]
        leaves = [
            (part, key)
            for part, fields in planned.items()
            for key in (fields if isinstance(fields, dict) else [None])
        ]
        for part, key in (
            *(("dataset", "fingerprint"), ("recipe", "learning_rate")),
            *(("split", "member_fraction"), ("model", "weight_bits")),
            *(("quantizers", "dorefa"), ("seed", None)),
        ):
            self.assertIn((part, key), leaves)
        path = run_dir.reference(0).config
        path.parent.mkdir(parents=True)
        for part, key in leaves:
            other = json.loads(json.dumps(planned))
            fields, last = (other[part], key) if key else (other, part)
            fields[last] = "other"
            path.write_text(json.dumps(other))
            name = f"{part}.{key}" if key else part
            self.assertRefused(
                rf'r00 holds a run .*\({name}: "other" -> [^;]*\): choose',
                reference_models.plan_missing,
                run_dir,
                count=2,
            )
        # One that no older run names is of version 1.
        del planned["quantizers"]
        path.write_text(json.dumps(planned))
        self.assertRefused(
            r"\(quantizers.dorefa: 1 -> 2\)",
            reference_models.plan_missing,
            run_dir,
            count=2,
        )

    def test_how_one_was_computed_does_not_matter(self):
        run_dir = RunDir(self.dir / "run")
        config = a_config(self.data)
        run_dir.open({**config, "tensorflow": {"onednn": True}})
        first = run_dir.reference(0)
        planned = reference_models.plan(config, 2)[0]
        computed = {
            "onednn": False,
            "intra_op_threads": 64,
            "processor": "another one",
        }
        files.write_json(first.config, {**planned, "tensorflow": computed})
        first.outputs.mkdir()
        first.outputs_of("keras").touch()
        missing = reference_models.plan_missing(run_dir, count=2)
        self.assertEqual([x.name for x, _ in missing], ["r01"])

    def test_nothing_is_trained_by_another_version_of_a_quantizer(self):
        config = tiny_runs.config(self.data)
        self.assertEqual(set(config["quantizers"].values()), {1})
        with mock.patch.dict(quantizers.VERSIONS, {"residual": 3}):
            self.assertRefused(
                r"of another version of qmia_tf, .*\(quantizers.residual: 1 -> "
                r"3\): train the run again",
                training_run.train_run,
                self.dir / "run",
                self.data,
                config,
            )
            del config["quantizers"]
            self.assertRefused(
                r"quantizers.residual: 1 -> 3",
                training_run.train_run,
                self.dir / "older",
                self.data,
                config,
            )

    def test_a_failed_one_is_named_after_all_others(self):
        run_dir = self.dir / "run"
        RunDir(run_dir).open(a_config(self.data))
        with (
            mock.patch.object(training_run, "train_run") as train,
            mock.patch.object(run, "query_run"),
        ):
            train.side_effect = [RuntimeError("no memory"), True, True, True]
            self.assertRefused(
                r"1 of 4 reference models failed; r00: RuntimeError: no memory "
                r"\(log: .*references/r00.log\); the same command does what",
                reference_models.train,
                run_dir,
                self.data,
                count=4,
            )
        self.assertEqual(train.call_count, 4)
        log = run_dir / "references" / "r00.log"
        self.assertIn("Traceback", log.read_text())

    def test_what_is_missing_and_what_it_costs(self):
        run_dir = RunDir(self.dir / "run")
        run_dir.open(a_config(self.data))
        first = run_dir.reference(0)
        first.outputs.mkdir(parents=True)
        first.outputs_of("keras").touch()
        missing = reference_models.plan_missing(run_dir, count=4)
        self.assertEqual([x.name for x, _ in missing], ["r01", "r02", "r03"])
        both = reference_models.plan_missing(run_dir, count=4, schemes=["int8"])
        self.assertLen(both, 4)
        resources = executors.Resources(workers=2)
        self.assertEqual(
            reference_models.describe_missing(run_dir, missing, resources),
            "3 references to train: r01 to r03\n"
            "time and disk: known when the run itself is trained",
        )
        row = dict.fromkeys(history.COLUMNS, 1)
        history.write([{**row, "seconds": 50}], run_dir.history)
        run_dir.model.write_bytes(bytes(2_000_000))
        text = reference_models.describe_missing(run_dir, missing, resources)
        self.assertIn("time: 2 min of training one after another, 2 at", text)
        self.assertIn("disk: about 6 MB", text)
        # Less than a megabyte was measured for the row of ones above.
        self.assertIn("memory: 0.0 GB each", text)
        history.write(
            [{**row, "seconds": 50, "peak_memory_mb": 1234}], run_dir.history
        )
        text = reference_models.describe_missing(run_dir, missing, resources)
        self.assertIn("memory: 1.2 GB each", text)
        with mock.patch.object(reference_models, "execute") as execute:
            execute.return_value = {}
            reference_models.train(run_dir, self.data, count=4)
        given = execute.call_args.kwargs["resources"]
        self.assertEqual(given.job_bytes, 1_234_000_000)

    def test_not_a_run(self):
        with self.assertRaisesRegex(InputError, "is not a run directory"):
            reference_models.train(self.dir / "none", self.data, count=2)

    def test_a_run_without_references(self):
        self.assertEqual(reference_outputs.of_run(self.dir), [])


if __name__ == "__main__":
    tf.test.main()
