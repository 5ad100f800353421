"""Accuracy, parity and leak of a shipped file."""

import pathlib

import numpy as np

from qmia_tf import typed_json
from qmia_tf.data.records import Records
from qmia_tf.deploy.parity import code_parity
from qmia_tf.deploy.parity.mismatches import FileParity
from qmia_tf.errors import InputError
from qmia_tf.targets.tflite_target import TFLiteTarget


def measure(
    folder: pathlib.Path, entry: dict, records: Records, *, images: np.ndarray
) -> dict:
    """Measures the accuracy of a file, and its codes against its twin's.

    Args:
        folder: of the files.
        entry: the file's part of manifest.json.
        records: of the run.
        images: those that codes are compared over.
    Returns: fields of the entry.
    """
    target = TFLiteTarget(folder / entry["file"], num_threads=1)
    right = target.predict(records.values).argmax(axis=1) == records.labels
    figures = {
        "members_right": int(np.sum(right[records.members])),
        "members": int(np.sum(records.members)),
        "nonmembers_right": int(np.sum(right[~records.members])),
        "nonmembers": int(np.sum(~records.members)),
        "mismatches": None,
    }
    if entry["twin"]:
        (compared,) = compare(folder, entry, images).comparisons
        figures["mismatches"] = compared.mismatches
        figures["codes"] = compared.codes
    return figures


def compare(
    folder: pathlib.Path, entry: dict, images: np.ndarray, *, model=None
) -> FileParity:
    """Compares the twin with the trained .keras file, if any, and the file."""
    return code_parity.check(
        folder / entry["twin"]["file"],
        folder / entry["file"],
        images,
        model=model,
        scheme=entry["scheme"],
        kernels=("default",),
        threads=(1,),
        batch_sizes=(64,),
    )


def audit_figures(audit, sha256) -> dict:
    """Reads accuracy and strongest attack of a file from an audit.

    Args:
        audit: findings.AuditResult.
        sha256: of the file.
    Returns: dict accuracy_members, accuracy_nonmembers, strongest_attack,
        strongest_auc; estimates with their intervals.
    Raises: InputError if the audit is not about that file.
    """
    # The first is under the default kernels.
    for target in audit.targets:
        if target.sha256 == sha256:
            strongest = target.strongest
            return {
                "accuracy_members": typed_json.encode(target.accuracy_members),
                "accuracy_nonmembers": typed_json.encode(
                    target.accuracy_nonmembers
                ),
                "strongest_attack": strongest.attack,
                "strongest_auc": typed_json.encode(strongest.auc),
            }
    raise InputError(f"the audit is not about the file {sha256[:12]}")
