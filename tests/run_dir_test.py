"""Tests of the run directory: its files, its one configuration."""

import errno
import os
import pathlib
from unittest import mock

import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import files
from qmia_tf.errors import InputError
from qmia_tf.run_dir import RunDir

CONFIG = {"seed": 0, "model": {"weight_bits": 4, "clip": True}}


class Folder(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)

    def names(self, folder=None):
        return sorted(path.name for path in (folder or self.dir).iterdir())


class PathsTest(Folder):
    def test_every_file_lies_in_the_directory(self):
        run = RunDir(self.dir)
        paths = {
            name: path for name, path in vars(run).items() if name != "path"
        }
        self.assertLen(set(paths.values()), len(paths))
        for path in paths.values():
            self.assertIn(self.dir, path.parents)
        self.assertEqual(os.fspath(run), str(self.dir))
        self.assertEqual(
            run.outputs_of("epochs/epoch_0003"),
            self.dir / "outputs" / "epochs" / "epoch_0003.npz",
        )
        self.assertEqual(
            run.reference(3).model, self.dir / "references/r03/model.keras"
        )

    def test_name_is_that_of_the_directory_it_leads_to(self):
        folder = self.dir / "w4a4"
        folder.mkdir()
        self.assertEqual(RunDir(folder / ".." / "w4a4").name, "w4a4")

    def test_a_model_is_required(self):
        run = RunDir(self.dir)
        with self.assertRaisesRegex(InputError, "has no model.keras: train"):
            run.require_model()
        run.model.touch()
        self.assertEqual(run.require_model(), self.dir / "model.keras")

    def test_checkpoints_that_were_kept(self):
        run = RunDir(self.dir)
        self.assertEqual(run.kept_checkpoints(), {})
        run.checkpoints.mkdir()
        run.last_checkpoint.touch()
        (run.checkpoints / "epoch_best.keras").touch()
        for epoch in (2, 12000):
            run.checkpoint(epoch).touch()
        self.assertEqual(
            run.kept_checkpoints(),
            {epoch: run.checkpoint(epoch) for epoch in (2, 12000)},
        )


class OpenTest(Folder):
    def test_new_then_the_same_again(self):
        run = RunDir(self.dir / "deep" / "run").open(CONFIG)
        self.assertEqual(files.read_json(run.config), CONFIG)
        before = run.config.stat().st_mtime_ns
        again = RunDir(str(run)).open(CONFIG)
        self.assertEqual(again.path, run.path)
        self.assertEqual(run.config.stat().st_mtime_ns, before)
        self.assertEqual(self.names(run.path), ["config.json"])

    def test_tuples_are_lists_in_json(self):
        for milestones in ((1, 2), [1, 2], (1, 2)):
            RunDir(self.dir).open({"milestones": milestones})

    def test_other_configuration_is_refused_with_every_difference(self):
        stored = {**CONFIG, "recipe": {"stem": "cifar", "milestones": [20]}}
        RunDir(self.dir).open(stored)
        wanted = {
            "seed": 0,
            "model": {"weight_bits": 8, "clip": True, "gradient_bits": 6},
            "recipe": {"stem": "cifar", "milestones": [20, 25]},
        }
        with self.assertRaises(InputError) as caught:
            RunDir(self.dir).open(wanted)
        message = str(caught.exception)
        self.assertIn(
            "(model.weight_bits: 4 -> 8; "
            "model.gradient_bits: (not set) -> 6; "
            "recipe.milestones: [20] -> [20, 25])",
            message,
        )
        self.assertNotIn("stem", message)
        self.assertNotIn("\n", message)
        self.assertEqual(files.read_json(self.dir / "config.json"), stored)

    def test_how_it_was_computed_is_no_configuration(self):
        computed = {"onednn": True, "intra_op_threads": 2}
        files.write_json(
            self.dir / "config.json", {**CONFIG, "tensorflow": computed}
        )
        before = (self.dir / "config.json").read_bytes()
        RunDir(self.dir).open(CONFIG)
        self.assertEqual((self.dir / "config.json").read_bytes(), before)
        with self.assertRaises(InputError) as caught:
            RunDir(self.dir).open({**CONFIG, "seed": 1})
        self.assertIn("configuration (seed: 0 -> 1):", str(caught.exception))

    def test_a_quantizer_that_is_not_named_is_of_version_1(self):
        first = {**CONFIG, "quantizers": {"dorefa": 1, "residual": 1}}
        RunDir(self.dir / "older").open(CONFIG)
        RunDir(self.dir / "older").open(first)
        RunDir(self.dir / "newer").open(first)
        RunDir(self.dir / "newer").open(CONFIG)
        second = {**CONFIG, "quantizers": {"dorefa": 2}}
        for name in ("older", "newer"):
            with self.assertRaisesRegex(
                InputError, r"configuration \(quantizers.dorefa: 1 -> 2\)"
            ):
                RunDir(self.dir / name).open(second)

    def test_option_that_is_gone(self):
        RunDir(self.dir).open({"a": 1, "b": {"c": "x"}})
        with self.assertRaisesRegex(InputError, r'b\.c: "x" -> \(not set\)'):
            RunDir(self.dir).open({"a": 1, "b": {}})

    def test_foreign_files_do_not_matter(self):
        (self.dir / "log.txt").write_text("started")
        RunDir(self.dir).open(CONFIG)

    def test_products_of_an_unknown_configuration(self):
        (self.dir / "model.keras").write_bytes(b"")
        with self.assertRaisesRegex(InputError, "holds model.keras but no con"):
            RunDir(self.dir).open(CONFIG)
        self.assertEqual(self.names(), ["model.keras"])

    def test_damaged_configuration(self):
        (self.dir / "config.json").write_text("{")
        with self.assertRaisesRegex(InputError, "config.json is not valid"):
            RunDir(self.dir).open(CONFIG)

    @parameterized.parameters("file", "file/run")
    def test_file_in_place_of_a_directory(self, name):
        (self.dir / "file").write_text("")
        with self.assertRaisesRegex(InputError, f"cannot write .*{name}"):
            RunDir(self.dir / name).open(CONFIG)

    def test_read_only_directory(self):
        # Root may write anywhere, so the refusal is the system's in effect.
        denied = OSError(errno.EACCES, "Permission denied")
        with mock.patch.object(os, "open", side_effect=denied):
            with self.assertRaisesRegex(InputError, "Permission denied"):
                RunDir(self.dir).open(CONFIG)


if __name__ == "__main__":
    tf.test.main()
