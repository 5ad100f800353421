"""Tests of the scripts: their help, their error lines, what arrives."""

import pathlib
import re
from unittest import mock

import keras
import numpy as np
import synthetic_audits
import tensorflow as tf
from absl.testing import parameterized
from script_calls import SCRIPTS, Folder, call, loaded, start

from qmia_tf import files, outputs
from qmia_tf.data import loaders
from qmia_tf.experiments import run, training_run
from qmia_tf.models.resnet import Bits
from qmia_tf.run_dir import RunDir
from qmia_tf.training import recipes, resumable_loop

# What a test of a script needs not do: nothing is trained in this process.
IDLE = {"train": mock.DEFAULT, "make_deterministic": mock.DEFAULT}


class HelpTest(parameterized.TestCase):
    @parameterized.parameters(
        sorted(path.stem for path in SCRIPTS.glob("*.py"))
    )
    def test_shows_the_docstring_and_the_flags(self, name):
        status, out, errors = call(name, "--helpfull")
        self.assertEqual((status, errors), (0, ""))
        module = loaded(name)
        self.assertStartsWith(out, module.__doc__.strip())
        source = pathlib.Path(module.__file__).read_text()
        for flag in re.findall(r"flags\.DEFINE_\w+\(\s*\"(\w+)\"", source):
            self.assertRegex(out, rf"--(\[no\])?{flag}:")


class TrainFlagsTest(Folder):
    def refuse(self, pattern, *arguments):
        self.assertRefused(
            pattern, "train", f"--run_dir={self.run_dir}", *arguments
        )
        self.assertFalse(self.run_dir.exists())

    @parameterized.parameters(
        ("--weight_bits=0", "weight_bits must be in 1..32, got 0"),
        ("--weight_bits=33", "weight_bits must be in 1..32, got 33"),
        ("--activation_bits=-4", "activation_bits must be in 1..32, got -4"),
        ("--gradient_bits=40", "gradient_bits must be in 1..32, got 40"),
        ("--first_last_bits=1", "first_last_bits must be in 2..32, got 1"),
        ("--residual_bits=4", "residual_bits must be 8 or 32, got 4"),
        ("--recipe=paper", "no recipe 'paper': choose one of paper_cifar10"),
        ("--epochs=0", "epochs must be: .*>= 1; got 0"),
        ("--learning_rate=-1", "learning_rate must be: .*got -1"),
        ("--seed=-1", "seed must be in 0..4294967295, got -1"),
        ("--split_seed=-1", "seed must be 0 or more, got -1"),
        ("--member_fraction=1", "member_fraction must lie in"),
        ("--pool=test", "digits has no test records"),
        ("--dataset=no_such_set", "no_such_set"),
        ("--dataset=/no/such.npz", "/no/such.npz"),
        ("cifar10", "unexpected argument 'cifar10'"),
    )
    def test_bad_value(self, argument, pattern):
        self.refuse(pattern, argument)

    def test_data_that_is_not_prepared(self):
        self.refuse(
            f"'cifar10' is not prepared in {self.dir}.*--download",
            "--dataset=cifar10",
            f"--data_dir={self.dir}",
        )

    def test_no_run_dir(self):
        self.assertRefused("--run_dir is missing", "train")

    def test_run_dir_that_is_a_file(self):
        self.run_dir.write_text("mine")
        with mock.patch.multiple(resumable_loop, **IDLE):
            self.assertRefused(
                "cannot write .*run", "train", f"--run_dir={self.run_dir}"
            )
        self.assertEqual(self.run_dir.read_text(), "mine")

    def test_other_configuration_of_the_same_run(self):
        place = f"--run_dir={self.run_dir}"
        with mock.patch.multiple(resumable_loop, **IDLE) as idle:
            idle["train"].return_value = True
            status, out, errors = call("train", place, "--weight_bits=4")
            self.assertEqual((status, errors), (0, ""))
            self.assertIn("model.keras is trained", out)
            idle["train"].reset_mock()
            self.assertRefused(
                r"holds a run with another configuration \(model.weight_bits: "
                r"4 -> 2; recipe.epochs: \d+ -> 5\): choose another --run_dir",
                "train",
                place,
                "--weight_bits=2",
                "--epochs=5",
            )
            idle["train"].assert_not_called()

    def test_finished_run(self):
        # As if it had been killed when model.keras was there.
        last = RunDir(self.finished_run()).last_checkpoint
        last.parent.mkdir()
        last.write_bytes(b"left")
        status, out, errors = call("train", f"--run_dir={self.run_dir}")
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("model.keras is finished already: nothing to do", out)
        self.assertFalse(last.exists())

    def test_diverging_run(self):
        with (
            mock.patch.object(resumable_loop, "make_deterministic"),
            mock.patch.object(
                training_run, "VALIDATION_RECORDS", 10
            ),  # only the members matter here
        ):
            self.assertRefused(
                r"not finite at step|the loss is (nan|inf) at step",
                "train",
                f"--run_dir={self.run_dir}",
                "--width=1",
                "--stem=imagenet",
                "--optimizer=sgd",
                "--learning_rate=1e38",
            )
        self.assertFalse((self.run_dir / "model.keras").exists())


class RunFlagsTest(Folder):
    """export.py, attack.py and quickstart.py on what is not usable."""

    @parameterized.parameters("export", "attack")
    def test_not_a_run(self, name):
        self.assertRefused("--run_dir is missing", name)
        self.assertRefused(
            "run is not a run directory", name, f"--run_dir={self.run_dir}"
        )

    @parameterized.parameters("export", "attack")
    def test_not_trained(self, name):
        (self.finished_run() / "model.keras").unlink()
        self.assertRefused(
            "has no model.keras: train it first",
            name,
            f"--run_dir={self.run_dir}",
        )

    @parameterized.parameters("export", "attack")
    def test_model_that_is_cut_off(self, name):
        path = self.finished_run() / "model.keras"
        path.write_bytes(path.read_bytes()[:-100])
        self.assertRefused(
            r"model\.keras is not a \.keras file \(or was cut off\)",
            name,
            f"--run_dir={self.run_dir}",
        )

    @parameterized.parameters("export", "attack")
    def test_model_with_code_in_it(self, name):
        pixels = keras.Input((8, 8, 1))
        x = keras.layers.Lambda(lambda x: x * 2)(pixels)
        x = keras.layers.Dense(10)(keras.layers.Flatten()(x))
        model = keras.Model(pixels, keras.layers.Softmax()(x))
        model.save(self.finished_run() / "model.keras")
        self.assertRefused(
            "model.keras has a Lambda layer, .* safe mode",
            name,
            f"--run_dir={self.run_dir}",
        )

    @parameterized.parameters(
        ({"shape": (6, 5, 1)}, r"takes images of \[6, 5, 1\], got \[8, 8, 1\]"),
        ({"classes": 3}, "outputs 3 classes, the labels are of 10"),
        ({"softmax": False}, "are these logits"),
    )
    def test_foreign_model(self, options, pattern):
        self.finished_run(**options)
        self.assertRefused(pattern, "attack", f"--run_dir={self.run_dir}")

    def test_unknown_scheme(self):
        self.finished_run()
        self.assertRefused(
            "unknown scheme 'int3': choose from",
            "export",
            f"--run_dir={self.run_dir}",
            "--schemes=int3",
        )

    @parameterized.parameters(
        ("--num_threads=0", "num_threads=0: 0 is not a positive integer"),
        ("--kernels=gpu", "kernels must be one of .* got 'gpu'"),
    )
    def test_attack_flags(self, argument, pattern):
        self.finished_run()
        run.export_run(self.run_dir, schemes=["float32"])
        self.assertRefused(
            pattern, "attack", f"--run_dir={self.run_dir}", argument
        )

    def test_what_attack_is_asked_for_arrives(self):
        place = f"--run_dir={self.finished_run()}"
        captured, parent = str(self.dir / "a.npz"), str(self.dir / "w32a32")
        pathlib.Path(captured).touch()
        references = [str(self.finished_run("w32a32", seed=1)), captured]
        with mock.patch.object(
            run, "attack_run", return_value=synthetic_audits.result()
        ) as attack:
            status, out, errors = call(
                "attack",
                place,
                "--kernels=default,reference",
                f"--outputs={captured}",
                f"--references={','.join(references)}",
                f"--parent={parent}",
                "--label_only_records=50",
                "--augmentation_shift=2",
                "--tfprivacy=off",
            )
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("audit.json is written", out)
        given = attack.call_args.kwargs
        self.assertEqual(given["kernels"], ["default", "reference"])
        self.assertEqual(given["device_outputs"], [captured])
        self.assertEqual(given["references"], references)
        self.assertEqual(given["parent"], parent)
        self.assertEqual(given["label_only"].records, 50)
        self.assertEqual(given["label_only"].augmentations.shift, 2)

    def test_attack_takes_the_runs_own_references_unless_told(self):
        place = f"--run_dir={self.finished_run()}"
        with mock.patch.object(
            run, "attack_run", return_value=synthetic_audits.result()
        ) as attack:
            call("attack", place)
        self.assertIsNone(attack.call_args.kwargs["references"])
        self.assertIsNone(attack.call_args.kwargs["parent"])

    def test_attack_with_references_and_a_parent(self):
        run_dir = self.finished_run(bits=Bits(4, 4))
        parent = self.finished_run("full", seed=1)
        shadows = [
            self.finished_run(f"shadow_{n}", split_seed=n, seed=n)
            for n in (1, 2)
        ]
        arguments = [
            f"--run_dir={run_dir}",
            "--tfprivacy=off",
            "--label_only_records=40",
        ]
        self.assertRefused(
            "full was not queried yet: attack it first",
            "attack",
            *arguments,
            f"--parent={parent}",
        )
        self.assertRefused(
            "shadow_1/outputs/keras.npz: no such file",
            "attack",
            *arguments,
            f"--references={shadows[0]}",
        )
        for folder in (parent, *shadows):
            run.query_run(folder, loaders.load("digits"))
        status, _, errors = call(
            "attack",
            *arguments,
            f"--parent={parent}",
            f"--references={shadows[0]},{shadows[1]}",
        )
        self.assertEqual((status, errors), (0, ""))
        stored = files.read_json(run_dir / "audit.json")
        self.assertEqual(
            stored["references"], ["shadow_1.keras", "shadow_2.keras"]
        )
        (target,) = stored["targets"]
        ran = {attack["name"]: attack for attack in target["attacks"]}
        self.assertContainsSubset(
            {"difficulty_parent", "difficulty", "lira_offline", "quantile"},
            set(ran),
        )
        self.assertEqual(ran["correct_augmentations"]["excluded"], 1797 - 40)
        inside = np.array(
            [
                outputs.load(x / "outputs/keras.npz").in_record_order().members
                for x in shadows
            ]
        )
        self.assertEqual(
            ran["lira_offline"]["excluded"], inside.all(axis=0).sum()
        )
        self.assertEqual(
            ran["lira_online"]["excluded"], (inside[0] == inside[1]).sum()
        )
        self.assertEqual(
            [(x["first"], x["second"]) for x in stored["joint_attacks"]],
            [("keras", "parent")],
        )
        status, _, errors = call("attack", *arguments, f"--references={parent}")
        self.assertEqual(status, 2)
        self.assertOneLine(
            errors, "'full.keras' was trained on the very members of 'keras'"
        )

    def test_attack_beside_captured_outputs(self):
        run_dir = self.finished_run()
        arguments = [f"--run_dir={run_dir}", "--tfprivacy=off"]
        self.assertEqual(call("attack", *arguments)[0], 0)
        captured = self.dir / "pi4.npz"
        captured.write_bytes((run_dir / "outputs/keras.npz").read_bytes())
        status, out, errors = call(
            "attack", *arguments, f"--outputs={captured}"
        )
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("keras.pi4: 1797 records", out)
        stored = files.read_json(run_dir / "audit.json")
        names = [target["target"] for target in stored["targets"]]
        self.assertEqual(names, ["keras", "keras.pi4"])
        self.assertEqual(stored["agreements"][0]["labels_differ"], 0)
        self.assertRefused(
            "nothing.npz: no such file",
            "attack",
            *arguments,
            f"--outputs={self.dir / 'nothing.npz'}",
        )

    def test_references_of_a_run(self):
        run_dir = self.finished_run(recipe=recipes.get("digits", width=2))
        arguments = [f"--run_dir={run_dir}", "--count=2"]

        def save(model, data, *, run_dir, **options):
            del data, options
            model.save(run_dir.model)

        with (
            mock.patch.object(resumable_loop, "make_deterministic"),
            mock.patch.object(
                resumable_loop, "train", side_effect=save
            ) as train,
        ):
            status, out, errors = call("train_references", *arguments)
            self.assertEqual((status, errors), (0, ""))
            self.assertEqual(train.call_count, 2)
            self.assertIn("2 reference models in ", out)
            self.assertIn(f"qmia attack --run_dir={run_dir} uses them", out)
            self.assertEqual(call("train_references", *arguments)[0], 0)
            self.assertEqual(train.call_count, 2)
        names = sorted(x.name for x in (run_dir / "references").iterdir())
        self.assertEqual(names, ["r00", "r01"])
        call(
            "attack",
            f"--run_dir={run_dir}",
            "--tfprivacy=off",
            "--label_only_records=0",
        )
        stored = files.read_json(run_dir / "audit.json")
        self.assertEqual(stored["references"], ["r00.keras", "r01.keras"])
        (target,) = stored["targets"]
        ran = {attack["name"]: attack for attack in target["attacks"]}
        for name in ("lira_online", "lira_offline", "rmia_online"):
            self.assertEqual(ran[name]["excluded"], 0, name)
        self.assertFalse((run_dir / "augmented_queries").exists())

    def test_references_of_other_bits(self):
        run_dir = self.finished_run(recipe=recipes.get("digits", width=2))
        place = f"--run_dir={run_dir}"

        def save(model, data, *, run_dir, **options):
            del data, options
            model.save(run_dir.model)

        with (
            mock.patch.object(resumable_loop, "make_deterministic"),
            mock.patch.object(
                resumable_loop, "train", side_effect=save
            ) as train,
        ):
            for bits in ("w4a4", "w32a32"):
                status, out, errors = call(
                    *("train_references", place, "--count=2"),
                    f"--reference_bits={bits}",
                )
                self.assertEqual((status, errors), (0, ""))
            self.assertEqual(train.call_count, 4)
        # The run's own bits are just the matched ones.
        self.assertIn(f"{run_dir / 'references'}; ", out)
        names = sorted(x.name for x in run_dir.glob("references*"))
        self.assertEqual(names, ["references", "references_w4a4"])
        quick = ("--tfprivacy=off", "--label_only_records=0")
        status, _, errors = call("attack", place, *quick)
        self.assertEqual((status, errors), (0, ""))
        stored = files.read_json(run_dir / "audit.json")
        (target,) = stored["targets"]
        models = {"models": 2, "available": 2, "target": "keras"}
        self.assertEqual(target["references"], {**models, "bits": ["w32a32"]})
        (known,) = target["known_bits"]
        self.assertEqual(known["mismatched"], {**models, "bits": ["w4a4"]})
        self.assertEqual(stored["references"], ["r00.keras", "r01.keras"])
        out = self.dir / "report"
        call(
            "report",
            f"--run_dirs={run_dir}",
            f"--out={out}",
            "--format=csv,summary",
        )
        rows = (out / "known_bits.csv").read_text().splitlines()
        self.assertLen(rows, 1 + len(known["attacks"]))
        (gain,) = files.read_json(out / "summary.json")["data_sets"][0][
            "known_bits"
        ]
        self.assertEqual(gain["gain"], known["gain"])
        # Another's, and those that are none.
        folder = run_dir / "references_w4a4"
        moved = folder.rename(self.dir / "elsewhere")
        call("attack", place, *quick, f"--mismatched_references={moved}")
        stored = files.read_json(run_dir / "audit.json")
        self.assertEqual(stored["targets"][0]["known_bits"], [known])
        status, _, errors = call(
            *("attack", place, *quick),
            f"--mismatched_references={run_dir / 'references'}",
        )
        self.assertEqual(status, 2)
        self.assertIn("r00 is not mismatched: it has the bits of", errors)

    def test_references_that_cannot_be(self):
        self.assertRefused("--run_dir is missing", "train_references")
        self.assertRefused(
            "run is not a run directory",
            "train_references",
            f"--run_dir={self.run_dir}",
        )
        self.finished_run()
        for count in (0, 1, 3):
            self.assertRefused(
                f"in pairs: count must be 2, 4, ..., got {count}",
                "train_references",
                f"--run_dir={self.run_dir}",
                f"--count={count}",
            )
        self.assertFalse((self.run_dir / "references").exists())

    @parameterized.parameters("4x4", "w4", "w4a4g8")
    def test_bits_of_the_quickstart(self, bits):
        self.assertRefused(
            f"bits are written like w4a4, got '{bits}'",
            "quickstart",
            f"--out={self.dir / 'out'}",
            f"--bits=w2a2,{bits}",
        )
        self.assertFalse((self.dir / "out").exists())

    @parameterized.parameters(
        ("--schemes=int8", r"int8 cannot carry .*use --schemes=int8_ptq"),
        ("--calibration_records=0", "calibration_records .* got 0"),
        ("--calibration_seed=-1", "calibration_seed .* got -1"),
        ("--int8_output=float", "one of <softmax.logits>"),
        ("--tfmot_epochs=-1", "tfmot_epochs .* got -1"),
    )
    def test_export_flags(self, argument, pattern):
        self.finished_run()
        self.assertRefused(
            pattern, "export", f"--run_dir={self.run_dir}", argument
        )
        self.assertFalse((self.run_dir / "artifacts").exists())

    def test_exports_a_run(self):
        self.finished_run()
        status, out, errors = call("export", f"--run_dir={self.run_dir}")
        self.assertEqual((status, errors), (0, ""))
        lines = out.splitlines()
        self.assertStartsWith(lines[0], "making float32: ")
        self.assertStartsWith(lines[1], "making int8_ptq: ")
        self.assertEqual(lines[2], f"{self.run_dir}/artifacts:")
        self.assertRegex(lines[4], r"float32\.tflite +0\.0\d+ +\d+ +2 float32")
        self.assertRegex(lines[5], r"int8_ptq\.tflite .* 2 int8 +uint8 1/255 ")
        self.assertLen(lines, 6)
        names = [p.name for p in (self.run_dir / "artifacts").iterdir()]
        self.assertCountEqual(
            names, ["float32.tflite", "int8_ptq.tflite", "manifest.json"]
        )

    def test_what_export_is_asked_for_arrives(self):
        self.finished_run()
        with mock.patch.object(run, "export_run", return_value=[]) as export:
            call(
                "export",
                f"--run_dir={self.run_dir}",
                "--schemes=int8_io,dynamic",
                "--calibration_records=7",
                "--calibration_seed=8",
                "--int8_output=logits",
                "--tfmot_epochs=9",
            )
        given = export.call_args.kwargs
        self.assertEqual(given["schemes"], ["int8_io", "dynamic"])
        settings = given["settings"]
        self.assertEqual(
            (settings.calibration_records, settings.calibration_seed), (7, 8)
        )
        self.assertEqual(settings.int8_output, "logits")
        self.assertEqual(settings.tfmot_epochs, 9)


class ProcessTest(Folder):
    """The same in processes of their own, start-up messages included."""

    def test_error_lines(self):
        cut = self.finished_run()
        run.export_run(cut, schemes=["float32"])
        path = cut / "artifacts" / "float32.tflite"
        path.write_bytes(path.read_bytes()[:1000])
        self.run_dir = self.dir / "erfinv"
        pixels = keras.Input((8, 8, 1))
        x = keras.layers.Flatten()(keras.ops.erfinv(pixels))
        x = keras.layers.Softmax()(keras.layers.Dense(10)(x))
        keras.Model(pixels, x).save(self.finished_run("erfinv") / "model.keras")
        cases = (
            ("attack", cut, "float32.tflite cannot be run"),
            (
                "export",
                self.run_dir,
                "TFLite cannot carry this model: .*Erfinv",
            ),
        )
        running = [
            (start(name, f"--run_dir={run_dir}"), pattern)
            for name, run_dir, pattern in cases
        ]
        for process, pattern in running:
            _, errors = process.communicate()
            with self.subTest(pattern):
                self.assertEqual(process.returncode, 2, errors)
                self.assertOneLine(errors, pattern)


if __name__ == "__main__":
    tf.test.main()
