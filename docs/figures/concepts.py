"""Draws the figures of docs/concepts.md.

    python docs/figures/concepts.py

Asks the full-precision model of tflite_models/ about the digits, and draws
what the quantizers and the folding of qmia_tf compute. Writes membership.svg,
dorefa.svg and integers.svg beside itself. Takes some ten seconds.
"""

import drawing
import numpy as np

from qmia_tf import quiet
from qmia_tf.attacks import margin
from qmia_tf.data import loaders
from qmia_tf.data import split as splits
from qmia_tf.deploy.integer import rounding_thresholds
from qmia_tf.statistics import sweep
from qmia_tf.targets import queries
from qmia_tf.targets.tflite_target import TFLiteTarget

CHECKOUT = drawing.FOLDER.parent.parent
SHIPPED = CHECKOUT / "tflite_models" / "digits_w32a32_float32.tflite"
# One channel of a layer: codes a whole sum, and where sum 0 lies, in codes.
SIZE, OFFSET, REACH, ROOM = 0.256, 0.93, 9, 1
CODES = 3


def scores():
    """The shipped model's margins.

    Returns: float64 [records], and bool [records], which are members.
    """
    data = loaders.load("digits")
    split = splits.make_split(
        data.labels, seed=0, pool="all", fingerprint=data.fingerprint()
    )
    target = TFLiteTarget(SHIPPED)
    outputs = queries.outputs_of(target, split.records(data), progress=False)
    return margin.margins(outputs), outputs.members


def membership():
    """Members' scores, nonmembers' scores, and a threshold between them."""
    margins, members = scores()
    curve = sweep.sweep(margins, members)
    threshold = curve.thresholds[curve.balanced_accuracy.argmax()]
    figure, axes = drawing.new(height=2.9)
    bins = np.linspace(*np.quantile(margins, (0.001, 0.999)), 45)
    for name, inside, color, hatch in (
        ("nonmembers", ~members, drawing.ORANGE, "///"),
        ("members", members, drawing.BLUE, None),
    ):
        values = margins[inside]
        share = (values >= threshold).mean()
        axes.hist(
            values.clip(bins[0], bins[-1]),
            bins,
            color=color,
            histtype="step",
            hatch=hatch,
            linewidth=1.4,
            label=f"{len(values)} {name}, {share:.0%} of them called members",
        )
    axes.axvline(threshold, color=drawing.INK, linestyle="--", linewidth=1)
    axes.set_ylim(top=1.25 * axes.get_ylim()[1])
    axes.text(threshold, axes.get_ylim()[1], "  called members", va="top")
    axes.set_xlabel("score: how much surer of the true class than of the rest")
    axes.set_ylabel("records")
    axes.legend(loc="upper left")
    return figure


def dorefa():
    """Weights and activations before and after quantizing to 2 bits."""
    import tensorflow as tf

    from qmia_tf import quantizers

    figure, (left, right) = drawing.new(columns=2, height=2.9)
    line = np.linspace(-2, 2, 2001, dtype=np.float32)
    for bits, color, dash in ((4, drawing.ORANGE, ":"), (2, drawing.BLUE, "-")):
        values = quantizers.get("dorefa", bits=bits)(tf.constant(line))
        left.plot(line, values, dash, color=color, label=f"{bits} bits")
    left.set_title("a weight")
    x = np.linspace(-0.5, 1.5, 2001, dtype=np.float32)
    clip = quantizers.get("dorefa_activations", bits=2)
    values = clip(tf.constant(x))
    right.plot(x, values, color=drawing.BLUE, label="2 bits")
    right.plot(
        x,
        x.clip(0, 1),
        "--",
        color=drawing.ORANGE,
        label="as the gradient sees it",
    )
    right.set_title("an activation")
    for axes in (left, right):
        axes.set_xlabel("in training, before")
        axes.set_ylabel("what the layer computes with")
        axes.legend(loc="upper left")
    left.set_yticks([-1, -1 / 3, 1 / 3, 1], ["-1", "-1/3", "1/3", "1"])
    right.set_yticks([0, 1 / 3, 2 / 3, 1], ["0", "1/3", "2/3", "1"])
    return figure


def roundings():
    """How a sum becomes a code: factor of the sum, bias, multiplier.

    Returns: dict of such triples: the trained layer, an int8 kernel with the
        true multiplier and the nearest bias, and the one that folding chooses.
    """
    halves = rounding_thresholds.halves(0, CODES)
    *triple, missed = rounding_thresholds.choose(
        *(np.array([float(x)]) for x in (SIZE, OFFSET, REACH, ROOM)),
        halves,
        np.ones((1, len(halves)), np.int64),
    )
    if missed:
        raise ValueError(f"{missed} thresholds are not met: draw another one")
    return {
        "trained": (1, OFFSET / SIZE, SIZE),
        "nearest": (1, np.rint(OFFSET / SIZE), SIZE),
        "chosen": tuple(part.item() for part in triple),
    }


def codes(sums, rounding):
    """The codes of sums, for a triple of roundings."""
    times, bias, multiplier = rounding
    return np.rint((times * sums + bias) * multiplier).clip(0, CODES)


def integers():
    """The codes that the sums of a channel become, trained and in int8."""
    figure, axes = drawing.new(height=3.1)
    sums, line = np.arange(-REACH, REACH + 1), np.linspace(-REACH, REACH, 4001)
    rounding_of = roundings()
    for name, color, dash, width, label in (
        ("trained", drawing.ORANGE, "-", 3.5, "trained layer"),
        ("chosen", drawing.BLUE, "--", 1.4, "int8 kernel, as qmia_tf folds it"),
        ("nearest", drawing.GREY, ":", 1.4, "int8 kernel, nearest bias"),
    ):
        values = codes(line, rounding_of[name])
        axes.plot(line, values, dash, color=color, lw=width, label=label)
    trained = codes(sums, rounding_of["trained"])
    label = "sums that can occur"
    axes.plot(sums, trained, "o", color=drawing.INK, ms=4.5, label=label)
    wrong = codes(sums, rounding_of["nearest"]) != trained
    axes.plot(
        sums[wrong],
        codes(sums, rounding_of["nearest"])[wrong],
        "x",
        color=drawing.INK,
        ms=7,
        label="wrong code with the nearest bias",
    )
    axes.set_yticks(range(CODES + 1))
    axes.set_xlabel("sum of products of codes, a whole number")
    axes.set_ylabel("code that it becomes")
    axes.legend(loc="upper left")
    return figure


FIGURES = {"membership": membership, "dorefa": dorefa, "integers": integers}


def main(folder=drawing.FOLDER):
    """Draws all of them; returns their paths."""
    quiet.start_tensorflow()
    return [
        drawing.save(draw(), name, folder) for name, draw in FIGURES.items()
    ]


if __name__ == "__main__":
    for path in main():
        print(path.name)
