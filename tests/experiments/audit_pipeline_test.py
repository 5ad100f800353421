"""One audit: the auxiliary knowledge and the records of a run."""

from unittest import mock

import folders
import numpy as np
import synthetic_audits
import tensorflow as tf
import tiny_models
import tiny_runs
from absl.testing import parameterized

from qmia_tf import files, outputs
from qmia_tf.auditing import blind_baseline, label_only_queries
from qmia_tf.auditing.audit_config import AuditConfig
from qmia_tf.auditing.auxiliary import make_attack_inputs
from qmia_tf.data.record_features import image_features
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError
from qmia_tf.experiments import (
    audit_pipeline,
    configuration,
    run,
    training_run,
)
from qmia_tf.experiments.audit_pipeline import RecordChecks
from qmia_tf.models.resnet import Bits
from qmia_tf.outputs import Outputs
from qmia_tf.run_dir import RunDir
from qmia_tf.targets.unopened_model import UnopenedModel

RECORDS = 40


class Runs(folders.Folder):
    def setUp(self):
        super().setUp()
        self.data = tiny_models.dataset(RECORDS)

    def run_of(self, name, bits, *, targets=("keras",), seed=0, **options):
        """A run directory with answers drawn by lot."""
        config = tiny_runs.config(self.data, bits=bits, **options)
        folder = RunDir(self.dir / name).open(config).path
        self.split = training_run.open_split(folder, self.data, config)
        rng = np.random.default_rng(seed)
        for target in targets:
            drawn = rng.dirichlet(np.ones(4), RECORDS).astype(np.float32)
            Outputs(
                probabilities=drawn,
                labels=self.data.labels,
                members=np.isin(np.arange(RECORDS), self.split.members),
                record_ids=np.arange(RECORDS),
                info={
                    "target": target,
                    "fingerprint": self.data.fingerprint(),
                },
            ).save(folder / "outputs" / f"{target}.npz")
        return folder

    def audited(self, folder, *targets, label_only=None, **options):
        """What the audit is given: by target, and with which others."""
        config = configuration.read(folder)
        paths = RunDir(folder)
        loaded = [outputs.load(paths.outputs_of("keras")), *targets]
        with mock.patch.object(
            audit_pipeline.audits,
            "audit_outputs",
            return_value=synthetic_audits.result(),
        ) as audit_outputs:
            audit_pipeline.audit(
                self.checks(folder),
                loaded,
                run.knowledge_of(folder, config, **options),
                AuditConfig(label_only=label_only),
                run_dir=folder,
                run_config=lambda outputs: config,
            )
        given = audit_outputs.call_args.kwargs
        names = [x.target for x in given["joint_with"]]
        return given["auxiliary"], names

    def checks(self, folder):
        config = configuration.read(folder)
        return RecordChecks(training_run.records_of(folder, self.data, config))

    def baseline(self, rows, *, seed):
        """The blind baseline of some records in their order."""
        records = Records.numbered(
            "x",
            self.data.images[rows],
            self.data.labels[rows],
            np.isin(rows, self.split.members),
        )
        return blind_baseline.measure(records, seed=seed)


class KnowledgeTest(Runs):
    def setUp(self):
        super().setUp()
        self.folder = self.run_of("w4a4", Bits(4, 4))
        self.keras = outputs.load(self.folder / "outputs/keras.npz")
        self.file = self.keras.renamed("int8")

    def test_the_parent_is_that_of_the_other_run(self):
        full = self.run_of("full", Bits(), seed=1)
        known, joint_with = self.audited(self.folder, self.file, parent=full)
        want = files.read_npz(full / "outputs/keras.npz")["probabilities"]
        for name in ("keras", "int8"):
            parent = known[name].parent
            self.assertEqual(parent.target, "parent")
            self.assertAllEqual(parent.probabilities, want)
        self.assertEqual(joint_with, ["keras", "parent"])

    def test_a_full_precision_run_is_the_parent_of_its_files(self):
        full = self.run_of("full", Bits())
        known, joint_with = self.audited(full, self.file)
        self.assertIsNone(known["keras"].parent)
        self.assertEqual(known["int8"].parent.target, "keras")
        self.assertEqual(joint_with, ["keras"])

    def test_a_quantized_run_has_no_parent_of_its_own(self):
        known, _ = self.audited(self.folder, self.file)
        self.assertIsNone(known["int8"].parent)

    @parameterized.parameters(Bits(8, 4), Bits(32, 32, clip=True))
    def test_not_full_precision(self, bits):
        other = self.run_of("other", bits)
        with self.assertRaisesRegex(
            InputError,
            "other is not the full-precision run: its model has "
            f"{bits.weight}-bit weights and {bits.activation}-bit activations",
        ):
            self.audited(self.folder, parent=other)

    def test_not_queried_and_not_a_run(self):
        full = self.run_of("full", Bits(), targets=())
        with self.assertRaisesRegex(
            InputError, "full was not queried yet: attack it first"
        ):
            self.audited(self.folder, parent=full)
        with self.assertRaisesRegex(InputError, "is not a run directory"):
            self.audited(self.folder, parent=self.dir / "none")

    def test_of_another_split(self):
        full = self.run_of("full", Bits(), split_seed=1)
        known, _ = self.audited(self.folder, parent=full)
        with self.assertRaisesRegex(InputError, "trained on other members"):
            make_attack_inputs(self.keras, known["keras"])

    def test_features_are_those_of_the_images(self):
        known, _ = self.audited(self.folder)
        order = np.random.default_rng(0).permutation(RECORDS)[:30]
        inputs = make_attack_inputs(self.keras.take(order), known["keras"])
        for record, row in zip(
            inputs.outputs.record_ids, inputs.features, strict=True
        ):
            want = image_features(self.data.images[record][None])[0]
            self.assertAllClose(row, want)

    def test_the_runs_own_references_unless_others_are_given(self):
        known, _ = self.audited(self.folder)
        self.assertEqual(known["keras"].references, ())
        for n in range(2):
            self.run_of(f"w4a4/references/r0{n}", Bits(4, 4), split_seed=n + 5)
        other = self.run_of("other", Bits(4, 4), split_seed=9)
        for given, names in (
            (None, ["r00.keras", "r01.keras"]),
            ([other], ["other.keras"]),
            ([], []),
        ):
            known, _ = self.audited(self.folder, self.file, references=given)
            self.assertEqual(
                [x.target for x in known["int8"].references], names
            )


class AugmentedQueriesTest(Runs):
    @parameterized.parameters(
        ("keras", True, True, ""),
        ("default", True, True, ""),
        ("reference", True, True, "only the Keras model and files under"),
        ("twin", True, True, "only the Keras model and files under"),
        ("callable", False, True, ""),
        ("default", True, False, "switched off"),
    )
    def test_only_of_what_can_be_queried(self, kernels, of_run, asked, reason):
        folder = self.run_of("w4a4", Bits(4, 4))
        checks = self.checks(folder)
        model = UnopenedModel(
            "int8",
            folder / "x",
            kernels,
            None,
            outputs="probabilities" if of_run else None,
        )
        settings = label_only_queries.Settings()
        config = AuditConfig(label_only=settings if asked else None)
        labels = {"augmented_labels": 1, "noisy_labels": 2}
        answer = outputs.load(folder / "outputs/keras.npz").renamed("int8")
        with (
            mock.patch.object(
                label_only_queries, "query_target", return_value=labels
            ) as query_target,
            mock.patch.object(
                audit_pipeline.queries, "query", return_value=answer
            ) as query,
        ):
            queried = audit_pipeline.query_targets(
                checks, [model], config, run_dir=folder, say=print
            )
        queries = checks.given.labels.size
        if reason:
            query_target.assert_not_called()
            self.assertIn(reason, queried.reasons["int8"]["noisy_labels"])
        else:
            self.assertIs(query_target.call_args.args[0], model)
            self.assertEqual(queried.augmented_labels, {"int8": labels})
            # Its file is not there, which fails no audit.
            self.assertEqual(
                set(queried.reasons["int8"]), {"inside", "gradients"}
            )
            names = len(settings.augmentations.names + settings.noise.names)
            queries *= 1 + names
        self.assertEqual(query.call_args.kwargs["query_count"], queries)


class BlindBaselineTest(Runs):
    def test_is_that_of_the_images_in_record_order(self):
        known = self.checks(self.run_of("w4a4", Bits(4, 4)))
        check = known.blind_baseline(seed=3)
        want = self.baseline(np.arange(RECORDS), seed=3)
        self.assertEqual(check, want)
        self.assertNotEqual(check.auc, known.blind_baseline(seed=4).auc)


class DistinctTest(Runs):
    def test_of_equal_ones_on_a_side_one(self):
        self.run_of("draw", Bits())
        members, nonmembers = self.split.members, self.split.nonmembers
        labels = self.data.labels
        mine = members[labels[members] == labels[members[0]]]
        others = nonmembers[labels[nonmembers] == labels[mine[0]]]
        # Two more members and one nonmember show what a member shows.
        self.data.images[[*mine[1:3], others[0]]] = self.data.images[mine[0]]
        known = self.checks(self.run_of("w4a4", Bits(4, 4)))
        kept = known.distinct.record_ids
        self.assertAllEqual(
            kept, np.setdiff1d(np.arange(RECORDS), np.sort(mine[:3])[1:])
        )
        counts = known.distinct.repeated
        self.assertEqual(counts.distinct_members, counts.members - 2)
        self.assertEqual(counts.distinct_nonmembers, counts.nonmembers)
        self.assertIn("copies of one record are counted once", counts.sentence)
        # The blind baseline sees the same records.
        check = known.blind_baseline(seed=3)
        want = self.baseline(kept, seed=3)
        self.assertEqual(check, want)


if __name__ == "__main__":
    tf.test.main()
