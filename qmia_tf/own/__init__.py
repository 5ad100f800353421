"""Audits of one's own models: anything that answers queries.

own.audit(target, members, nonmembers) is the whole of it; see own.auditing.
"""

from qmia_tf.own.auditing import audit

__all__ = ["audit"]
