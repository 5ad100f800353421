"""audit.json of versions 4 and 5, as those versions wrote it."""

import copy
import dataclasses
import json
import pathlib

import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.attacks import tfprivacy
from qmia_tf.auditing import (
    audit,
    audit_json,
    audit_result,
    leak_comparison,
    verdict,
)
from qmia_tf.data import duplicates, repeated_records
from qmia_tf.errors import InputError
from qmia_tf.report import gates, make_report, verdict_sentences
from qmia_tf.statistics.intervals import Estimate

NEW_IN_6 = {
    "audit": {"repeats": None, "comparison": None, "gates": []},
    "target": {"leak": None},
    "control": {
        "null_auc": None,
        "p_value": None,
        "classes_p_value": None,
        "permutations": None,
    },
}


def as_written_by(version, result):
    """The same audit by an earlier version."""
    return {4: as_written_by_4, 5: as_written_by_5}[version](result)


def as_written_by_5(result):
    """The same audit by version 5."""
    encoded = audit_json.encode(result)
    encoded["schema_version"] = 5
    for name in NEW_IN_6["audit"]:
        del encoded[name]
    for name in NEW_IN_6["control"]:
        del encoded["control"][name]
    for target in encoded["targets"]:
        del target["leak"]
    return encoded


def as_written_by_4(result):
    """The same audit by version 4."""
    encoded = as_written_by_5(result)
    encoded["schema_version"] = 4
    del encoded["calibration"]
    for target in encoded["targets"]:
        del target["onednn"]
    return encoded


def without_6(result):
    """The audit that is left of what version 5 knew."""
    targets = [
        dataclasses.replace(x, **NEW_IN_6["target"]) for x in result.targets
    ]
    control = dataclasses.replace(result.control, **NEW_IN_6["control"])
    return dataclasses.replace(
        result, targets=targets, control=control, **NEW_IN_6["audit"]
    )


class VersionsTest(parameterized.TestCase, tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        outputs = synthetic_outputs.outputs(53, 47, onednn=True)
        settings = tfprivacy.Settings(attacks=("threshold",))
        cls.result = audit_result.AuditResult(
            schema_version=6,
            name="run",
            config={
                "dataset": {"name": "digits"},
                "model": {"weight_bits": 32, "activation_bits": 32},
            },
            fingerprint="d" * 64,
            split={"seed": 1},
            seed=0,
            level=0.95,
            versions={"python": "3"},
            targets=[audit.audit(outputs, tfprivacy=settings)],
            agreements=[],
            left_out=[],
            joints=[],
            references=["r00.keras"],
            duplicates=duplicates.EqualRecords(0, 0, [], ""),
            control=audit_result.BlindBaseline(
                Estimate(0.5, 0.4, 0.6),
                False,
                "colours",
                26,
                24,
                null_auc=0.49,
                p_value=0.4,
                classes_p_value=0.9,
                permutations=1000,
            ),
            calibration=audit_result.CalibrationRecords(9, 9, 0, False, ""),
            repeats=repeated_records.RepeatedRecords(
                53, 53, 47, 47, "records", ""
            ),
            comparison=leak_comparison.LeakComparison(
                "margin", ["margin"], "keras", 0.6, []
            ),
            gates=[
                audit_result.GateResult("keras", "AUC <= 0.6", "passed", "-")
            ],
        )

    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        self.path = self.dir / "audit.json"

    def read(self, encoded):
        self.path.write_text(json.dumps(encoded))
        return audit_result.load(self.path)

    @parameterized.parameters(4, 5)
    def test_is_saved_as_the_present_version(self, version):
        result = self.read(as_written_by(version, self.result))
        result.save(self.path)
        self.assertEqual(audit_result.load(self.path), result)
        stored = json.loads(self.path.read_bytes())
        self.assertEqual(stored["schema_version"], 6)
        try:
            import jsonschema
        except ImportError:
            self.skipTest("needs jsonschema: pip install jsonschema")
        root = pathlib.Path(__file__).resolve().parents[2]
        schema = json.loads((root / "docs/audit.schema.json").read_bytes())
        jsonschema.Draft202012Validator(schema).validate(stored)

    def test_old_and_new_in_one_report(self):
        folders = []
        for version in (4, 5, 6):
            folder = self.dir / f"v{version}"
            folder.mkdir()
            folders.append(folder)
            if version == 6:
                self.result.save(folder / "audit.json")
            else:
                encoded = as_written_by(version, self.result)
                (folder / "audit.json").write_text(json.dumps(encoded))
        written = make_report(folders, self.dir / "report", formats=["csv"])
        text = written[0].read_text()
        self.assertIn("gap attack", text)
        self.assertIn("margin in logit space", text)

    def test_what_version_4_did_not_have_is_not_known(self):
        result = self.read(as_written_by(4, self.result))
        (target,) = self.result.targets
        # There was something to leave out.
        self.assertTrue(target.onednn)
        wanted = without_6(self.result)
        (target,) = wanted.targets
        self.assertEqual(
            result,
            dataclasses.replace(
                wanted,
                calibration=None,
                targets=[dataclasses.replace(target, onednn=None)],
            ),
        )

    def test_what_version_5_did_not_have_is_not_known(self):
        result = self.read(as_written_by(5, self.result))
        self.assertEqual(result, without_6(self.result))
        # There was something to leave out, and there is something left.
        self.assertIsNotNone(self.result.targets[0].leak)
        self.assertIsNotNone(result.targets[0].strongest)
        self.assertEqual(result.control.auc, self.result.control.auc)

    @parameterized.parameters(4, 5)
    def test_earlier_versions_keep_the_words_of_their_time(self, version):
        result = self.read(as_written_by(version, self.result))
        said = " ".join(verdict_sentences.verdict(result))
        for kind in verdict.ANSWERS:
            self.assertNotIn(f"keras: {kind}", said)
        self.assertIn(verdict_sentences.EARLIER, said)
        self.assertIn("strongest of 8 attacks (", said)
        with self.assertRaisesRegex(InputError, "audited by an earlier"):
            gates.judge(result, auc_above=0.6)

    @parameterized.parameters(None, "no", 7)
    def test_a_damaged_control_of_version_5(self, control):
        encoded = as_written_by(5, self.result)
        encoded["control"] = control
        if control is None:
            self.assertIsNone(self.read(encoded).control)
            return
        with self.assertRaisesRegex(InputError, "control holds"):
            self.read(encoded)

    def test_version_6_is_read_as_it_is(self):
        encoded = audit_json.encode(self.result)
        self.assertEqual(self.read(encoded), self.result)


class DamageTest(parameterized.TestCase, tf.test.TestCase):
    """A damaged file of an old version is refused, whatever it holds."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        VersionsTest.setUpClass()
        cls.encoded = as_written_by(4, VersionsTest.result)

    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir()) / "audit.json"

    def refuse(self, encoded, message):
        self.path.write_text(json.dumps(encoded))
        with self.assertRaisesRegex(InputError, message):
            audit_result.load(self.path)

    @parameterized.product(
        version=(4, 5),
        change=(
            ({"targets": None}, "targets holds"),
            ({"targets": [3]}, r"targets\[0\] holds '3'"),
            ({"targets": [{"attacks": 3}]}, r"targets\[0\].*missing"),
            ({"targets": [{"attacks": [{}]}]}, r"targets\[0\].*missing"),
            ({"targets": [{"attacks": [{"points": 1}]}]}, "missing"),
            ({"level": "x"}, "level holds 'x'"),
        ),
    )
    def test_another_type(self, version, change):
        changes, message = change
        encoded = as_written_by(version, VersionsTest.result)
        self.refuse({**encoded, **changes}, message)

    @parameterized.parameters(
        (("points", 0, "members"), None, "members holds 'None'"),
        (("points", 0, "members"), "x", "members holds 'x'"),
        (("points", 0), 7, r"points\[0\] holds '7'"),
        (("points", 0, "balanced_accuracy"), 7, "accuracy holds '7'"),
        (("points", 0, "balanced_accuracy"), {}, "balanced_accuracy.value is"),
        (("held_out",), 7, "held_out holds '7'"),
        (("held_out", "point"), [], r"point holds '\[\]'"),
        (("curve",), 7, "curve holds '7'"),
        (("curve", "true_positives"), ["a"], r"positives\[0\] holds 'a'"),
        (("curve", "threshold"), "x", "curve.threshold holds 'x'"),
    )
    def test_attack(self, where, value, message):
        encoded = copy.deepcopy(self.encoded)
        place = encoded["targets"][0]["attacks"][1]
        for key in where[:-1]:
            place = place[key]
        place[where[-1]] = value
        self.refuse(encoded, message)

    @parameterized.parameters(0, 1, 3, 7, -1, "1", "4", True, None, 2.0, ([1],))
    def test_another_version(self, version):
        self.path.write_text(
            json.dumps({**self.encoded, "schema_version": version})
        )
        with self.assertRaises(InputError) as caught:
            audit_result.load(self.path)
        self.assertIn(
            f"schema_version is {version!r}, this program reads 4 to 6; attack "
            "the run again",
            str(caught.exception),
        )


if __name__ == "__main__":
    tf.test.main()
