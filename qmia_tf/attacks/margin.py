"""The margin of the true class: the scale on which confidence is normal."""

import numpy as np

from qmia_tf.attacks.attack import Attack, of_outputs
from qmia_tf.outputs import Outputs
from qmia_tf.outputs.logits import log_sums


def margins(outputs: Outputs, *, temperature: float = 1.0) -> np.ndarray:
    """z_y - log sum_{i != y} exp(z_i) = log p_y - log sum_{i != y} p_i.

    At a temperature T the z_i are divided by T, or the p_i, clipped to
    h..1 - h, taken to the power 1/T.

    From logits where the target gives them. Otherwise from probabilities,
    with the sum taken over the other classes: where float32 rounds p_y to 1
    they are still apart. With h = outputs.probability_floor, p_y and the sum
    are clipped to h..1 - h; of an int8 softmax, h = 1/512, margins reach from
    -6.24 to 6.24. There the sum is also clipped to what p_y leaves it,
    1 - p_y - h..1 - p_y + h, since it adds the rounding of all classes.

    Args:
        temperature: T, above 0.
    Returns: float64 [N], finite.
    Source: Carlini et al., arXiv:2112.03570, section V.
    """
    right = np.arange(outputs.labels.size), outputs.labels
    if outputs.logits is not None or temperature != 1:
        logits = _log_scores(outputs) / temperature
        chosen = logits[right]
        logits[right] = -np.inf
        return chosen - log_sums(logits)
    p = outputs.probabilities.astype(np.float64)
    chosen = p[right]
    p[right] = 0.0
    # From the smallest, so that the order of the classes does not matter.
    others = np.ascontiguousarray(np.sort(p, axis=1)).sum(axis=1)
    floor = outputs.probability_floor
    if outputs.probability_step:
        others = np.clip(others, 1 - chosen - floor, 1 - chosen + floor)
    chosen, others = (np.clip(x, floor, 1 - floor) for x in (chosen, others))
    return np.log(chosen) - np.log(others)


def _log_scores(outputs):
    """Logits, or the logarithms of probabilities, as a float64 copy [N, C]."""
    if outputs.logits is not None:
        return outputs.logits.astype(np.float64)
    floor = outputs.probability_floor
    p = outputs.probabilities.astype(np.float64)
    return np.log(np.clip(p, floor, 1 - floor))


def rounding(outputs: Outputs) -> np.ndarray:
    """How far the rounding of quantized probabilities moves a margin.

    The standard deviation of an even error over one step, s/sqrt(12), times
    d margin / d p = 1/(p(1 - p)), with p = p_y clipped to s/2..1 - s/2. A
    spread of margins below it was not seen, so LiRA takes it as a floor.

    Returns: float64 [N]; 0 for floats, and where there are logits.
    """
    step = outputs.probability_step
    if not step or outputs.logits is not None:
        return np.zeros(outputs.labels.size)
    p = of_true_class(outputs.probabilities, outputs)
    p = np.clip(p, step / 2, 1 - step / 2)
    return step / np.sqrt(12) / (p * (1 - p))


def of_true_class(values: np.ndarray, outputs: Outputs) -> np.ndarray:
    """Of values [N, C] those of the records' true classes, float64 [N]."""
    right = np.arange(outputs.labels.size), outputs.labels
    return values[right].astype(np.float64)


MARGIN = Attack(
    "margin",
    "margin in logit space",
    of_outputs(margins),
    source="Carlini et al., arXiv:2112.03570",
)
