"""Audits of the same answers, made once a process: each takes half a second."""

import hashlib
import pickle
from unittest import mock

from qmia_tf.auditing import audit

_kept = {}


def kept():
    """Lets audit.audit_outputs take a target's audit from an earlier test.

    Only if everything is the same that it follows from; what is told and
    written of tensorflow-privacy's attacks is never taken.

    Returns: context manager.
    """
    return mock.patch.object(audit, "audit_target", _audit_target)


def _audit_target(inputs, *, progress=None, folder=None, **options):
    if options.get("tfprivacy") is not None:
        return _made(inputs, progress=progress, folder=folder, **options)
    key = hashlib.sha256(pickle.dumps((inputs, options))).digest()
    if key not in _kept:
        _kept[key] = _made(inputs, **options)
    return _kept[key]


_made = audit.audit_target
