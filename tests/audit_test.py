"""The audit of a target and of a run, and audit.json."""

import copy
import dataclasses
import json
import pathlib
import time

import numpy as np
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import audit, findings, runs, tfprivacy
from qmia_tf.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "docs" / "audit.schema.json"
UNTRAINED = tfprivacy.Settings(attacks=("threshold",))
CONFIG = {
    "schema_version": 1,
    "dataset": {"name": "digits", "pool": "all", "fingerprint": "d" * 64},
    "split": {"seed": 5, "member_fraction": 0.5},
    "model": {"weight_bits": 4, "activation_bits": 4, "clip": True},
}


class TargetTest(parameterized.TestCase, tf.test.TestCase):
    def test_facts(self):
        made = synthetic_outputs.outputs(
            70, 50, kind="tflite", sha256="b" * 64, size_bytes=12
        )
        found = audit.audit(made)
        self.assertEqual((found.members, found.nonmembers), (70, 50))
        self.assertEqual((found.kind, found.sha256), ("tflite", "b" * 64))
        self.assertEqual((found.size_bytes, found.kernel_set), (12, None))
        self.assertEqual(found.classes, 5)
        right = made.probabilities.argmax(axis=1) == made.labels
        self.assertAlmostEqual(
            found.accuracy_nonmembers.value, right[~made.members].mean()
        )
        self.assertEqual(
            [attack.name for attack in found.attacks], ["gap", "confidence"]
        )
        self.assertIsNone(found.tfprivacy)

    def test_order_of_records_changes_nothing(self):
        made = synthetic_outputs.outputs(60, 60)
        order = np.random.default_rng(3).permutation(120)
        one, other = (
            audit.audit(x, tfprivacy=tfprivacy.Settings(attacks=("lr",)))
            for x in (made, made.take(order))
        )
        self.assertEqual(one, other)

    def test_only_the_seed_draws(self):
        made = synthetic_outputs.outputs(60, 60)
        one, other = audit.audit(made, seed=0), audit.audit(made, seed=1)
        self.assertEqual(
            one.attack("confidence").auc, other.attack("confidence").auc
        )
        self.assertNotEqual(
            one.attack("confidence").held_out,
            other.attack("confidence").held_out,
        )

    def test_swapping_members_and_nonmembers(self):
        made = synthetic_outputs.outputs(60, 60)
        swapped = dataclasses.replace(made, members=~made.members)
        one, other = audit.audit(made), audit.audit(swapped)
        for name in ("gap", "confidence"):
            self.assertAlmostEqual(
                one.attack(name).auc.value, 1 - other.attack(name).auc.value
            )
        self.assertEqual(one.accuracy_members, other.accuracy_nonmembers)

    def test_targets_asked_about_the_same_records(self):
        made = synthetic_outputs.outputs(60, 60)
        other = synthetic_outputs.outputs(60, 60, step=1 / 256)
        one = audit.audit(made).records_sha256
        self.assertEqual(one, audit.audit(other).records_sha256)
        fewer = audit.audit(made.take(np.arange(100))).records_sha256
        self.assertNotEqual(one, fewer)

    def test_sixty_thousand_records_take_less_than_a_second(self):
        made = synthetic_outputs.outputs(30_000, 30_000, classes=10)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            audit.audit(made)
            times.append(time.perf_counter() - start)
        self.assertLess(min(times), 1.0)

    def test_refuses(self):
        made = synthetic_outputs.outputs(1, 20)
        with self.assertRaisesRegex(InputError, "1 member: .*two"):
            audit.audit(made)
        bad = dataclasses.replace(made, labels=made.labels + 9)
        with self.assertRaisesRegex(InputError, "outside 0..4"):
            audit.audit(bad)
        found = audit.audit(synthetic_outputs.outputs(9, 9))
        with self.assertRaisesRegex(InputError, "no attack .*'lira'"):
            found.attack("lira")


class RunTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir()) / "w4a4"
        runs.open_run(self.dir, CONFIG)

    def save(self, target="keras", **options):
        made = synthetic_outputs.outputs(target=target, **options)
        made.save(self.dir / "outputs" / f"{target}.npz")

    def test_writes_what_it_returns(self):
        self.save("float32", step=1 / 256, fingerprint="d" * 64)
        self.save("keras")
        lines = []
        result = audit.audit_run(
            self.dir, seed=2, tfprivacy=UNTRAINED, progress=lines.append
        )
        self.assertEqual(findings.load(self.dir), result)
        self.assertEqual(findings.load(self.dir / "audit.json"), result)
        self.assertEqual(result.name, "w4a4")
        self.assertEqual(result.config, CONFIG)
        self.assertEqual(result.fingerprint, "d" * 64)
        self.assertEqual(
            result.split, {"seed": 5, "member_fraction": 0.5, "pool": "all"}
        )
        self.assertEqual(result.versions["numpy"], np.__version__)
        self.assertEqual(
            [target.target for target in result.targets], ["keras", "float32"]
        )
        self.assertIn("float32: 120 records", lines)
        names = {path.name for path in (self.dir / "tfprivacy").iterdir()}
        self.assertContainsSubset({"keras.csv", "float32.png"}, names)

    def test_repeats_to_the_byte(self):
        self.save()
        texts = []
        for _ in range(2):
            audit.audit_run(self.dir)
            texts.append((self.dir / "audit.json").read_bytes())
        self.assertEqual(*texts)

    def test_some_files_only(self):
        self.save("keras")
        self.save("float32")
        path = self.dir / "outputs" / "float32.npz"
        result = audit.audit_run(self.dir, [path])
        self.assertEqual([t.target for t in result.targets], ["float32"])

    def test_refuses(self):
        with self.assertRaisesRegex(InputError, "no .npz file.*attack.py"):
            audit.audit_run(self.dir)
        self.save(fingerprint="e" * 64)
        with self.assertRaisesRegex(InputError, "eeee, the run is about dddd"):
            audit.audit_run(self.dir)
        self.save()
        (self.dir / "outputs" / "copy.npz").write_bytes(
            (self.dir / "outputs" / "keras.npz").read_bytes()
        )
        with self.assertRaisesRegex(InputError, "target 'keras' too"):
            audit.audit_run(self.dir)
        self.assertFalse((self.dir / "audit.json").exists())
        with self.assertRaisesRegex(InputError, "config.json"):
            audit.audit_run(self.dir / "nothing")


class JsonTest(parameterized.TestCase, tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Members score lower: nobody is the peak, and its precision is none.
        made = synthetic_outputs.outputs(40, 40, gain=(0.0, 6.0))
        cls.result = findings.AuditResult(
            schema_version=1,
            name="run",
            config=CONFIG,
            fingerprint=None,
            split={},
            seed=0,
            level=0.95,
            versions={"python": "3"},
            targets=[audit.audit(made, tfprivacy=UNTRAINED)],
        )

    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir()) / "audit.json"
        self.result.save(self.path)
        self.found = json.loads(self.path.read_bytes())

    def test_round_trip(self):
        self.assertEqual(findings.load(self.path), self.result)

    def test_no_nan_and_no_infinity(self):
        def refuse(name):
            raise AssertionError(name)

        json.loads(self.path.read_bytes(), parse_constant=refuse)
        points = self.found["targets"][0]["attacks"][1]["points"]
        peak = {point["name"]: point for point in points}["peak_accuracy"]
        self.assertIsNone(peak["threshold"])
        self.assertIsNone(peak["precision"]["value"])

    def schema(self):
        try:
            import jsonschema
        except ImportError:
            self.skipTest("needs jsonschema: pip install jsonschema")
        validator = jsonschema.Draft202012Validator
        schema = json.loads(SCHEMA.read_bytes())
        validator.check_schema(schema)
        return validator(schema)

    def test_is_as_the_schema_says(self):
        self.schema().validate(self.found)

    @parameterized.parameters(
        ("targets", 0, "members"),
        ("targets", 0, "attacks", 1, "curve", "recall"),
        ("targets", 0, "attacks", 0, "points", 0, "f1", "low"),
        ("targets", 0, "tfprivacy", "rows", 0, "auc"),
        ("level",),
    )
    def test_schema_and_reader_miss_what_is_missing(self, *where):
        spoiled = copy.deepcopy(self.found)
        place = spoiled
        for key in where[:-1]:
            place = place[key]
        place.pop(where[-1])
        self.assertFalse(self.schema().is_valid(spoiled))
        self.path.write_text(json.dumps(spoiled))
        name = "".join(
            f"[{key}]" if isinstance(key, int) else f".{key}" for key in where
        ).lstrip(".")
        with self.assertRaises(InputError) as caught:
            findings.load(self.path)
        self.assertIn(f"{name} is missing", str(caught.exception))

    @parameterized.parameters(
        ("level", "high"),
        ("targets", {}),
        ("seed", 0.5),
        ("seed", True),
        ("name", None),
        ("versions", {"python": 3}),
        ("targets", [7]),
    )
    def test_schema_and_reader_refuse_types(self, key, value):
        spoiled = {**self.found, key: value}
        self.assertFalse(self.schema().is_valid(spoiled))
        self.path.write_text(json.dumps(spoiled))
        with self.assertRaisesRegex(InputError, f"{key}.* holds .*damaged"):
            findings.load(self.path)

    @parameterized.parameters(0, 2, "1", None)
    def test_another_version(self, version):
        self.path.write_text(
            json.dumps({**self.found, "schema_version": version})
        )
        with self.assertRaisesRegex(
            InputError, f"schema_version is {version!r}, .*reads 1"
        ):
            findings.load(self.path)

    @parameterized.parameters("", "{", "[]", "null", "\x00\xff", '"audit"')
    def test_damaged(self, text):
        self.path.write_bytes(text.encode("latin1"))
        with self.assertRaisesRegex(InputError, "audit.json"):
            findings.load(self.path)

    def test_cut_short(self):
        self.path.write_bytes(self.path.read_bytes()[:-100])
        with self.assertRaisesRegex(InputError, "not valid JSON"):
            findings.load(self.path)

    def test_missing(self):
        self.path.unlink()
        with self.assertRaisesRegex(InputError, "no such file; .*attack.py"):
            findings.load(self.path.parent)

    def test_every_field_is_in_the_guide(self):
        guide = (ROOT / "docs" / "audit.md").read_text()
        schema = json.loads(SCHEMA.read_bytes())
        for part in [schema, *schema["$defs"].values()]:
            for field in part["properties"]:
                self.assertTrue(f"`{field}`" in guide, field)


if __name__ == "__main__":
    tf.test.main()
