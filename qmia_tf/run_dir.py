"""A run directory: where each file of a run lies, and its configuration.

Every product of a run is written by `files.atomic`, so a stage is done if and
only if its product is there.
"""

import json
import os
import pathlib
import re

from qmia_tf import files
from qmia_tf.errors import InputError

# The target that is the trained model: its answers are outputs/keras.npz.
TRAINED = "keras"
# Of config.json: how TensorFlow computed. Nothing follows from it that
# another run would have to share, so it is no part of the configuration.
COMPUTED = "tensorflow"
# Of config.json: the versions of the quantizers. One that is not named there
# is of version 1.
QUANTIZERS = "quantizers"
CHECKPOINT_NAME = re.compile(r"epoch_(\d+)\.keras")
MISMATCHED_NAME = re.compile(r"references_(w\d+a\d+)")


def require_audit(path) -> pathlib.Path:
    """Gives the path of an audit.json.

    Args:
        path: the file, or the run directory that it lies in.
    Raises: InputError if it is not there.
    """
    path = pathlib.Path(path)
    path = RunDir(path).audit if path.is_dir() else path
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; qmia audit and qmia attack write audit.json"
        )
    return path


class RunDir(os.PathLike):
    """Names every file of a run directory; none of them need be there.

    Args:
        path: the directory.

    Attributes:
        path: pathlib.Path.
        config: everything that the run follows from.
        split: members and nonmembers.
        history: one row an epoch.
        last_checkpoint: the state of a training that is not finished.
        model: the trained model.
        tensorboard: folder of TensorBoard's events.
        artifacts: folder of .tflite files.
        manifest: what they are.
        parity: their codes compared with those of the trained model.
        outputs: folder of what targets answered.
        inside: folder of what their holder reads inside of them.
        references: folder of the run directories of reference models;
            references_wWaA beside it holds those of other bits.
        reference_margins: folder of margins made from their outputs.
        tfprivacy: folder of tensorflow-privacy's own tables.
        audit: what every table and figure is made from.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.config = self.path / "config.json"
        self.split = self.path / "split.npz"
        self.history = self.path / "history.csv"
        self.checkpoints = self.path / "checkpoints"
        self.last_checkpoint = self.checkpoints / "last.keras"
        self.model = self.path / "model.keras"
        self.tensorboard = self.path / "tensorboard"
        self.artifacts = self.path / "artifacts"
        self.manifest = self.artifacts / "manifest.json"
        self.parity = self.path / "parity.json"
        self.outputs = self.path / "outputs"
        self.inside = self.path / "inside"
        self.augmented = self.path / "augmented_queries"
        self.references = self.path / "references"
        self.reference_margins = self.path / "reference_margins"
        self.tfprivacy = self.path / "tfprivacy"
        self.audit = self.path / "audit.json"

    def __fspath__(self):
        return str(self.path)

    def __str__(self):
        return str(self.path)

    @property
    def name(self) -> str:
        """The name of the directory."""
        return self.path.resolve().name

    @property
    def is_trained(self) -> bool:
        """Whether the trained model is there."""
        return self.model.exists()

    def require_model(self) -> pathlib.Path:
        """Gives the path of the trained model.

        Raises: InputError if it is not there.
        """
        if not self.is_trained:
            raise InputError(
                f"{self} has no {self.model.name}: train it first, with "
                "qmia train"
            )
        return self.model

    def require_outputs(self, target: str) -> pathlib.Path:
        """Gives the path of a target's outputs.

        Raises: InputError if they are not there.
        """
        path = self.outputs_of(target)
        if not path.is_file():
            names = sorted(file.stem for file in self.outputs.glob("*.npz"))
            raise InputError(
                f"{self.outputs} holds no outputs of {target!r}, but of "
                f"{', '.join(names) or 'no target'}: qmia attack writes them"
            )
        return path

    def checkpoint(self, epoch: int) -> pathlib.Path:
        """The model after an epoch, where --keep_every kept it."""
        return self.checkpoints / f"epoch_{epoch:04d}.keras"

    def kept_checkpoints(self) -> dict[int, pathlib.Path]:
        """Finds the models that were kept: epoch -> file."""
        matches = [
            (CHECKPOINT_NAME.fullmatch(path.name), path)
            for path in self.checkpoints.glob("epoch_*.keras")
        ]
        return {int(match[1]): path for match, path in matches if match}

    def outputs_of(self, target: str) -> pathlib.Path:
        """Where the outputs of a target are, "epochs/..." of a checkpoint."""
        return self.outputs / f"{target}.npz"

    def inside_of(self, target: str) -> pathlib.Path:
        """Where what lies inside of a target is."""
        return self.inside / f"{target}.npz"

    def gradients_of(self, target: str) -> pathlib.Path:
        """Where the gradient norms of a target are."""
        return self.inside / f"{target}.gradients.npz"

    def augmented_of(self, target: str) -> pathlib.Path:
        """Where a target's labels of augmented queries are."""
        return self.augmented / f"{target}.npz"

    def reference(self, number: int, bits: str | None = None) -> "RunDir":
        """The run directory of a reference model, counted from 0.

        Args:
            bits: such as "w32a32", of a mismatched one; None is the run's.
        """
        return RunDir(self.references_of(bits) / f"r{number:02d}")

    def references_of(self, bits: str | None) -> pathlib.Path:
        """The folder of the reference models of these bits; see reference."""
        folder = self.references
        return folder.with_name(f"{folder.name}_{bits}") if bits else folder

    def mismatched_references(self) -> dict[str, pathlib.Path]:
        """Finds the folders of references of other bits: bits -> folder."""
        matches = [
            (MISMATCHED_NAME.fullmatch(path.name), path)
            for path in sorted(self.path.glob(f"{self.references.name}_*"))
        ]
        return {match[1]: path for match, path in matches if match}

    def open(self, config) -> "RunDir":
        """Opens the directory for exactly one configuration.

        A new directory gets config.json. A run that was started before goes
        on only with an equal configuration, its member COMPUTED aside.

        Args:
            config: nested dict, JSON types only.
        Returns: this.
        Raises: InputError if the directory holds a run with another
            configuration (the message shows each difference), or products of
            a run without config.json, or cannot be written.
        """
        files.require_writable(self.path)
        if not self.config.exists():
            self._require_no_products()
            files.write_json(self.config, config)
            return self
        changes = self.changes(config)
        if changes:
            raise InputError(
                f"{self} holds a run with another configuration "
                f"({'; '.join(changes)}): choose another --run_dir, or repeat "
                "the options of that run"
            )
        return self

    def changes(self, config) -> list[str]:
        """Lists where another configuration differs from this run's.

        Args:
            config: as of open.
        Returns: `a.b: stored -> given` of each, its member COMPUTED aside.
        Raises: InputError if config.json is not there or none.
        """
        stored = files.read_json(self.config)
        if not isinstance(stored, dict):
            raise InputError(
                f"{self.config} is no configuration: choose another --run_dir"
            )
        stored.pop(COMPUTED, None)
        wanted = json.loads(json.dumps(config))
        return differences(
            _with_versions(stored, wanted), _with_versions(wanted, stored)
        )

    def _require_no_products(self):
        products = (
            *(self.split, self.checkpoints, self.model, self.history),
            *(self.artifacts, self.outputs, self.audit),
        )
        there = [path.name for path in products if path.exists()]
        if there:
            raise InputError(
                f"{self} holds {there[0]} but no {self.config.name}, so "
                "nobody knows what made it: choose another --run_dir"
            )


def _with_versions(config, other):
    """The configuration with a version of each quantizer that either names."""
    own, others = config.get(QUANTIZERS, {}), other.get(QUANTIZERS, {})
    if not (isinstance(own, dict) and isinstance(others, dict)):
        return config
    return {**config, QUANTIZERS: {**dict.fromkeys(others, 1), **own}}


def differences(stored, wanted, prefix="") -> list[str]:
    """Lists `a.b: stored -> wanted` for each leaf that differs."""
    if not (isinstance(stored, dict) and isinstance(wanted, dict)):
        change = f"{prefix}: {_shown(stored)} -> {_shown(wanted)}"
        return [] if stored == wanted else [change]
    changes = []
    for key in stored | wanted:
        name = f"{prefix}.{key}" if prefix else key
        changes += differences(
            stored.get(key, _ABSENT), wanted.get(key, _ABSENT), name
        )
    return changes


_ABSENT = object()


def _shown(value):
    return "(not set)" if value is _ABSENT else json.dumps(value)[:200]
