"""Training runs compared at equal accuracy, end to end on tiny runs."""

import csv
import dataclasses
import json
import os
from unittest import mock

import folders
import keras
import numpy as np
import tensorflow as tf
import tiny_models
import tiny_runs

from qmia_tf import outputs
from qmia_tf.auditing import (
    accuracy_matching,
)
from qmia_tf.experiments import (
    checkpoints,
    configuration,
    run_comparison,
    training_run,
)
from qmia_tf.models.resnet import Bits
from qmia_tf.report import matching_tables
from qmia_tf.run_dir import RunDir
from qmia_tf.statistics.intervals import Estimate
from qmia_tf.targets import queries
from qmia_tf.training import recipes


def stand_in_answers(run_dir, models, records, *, progress):
    """Epochs that get surer; a quantized run ends between two of full's."""
    del progress
    members = records.members
    slow = 0.0 if run_dir.name.startswith("full") else 0.5
    for epoch in models:
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 4, members.size)
        # The share that is right grows by 5 nonmembers an epoch.
        place = np.where(members, 0, np.cumsum(~members) - 1)
        right = place < 5 * (epoch - slow) + slow
        sure = rng.random(members.size) * 0.3 + 0.1 * members + 0.35
        answers = np.repeat((1 - sure)[:, None] / 3, 4, axis=1)
        chosen = np.where(right, labels, (labels + 1) % 4)
        answers[np.arange(members.size), chosen] = sure
        yield (
            epoch,
            outputs.Outputs(
                probabilities=answers.astype(np.float32),
                labels=labels,
                members=members,
                record_ids=records.record_ids,
                info={"target": "keras"},
            ).in_record_order(),
        )


class RunsTest(folders.Folder):
    """Runs whose epochs are random models, as training would leave them."""

    def setUp(self):
        super().setUp()
        self.data = tiny_models.dataset(60)

    def run_of(
        self, name, bits=None, *, kept=(1, 2, 3), last=4, empty=False, **options
    ):
        folder = self.dir / name
        config = tiny_runs.config(
            self.data,
            recipe=recipes.get("digits", epochs=last),
            bits=bits or Bits(),
            **options,
        )
        RunDir(folder).open(config)
        training_run.open_split(folder, self.data, config)
        seed = sum(map(ord, name))
        (folder / "checkpoints").mkdir()
        for epoch in (*kept, last):
            path = folder / "checkpoints" / f"epoch_{epoch:04d}.keras"
            if epoch == last:
                path = folder / "model.keras"
            if empty:
                path.touch()
            else:
                tiny_models.classifier(seed=seed + epoch).save(path)
        return folder

    def refused(self, pattern, *arguments):
        self.assertRefused(
            pattern, run_comparison.compare, *arguments, self.data
        )

    def test_end_to_end(self):
        full = self.run_of("full", kept=(1, 2))
        w4 = self.run_of("w4a4", Bits(4, 4), kept=(2,))
        w2 = self.run_of("w2", Bits(2, 2), kept=())
        said = []
        compared = run_comparison.compare(
            [full], [w4, w2], self.data, every_epoch=True, progress=said.append
        )
        self.assertLen(said, 6)
        self.assertEqual(said[1], "full: epoch 2, model 2 of 3")
        self.assertEqual(
            [(x.run, x.epoch, x.trained) for x in compared.compared],
            [("w4a4", 2, False), ("w4a4", 4, True), ("w2", 4, True)],
        )
        self.assertEmpty(compared.means)
        # A point is what the model itself answers.
        split = training_run.open_split(
            full, self.data, configuration.read(full)
        )
        images, labels = self.data.take(split.nonmembers)
        model = keras.models.load_model(full / "checkpoints/epoch_0002.keras")
        answers = model.predict(images / np.float32(255), verbose=0)
        self.assertAlmostEqual(
            compared.full[0].points[1].accuracy_nonmembers.value,
            np.mean(answers.argmax(axis=1) == labels),
        )
        paths = matching_tables.write(compared, self.dir / "out")
        self.assertEqual(
            sorted(path.suffix for path in paths),
            [".csv", ".csv", ".json", ".png", ".svg", ".txt"],
        )
        stored = json.loads((self.dir / "out/matched.json").read_text())
        self.assertEqual(stored["schema_version"], 1)
        self.assertLen(stored["compared"], 3)
        with open(self.dir / "out/matched.csv") as file:
            rows = list(csv.DictReader(file))
        self.assertLen(rows, sum(len(x.matches) for x in compared.compared))
        first = compared.compared[0].matches[0].leak["margin"]
        self.assertEqual(
            float(rows[0]["margin_change_low"]), first.difference.low
        )
        self.assertEqual(float(rows[0]["margin_p_value"]), first.p_value)
        text = paths[0].read_text()
        self.assertIn("w=4, a=4 (w4a4, epoch 4) against full precision", text)
        apart = [x for x in compared.compared if not x.matches[0].is_match]
        self.assertEqual(text.count("epoch is no match"), len(apart))
        self.assertNotIn("epoch is a match", text)
        near = dataclasses.replace(
            compared.compared[0].matches[0],
            outside="above",
            accuracy=Estimate(0.001, -0.004, 0.006),
        )
        one = dataclasses.replace(compared.compared[0], matches=[near])
        again = dataclasses.replace(compared, compared=[one])
        text = matching_tables.write(again, self.dir / "near")[0].read_text()
        self.assertIn("epoch is a match, since no difference", text)

    def test_answers_are_asked_once(self):
        full = self.run_of("full", kept=(1, 2), last=3)
        other = self.run_of("w4a4", Bits(4, 4), kept=(), last=3)
        one = run_comparison.compare([full], [other], self.data)
        path = full / "outputs/epochs/epoch_0002.npz"
        self.assertTrue(path.is_file())
        with mock.patch.object(queries, "outputs_of") as query:
            again = run_comparison.compare([full], [other], self.data)
            query.assert_not_called()
        self.assertEqual(one, again)
        # Another model under the name is asked again, and only that.
        changed = full / "checkpoints/epoch_0002.keras"
        tiny_models.classifier(seed=99).save(changed)
        before = os.stat(full / "outputs/epochs/epoch_0001.npz").st_mtime_ns
        third = run_comparison.compare([full], [other], self.data)
        self.assertNotEqual(third.full[0].points[1], one.full[0].points[1])
        after = os.stat(full / "outputs/epochs/epoch_0001.npz").st_mtime_ns
        self.assertEqual(before, after)

    def test_the_last_checkpoint_is_the_trained_model(self):
        full = self.run_of("full", kept=(2, 4), empty=True)
        (full / "checkpoints/epoch_0004.keras").touch()
        kept_models = checkpoints.kept_models(full, configuration.read(full))
        self.assertEqual(list(kept_models), [2, 4])
        self.assertEqual(kept_models[4].name, "model.keras")

    def test_several_seeds_are_paired_in_order(self):
        full = [
            self.run_of(f"full{seed}", seed=seed, split_seed=seed, empty=True)
            for seed in (0, 1)
        ]
        others = [
            self.run_of(
                f"w{w}_{seed}",
                Bits(w, w),
                seed=seed,
                split_seed=seed,
                empty=True,
            )
            for w in (4, 2)
            for seed in (0, 1)
        ]
        with mock.patch.object(checkpoints, "query_epochs", stand_in_answers):
            compared = run_comparison.compare(full, others, self.data)
            self.refused(
                "different members .split.seed: 0 and 1", full[:1], others
            )
        pairs = {(entry.full, entry.run) for entry in compared.compared}
        self.assertEqual(
            pairs,
            {
                (f"full{seed}", f"w{w}_{seed}")
                for w in (4, 2)
                for seed in (0, 1)
            },
        )
        self.assertLen(compared.means, 2 * 2 * len(accuracy_matching.SCORES))
        for mean in compared.means:
            values = [
                match.leak[mean.score].difference.value
                for entry in compared.compared
                if entry.model == mean.model
                for match in entry.matches
                if match.way == mean.way
            ]
            self.assertEqual(mean.pairs, 2)
            self.assertAllClose(mean.difference.value, np.mean(values))
        self.assertEmpty(compared.notes)
        text = matching_tables.write(compared, self.dir / "out")[0].read_text()
        self.assertIn("Over several seeds", text)

    def test_refuses(self):
        full, other = (
            self.run_of("full", empty=True),
            self.run_of("w4a4", Bits(4, 4), empty=True),
        )
        more = self.run_of("w2", Bits(2, 2), empty=True)
        alone = self.run_of("alone", kept=(), empty=True)
        self.refused("cannot be paired", [], [other])
        self.refused("cannot be paired", [full, alone], [other])
        self.refused("w4a4 is named twice", [full], [other, other])
        self.refused("kept no checkpoints.*--keep_every=1", [alone], [other])
        self.refused("must stand together", [full, alone], [other, more])
        self.refused("not a run directory", [full], [self.dir / "nothing"])
        (other / "model.keras").unlink()
        self.refused("w4a4 has no model.keras", [full], [other])

    def test_says_what_else_differs(self):
        full = self.run_of("full", empty=True)
        other = self.run_of("w4a4", Bits(4, 4), seed=3, last=5, empty=True)
        with mock.patch.object(checkpoints, "query_epochs", stand_in_answers):
            compared = run_comparison.compare([full], [other], self.data)
        self.assertEqual(
            compared.notes,
            [
                "w4a4 has another recipe than full",
                "w4a4 has another seed than full",
            ],
        )


if __name__ == "__main__":
    tf.test.main()
