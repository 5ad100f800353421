"""Stored results of a small reproduction, of synthetic answers."""

import csv
import dataclasses
import functools
import io
import json
import os
import pathlib
import tempfile

import kept_audits
import numpy as np
import report_runs
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from paper import plans, rounded_outputs, stored_results, sweeps
from qmia_tf import files, typed_json
from qmia_tf.auditing import accuracy_comparison, accuracy_matching, audit
from qmia_tf.report.tables import as_csv
from qmia_tf.run_dir import RunDir

GAINS = {"w32a32": (4.0, 2.5), "w4a4": (3.2, 2.4)}
EPOCHS = (3, 6)
RECORDS = 80


def answers(model, seed, *, target="keras", gain=None, **info):
    """The outputs of one model, on the same records at every bit width."""
    outputs = synthetic_outputs.outputs(
        RECORDS,
        RECORDS,
        seed=seed,
        gain=gain or GAINS[model],
        target=target,
        **info,
    )
    return dataclasses.replace(outputs).in_record_order()


def make(results, *, seeds=(0, 1), models=tuple(GAINS), dataset="cifar10"):
    """Makes results/DATASET/plain/MODEL-seedK of every model and seed."""
    results = pathlib.Path(results)
    for seed in seeds:
        swept = {model: _run(results, dataset, model, seed) for model in models}
        full, members = swept["w32a32"]
        for model in models:
            if model != "w32a32":
                place = _place(results, dataset, model, seed)
                ours = swept[model][0][-1]
                sweeps.compare_with_full_precision(
                    place, ours, full, members, full_run=f"w32a32-seed{seed}"
                )
    path = results / dataset / stored_results.SAME_PATH
    counts = {"steps": 3, "layers": 2, "weights": 10, "differ": 0, "largest": 0}
    files.write_json(path, counts)
    return results


def _place(results, dataset, model, seed):
    return results / plans.Job(dataset, "plain", model, seed).folder


def _run(results, dataset, model, seed):
    place = _place(results, dataset, model, seed)
    bits = plans.MODELS[model].bits
    config = report_runs.configuration(
        dataset, (bits["weight"], bits["activation"]), split__seed=seed
    )
    config["seed"] = seed
    config["recipe"] |= {
        "crop_padding": 0,
        "flip": False,
        "optimizer": "sgd",
        "learning_rate": 0.01,
    }
    RunDir(place).open(config)
    scheme = plans.MODELS[model].schemes[0]
    for target in ("keras", scheme):
        outputs = answers(model, seed, target=target, size_bytes=2_500_000)
        outputs.save(place / "outputs" / f"{target}.npz")
    with kept_audits.kept():
        audit.audit_outputs(place)
    final = answers(model, seed)
    early = answers(model, seed, gain=(2.0, 1.9))
    epochs = [
        accuracy_matching.measure(outputs, epoch)
        for outputs, epoch in zip((early, final), EPOCHS, strict=True)
    ]
    rounded_outputs.write(place)
    sweeps.compare_artefacts(place)
    curve = accuracy_comparison.TrainingCurve(
        place.name, model, [x.point for x in epochs]
    )
    files.write_json(place / stored_results.SWEEP, typed_json.encode(curve))
    files.write_json(place / stored_results.TIMING, {"attack": 60.0})
    with (place / stored_results.HISTORY).open("w") as file:
        writer = csv.writer(file)
        writer.writerows([["epoch", "seconds"], [1, 90.0], [2, 90.0]])
    manifest = {scheme: {"versions": {"tensorflow": "2.21.0"}}}
    (place / stored_results.MANIFEST).write_text(json.dumps(manifest))
    return epochs, final.members


def share(values):
    """The share of True among booleans, for oracles."""
    return float(np.asarray(values, bool).mean())


def rows_of(table):
    return list(csv.DictReader(io.StringIO(as_csv(table))))


@functools.cache
def shared():
    """One set of results for every test; they are only read."""
    folder = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
    return make(pathlib.Path(folder) / "results")


class Results(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.results = shared()
        self.finished = stored_results.load(self.results)

    def right(self, model, seed, members):
        outputs = answers(model, seed)
        chosen = outputs.members if members else ~outputs.members
        return share((outputs.predicted == outputs.labels)[chosen])
