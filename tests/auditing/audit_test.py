"""The audit of a target and of a run, and audit.json."""

import copy
import dataclasses
import json
import pathlib
import time

import numpy as np
import simulated_margins
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import attacks, outputs
from qmia_tf.attacks import tfprivacy
from qmia_tf.auditing import (
    audit,
    audit_result,
    auxiliary,
    leak_comparison,
    leak_test,
    membership_decisions,
    risky_members,
    run_outputs,
    verdict,
)
from qmia_tf.data import duplicates, repeated_records
from qmia_tf.deploy.parity import mismatches
from qmia_tf.errors import InputError
from qmia_tf.outputs import fidelity
from qmia_tf.report import gates
from qmia_tf.run_dir import RunDir
from qmia_tf.statistics.intervals import Estimate

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "docs" / "audit.schema.json"
UNTRAINED = tfprivacy.Settings(attacks=("threshold",))
CONFIG = {
    "schema_version": 1,
    "dataset": {"name": "digits", "pool": "all", "fingerprint": "d" * 64},
    "split": {"seed": 5, "member_fraction": 0.5},
    "model": {"weight_bits": 4, "activation_bits": 4, "clip": True},
}

PARITY = mismatches.Parity(
    promised=True,
    kept=None,
    verdict="int8: not tried under the default kernels",
    float_layers=["logits"],
    rounded_layers=[],
    comparisons=[
        mismatches.ParityComparison(
            against="keras",
            kernels="",
            num_threads=0,
            batch_size=64,
            records=100,
            codes=800,
            mismatches=3,
            largest=2,
            labels_differ=0,
            largest_probability=0.01,
            stages=[mismatches.ParityStage("pool", 800, 3, 2)],
        )
    ],
)


class TargetTest(parameterized.TestCase, tf.test.TestCase):
    def test_facts(self):
        answers = synthetic_outputs.outputs(
            *(70, 50),
            kind="tflite",
            sha256="b" * 64,
            size_bytes=12,
            latency_ms=1.5,
            latency_threads=4,
            outputs="logits",
            onednn=False,
        )
        target = audit.audit(answers)
        self.assertEqual((target.members, target.nonmembers), (70, 50))
        self.assertEqual((target.kind, target.sha256), ("tflite", "b" * 64))
        self.assertEqual((target.size_bytes, target.kernel_set), (12, None))
        self.assertEqual((target.classes, target.onednn), (5, False))
        self.assertEqual(
            (target.latency_ms, target.latency_threads, target.outputs),
            (1.5, 4, "logits"),
        )
        right = answers.probabilities.argmax(axis=1) == answers.labels
        self.assertAlmostEqual(
            target.accuracy_nonmembers.value, right[~answers.members].mean()
        )
        self.assertIsNone(target.tfprivacy)

    def test_attacks_run_or_say_what_they_lack(self):
        target = audit.audit(synthetic_outputs.outputs())
        self.assertEqual(
            [attack.name for attack in target.attacks],
            [
                "gap",
                "confidence",
                "true_confidence",
                "loss",
                "margin",
                "entropy",
                "modified_entropy",
                "likelihood",
            ],
        )
        reasons = {
            attack.name: attack.reason for attack in target.attacks_left_out
        }
        self.assertCountEqual(
            [*reasons, *(attack.name for attack in target.attacks)],
            [x.name for x in attacks.ATTACKS if not x.is_of_holder],
        )
        holder = target.holder
        self.assertEqual((holder.attacks, holder.leak), ([], None))
        self.assertEqual(holder.reason, "only outputs were given")
        self.assertEqual(
            [attack.name for attack in holder.attacks_left_out],
            [x.name for x in attacks.ATTACKS if x.is_of_holder],
        )
        self.assertEqual(
            reasons["noise_robustness"],
            "needs its labels for noisy queries",
        )
        self.assertEqual(
            reasons["lira_online"],
            "needs models trained alike on other records",
        )

    def test_who_holds_the_model_is_a_family_of_its_own(self):
        inputs = simulated_margins.everything("int8", members=200)
        known = auxiliary.Auxiliary(inside=inputs.inside)
        plain = audit.audit(inputs.outputs)
        held = audit.audit(inputs.outputs, auxiliary=known)
        # No number of who queries moves.
        self.assertEqual(dataclasses.replace(held, holder=plain.holder), plain)
        holder = held.holder
        self.assertEqual(
            [attack.name for attack in holder.attacks],
            ["exact_margin", "exact_likelihood", "gradient_norm", "white_box"],
        )
        self.assertIn(holder.strongest.attack, holder.strongest.candidates)
        self.assertNotEqual(holder.leak.verdict, "")
        self.assertEqual((holder.activations, holder.numbers), (6, "floats"))
        reasons = {x.name: x.reason for x in holder.attacks_left_out}
        self.assertEqual(
            reasons["exact_lira_online"],
            "needs reference models whose inside was read alike",
        )
        # Rounded outputs hide something of it.
        exact, rounded = holder.attacks[0], plain.attack("margin")
        self.assertGreater(exact.distinct_scores, rounded.distinct_scores)

    def test_evidence_beside_the_outputs(self):
        answers = synthetic_outputs.outputs(60, 60)
        parent = synthetic_outputs.outputs(60, 60, gain=(4.0, 2.0))
        features = np.random.default_rng(0).normal(size=(1200, 3))
        target = audit.audit(
            answers,
            auxiliary=auxiliary.Auxiliary(parent=parent, features=features),
        )
        ran = [attack.name for attack in target.attacks]
        self.assertContainsSubset(["quantile", "difficulty_parent"], ran)
        self.assertEqual(target.strongest.candidates, ran)

    def test_too_few_records_for_an_attack(self):
        # Two of a kind: one to learn from leaves no folds.
        answers = synthetic_outputs.outputs(2, 2)
        features = np.random.default_rng(0).normal(size=(40, 3))
        target = audit.audit(
            answers, auxiliary=auxiliary.Auxiliary(features=features)
        )
        reasons = {
            attack.name: attack.reason for attack in target.attacks_left_out
        }
        self.assertRegex(
            reasons["quantile"],
            "has no score for any member of the calibration half: query more",
        )

    def test_scores_as_pictures(self):
        target = audit.audit(synthetic_outputs.outputs(60, 50))
        gap, *others = target.attacks
        self.assertEqual((gap.histogram, gap.roc), (None, None))
        for attack in others:
            self.assertEqual(sum(attack.histogram.members), attack.members)
            self.assertEqual(
                sum(attack.histogram.nonmembers), attack.nonmembers
            )
            self.assertGreaterEqual(attack.roc.rates[0], 1 / 50)

    def test_verdicts_where_nobody_is_called(self):
        answers = synthetic_outputs.outputs(40, 40, gain=(0.0, 9.0))
        attack = audit.audit(answers).attack("confidence")
        self.assertIsNone(attack.held_out.point.threshold)
        bits = membership_decisions.unpack(
            attack.membership_decisions.members, 20
        )
        self.assertFalse(bits.any())

    def test_order_of_records_changes_nothing(self):
        answers = synthetic_outputs.outputs(60, 60)
        order = np.random.default_rng(3).permutation(120)
        one, other = (
            audit.audit(x, tfprivacy=tfprivacy.Settings(attacks=("lr",)))
            for x in (answers, answers.take(order))
        )
        self.assertEqual(one, other)

    def test_only_the_seed_draws(self):
        answers = synthetic_outputs.outputs(60, 60)
        one, other = audit.audit(answers, seed=0), audit.audit(answers, seed=1)
        self.assertEqual(
            one.attack("confidence").auc, other.attack("confidence").auc
        )
        self.assertNotEqual(
            one.attack("confidence").held_out,
            other.attack("confidence").held_out,
        )

    def test_swapping_members_and_nonmembers(self):
        answers = synthetic_outputs.outputs(60, 60)
        swapped = dataclasses.replace(answers, members=~answers.members)
        one, other = audit.audit(answers), audit.audit(swapped)
        for attack in one.attacks:
            # One that learns which scores are members' finds them either way.
            if attack.name != "likelihood":
                self.assertAlmostEqual(
                    attack.auc.value, 1 - other.attack(attack.name).auc.value
                )
        self.assertEqual(one.accuracy_members, other.accuracy_nonmembers)

    def test_sixty_thousand_records_take_ten_seconds_of_computing(self):
        answers = synthetic_outputs.outputs(30_000, 30_000, classes=10)
        times = []
        for _ in range(2):
            # Of the processor, so that a busy machine is no failure.
            start = time.process_time()
            audit.audit(answers)
            times.append(time.process_time() - start)
        # Two for the attacks, four of two processors for permutations.
        self.assertLess(min(times), 10.0)

    def test_refuses(self):
        answers = synthetic_outputs.outputs(1, 20)
        for seed in (-1, 2**32):
            with self.assertRaisesRegex(InputError, f"0..4294967295.*{seed}"):
                audit.AuditConfig(seed=seed)
        with self.assertRaisesRegex(InputError, "1 member: .*two"):
            audit.audit(answers)
        bad = dataclasses.replace(answers, labels=answers.labels + 9)
        with self.assertRaisesRegex(InputError, "outside 0..4"):
            audit.audit(bad)
        target = audit.audit(synthetic_outputs.outputs(9, 9))
        with self.assertRaisesRegex(InputError, "no attack .*'lira_online'"):
            target.attack("lira_online")


class RunTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir()) / "w4a4"
        RunDir(self.dir).open(CONFIG)

    def save(self, target="keras", **options):
        answers = synthetic_outputs.outputs(target=target, **options)
        answers.save(self.dir / "outputs" / f"{target}.npz")

    def test_writes_what_it_returns(self):
        self.save("float32", step=1 / 256, fingerprint="d" * 64)
        self.save("keras")
        lines = []
        result = audit.audit_outputs(
            self.dir,
            config=audit.AuditConfig(seed=2, tfprivacy=UNTRAINED),
            progress=lines.append,
        )
        self.assertEqual(audit_result.load(self.dir), result)
        self.assertEqual(audit_result.load(self.dir / "audit.json"), result)
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

    def test_targets_beside_what_they_ought_to_answer_like(self):
        self.save("keras", kind="keras")
        for name, kernels in (("int8", "default"), ("int8.reference", "ref")):
            self.save(name, seed=1, sha256="b" * 64, kernel_set=kernels)
        self.save("int8_twin", kind="twin", sha256="c" * 64)
        elsewhere = synthetic_outputs.outputs(
            target="int8.pi4", seed=1, sha256="b" * 64, kernel_set="default"
        )
        left_out = outputs.LeftOut("float32.reference", "reference", "why")
        own = run_outputs.of_run(RunDir(self.dir), CONFIG)
        result = audit.audit_outputs(
            self.dir,
            [*own, elsewhere],
            left_out=[left_out],
            repeated=run_outputs.repeated(own),
            config=audit.AuditConfig(tfprivacy=UNTRAINED),
        )
        self.assertEqual(audit_result.load(self.dir), result)
        self.assertEqual(result.left_out, [left_out])
        self.assertEqual(
            [target.target for target in result.targets],
            ["keras", "int8", "int8.reference", "int8_twin", "int8.pi4"],
        )
        self.assertEqual(
            {pair.target: pair.other for pair in result.agreements},
            {
                "int8": "keras",
                "int8.reference": "int8",
                "int8.pi4": "int8",
                "int8_twin": "int8",
            },
        )
        # Once a file, and what came from elsewhere.
        self.assertEqual(
            [x.target for x in result.targets if x.tfprivacy is not None],
            ["keras", "int8", "int8.pi4"],
        )
        self.assertEqual(
            [path.name for path in (self.dir / "outputs").glob("*pi4*")], []
        )

    def test_what_else_the_attacker_has(self):
        self.save("keras")
        self.save("int8", step=1 / 256)
        self.save("int8_twin", kind="twin")
        answers = synthetic_outputs.outputs()
        rng = np.random.default_rng(0)
        shadows = tuple(
            dataclasses.replace(
                answers,
                members=rng.permutation(answers.members),
                info={"target": f"r0{number}.keras"},
            )
            for number in range(4)
        )
        parent = dataclasses.replace(answers, info={"target": "parent"})
        equal = duplicates.EqualRecords(1, 1, [[3, 7]], "one pair")
        result = audit.audit_outputs(
            self.dir,
            auxiliary={
                "int8": auxiliary.Auxiliary(
                    references=shadows[:3], parent=parent
                ),
                "keras": auxiliary.Auxiliary(references=shadows[1:]),
            },
            joint_with=[parent, answers],
            records=audit.RecordFacts(duplicates=equal),
        )
        self.assertEqual(audit_result.load(self.dir), result)
        self.assertEqual(result.duplicates, equal)
        self.assertEqual(
            result.references, [f"r0{number}.keras" for number in range(4)]
        )
        # A twin only answers as its file does.
        self.assertEqual(
            [(joint.first, joint.second) for joint in result.joint_attacks],
            [("keras", "parent"), ("int8", "parent"), ("int8", "keras")],
        )
        ran = {
            target.target: {attack.name for attack in target.attacks}
            for target in result.targets
        }
        self.assertIn("lira_online", ran["keras"])
        self.assertIn("difficulty_parent", ran["int8"])
        self.assertNotIn("difficulty_parent", ran["keras"])
        self.assertNotIn("lira_online", ran["int8_twin"])

    def test_all_artefacts_together(self):
        self.save("keras")
        steps = {"keras": 0.0, "int8": 1 / 256, "int8_io": 1 / 128}
        loaded = [
            synthetic_outputs.outputs(step=step).renamed(name)
            for name, step in steps.items()
        ]
        # A device was asked about some of the records.
        some = np.arange(0, loaded[0].labels.size, 2)
        device = synthetic_outputs.outputs(step=1 / 64).take(some)
        result = audit.audit_outputs(
            self.dir,
            [*loaded, device.renamed("int8.pi4")],
            joint_with=loaded[:1],
        )
        joint = result.joint_of_all
        self.assertEqual(
            (joint.first, joint.second), ("keras", "int8 + int8_io")
        )
        # Judged on the half that it did not learn from.
        judged = loaded[0].labels.size // 2
        self.assertEqual(joint.members + joint.nonmembers, judged)

    def test_beside_another_target_of_other_records(self):
        self.save("keras")
        parent = synthetic_outputs.outputs(60, 59, target="parent")
        with self.assertRaisesRegex(InputError, "'parent', audited with"):
            audit.audit_outputs(self.dir, joint_with=[parent])
        self.assertFalse((self.dir / "audit.json").exists())

    def test_repeats_to_the_byte(self):
        self.save()
        texts = []
        for _ in range(2):
            audit.audit_outputs(self.dir)
            texts.append((self.dir / "audit.json").read_bytes())
        self.assertEqual(*texts)

    def test_forms_of_outputs_are_there_unless_switched_off(self):
        self.save("keras")
        self.save("int8", step=1 / 256)
        forms = [
            [[x.form for x in target.forms] for target in result.targets]
            for result in (
                audit.audit_outputs(self.dir),
                audit.audit_outputs(self.dir, repeated={"int8"}),
                audit.audit_outputs(
                    self.dir, config=audit.AuditConfig(output_forms=False)
                ),
            )
        ]
        five = ["label", "top_1", "one_digit", "two_digits", "full"]
        self.assertEqual(forms, [[five, five], [five, []], [[], []]])

    def test_some_files_only(self):
        self.save("keras")
        self.save("float32")
        path = self.dir / "outputs" / "float32.npz"
        result = audit.audit_outputs(self.dir, [outputs.load(path)])
        self.assertEqual([t.target for t in result.targets], ["float32"])

    def test_refuses(self):
        with self.assertRaisesRegex(InputError, "no .npz file.*qmia attack"):
            audit.audit_outputs(self.dir)
        self.save(fingerprint="e" * 64)
        with self.assertRaisesRegex(InputError, "eeee, the run is about dddd"):
            audit.audit_outputs(self.dir)
        self.save()
        (self.dir / "outputs" / "copy.npz").write_bytes(
            (self.dir / "outputs" / "keras.npz").read_bytes()
        )
        with self.assertRaisesRegex(InputError, "target 'keras' too"):
            audit.audit_outputs(self.dir)
        self.assertFalse((self.dir / "audit.json").exists())
        with self.assertRaisesRegex(InputError, "config.json"):
            audit.audit_outputs(self.dir / "nothing")


class JsonTest(parameterized.TestCase, tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Members score lower: nobody is the peak, and its precision is none.
        answers = synthetic_outputs.outputs(40, 40, gain=(0.0, 6.0))
        cls.result = audit_result.AuditResult(
            schema_version=7,
            name="run",
            config=CONFIG,
            fingerprint=None,
            split={},
            seed=0,
            attack_options={},
            level=0.95,
            versions={"python": "3"},
            targets=[
                dataclasses.replace(
                    audit.audit(answers, tfprivacy=UNTRAINED),
                    parity=PARITY,
                    risky_members=risky_members.of_target(answers, seed=0),
                )
            ],
            agreements=[fidelity.Agreement("int8", "keras", 80, 3, 0.25)],
            left_out=[outputs.LeftOut("float32.reference", "reference", "-")],
            joint_attacks=[
                audit_result.JointAudit(
                    first="int8",
                    second="keras",
                    single_auc=Estimate(0.6, 0.5, 0.7),
                    joint_auc=Estimate(0.59, 0.5, 0.7),
                    gain=Estimate(-0.01, -0.02, 0.01),
                    p_value=0.2,
                    members=20,
                    nonmembers=20,
                )
            ],
            references=["r00.keras", "r01.keras"],
            duplicates=duplicates.EqualRecords(1, 2, [[3, 70]], "1 member"),
            blind_baseline=audit_result.BlindBaseline(
                Estimate(0.5, 0.4, 0.6),
                False,
                "7 numbers",
                20,
                20,
                null_auc=0.49,
                p_value=0.3,
                classes_p_value=1.0,
                permutations=1000,
            ),
            calibration=audit_result.CalibrationRecords(9, 7, 2, False, "2 of"),
            repeated_records=repeated_records.RepeatedRecords(
                80, 40, 40, 40, "records", "40 distinct members of 80"
            ),
            comparison=leak_comparison.LeakComparison(
                attack="margin",
                candidates=["confidence", "margin"],
                first="keras",
                first_auc=0.6,
                differences=[
                    leak_comparison.Difference(
                        "int8", 0.5, Estimate(-0.1, -0.2, 0.0), 0.05
                    )
                ],
            ),
            gates=[
                audit_result.GateResult("keras", "AUC <= 0.6", "passed", "0.5")
            ],
        )

    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir()) / "audit.json"
        self.result.save(self.path)
        self.stored = json.loads(self.path.read_bytes())

    def test_round_trip(self):
        self.assertEqual(audit_result.load(self.path), self.result)

    def test_no_nan_and_no_infinity(self):
        def refuse(name):
            raise AssertionError(name)

        json.loads(self.path.read_bytes(), parse_constant=refuse)
        points = self.stored["targets"][0]["attacks"][1]["points"]
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
        self.schema().validate(self.stored)

    @parameterized.parameters(
        ("level",),
        ("gates",),
        ("gates", 0, "outcome"),
        ("blind_baseline", "classes_p_value"),
        ("targets", 0, "leak"),
        ("targets", 0, "leak", "attacks", 0, "p_value"),
        ("targets", 0, "attacks", 1, "curve", "true_positives"),
        ("targets", 0, "attacks", 1, "cross_fitted", "advantage", "high"),
        # These have defaults.
        ("targets", 0, "parity", "comparisons", 0, "mismatches"),
        ("targets", 0, "parity", "comparisons", 0, "stages", 0, "codes"),
    )
    def test_schema_and_reader_miss_what_is_missing(self, *where):
        spoiled = copy.deepcopy(self.stored)
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
            audit_result.load(self.path)
        self.assertIn(f"{name} is missing", str(caught.exception))

    @parameterized.parameters(
        ("level", "high"),
        ("seed", 0.5),
        ("seed", True),
        ("name", None),
        ("versions", {"python": 3}),
        ("targets", {}),
        ("targets", [7]),
        ("blind_baseline", "no"),
        ("gates", ["passed"]),
    )
    def test_schema_and_reader_refuse_types(self, key, value):
        spoiled = {**self.stored, key: value}
        self.assertFalse(self.schema().is_valid(spoiled))
        self.path.write_text(json.dumps(spoiled))
        with self.assertRaisesRegex(InputError, f"{key}.* holds .*damaged"):
            audit_result.load(self.path)

    @parameterized.parameters("", "{", "[]", "null", "\x00\xff", '"audit"')
    def test_damaged(self, text):
        self.path.write_bytes(text.encode("latin1"))
        with self.assertRaisesRegex(InputError, "audit.json"):
            audit_result.load(self.path)

    def test_cut_short(self):
        self.path.write_bytes(self.path.read_bytes()[:-100])
        with self.assertRaisesRegex(InputError, "not valid JSON"):
            audit_result.load(self.path)

    def test_missing(self):
        self.path.unlink()
        with self.assertRaisesRegex(InputError, "no such file; .*qmia attack"):
            audit_result.load(self.path.parent)

    def test_schema_names_every_answer_and_outcome(self):
        parts = json.loads(SCHEMA.read_bytes())["$defs"]

        def values(part, field):
            return tuple(parts[part]["properties"][field]["enum"])

        self.assertCountEqual(values("LeakTest", "verdict"), verdict.VERDICTS)
        self.assertCountEqual(values("LeakTest", "strata"), leak_test.STRATA)
        self.assertCountEqual(
            values("GateResult", "outcome"),
            (gates.PASSED, gates.FAILED, gates.NOT_JUDGED),
        )
        self.assertCountEqual(
            values("RepeatedRecords", "by"),
            (repeated_records.RECORDS, repeated_records.OUTPUTS),
        )


if __name__ == "__main__":
    tf.test.main()
