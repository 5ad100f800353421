"""One shipped model: its run, its files, its entries in the manifest."""

import dataclasses
import pathlib
import shutil

import numpy as np

from qmia_tf import files, terminal
from qmia_tf.attacks import tfprivacy
from qmia_tf.auditing import audit_result, label_only_queries
from qmia_tf.data import loaders
from qmia_tf.deploy.manifest import read_manifest
from qmia_tf.experiments import configuration, run, training_run
from qmia_tf.models.resnet import Bits
from qmia_tf.run_dir import RunDir
from tools import file_measurements
from tools.shipped_sets import ShippedSet

POOL = "all"
# Its trained attackers take minutes, and ours are judged on other records.
TFPRIVACY = tfprivacy.Settings(attacks=("threshold", "threshold-entropy"))
EXPORTED = ("scheme", "input", "output", "outputs", "float_layers", "versions")
PARITY_FIELDS = ("codes", "mismatches", "labels_differ", "largest_probability")


@dataclasses.dataclass
class ShippedRun:
    """The run of one model, and where its files go.

    Attributes:
        shipped: the ShippedSet.
        dataset: its Dataset.
        bits: such as "w4a4".
        run_dir: pathlib.Path of the run.
        folder: pathlib.Path of the shipped files.
        prefix: what their names begin with.
        parities: mismatches.FileParity of each integer file described so far.
    """

    shipped: ShippedSet
    dataset: loaders.Dataset
    bits: str
    run_dir: pathlib.Path
    folder: pathlib.Path
    prefix: str
    parities: list = dataclasses.field(default_factory=list)

    def train_and_export(self):
        """Trains and exports, or goes on.

        Returns: Records of the run, sorted by record id.
        """
        config = configuration.describe(
            self.dataset,
            recipe=self.shipped.recipe,
            bits=Bits.parse(self.bits),
            pool=POOL,
            split_seed=self.shipped.seed,
            member_fraction=self.shipped.member_fraction,
            seed=self.shipped.seed,
        )
        terminal.say(f"== {self.run_dir}")
        training_run.train_run(self.run_dir, self.dataset, config)
        run.export_run(
            self.run_dir,
            lambda: self.dataset,
            schemes=self.shipped.models[self.bits],
        )
        records = training_run.records_of(self.run_dir, self.dataset, config)
        return records.in_record_order()

    def entry(self, scheme, records) -> dict:
        """Copies one file and its twin, and says what they are.

        Args:
            scheme: of the file.
            records: what train_and_export gives.
        Returns: the file's part of manifest.json.
        """
        source = RunDir(self.run_dir).artifacts
        exported = read_manifest(source)[scheme]
        entry = {key: exported[key] for key in EXPORTED}
        entry["bits"] = self.bits
        entry["model_sha256"] = exported["model_sha256"]
        entry.update(self._copy(source / exported["file"]))
        entry["twin"] = None
        if exported["twin"]:
            entry["twin"] = self._copy(source / exported["twin"]["file"])
        images = self.shipped.parity_sample(self.dataset.images)
        terminal.say(f"measuring {entry['file']}")
        entry.update(
            file_measurements.measure(
                self.folder, entry, records, images=images
            )
        )
        entry["trained_model_against_twin"] = self._trained_model_parity(
            entry, images
        )
        return entry

    def audit(self, entries):
        """Attacks the run, ships its audit, and adds its figures to entries.

        No pictures: they would show training records.

        Args:
            entries: dict name -> result of entry.
        """
        files.write_json(
            RunDir(self.run_dir).parity,
            [parity.as_dict() for parity in self.parities],
        )
        run.attack_run(
            self.run_dir,
            self.dataset,
            label_only=label_only_queries.Settings(),
            tfprivacy=TFPRIVACY,
            pictures="off",
        )
        copy = self._copy(RunDir(self.run_dir).audit)
        audit = audit_result.load(self.folder / copy["file"])
        for entry in entries.values():
            entry["audit"] = copy
            entry.update(
                file_measurements.audit_figures(audit, entry["sha256"])
            )

    def _trained_model_parity(self, entry, images):
        """The trained model beside the twin, if there is one."""
        if not entry["twin"]:
            return None
        parity = file_measurements.compare(
            self.folder, entry, images, model=RunDir(self.run_dir).model
        )
        self.parities.append(parity)
        trained = parity.comparisons[0]
        return {key: getattr(trained, key) for key in PARITY_FIELDS}

    def _copy(self, path):
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"{self.prefix}_{path.name}"
        with files.atomic(target) as temporary:
            shutil.copyfile(path, temporary)
        return _about(target)


def write_records(records, folder, name) -> dict:
    """Writes members and nonmembers, as `qmia audit` reads them.

    Args:
        records: of a run.
        folder: of the shipped files.
        name: of the set.
    Returns: dict side -> file, hash and size.
    """
    about = {}
    sides = {"members": records.members, "nonmembers": ~records.members}
    for side, rows in sides.items():
        path = folder / f"{name}_{side}.npz"
        files.write_npz(
            path,
            images=records.values[rows],
            labels=records.labels[rows].astype(np.uint8),
        )
        about[side] = _about(path)
    return about


def _about(path):
    return {
        "file": path.name,
        "sha256": files.sha256(path),
        "size_bytes": path.stat().st_size,
    }
