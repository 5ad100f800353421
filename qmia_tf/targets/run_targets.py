"""The targets of a run: its Keras model, its twins, its .tflite files."""

import pathlib
from collections.abc import Sequence

from qmia_tf import outputs
from qmia_tf.deploy import manifest
from qmia_tf.deploy.tflite.interpreter import KERNELS
from qmia_tf.deploy.tflite.isolation import BY_SIZES, Limits
from qmia_tf.errors import InputError
from qmia_tf.outputs.kinds import LOGITS, PROBABILITIES
from qmia_tf.run_dir import TRAINED, RunDir
from qmia_tf.targets.isolated_tflite import IsolatedTFLiteTarget
from qmia_tf.targets.unopened_model import UnopenedModel

DEFAULT = "default"


def list_targets(
    run_dir: pathlib.Path,
    *,
    kernels: Sequence[str] = (DEFAULT,),
    num_threads: int = 2,
    file_limits: Limits = BY_SIZES,
) -> list[UnopenedModel]:
    """Lists the targets of a run.

    Args:
        run_dir: directory with the model and perhaps artifacts/.
        kernels: LiteRT's kernel sets, see TFLiteTarget; each .tflite file
            is queried under each.
        num_threads: of LiteRT, 1 or more.
        file_limits: what a .tflite file may take.
    Returns: the Keras model, then for each scheme of the manifest the file
        under each kernel set and its twin, if it has one.
    Raises: InputError if an option is out of range.
    """
    unknown = [name for name in kernels if name not in KERNELS]
    if unknown or not kernels:
        raise InputError(
            f"kernels must be one of {tuple(KERNELS)}, got "
            f"{unknown[0] if unknown else 'none'!r}"
        )
    if num_threads < 1:
        raise InputError(f"num_threads must be >= 1, got {num_threads}")
    run_dir = RunDir(run_dir)
    folder = run_dir.artifacts
    listed = [keras_model(run_dir.model)]
    for scheme, entry in manifest.read_manifest(folder).items():
        listed += [
            _file(folder, scheme, entry, kernel_set, num_threads, file_limits)
            for kernel_set in dict.fromkeys(kernels)
        ]
        if entry.get("twin"):
            listed.append(_twin(folder, scheme, entry))
    return listed


def target_names(run_dir: pathlib.Path) -> set[str]:
    """Lists every name that a target of the run has under any kernels."""
    return {
        target.name for target in list_targets(run_dir, kernels=tuple(KERNELS))
    }


def keras_model(
    file: pathlib.Path, *, name: str = TRAINED, path_name: str | None = None
) -> UnopenedModel:
    """Lists a Keras model of a run.

    Args:
        path_name: of outputs/NAME.npz, where it is another.
    """
    return UnopenedModel(
        path_name or name,
        pathlib.Path(file),
        outputs.KERAS,
        lambda: _keras_target(file, name=name),
        outputs=PROBABILITIES,
    )


def _file(folder, scheme, entry, kernel_set, num_threads, file_limits):
    file = folder / entry["file"]
    name = scheme if kernel_set == DEFAULT else f"{scheme}.{kernel_set}"
    ends = entry.get("outputs", PROBABILITIES)

    def open_file():
        return IsolatedTFLiteTarget(
            file,
            name=name,
            num_threads=num_threads,
            kernels=kernel_set,
            logits=ends == LOGITS,
            limits=file_limits,
        )

    return UnopenedModel(
        name,
        file,
        kernel_set,
        open_file,
        outputs=ends,
        threads=num_threads,
        exported=entry.get("sha256"),
    )


def _twin(folder, scheme, entry):
    file = folder / entry["twin"]["file"]
    name = f"{scheme}{outputs.TWIN}"
    ends = entry.get("outputs", PROBABILITIES)

    def open_twin():
        target = _keras_target(file, name=name, logits=ends == LOGITS)
        target.info.update(kind="twin", kernel_set="twin", outputs=ends)
        if ends != LOGITS:
            # An integer softmax does not quite sum to one, nor its twin's.
            target.info["probability_step"] = entry["output"]["scale"]
        return target

    return UnopenedModel(name, file, "twin", open_twin, outputs=ends)


def _keras_target(file, **options):
    # TensorFlow is loaded when a model is opened, not when it is listed.
    from qmia_tf.targets.keras_target import KerasTarget

    return KerasTarget(file, **options)
