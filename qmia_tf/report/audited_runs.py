"""Many audits as one pandas frame, for notebooks and other tools."""

import glob
import os
import pathlib
from collections.abc import Iterable
from typing import TypedDict

import pandas as pd

from qmia_tf import typed_json
from qmia_tf.auditing import audit_result
from qmia_tf.errors import InputError
from qmia_tf.report import metrics, tables
from qmia_tf.report.run_list import Run


class _Model(TypedDict, total=False):
    weight_bits: int | None
    activation_bits: int | None


class _Recipe(TypedDict, total=False):
    name: typed_json.Line | None
    epochs: int | None


class _Config(TypedDict, total=False):
    """What rows take from the configuration in an audit."""

    model: _Model
    recipe: _Recipe
    seed: int | None


def load_runs(patterns: str | os.PathLike | Iterable) -> pd.DataFrame:
    """Reads the audits of many directories: one row an artefact.

        frame = qmia_tf.load_runs("runs/*")
        frame.groupby("weight_bits")["auc"].mean()
        frame.to_parquet("results.parquet")

    Twins, and files under other than the default kernels, have no row.

    Args:
        patterns: run directories, --out directories of audits or files that
            end in audit.json: a path, a pattern with *, ? and **, or several.
    Returns: `path` of each audit, then the columns of metrics.result_rows, as
        docs/results.md explains; an estimate has NAME, NAME_low, NAME_high.
    Raises: InputError if there is no audit, or one is damaged or of another
        version: a mean over what is left would be of other runs.
    """
    if isinstance(patterns, (str, os.PathLike)):
        patterns = [patterns]
    rows = []
    for path in _audits([os.path.expanduser(pattern) for pattern in patterns]):
        result = audit_result.load(path)
        typed_json.check(
            _Config,
            result.config,
            source=f"{path}: config",
            remedy=typed_json.AUDIT_REMEDY,
        )
        place = str(path.parent if path.name == audit_result.AUDIT else path)
        rows += [
            {"path": place, **row} for row in metrics.result_rows([Run(result)])
        ]
    return tables.typed_frame(metrics.select("results", "", rows))


def _audits(patterns):
    """Finds the files of audits, each once, sorted."""
    found = set()
    for pattern in patterns:
        # A path may hold brackets.
        matches = [pattern] if os.path.exists(pattern) else []
        for match in matches or glob.glob(pattern, recursive=True):
            path = pathlib.Path(match)
            path = path / audit_result.AUDIT if path.is_dir() else path
            if path.name.endswith(audit_result.AUDIT) and path.is_file():
                found.add(path)
    if not found:
        raise InputError(
            f"no {audit_result.AUDIT} in {' '.join(patterns) or 'no path'}: "
            "give run directories, or --out directories of qmia audit"
        )
    return sorted(found)
