"""The targets of a run: its Keras model, its twins, its .tflite files."""

import dataclasses
import pathlib
from collections.abc import Callable

from qmia_tf import files, onednn, outputs, targets
from qmia_tf.data.records import Records
from qmia_tf.deploy import export as exporting
from qmia_tf.deploy import timing
from qmia_tf.deploy.tflite.interpreter import KERNELS
from qmia_tf.errors import InputError
from qmia_tf.outputs import LeftOut, repeatability
from qmia_tf.outputs.logits import softmax
from qmia_tf.run_dir import TRAINED, RunDir

DEFAULT = "default"
PROBABILITIES, LOGITS = "probabilities", "logits"


@dataclasses.dataclass(frozen=True)
class RunTarget:
    """One target of a run, not opened yet.

    Attributes:
        name: the target's, and of outputs/NAME.npz.
        file: the model file.
        kernel_set: what computes its outputs.
        open: makes the Target; TensorFlow or LiteRT is loaded then.
        outputs: "probabilities" or "logits", what the file ends in.
        threads: of LiteRT; None where TensorFlow computes.
        exported: sha256 of the .tflite file as it was exported; None for a
            Keras model.
    """

    name: str
    file: pathlib.Path
    kernel_set: str
    open: Callable[[], targets.Target]
    outputs: str = PROBABILITIES
    threads: int | None = None
    exported: str | None = None

    @property
    def facts(self) -> dict:
        """What stored outputs must say of their target to be this one's."""
        return {
            "sha256": files.sha256(self.file),
            "kernel_set": self.kernel_set,
        }


def list_targets(
    run_dir, *, kernels=(DEFAULT,), num_threads=2
) -> list[RunTarget]:
    """Lists the targets of a run.

    Args:
        run_dir: directory with the model and perhaps artifacts/.
        kernels: LiteRT's kernel sets, see targets.TFLiteTarget; each .tflite
            file is queried under each.
        num_threads: int >= 1, for LiteRT.
    Returns: the Keras model, then for each scheme of the manifest the file
        under each kernel set and its twin, if it has one.
    Raises: InputError if an option is out of range.
    """
    _check(kernels, num_threads)
    run_dir = RunDir(run_dir)
    folder = run_dir.artifacts
    model = run_dir.model
    run_targets = [
        RunTarget(TRAINED, model, outputs.KERAS, lambda: _keras_target(model))
    ]
    for scheme, entry in exporting.read_manifest(folder).items():
        run_targets += [
            _file(folder, scheme, entry, kernel_set, num_threads)
            for kernel_set in dict.fromkeys(kernels)
        ]
        if entry.get("twin"):
            run_targets.append(_twin(folder, scheme, entry))
    return run_targets


def target_names(run_dir) -> set[str]:
    """Lists every name that a target of the run has under any kernels."""
    return {
        run_target.name
        for run_target in list_targets(run_dir, kernels=tuple(KERNELS))
    }


def query_once(
    run_target, records: Records, *, run_dir
) -> pathlib.Path | LeftOut:
    """Queries one target about every record, unless its outputs are stored.

    Args:
        run_target: a RunTarget.
        records: the run's Records.
        run_dir: where outputs/NAME.npz goes.
    Returns: its path, or why a .tflite file that is as it was exported
        cannot be run.
    Raises: InputError if the file is gone or was changed and cannot be run,
        the Keras model cannot, or its outputs for an image are not repeated.
    """
    run_dir = RunDir(run_dir)
    path = run_dir.outputs_of(run_target.name)
    if not run_target.file.is_file():
        raise InputError(f"{run_target.file} is gone: export it again")
    sha256 = files.sha256(run_target.file)
    if path.exists() and _is_current(path, run_target, sha256, records):
        return path
    try:
        target = run_target.open()
        target_outputs = targets.query(target, records, run=run_dir.name)
    except InputError as error:
        # Only of a file that is as exported can its kernels be to blame.
        if run_target.exported != sha256:
            raise
        reason = str(error).replace(str(run_target.file), run_target.file.name)
        return LeftOut(run_target.name, run_target.kernel_set, reason)
    _require_alike(target, target_outputs, records)
    first_record = records.values[:1]
    timed = timing.measure(lambda: target.predict(first_record))
    target_outputs.info["latency_ms"] = timed.median_ms
    target_outputs.info["latency_threads"] = (
        run_target.threads or onednn.threads()
    )
    if run_target.threads is None:
        target_outputs.info["onednn"] = onednn.is_on()
    target_outputs.save(path)
    return path


def _require_alike(target, target_outputs, records):
    """Queries some records again; see repeatability.require.

    In a whole batch: a query costs nothing here, another size would have to
    be compiled.
    """
    count = max(repeatability.FIRST, getattr(target, "batch_size", 0))
    rows = target_outputs.probabilities[:count]
    repeatability.require(target, records.values, rows, share=1)


def _is_current(path, run_target, sha256, records):
    info = outputs.load(path).info
    expected = {
        "sha256": sha256,
        "kernel_set": run_target.kernel_set,
        "fingerprint": records.fingerprint,
    }
    same = all(info.get(key) == value for key, value in expected.items())
    # Outputs from before there were logits do not say so.
    return same and info.get("outputs", PROBABILITIES) == run_target.outputs


def _file(folder, scheme, entry, kernel_set, num_threads):
    file = folder / entry["file"]
    name = scheme if kernel_set == DEFAULT else f"{scheme}.{kernel_set}"
    ends = entry.get("outputs", PROBABILITIES)

    def open_file():
        return targets.TFLiteTarget(
            file,
            name=name,
            num_threads=num_threads,
            kernels=kernel_set,
            logits=ends == LOGITS,
        )

    return RunTarget(
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
        target = _keras_target(file, name=name)
        target.info.update(kind="twin", kernel_set="twin", outputs=ends)
        if ends == LOGITS:
            return _HostSoftmax(target)
        # An integer softmax does not quite sum to one, its twin's neither.
        target.info["probability_step"] = entry["output"]["scale"]
        return target

    return RunTarget(name, file, "twin", open_twin, outputs=ends)


def _keras_target(file, **options):
    # TensorFlow is loaded when a model is opened, not when it is listed.
    from qmia_tf.targets.keras_model import KerasTarget

    return KerasTarget(file, **options)


class _HostSoftmax:
    """A target that gives logits, with a softmax behind it."""

    def __init__(self, target):
        self.target, self.info = target, target.info

    def predict(self, images, *, progress=False):
        """See targets.Target."""
        return softmax(self.target.predict(images, progress=progress))


def _check(kernels, num_threads):
    unknown = [name for name in kernels if name not in KERNELS]
    if unknown or not kernels:
        raise InputError(
            f"kernels must be one of {tuple(KERNELS)}, got "
            f"{unknown[0] if unknown else 'none'!r}"
        )
    if num_threads < 1:
        raise InputError(f"num_threads must be >= 1, got {num_threads}")
