"""The confidence-vector attack: whoever is classified surely is a member."""

import numpy as np

from qmia_tf.outputs import Outputs


def scores(outputs: Outputs) -> np.ndarray:
    """The largest probability; the true label is not used.

    Args:
        outputs: of one target, N records.
    Returns: float64 [N], in 0..1; multiples of the probability step where
        the target's output is quantized.
    Source: Kowalski et al., ICIP 2022, section 3.
    """
    return outputs.probabilities.max(axis=1).astype(np.float64)
