"""Reads what lies inside of a target, once: inside/NAME.npz keeps it.

The target is queried once more about every record. Its outputs must be those
that are stored, bit for bit: else what was read belongs to something else.
"""

import contextlib
import json
import pathlib

import numpy as np

from qmia_tf import files, locks, terminal
from qmia_tf.data.records import Records
from qmia_tf.errors import FileFailure, InputError
from qmia_tf.outputs import Outputs, inside
from qmia_tf.outputs.inside import OUTPUTS, Inside, outputs_sha256
from qmia_tf.run_dir import RunDir
from qmia_tf.targets.unopened_model import UnopenedModel

# Of what is understood: raised where a refusal may have become wrong.
VERSION, REASON = 1, "reason"
# Of what a library says of an error that nobody foresaw.
MOST_WORDS = 200


def read(
    model: UnopenedModel,
    model_outputs: Outputs,
    records: Records,
    *,
    run_dir: pathlib.Path,
    with_activations: bool = True,
) -> Inside:
    """Gives what lies inside of a target; inside/NAME.npz keeps it.

    Args:
        model: that was queried.
        model_outputs: its outputs for the records, in their order.
        run_dir: where inside/ lies.
        with_activations: whether what enters the last layer is kept too; of
            reference models the exact logits are enough.
    Raises: InputError that says why it cannot be read.
    """
    path = RunDir(run_dir).inside_of(model.name)
    facts = {
        **model.facts,
        "fingerprint": records.fingerprint,
        OUTPUTS: outputs_sha256(model_outputs),
        "version": VERSION,
    }
    stored = _stored(path, facts, with_activations)
    if stored is not None:
        return stored
    _require_unrefused(path, facts)
    rows = model_outputs.logits
    if rows is None:
        rows = model_outputs.probabilities
    try:
        with locks.writing(path):
            return _stored(path, facts, with_activations) or _read_and_keep(
                model, rows, records, path, facts, with_activations
            )
    except InputError:
        raise
    # An attack more is not worth an audit that does not end.
    except Exception as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(words[:MOST_WORDS]) from error


def _stored(path, facts, with_activations):
    """The stored inside, if it is of this very target and its outputs."""
    if facts["sha256"] is None or not path.is_file():
        return None
    try:
        stored = inside.load(path)
    except InputError:
        # Damaged: it is made anew.
        return None
    same = all(stored.info.get(key) == value for key, value in facts.items())
    if not same or (with_activations and stored.stored is None):
        return None
    return stored


def _read_and_keep(model, rows, records, path, facts, with_activations):
    sink = _Sink(len(records.labels), rows.shape[1])
    with contextlib.ExitStack() as stack:
        activations = None
        if with_activations:
            kept = files.atomic(inside.activations_file(path))
            activations = stack.enter_context(
                stack.enter_context(kept).open("wb")
            )
        with terminal.working(f"opening {model.name} to look inside"):
            target, layer = _observed(model, sink, path, facts)
        stack.callback(target.close)
        sink.start(layer, activations)
        again = target.predict(records.values, progress=True)
        sink.end()
        if not np.array_equal(again, rows):
            raise InputError(
                "what shows its inside outputs something else (by up to "
                f"{np.abs(again - rows).max():.2g}), so it is not what was "
                "queried"
            )
        info = {**layer, **facts, "activations": sink.width}
        read_inside = Inside(
            sink.logits, sink.squared_norms, records.record_ids, info
        )
    read_inside.save(path)
    return inside.load(path)


def _observed(model, sink, path, facts):
    """Opens the model to look inside; a refusal is kept: it stays one."""
    target = model.open()
    try:
        return target.observed(sink)
    except FileFailure:
        # Of memory or time, which may be more the next time.
        raise
    except InputError as error:
        if facts["sha256"] is not None:
            files.write_json(_refusal(path), {**facts, REASON: str(error)})
        raise


def _require_unrefused(path, facts):
    """Raises what was raised before about this very file."""
    refusal = _refusal(path)
    if facts["sha256"] is None or not refusal.is_file():
        return
    try:
        stored = files.read_json(refusal)
    except InputError:
        # Damaged: it is tried anew.
        return
    reason = stored.pop(REASON, None) if isinstance(stored, dict) else None
    if reason and stored == json.loads(json.dumps(facts)):
        raise InputError(str(reason))


def _refusal(path):
    return path.with_suffix(".json")


class _Sink:
    """Takes what lies inside batch by batch, activations to the disk."""

    def __init__(self, count, classes):
        self.logits = np.empty((count, classes))
        self.squared_norms = np.empty(count)
        self.width = 0
        self._next, self._layer, self._file = 0, {}, None

    def start(self, layer, file):
        """Begins to keep what comes; file takes activations, or is None."""
        self._layer, self._file = layer, file

    def __call__(self, logits, entered):
        if self._layer["one_unit"] and logits.shape[1] == 1:
            logits = np.hstack([np.zeros_like(logits), logits])
        if logits.shape[1] != self.logits.shape[1]:
            raise InputError(
                f"its last layer has {logits.shape[1]} units, and it outputs "
                f"{self.logits.shape[1]} classes"
            )
        # A last batch may have been filled up.
        part = slice(self._next, min(self._next + len(logits), len(self)))
        count = part.stop - part.start
        self.logits[part] = logits[:count]
        values = inside.values_of(entered[:count], self._layer)
        self.squared_norms[part] = np.square(values).sum(axis=1)
        self.width = entered.shape[1]
        if self._file is not None:
            self._keep(entered[:count])
        self._next = part.stop

    def __len__(self):
        return len(self.logits)

    def _keep(self, entered):
        # Written, not mapped: a full disk is then an error, not a crash.
        if not self._next:
            header = {
                "descr": np.lib.format.dtype_to_descr(entered.dtype),
                "fortran_order": False,
                "shape": (len(self), entered.shape[1]),
            }
            np.lib.format.write_array_header_2_0(self._file, header)
        self._file.write(np.ascontiguousarray(entered).data)

    def end(self):
        """Sees that all records have come."""
        if self._next != len(self) or not np.isfinite(self.logits).all():
            raise InputError("it showed something else than finite logits")
