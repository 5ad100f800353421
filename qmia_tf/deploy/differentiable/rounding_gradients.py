"""Rounding to codes whose gradients pass straight through."""

import numpy as np
import tensorflow as tf

EVEN_LEVEL, EVEN_CODE, AWAY = "even level", "even code", "away from code 0"


def _away(x, zero_point):
    code = x + zero_point
    return tf.sign(code) * tf.floor(tf.abs(code) + 0.5) - zero_point


# Where halves go.
ROUNDED = {
    EVEN_LEVEL: lambda x, zero_point: tf.round(x),
    EVEN_CODE: lambda x, zero_point: tf.round(x + zero_point) - zero_point,
    AWAY: _away,
}


@tf.custom_gradient
def straight_through_round(x):
    """Rounds halves to even.

    value: round(x)        gradient: dy
    """
    return tf.round(x), lambda dy: dy


def to_levels(
    x,
    low: float,
    high: float,
    *,
    least: float = -np.inf,
    most: float = np.inf,
    halves: str = EVEN_LEVEL,
    zero_point: float = 0.0,
):
    """Rounds to the levels low..high, where an activation keeps least..most.

    value: clip(round(x), max(low, least), min(high, most))
    gradient: dy where low <= x <= high and least < x < most, as of a clip
        and of relu

    Args:
        x: float tensor, in units of the level.
        low, high: what the type holds.
        least, most: of the activation.
        halves: a key of ROUNDED.
        zero_point: code of level 0.
    """

    @tf.custom_gradient
    def rounded(x):
        inside = (x >= low) & (x <= high) & (x > least) & (x < most)
        ends = max(low, np.round(least)), min(high, np.round(most))
        level = tf.clip_by_value(ROUNDED[halves](x, zero_point), *ends)
        return level, lambda dy: tf.where(inside, dy, tf.zeros_like(dy))

    return rounded(x)
