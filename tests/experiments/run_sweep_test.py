"""A grid of runs: what is made, what is left, what is refused."""

import inspect
from unittest import mock

import folders
import numpy as np
import pandas as pd
import tensorflow as tf
import tiny_models

import qmia_tf
from qmia_tf import files, terminal
from qmia_tf.data.dataset_cache import DatasetCache
from qmia_tf.experiments import run, run_sweep, sweep_plan
from qmia_tf.experiments.executors import Resources
from qmia_tf.experiments.run_grid import Grid
from qmia_tf.experiments.sweep_plan import Steps
from qmia_tf.run_dir import RunDir
from qmia_tf.training import history, resumable_loop

# Little, for a tiny data set.
ATTACK = {"label_only": None, "tfprivacy": "off"}


def save_untrained(model, data, *, run_dir, **options):
    """Stands in for training, whose tests train."""
    del data, options
    row = {**dict.fromkeys(history.COLUMNS, 1), "seconds": 50}
    history.write([row], run_dir.history)
    model.save(run_dir.model)
    return True


class SweepTest(folders.Folder):
    def setUp(self):
        super().setUp()
        data = tiny_models.dataset(80, classes=2, shape=(8, 8, 1))
        self.data = self.dir / "tiny.npz"
        np.savez(self.data, images=data.images, labels=data.labels)
        self.out = self.dir / "out"
        self.lines = []
        self.enterContext(mock.patch.object(terminal, "say", self.lines.append))
        self.enterContext(tiny_models.short_resnet())
        self.enterContext(
            mock.patch.object(resumable_loop, "make_deterministic")
        )
        self.train = self.enterContext(
            mock.patch.object(
                resumable_loop, "train", side_effect=save_untrained
            )
        )

    def grid(self, **options):
        return Grid(**{"datasets": [str(self.data)], "widths": [2], **options})

    def sweep(self, *, grid=None, attack=None, **options):
        return run_sweep.sweep(
            self.out,
            grid or self.grid(),
            attack={**ATTACK, **(attack or {})},
            **{"schemes": (), "report": False, **options},
        )

    def place(self, bits="w4a4", seed=0):
        return RunDir(self.out / f"tiny/digits-cifar-width2-{bits}-seed{seed}")

    def written(self):
        return {
            path: path.stat().st_mtime_ns
            for path in (self.out / "tiny").rglob("*")
            if path.is_file()
        }

    def test_makes_what_is_missing_and_a_table_of_all(self):
        run_dirs = self.sweep()
        self.assertEqual(
            run_dirs, [self.place(bits).path for bits in ("w32a32", "w4a4")]
        )
        audits = [qmia_tf.load_audit(path) for path in run_dirs]
        # The full-precision run is the parent of the other one.
        attacks = [
            {attack.name for attack in audit.targets[0].attacks}
            for audit in audits
        ]
        self.assertNotIn("difficulty_parent", attacks[0])
        self.assertIn("difficulty_parent", attacks[1])
        frame = pd.read_csv(self.out / "sweep.csv")
        wanted = qmia_tf.load_runs(run_dirs)
        self.assertEqual(list(frame["weight_bits"]), [32, 4])
        self.assertEqual(list(frame["width"]), [2, 2])
        self.assertEqual(list(frame["stem"]), ["cifar", "cifar"])
        self.assertAllEqual(frame["auc"], wanted["auc"])
        rows = files.read_json(self.out / "sweep.json")
        self.assertEqual([row["auc"] for row in rows], list(wanted["auc"]))
        self.assertRegex(self.lines[-1], r"^job .* attack done; 4 of 4 done$")

        # Again: nothing. With another seed: that one alone.
        before = self.written()
        self.assertEqual(self.sweep(), run_dirs)
        self.assertEqual(self.train.call_count, 2)
        self.sweep(grid=self.grid(seeds=[0, 1]))
        self.assertEqual(self.train.call_count, 4)
        after = self.written()
        self.assertEqual({x: after[x] for x in before}, before)
        self.assertLen(pd.read_csv(self.out / "sweep.csv"), 4)

    def test_a_parent_that_comes_later_counts(self):
        self.sweep(grid=self.grid(bits=["w4a4"]))
        stored = self.place().audit.read_bytes()
        self.sweep()
        self.assertEqual(self.train.call_count, 2)
        self.assertNotEqual(self.place().audit.read_bytes(), stored)
        # Without it in the grid, what is there has more.
        before = self.written()
        self.sweep(grid=self.grid(bits=["w4a4"]))
        self.assertEqual(self.written(), before)

    def test_how_far_and_on(self):
        for until, stages, product in (
            ("train", ["train"], "model"),
            ("query", ["train", "query"], "outputs"),
            ("attack", ["train", "query", "attack"], "audit"),
        ):
            self.assertFalse(getattr(self.place(), product).exists())
            self.sweep(until=until)
            self.assertTrue(getattr(self.place(), product).exists())
            noted = files.read_json(self.place().path / "stages.json")
            self.assertEqual(list(noted["seconds"]), stages)
        self.assertEqual(self.train.call_count, 2)

    def test_more_schemes_are_made_and_attacked(self):
        self.sweep(grid=self.grid(bits=["w32a32"]))
        with (
            mock.patch.object(run, "export_run") as export,
            mock.patch.object(run, "compare_run") as compare,
            mock.patch.object(run, "attack_run") as attack,
        ):
            self.sweep(grid=self.grid(bits=["w32a32"]), schemes=["float32"])
        self.assertEqual(export.call_args.kwargs["schemes"], ("float32",))
        self.assertLen(compare.mock_calls, 1)
        self.assertLen(attack.mock_calls, 1)
        self.assertEqual(self.train.call_count, 1)

    def test_a_failed_one_stops_no_other(self):
        def fail_once(model, data, *, run_dir, **options):
            if "w32a32-seed0" in run_dir.name:
                raise RuntimeError("no memory")
            return save_untrained(model, data, run_dir=run_dir)

        self.train.side_effect = fail_once
        self.assertRefused(
            r"3 of 8 jobs failed; tiny/.*w32a32-seed0: RuntimeError: no memory "
            r"\(log: .*w32a32-seed0.log\); the same command does what is miss",
            self.sweep,
            grid=self.grid(seeds=[0, 1]),
        )
        log = self.place("w32a32").path.with_name(
            f"{self.place('w32a32').name}.log"
        )
        self.assertIn("Traceback", log.read_text())
        # Of the one whose parent failed, all but the attacks.
        self.assertTrue(self.place().outputs_of("keras").exists())
        self.assertFalse(self.place().audit.exists())
        self.assertLen(pd.read_csv(self.out / "sweep.csv"), 2)
        self.train.side_effect = save_untrained
        self.sweep(grid=self.grid(seeds=[0, 1]))
        self.assertLen(pd.read_csv(self.out / "sweep.csv"), 4)

    def test_another_configuration_is_refused_field_by_field(self):
        self.sweep()
        before = self.written()
        self.assertRefused(
            r"w32a32-seed0 was made with other options \(recipe.epochs: 30 -> "
            r"9; recipe.batch_size: 64 -> 8\): choose another --out",
            self.sweep,
            grid=self.grid(
                seeds=[0, 1], recipe_fields={"batch_size": 8, "epochs": 9}
            ),
        )
        self.assertRefused(
            r"made with other options \(attack.audit_seed: 0 -> 1\)",
            self.sweep,
            attack={"audit_seed": 1},
        )
        self.assertEqual(self.written(), before)
        # Nothing of it is about attacks.
        self.sweep(attack={"audit_seed": 1}, until="query")

    def test_an_audit_of_another_command_is_said(self):
        self.sweep()
        audit = files.read_json(self.place().audit)
        files.write_json(self.place().audit, {**audit, "name": "mine"})
        self.sweep()
        self.assertRegex(
            self.lines[-1],
            r"^warning: .*w4a4-seed0/audit.json was written by another command",
        )

    def test_a_damaged_record_is_refused(self):
        grid = self.grid(bits=["w4a4"])
        self.sweep(grid=grid, until="train")
        for text in ("[]", '{"seconds": 3}', '{"schemes": ["a", 1]}', "{"):
            (self.place().path / "stages.json").write_text(text)
            self.assertRefused(
                r"stages.json", self.sweep, grid=grid, until="train"
            )

    def test_plan_time_and_disk(self):
        resources, steps = Resources(workers=2), Steps("train", ())
        data = DatasetCache()

        def text(grid):
            planned = sweep_plan.plan(self.out, grid, steps, data)
            return sweep_plan.describe(planned, resources)

        self.assertEqual(
            text(self.grid()),
            f"{self.place('w32a32').path.relative_to(self.out)}  "
            "to do: train; ?\n"
            f"{self.place('w4a4').path.relative_to(self.out)}    "
            "to do: train; ?\n"
            "2 runs, 2 to do\n"
            "time and disk: known when a run of each size is done",
        )
        self.assertFalse(self.out.exists())
        self.sweep(grid=self.grid(bits=["w4a4"]), until="train")
        (self.place().path / "large").write_bytes(bytes(3_000_000))
        lines = text(self.grid(seeds=[0, 1, 2])).splitlines()
        self.assertIn("w4a4-seed0    done", lines[3])
        # 50 s is what its history says.
        self.assertEndsWith(lines[1], "to do: train; about 50 s")
        self.assertEqual(lines[-3], "6 runs, 5 to do")
        self.assertEqual(
            lines[-2], "time: 4 min one after another, 2 at a time here"
        )
        self.assertRegex(lines[-1], r"^disk: about 1[56] MB$")
        done = self.grid(bits=["w4a4"])
        self.assertEndsWith(text(done), "done\n1 run, 0 to do")


class DefaultsTest(tf.test.TestCase):
    def test_options_of_an_audit_have_the_defaults_of_attack_run(self):
        parameters = inspect.signature(run.attack_run).parameters
        for name, default in sweep_plan.AUDIT_OPTIONS.items():
            self.assertEqual(parameters[name].default, default, name)
        # The others change no number, or are the sweep's own.
        self.assertEqual(
            set(parameters) - set(sweep_plan.AUDIT_OPTIONS),
            {
                *("run_dir", "dataset", "progress", "name", "parent"),
                *("num_threads", "file_timeout", "file_memory"),
                *("device_outputs", "references", "mismatched_references"),
            },
        )

    def test_no_such_stage(self):
        with self.assertRaisesRegex(ValueError, "until must be one of train"):
            Steps("report")


if __name__ == "__main__":
    tf.test.main()
