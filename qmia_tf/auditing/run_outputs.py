"""The outputs of the targets of a run: outputs/*.npz."""

import pathlib

from qmia_tf import outputs
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs
from qmia_tf.run_dir import TRAINED


def of_run(run_dir, paths, config) -> list[Outputs]:
    """Loads the outputs of the targets of a run, in the audit's order.

    Args:
        run_dir: RunDir.
        paths: the .npz files; all of run_dir/outputs if None.
        config: dict, the run's configuration.
    Raises: InputError if there are none, one is about other data, or two are
        of one target.
    """
    files = sorted(map(pathlib.Path, paths or run_dir.outputs.glob("*.npz")))
    if not files:
        raise InputError(
            f"{run_dir.outputs} holds no .npz file: query a target with "
            "scripts/attack.py first"
        )
    expected = config.get("dataset", {}).get("fingerprint")
    loaded = {}
    for path in files:
        target_outputs = outputs.load(path)
        got = target_outputs.info.get("fingerprint")
        if got and expected and got != expected:
            raise InputError(
                f"{path}: the outputs are about data with fingerprint {got}, "
                f"the run is about {expected}: query the target with the run's "
                "data"
            )
        if target_outputs.target in loaded:
            raise InputError(
                f"{path}: another file holds target "
                f"{target_outputs.target!r} too; name one of the two"
            )
        loaded[target_outputs.target] = target_outputs
    # The model itself first, then what was made from it.
    return sorted(
        loaded.values(),
        key=lambda target_outputs: (
            target_outputs.target != TRAINED,
            target_outputs.target,
        ),
    )
