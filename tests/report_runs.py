"""Audited runs of synthetic outputs, and a report on them."""

import csv
import pathlib

import kept_audits
import synthetic_outputs
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.auditing import audit, audit_result
from qmia_tf.report import make_report, run_list, warnings
from qmia_tf.run_dir import RunDir

FULL = (32, 32)


def configuration(dataset, bits, **changes):
    config = {
        "schema_version": 1,
        "dataset": {"name": dataset, "pool": "all", "fingerprint": "d" * 64},
        "split": {"seed": 0, "member_fraction": 0.5},
        "model": {
            "stem": "imagenet",
            "width": 64,
            "weight_bits": bits[0],
            "activation_bits": bits[1],
            "clip": False,
        },
        "recipe": {"name": "paper", "epochs": 30},
        "seed": 0,
    }
    for path, value in changes.items():
        place, key = path.split("__")
        config[place][key] = value
    return config


class Reports(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir())
        self.enterContext(kept_audits.kept())

    def run_of(
        self,
        name,
        bits,
        *,
        dataset="cifar10",
        gain=(4.0, 3.0),
        targets=("keras",),
        settings=None,
        records=60,
        **changes,
    ):
        folder = self.root / name
        RunDir(folder).open(configuration(dataset, bits, **changes))
        for target in targets:
            synthetic_outputs.outputs(
                records, 60, gain=gain, target=target, size_bytes=2_500_000
            ).save(folder / "outputs" / f"{target}.npz")
        audit.audit_outputs(
            folder, config=audit.AuditConfig(tfprivacy=settings)
        )
        return folder

    def report(self, *folders, formats=("csv", "latex"), **options):
        """The text; drawing figures takes seconds, so only if asked for."""
        written = make_report(
            folders, self.root / "report", formats=formats, **options
        )
        return written[0].read_text()

    def warnings(self, *folders, **options):
        ordered = run_list.sort_runs([audit_result.load(x) for x in folders])
        return warnings.warnings(ordered, **options)

    def rows(self, name):
        with open(self.root / "report" / f"{name}.csv") as file:
            return list(csv.DictReader(file))
