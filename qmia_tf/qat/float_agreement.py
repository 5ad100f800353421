"""Whether the quantized network answers as the float one does."""

import warnings

import numpy as np

from qmia_tf.qat import float_network
from qmia_tf.qat.input_grid import (
    LOOKED_AT,
    UNIT,
    WHOLE,
    InputRange,
    are_pixels,
)

# Below this share of equal labels it is worth a warning.
ENOUGH = 0.9
# A network fed with far too small numbers gives nearly every image one label,
# with nearly one probability; fed rightly it does not.
ONE_LABEL, SEVERAL, FLAT = 0.9, 0.7, 0.1
# Of the probabilities of networks trained for 0 to 255 and fed with 0 to 1 at
# most 0.1 of the spread is left; of those trained for 0 to 1 (an epoch on the
# digits) at least 0.22.
FAINT = 0.15
BATCH = 100


def compare(model, fed: np.ndarray, answers) -> str:
    """Compares the labels of two networks on the calibration images.

    Args:
        model: the float keras.Model.
        fed: images as it takes them.
        answers: what the quantized network gives for the same images.
    Returns: one line.
    Warns: UserWarning with that line where fewer than nine in ten are equal.
    """
    answers = np.asarray(answers)
    float_answers = _answers(model, fed)
    if answers.ndim < 2:
        return ""
    alike = np.mean(
        _labels(answers, float_answers) == _labels(float_answers, float_answers)
    )
    line = (
        f"the quantized network gives {alike:.0%} of the {len(fed)} "
        "calibration images the label that the float network gives"
    )
    if alike < ENOUGH:
        warnings.warn(
            f"{line}: train it before it is used, give it more bits, or see "
            "the warnings about its layers; input_range says which numbers "
            "both take",
            stacklevel=3,
        )
    return line


def check_range(model, taken: InputRange, images: np.ndarray):
    """Asks for input_range where the answers speak against the usual one.

    A network that was not trained answers like that as well: one whose biases
    are all zero is asked about only if it gives all images one label.

    Args:
        model: the float keras.Model.
        images: for calibration.
    Warns: UserWarning if nothing says what the model takes and it tells
        hardly one image from another as pixels / 255, but does so as 0 to
        255.
    """
    images = np.asarray(images)
    unsaid = not taken.where and taken.steps is not None
    if not (unsaid and are_pixels(images)):
        return
    low, high = (
        _answers(model, InputRange(*ends).fed(images[:LOOKED_AT]))
        for ends in (UNIT, WHOLE)
    )
    if low.ndim != 2 or low.shape[1] < 2 or len(low) < 10:
        return
    left = _spread(low) / max(_spread(high), 1e-9)
    one_label = _top_share(low) >= ONE_LABEL and _top_share(high) <= SEVERAL
    if one_label and left < FLAT:
        seen = (
            f"gives {_top_share(low):.0%} of the calibration images one label "
            f"then, and {_top_share(high):.0%} as 0 to 255"
        )
    elif left < FAINT and _has_biases(model):
        # Layers without biases give the same labels at every scale.
        seen = (
            "gives all calibration images nearly the same probabilities "
            "then, and does not as 0 to 255"
        )
    else:
        return
    warnings.warn(
        f"the network is taken to be fed with pixels / 255, but {seen}: say "
        "which it takes, input_range=(0, 255) or input_range=(0, 1)",
        stacklevel=3,
    )


def _has_biases(model):
    """Whether a bias or beta is not zero, as after any training."""
    return any(
        np.any(np.asarray(weight))
        for weight in model.weights
        if weight.name in ("bias", "beta")
    )


def _answers(model, fed):
    starts = range(0, len(fed), BATCH)
    parts = [
        float_network.results(model, fed[at : at + BATCH]) for at in starts
    ]
    return np.concatenate([np.asarray(part) for part in parts])


def _labels(answers, float_answers):
    """Labels; of one number, on which side of a half, or of 0, it is."""
    if answers.shape[-1] > 1:
        return answers.argmax(-1)
    is_probability = float_answers.min() >= 0 and float_answers.max() <= 1
    return answers > (0.5 if is_probability else 0)


def _top_share(answers):
    return np.bincount(answers.argmax(1)).max() / len(answers)


def _spread(answers):
    """How far a class's probability varies, of the class where most."""
    answers = answers.astype(np.float64)
    if np.abs(answers.sum(1) - 1).max() > 1e-2 or answers.min() < 0:
        answers = np.exp(answers - answers.max(1, keepdims=True))
        answers = answers / answers.sum(1, keepdims=True)
    return answers.std(0).max()
