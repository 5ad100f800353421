"""What is wrong with the texts of a figure: cut off, small, overlapping."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

LEAST = 8.0
# Pixels that boxes may share; they are a little larger than their letters.
TOUCH = 1.5


def faults(figure):
    """Lists what is wrong.

    Args:
        figure: matplotlib's Figure.
    Returns: sentences.
    """
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    renderer = canvas.get_renderer()
    boxes = [
        (text.get_text(), text.get_fontsize(), _box(text, renderer))
        for text in _shown(figure)
    ]
    problems = [
        f"{text!r} has {size:g} points"
        for text, size, _ in boxes
        if size < LEAST
    ]
    problems += [
        f"{text!r} is cut off"
        for text, _, box in boxes
        if box.x0 < -1
        or box.y0 < -1
        or box.x1 > figure.bbox.x1 + 1
        or box.y1 > figure.bbox.y1 + 1
    ]
    for n, (text, _, box) in enumerate(boxes):
        for other, _, place in boxes[:n]:
            across = min(box.x1, place.x1) - max(box.x0, place.x0)
            up = min(box.y1, place.y1) - max(box.y0, place.y0)
            if across > TOUCH and up > TOUCH:
                problems.append(f"{other!r} overlaps {text!r}")
    return problems


def _box(text, renderer):
    # Of an annotation without the line to its point.
    return Text.get_window_extent(text, renderer)


def _shown(figure):
    """Every text that is seen, once."""
    hidden = set()
    for axes in figure.findobj(lambda x: hasattr(x, "xaxis")):
        if not axes.axison:
            hidden |= set(axes.findobj(Text))
        for axis in (axes.xaxis, axes.yaxis):
            # Matplotlib keeps ticks outside of the limits.
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks() + axis.get_minor_ticks():
                if not low <= tick.get_loc() <= high:
                    hidden |= {tick.label1, tick.label2}
    return [
        text
        for text in dict.fromkeys(figure.findobj(Text))
        if text not in hidden and text.get_visible() and text.get_text().strip()
    ]
