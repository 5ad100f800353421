"""Tests of reading gradients through .tflite files, once, and resumed."""

import pathlib
from unittest import mock

import numpy as np
import tensorflow as tf
import tiny_models
from absl.testing import parameterized

import qmia_tf
from qmia_tf.auditing import audit_result
from qmia_tf.data.records import Records
from qmia_tf.deploy import differentiable
from qmia_tf.deploy.differentiable.file_network import FileNetwork
from qmia_tf.deploy.differentiable.gradient_norms import GradientNorms
from qmia_tf.deploy.tflite.isolation import Limits
from qmia_tf.errors import InputError
from qmia_tf.experiments import gradient_queries
from qmia_tf.report import verdict_sentences
from qmia_tf.run_dir import RunDir
from qmia_tf.targets import queries, run_targets
from qmia_tf.targets.isolated_tflite import IsolatedTFLiteTarget
from qmia_tf.targets.unopened_model import UnopenedModel

COUNT = 150
RECORDS = Records(
    name="noise",
    values=tiny_models.images(COUNT),
    labels=np.arange(COUNT) % tiny_models.CLASSES,
    members=np.arange(COUNT) < 60,
    record_ids=np.arange(COUNT),
    fingerprint="noise",
)


class ReadTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = RunDir(self.create_tempdir().full_path)
        self.path = pathlib.Path(self.create_tempdir().full_path, "t.tflite")

    def file(self, kind=None):
        return tiny_models.write_tflite(
            tiny_models.classifier(), self.path, inputs=kind, outputs=kind
        )

    def listed(self, path):
        model = UnopenedModel(
            "t",
            path,
            "default",
            lambda: IsolatedTFLiteTarget(path, name="t", limits=Limits()),
            outputs="probabilities",
            threads=1,
        )
        self.addCleanup(model.close)
        return model

    def read(self, model):
        answered = queries.query(model, RECORDS, run_dir=self.dir)
        return gradient_queries.read(model, answered, RECORDS, run_dir=self.dir)

    @parameterized.parameters(None, tf.int8)
    def test_norms_and_agreement(self, kind):
        path = self.file(kind)
        read = self.read(self.listed(path))
        self.assertEqual(read.layers, ("conv", "logits"))
        self.assertAllEqual(read.record_ids, RECORDS.record_ids)
        self.assertEqual(read.info["apart"], 0)
        self.assertLessEqual(read.info["largest"], 1.001)
        norms = GradientNorms(differentiable.load(path), batch_size=COUNT)
        values = norms.network.input.encode_pixels(RECORDS.values)
        expected, _ = norms(values, RECORDS.labels)
        self.assertAllClose(read.norms, expected, rtol=1e-5)

    def test_stored_ones_are_used_again(self):
        model = self.listed(self.file())
        read = self.read(model)
        self.assertTrue(self.dir.gradients_of("t").is_file())
        with mock.patch.object(gradient_queries, "_computed") as computed:
            again = self.read(model)
        computed.assert_not_called()
        self.assertAllEqual(again.norms, read.norms)

    def test_another_file_is_read_anew(self):
        self.read(self.listed(self.file()))
        other = self.listed(self.file(tf.int8))
        with mock.patch.object(
            gradient_queries, "_computed", side_effect=InputError("anew")
        ):
            with self.assertRaisesRegex(InputError, "anew"):
                self.read(other)

    def test_interrupted_it_goes_on(self):
        model, calls = self.listed(self.file()), []
        computed = GradientNorms.__call__

        def counted(norms, values, labels):
            calls.append(len(values))
            if len(calls) == 2:
                raise KeyboardInterrupt
            return computed(norms, values, labels)

        with mock.patch.object(GradientNorms, "__call__", counted):
            with self.assertRaises(KeyboardInterrupt):
                self.read(model)
            read = self.read(model)
        self.assertEqual(calls, [64, 64, 64, 22])
        self.assertEqual(read.norms.shape, (COUNT, 2))
        files = sorted(x.name for x in self.dir.inside.iterdir())
        self.assertNotIn("t.gradients.partial.npz", files)

    def test_a_keras_model_has_none(self):
        path = self.dir.path / "model.keras"
        tiny_models.classifier().save(path)
        model = run_targets.keras_model(path, path_name="keras")
        self.addCleanup(model.close)
        with self.assertRaisesRegex(InputError, "of .tflite files only"):
            self.read(model)

    def test_a_graph_of_other_answers(self):
        run = FileNetwork.outputs
        with mock.patch.object(
            FileNetwork, "outputs", lambda *x: tf.reverse(run(*x), [1])
        ):
            with self.assertRaisesRegex(InputError, "another class for"):
                self.read(self.listed(self.file()))
        self.assertFalse(self.dir.gradients_of("t").exists())

    def test_gradients_that_are_no_numbers(self):
        computed = GradientNorms.__call__

        def overflown(*args):
            rows, outputs = computed(*args)
            return np.where(
                np.arange(len(rows))[:, None], rows, np.inf
            ), outputs

        with mock.patch.object(GradientNorms, "__call__", overflown):
            with self.assertRaisesRegex(InputError, "of 3 of 150 records are"):
                self.read(self.listed(self.file()))

    @parameterized.parameters(True, False)
    def test_in_an_audit(self, gradients):
        result = qmia_tf.audit(
            self.file(),
            (RECORDS.values[:60], RECORDS.labels[:60]),
            (RECORDS.values[60:], RECORDS.labels[60:]),
            out=self.dir.path / "audit",
            input_range=(0, 1),
            label_only=None,
            tfprivacy=None,
            allow_chance=True,
            gradients=gradients,
            progress=None,
        )
        (target,) = result.targets
        names = [attack.name for attack in target.holder.attacks]
        left_out = {x.name: x.reason for x in target.holder.attacks_left_out}
        self.assertEqual("gradient_norm_all" in names, gradients)
        stored = audit_result.load(self.dir.path / "audit")
        said = " ".join(verdict_sentences.verdict(stored))
        self.assertEqual(
            "t: gradients by layer are those of a graph made of the file. Its "
            "outputs differ from the file's by more than 0.0039 for 0 % of the "
            "records, by " in said,
            gradients,
            said,
        )
        if gradients:
            layers = [x.name for x in target.holder.gradients.layers]
            self.assertEqual(layers, ["conv", "logits"])
            self.assertEqual(target.holder.gradients.apart, 0)
        else:
            self.assertIsNone(target.holder.gradients)
            self.assertEqual(
                left_out["gradient_norm_all"],
                "needs the gradients of its layers: ask for them with "
                "gradients=True",
            )


if __name__ == "__main__":
    tf.test.main()
