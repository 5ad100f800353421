"""Does a leak hang on whether equal rows of outputs are copies?"""

import numpy as np

from qmia_tf.auditing.auxiliary import gather
from qmia_tf.auditing.target_audit import Examined, audit_target
from qmia_tf.outputs import Outputs

FEWEST = 4


def doubt(examined: Examined, answers: Outputs, doubtful, beside, **options):
    """Says that a leak is only found if equal rows are several records.

    The test is run again without what would be copies.

    Args:
        examined: what was found with all of them.
        answers: what the target answered about them.
        doubtful: int64, record ids, of repeats.Distinct.
        beside: Beside of the target, or None.
        **options: seed of `gather`; strata and reasons of `audit_target`.
    Returns: a sentence without its full stop; empty if there is no leak, or
        it is found either way.
    """
    leak = examined.audit.leak
    rows = ~np.isin(answers.record_ids, doubtful)
    if rows.all() or leak.p_value > leak.level:
        return ""
    inside = int(np.sum(rows & answers.members))
    outside = int(np.sum(rows & ~answers.members))
    if min(inside, outside) >= FEWEST:
        seed = options.pop("seed")
        inputs = gather(answers.take(rows), beside, seed=seed)
        again = audit_target(inputs, **options).audit.leak
        if again.p_value <= again.level:
            return ""
    return (
        "equal rows of outputs lie on one side alone, as copies of one record "
        "do, and if they are copies no leak is found among the "
        f"{inside:,} members and {outside:,} nonmembers that are left: give "
        "the records, or each one once"
    )
