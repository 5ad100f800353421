"""The integer files of a run, which parity checks, and its options."""

import pathlib

from qmia_tf import files
from qmia_tf.deploy.manifest import read_manifest
from qmia_tf.deploy.tflite.interpreter import KERNELS
from qmia_tf.errors import InputError
from qmia_tf.experiments import configuration
from qmia_tf.run_dir import RunDir


def check_options(*, kernels, threads, records: int, seed: int) -> None:
    """Raises InputError if an option of parity_run.check_run cannot be."""
    unknown = [name for name in kernels if name not in KERNELS]
    if unknown or not kernels:
        raise InputError(
            f"kernels are any of {', '.join(KERNELS)}, got "
            f"{(unknown or [''])[0]!r}"
        )
    if not threads or min(threads) < 1:
        raise InputError(f"threads must be 1 or more, got {list(threads)}")
    for name, value, least in (("records", records, 1), ("seed", seed, 0)):
        if value < least:
            raise InputError(f"{name} must be {least} or more, got {value}")


def with_twins(run_dir, schemes=None) -> dict[str, dict]:
    """Gives the manifest's entries of the files to check, by scheme.

    Args:
        schemes: names; None takes every file that has a twin.
    Raises: InputError if it is no run, or has no such file.
    """
    configuration.read(run_dir)
    folder = RunDir(run_dir).artifacts
    entries = read_manifest(folder)
    twins = {name: e for name, e in entries.items() if e.get("twin")}
    unknown = [name for name in schemes or () if name not in twins]
    if unknown or not twins:
        raise InputError(
            f"{folder} has no integer file {(unknown or ['at all'])[0]}: make "
            f"one with qmia export --run_dir={run_dir} "
            "--schemes=int8,int8_io"
        )
    return {name: twins[name] for name in schemes or twins}


def exported(run_dir, entry: dict) -> pathlib.Path:
    """Gives the file of an entry.

    Raises: InputError unless it, its twin and the model are what they were.
    """
    folder = RunDir(run_dir).artifacts
    for part in (entry, entry["twin"]):
        path = folder / part["file"]
        if not path.is_file():
            raise InputError(f"{path} is gone: export it again")
        if files.sha256(path) != part["sha256"]:
            raise InputError(
                f"{path} is not the file that was exported: export it again"
            )
    model = RunDir(run_dir).model
    made_from = entry.get("model_sha256")
    if made_from and model.is_file() and files.sha256(model) != made_from:
        raise InputError(
            f"{folder / entry['file']} was made from another {model.name}: "
            "export it again"
        )
    return folder / entry["file"]
