"""The gap attack: whoever is classified right is a member."""

import numpy as np

from qmia_tf.attacks.attack import Attack, of_outputs
from qmia_tf.outputs import Outputs

# A score of 1, a right label, is called a member.
THRESHOLD = 1.0


def scores(outputs: Outputs) -> np.ndarray:
    """1 where the class that the record is given is the true one, else 0.

    The attack's balanced accuracy is 1/2 + (members' accuracy - nonmembers'
    accuracy)/2, its recall the members' accuracy, its false-positive rate
    the nonmembers'. Of equally probable classes the first is given: see
    Outputs.predicted.

    Returns: float64 [N].
    Source: Yeom et al., arXiv:1709.01604; Kowalski et al., ICIP 2022, eq. 4.
    """
    return (outputs.predicted == outputs.labels).astype(np.float64)


GAP = Attack(
    "gap",
    "gap attack",
    of_outputs(scores),
    source="Yeom et al., arXiv:1709.01604",
    needs=("labels",),
    threshold=THRESHOLD,
)
