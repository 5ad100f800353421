"""The risk of records by the losses of a run's kept epochs."""

import dataclasses
from unittest import mock

import folders
import numpy as np
import synthetic_outputs
import tensorflow as tf
import tiny_models
import tiny_runs

from qmia_tf.attacks.losses import losses
from qmia_tf.errors import InputError
from qmia_tf.experiments import checkpoints, run_risk
from qmia_tf.run_dir import RunDir
from qmia_tf.training import recipes

RECORDS, EPOCHS = 60, 5


class LossTraceTest(folders.Folder):
    def setUp(self):
        super().setUp()
        self.data = tiny_models.dataset(RECORDS, shape=(8, 8, 1))
        recipe = recipes.get("digits", epochs=EPOCHS, width=2, batch_size=8)
        config = tiny_runs.config(self.data, recipe=recipe)
        self.run_dir = RunDir(self.dir / "run").open(config)
        self.run_dir.model.write_bytes(b"model")
        self.epochs = {n: self.outputs(n) for n in range(1, EPOCHS + 1)}
        self.epochs[EPOCHS].save(self.run_dir.outputs_of("keras"))

    def outputs(self, seed):
        some = synthetic_outputs.outputs(
            RECORDS // 2, RECORDS // 2, seed=seed, target="keras"
        )
        return dataclasses.replace(
            some,
            record_ids=np.arange(RECORDS),
            members=np.arange(RECORDS) % 2 == 0,
            info={**some.info, "fingerprint": self.data.fingerprint()},
        )

    def measure(self, **options):
        with mock.patch.object(
            checkpoints, "query_epochs", return_value=self.epochs.items()
        ):
            return run_risk.of_run(
                self.run_dir.path,
                dataset=self.data,
                score="loss_trace",
                **options,
            )

    def keep_epochs(self):
        self.run_dir.checkpoints.mkdir()
        for epoch in range(1, EPOCHS):
            self.run_dir.checkpoint(epoch).touch()

    def test_losses_of_every_kept_epoch(self):
        self.keep_epochs()
        risks = self.measure()
        traces = np.array([losses(x) for x in self.epochs.values()])
        want = np.subtract(*np.percentile(traces, [75, 25], axis=0))
        self.assertAllClose(risks.scores, want)
        self.assertEqual(risks.score, "loss_trace")

    def test_too_few_epochs_and_another_target(self):
        with self.assertRaisesRegex(InputError, "4 epochs or more, and there "):
            self.measure()
        self.keep_epochs()
        self.epochs[2] = self.epochs[2].take(np.arange(50))
        with self.assertRaisesRegex(InputError, "about other records than"):
            self.measure()
        self.outputs(0).renamed("int8").save(self.run_dir.outputs_of("int8"))
        with self.assertRaisesRegex(InputError, "leave out --target=int8"):
            self.measure(target="int8")


if __name__ == "__main__":
    tf.test.main()
