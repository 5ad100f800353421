"""Does a leak depend on whether equal rows of outputs are copies?"""

import dataclasses

import numpy as np

from qmia_tf.auditing.auxiliary import Auxiliary, make_attack_inputs
from qmia_tf.auditing.target_audit import AuditedTarget, audit_target
from qmia_tf.outputs import Outputs

FEWEST = 4


def doubt(
    audited: AuditedTarget,
    outputs: Outputs,
    doubtful: np.ndarray,
    auxiliary: Auxiliary,
    config,
) -> str:
    """Warns that a leak is only found if equal rows are several records.

    The test is run again without what would be copies.

    Args:
        doubtful: record ids, of repeated_records.Distinct.
        config: AuditConfig.
    Returns: a sentence without its full stop; empty if there is no leak, or it
        is found either way.
    """
    leak = audited.audit.leak
    rows = ~np.isin(outputs.record_ids, doubtful)
    if rows.all() or leak.p_value > leak.level:
        return ""
    inside = int(np.sum(rows & outputs.members))
    outside = int(np.sum(rows & ~outputs.members))
    if min(inside, outside) >= FEWEST:
        # Of fewer records, for this once.
        in_memory = dataclasses.replace(auxiliary, margins_folder=None)
        inputs = make_attack_inputs(
            outputs.take(rows), in_memory, seed=config.seed
        )
        again = audit_target(
            inputs,
            strata=config.strata,
            attack_options=config.attack_options,
        ).audit.leak
        if again.p_value <= again.level:
            return ""
    return (
        "equal rows of outputs lie on one side alone, as copies of one record "
        "do, and if they are copies no leak is found among the "
        f"{inside:,} members and {outside:,} nonmembers that are left: give "
        "the records, or each one once"
    )
