"""Device outputs: saved on another machine, checked against the run."""

import pathlib
from collections.abc import Collection

import numpy as np

from qmia_tf import outputs
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs, validation

HINT = "export the run's data for the device with qmia export_data"


def load_device_outputs(
    paths, records: Records, *, used_names: Collection[str]
) -> list[Outputs]:
    """Reads device outputs and gives each a name of its own.

    A target keeps its name if no target of the run has it. Otherwise the
    file's name is added: int8 from pi4.npz becomes int8.pi4.

    Args:
        paths: .npz files, see outputs.load.
        used_names: that the run's own targets have under any kernels.
    Raises: InputError if one is not about the run's records.
    """
    all_outputs, used_names = [], set(used_names)
    for path in map(pathlib.Path, paths):
        device_outputs = outputs.load(path)
        _check(device_outputs, records, path)
        name = _free_name(device_outputs.target, path.stem, used_names)
        used_names.add(name)
        all_outputs.append(device_outputs.renamed(name))
    return all_outputs


def _check(device_outputs, records, path):
    actual = device_outputs.info.get("fingerprint")
    if actual is not None and actual != records.fingerprint:
        raise InputError(
            f"{path}: the outputs are about data with fingerprint "
            f"{actual[:12]}, the run is about {records.fingerprint[:12]}: "
            f"{HINT}"
        )
    if device_outputs.classes != records.classes:
        raise InputError(
            f"{path}: the outputs have {device_outputs.classes} classes, "
            f"{records.name} has {records.classes}"
        )
    for sort, own, side in (
        ("member", device_outputs.members, records.members),
        ("nonmember", ~device_outputs.members, ~records.members),
    ):
        strange = np.setdiff1d(
            device_outputs.record_ids[own], records.record_ids[side]
        )
        if strange.size:
            raise InputError(
                f"{path}: record {strange[0]} is no {sort} of this run "
                f"({strange.size} such records): {HINT}"
            )
    labels = records.select(device_outputs.record_ids).labels
    wrong = device_outputs.labels != labels
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"{path}: record {device_outputs.record_ids[row]} has label "
            f"{device_outputs.labels[row]}, in {records.name} it has "
            f"{labels[row]} ({wrong.sum()} such records): {HINT}"
        )


def _free_name(name, stem, used_names):
    if name not in used_names:
        return name
    own = validation.safe_name(stem, "").removeprefix(name)
    own = own.strip("._-") or "captured"
    base_name, count = f"{name}.{own}", 1
    free = base_name
    while free in used_names:
        count += 1
        free = f"{base_name}.{count}"
    return free
