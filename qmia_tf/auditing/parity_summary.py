"""What parity.json of a run says of its files."""

from qmia_tf import files, typed_json
from qmia_tf.deploy.parity.mismatches import Parity
from qmia_tf.errors import InputError
from qmia_tf.run_dir import RunDir


def of_run(run_dir) -> dict[str, Parity]:
    """Reads what scripts/parity.py found.

    Returns: by sha256 of the file; empty without parity.json.
    Raises: InputError if parity.json cannot be read as such.
    """
    path = RunDir(run_dir).parity
    if not path.is_file():
        return {}
    entries = files.read_json(path)
    try:
        return {entry["sha256"]: _of(entry, path) for entry in entries}
    except (TypeError, KeyError, AttributeError, InputError) as error:
        raise InputError(
            f"{path} is damaged: make it again with python scripts/parity.py "
            f"--run_dir={run_dir}, or delete it"
        ) from error


def _of(entry, path):
    comparisons = [
        {**comparison, "stages": comparison["tensors"]}
        for comparison in entry["comparisons"]
    ]
    return typed_json.decode(
        Parity, {**entry, "comparisons": comparisons}, source=str(path)
    )
