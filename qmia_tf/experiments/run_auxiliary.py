"""Auxiliary knowledge about the targets of a run, besides their outputs."""

import dataclasses
import functools
import pathlib

from qmia_tf import outputs
from qmia_tf.auditing.auxiliary import Auxiliary
from qmia_tf.data.records import Records
from qmia_tf.errors import InputError
from qmia_tf.experiments import (
    configuration,
    label_only_queries,
    reference_outputs,
)
from qmia_tf.outputs import Outputs
from qmia_tf.run_dir import TRAINED, RunDir

PARENT = "parent"
FULL_PRECISION = {"weight_bits": 32, "activation_bits": 32, "clip": False}


class RunAuxiliary:
    """References, float parent, augmented queries and features of one run.

    Args:
        run_dir: the run directory, whose targets were queried.
        records: the run's Records.
        features: float [N, F], of records 0..N-1 of its data set.
        config: the run's configuration.
        references: paths as reference_outputs.load takes them; None takes the
            run's own.
        parent: directory of the full-precision run, or None.
        label_only: label_only_queries.Settings, or None without augmented
            queries.
    Raises: InputError if the parent or a reference was not queried or is
        none.
    """

    def __init__(
        self,
        run_dir,
        records: Records,
        *,
        features,
        config,
        references=None,
        parent=None,
        label_only=None,
    ):
        self._run_dir = pathlib.Path(run_dir)
        self._records, self._features = records, features
        if references is None:
            references = reference_outputs.of_run(run_dir)
        self._paths, self._loaded = references, {}
        self._references(TRAINED)
        self._label_only = label_only
        self._parent = None
        if parent is not None:
            self._parent = _of_parent(pathlib.Path(parent))
        self._is_parent = parent is None and _is_full_precision(config)

    def of(self, target, query=None) -> Auxiliary:
        """Gives the auxiliary knowledge about one target.

        Args:
            target: its name.
            query: its UnopenedModel, for augmented queries; None for outputs
                of a device.
        """
        parent = self._parent
        if self._is_parent and target != TRAINED:
            parent = self._keras
        return Auxiliary(
            references=self._references(target),
            parent=parent,
            features=self._features,
            **self._augmented_labels(query),
        )

    def joint_with(self) -> list[Outputs]:
        """The second artefacts that each target is queried together with."""
        return [second for second in (self._keras, self._parent) if second]

    @functools.cached_property
    def _keras(self):
        return _keras_outputs(self._run_dir)

    def _references(self, target):
        """Loads outputs once, however many targets they are used for."""
        name = reference_outputs.target_name(self._paths, target)
        if name not in self._loaded:
            self._loaded[name] = reference_outputs.load(
                self._paths, name, fingerprint=self._records.fingerprint
            )
        return self._loaded[name]

    def _augmented_labels(self, query):
        if (
            self._label_only is None
            or query is None
            or not label_only_queries.is_queried(query)
        ):
            return {}
        labels = label_only_queries.query_target(
            query,
            self._records,
            settings=self._label_only,
            run_dir=self._run_dir,
        )
        query.close()
        return labels


def _keras_outputs(run_dir):
    path = RunDir(run_dir).outputs_of(TRAINED)
    return outputs.load(path) if path.is_file() else None


def _of_parent(parent):
    config = configuration.read(parent)
    if not _is_full_precision(config):
        raise InputError(
            f"{parent} is not the full-precision run: its model has "
            f"{config['model']['weight_bits']}-bit weights and "
            f"{config['model']['activation_bits']}-bit activations"
        )
    parent_outputs = _keras_outputs(parent)
    if parent_outputs is None:
        raise InputError(
            f"{parent} was not queried yet: attack it first, with "
            "scripts/attack.py"
        )
    info = {**parent_outputs.info, "target": PARENT}
    return dataclasses.replace(parent_outputs, info=info)


def _is_full_precision(config):
    model = config["model"]
    return all(model[key] == value for key, value in FULL_PRECISION.items())
