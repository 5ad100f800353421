"""What a run holds of its targets: outputs/*.npz and parity.json."""

from typing import TypedDict

from qmia_tf import files, outputs, typed_json
from qmia_tf.deploy.parity.mismatches import Parity
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs
from qmia_tf.run_dir import TRAINED, RunDir


def of_run(run_dir: RunDir, config: dict) -> list[Outputs]:
    """Loads all of outputs/, the Keras model's first, the others by name.

    Raises: InputError if there are none, one is about other data, or two are of
        one target.
    """
    paths = sorted(run_dir.outputs.glob("*.npz"))
    if not paths:
        raise InputError(
            f"{run_dir.outputs} holds no .npz file: query a target with "
            "qmia attack first"
        )
    loaded = {}
    for path in paths:
        target_outputs = load(path, config)
        if target_outputs.target in loaded:
            raise InputError(
                f"{path}: another file holds target "
                f"{target_outputs.target!r} too; name one of the two"
            )
        loaded[target_outputs.target] = target_outputs
    names = sorted(loaded, key=lambda name: (name != TRAINED, name))
    return [loaded[name] for name in names]


def load(path, config: dict) -> Outputs:
    """Loads outputs of a run.

    Raises: InputError if they are about other data, or as outputs.load.
    """
    target_outputs = outputs.load(path)
    expected = config.get("dataset", {}).get("fingerprint")
    actual = target_outputs.info.get("fingerprint")
    if actual and expected and actual != expected:
        raise InputError(
            f"{path}: the outputs are about data with fingerprint {actual}, "
            f"the run is about {expected}: query the target with the run's data"
        )
    return target_outputs


def repeated(loaded: list[Outputs]) -> set[str]:
    """Names the targets with about the same outputs as one before.

    That is a twin, or a file under other kernels.
    """
    names, hashes = set(), set()
    for target_outputs in loaded:
        sha256 = target_outputs.info.get("sha256")
        if sha256 in hashes or target_outputs.info.get("kind") == "twin":
            names.add(target_outputs.target)
        hashes |= {sha256} - {None}
    return names


def parities(run_dir) -> dict[str, Parity]:
    """Reads what qmia parity found.

    Returns: by sha256 of the file; empty without parity.json.
    Raises: InputError if parity.json cannot be read as such.
    """
    path = RunDir(run_dir).parity
    if not path.is_file():
        return {}
    remedy = (
        f"the file is damaged: make it again with qmia parity "
        f"--run_dir={run_dir}, or delete it"
    )
    stored = files.read_json(path)
    entries = typed_json.check(
        list[dict], stored, source=str(path), remedy=remedy
    )
    parities = {}
    for number, entry in enumerate(entries):
        entry = {**entry, "comparisons": _renamed(entry.get("comparisons"))}
        source = f"{path}: [{number}]"
        sha256 = typed_json.check(_File, entry, source=source, remedy=remedy)[
            "sha256"
        ]
        parities[sha256] = typed_json.decode(
            Parity, entry, source=source, remedy=remedy
        )
    return parities


class _File(TypedDict):
    sha256: str


def _renamed(comparisons):
    """Calls the tensors of parity.json stages, where there are any."""
    if not isinstance(comparisons, list):
        return comparisons
    return [
        {**entry, "stages": entry.get("tensors")}
        if isinstance(entry, dict)
        else entry
        for entry in comparisons
    ]
