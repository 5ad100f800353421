"""What parity.json says of a file, in audit.json."""

import json
import pathlib

import numpy as np
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import files
from qmia_tf.auditing import audit, audit_result, run_outputs
from qmia_tf.deploy.parity import mismatches
from qmia_tf.errors import InputError
from qmia_tf.run_dir import RunDir

SHA256 = "b" * 64


def compared(differ, rounded=()):
    """What qmia parity finds: 12 codes, some differ by 2."""
    names = ("first", "second")
    comparisons = []
    for against, kernels in (("keras", ""), ("tflite", "default")):
        stages = [mismatches.ParityStage(name) for name in names]
        comparisons.append(
            mismatches.ParityComparison(
                against, kernels, len(kernels) and 1, 64, stages=stages
            )
        )
        ours = {name: np.zeros((3, 2), np.int16) for name in names}
        theirs = {name: values.copy() for name, values in ours.items()}
        theirs["second"].ravel()[:differ] = 2
        answers = np.full((3, 2), 0.5)
        comparisons[-1].count((ours, answers), (theirs, answers))
    return mismatches.judged(
        "int8",
        comparisons,
        sha256=SHA256,
        twin_sha256="c" * 64,
        float_layers=["logits"],
        rounded_layers=list(rounded),
    )


class ParityFoundTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir()) / "run"
        self.path = self.dir / "parity.json"

    def write(self, *checks):
        files.write_json(self.path, [check.as_dict() for check in checks])

    @parameterized.parameters(0, 3)
    def test_is_what_was_counted(self, differ):
        self.write(compared(differ))
        check = run_outputs.parities(self.dir)[SHA256]
        self.assertEqual((check.promised, check.kept), (True, not differ))
        self.assertRegex(
            check.verdict, "3 codes differ" if differ else "no code differs"
        )
        self.assertEqual(
            (check.float_layers, check.rounded_layers), (["logits"], [])
        )
        keras, tflite = check.comparisons
        self.assertEqual(
            (keras.against, keras.kernels, keras.num_threads), ("keras", "", 0)
        )
        self.assertEqual((tflite.kernels, tflite.num_threads), ("default", 1))
        self.assertEqual((tflite.codes, tflite.mismatches), (12, differ))
        self.assertEqual(tflite.largest, 2 if differ else 0)
        self.assertEqual((tflite.records, tflite.batch_size), (3, 64))
        self.assertEqual(
            tflite.stages,
            [
                mismatches.ParityStage("first", 6, 0, 0),
                mismatches.ParityStage("second", 6, differ, 2 if differ else 0),
            ],
        )

    def test_none(self):
        self.assertEqual(run_outputs.parities(self.dir), {})

    @parameterized.parameters(
        "{",
        "{}x",
        '["x"]',
        "7",
        '[{"comparisons": []}]',
        f'[{{"sha256": "{SHA256}", "comparisons": []}}]',
        f'[{{"sha256": "{SHA256}", "comparisons": [{{"codes": 7}}]}}]',
    )
    def test_damaged(self, text):
        self.dir.mkdir()
        self.path.write_text(text)
        with self.assertRaisesRegex(InputError, "parity.json") as caught:
            run_outputs.parities(self.dir)
        self.assertNotIn("\n", str(caught.exception))

    def test_says_what_to_do(self):
        self.dir.mkdir()
        self.path.write_text('[{"sha256": 1}]')
        with self.assertRaisesRegex(
            InputError, "damaged: make it again with qmia parity"
        ):
            run_outputs.parities(self.dir)

    def test_stands_in_the_audit_of_its_file_alone(self):
        RunDir(self.dir).open({"dataset": {}})
        for target, sha256 in (
            ("keras", "a" * 64),
            ("int8", SHA256),
            ("int8.pi4", SHA256),
            ("int8_twin", None),
        ):
            synthetic_outputs.outputs(
                20, 20, target=target, **({"sha256": sha256} if sha256 else {})
            ).save(self.dir / "outputs" / f"{target}.npz")
        self.write(compared(0))
        result = audit.audit_outputs(self.dir)
        names = [audited.target for audited in result.targets if audited.parity]
        self.assertEqual(names, ["int8", "int8.pi4"])
        self.assertEqual(audit_result.load(self.dir), result)
        # Of a file that was exported again it says nothing.
        stored = json.loads(self.path.read_bytes())
        stored[0]["sha256"] = "e" * 64
        self.path.write_text(json.dumps(stored))
        again = audit.audit_outputs(self.dir)
        self.assertEqual(
            [audited.parity for audited in again.targets], [None] * 4
        )


if __name__ == "__main__":
    tf.test.main()
