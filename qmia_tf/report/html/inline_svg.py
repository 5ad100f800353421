"""Matplotlib's SVG as part of a page: its own ids, colours by CSS."""

import colorsys
import re
from collections.abc import Iterable

COLOR = re.compile(r"#[0-9a-f]{6}\b")
STYLED = re.compile(r'(?<= )(?:style|fill|stroke)="[^"]*"')
NUMBER = re.compile(r"-?\d+\.\d{3,}")
# What a page has no use for, or must not take over: comments repeat texts,
# and a style element would hold for the whole page.
NEEDLESS = re.compile(
    r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>|<defs>\s*</defs>",
    re.DOTALL,
)
OPENING = re.compile(r"<svg\b[^>]*>")
VIEW = re.compile(r'viewBox="([-0-9. ]+)"')
# Grey levels of the dark page's background and of its ink.
BACKGROUND, INK = 0.085, 0.90
# A colour this pale is a tint: on a dark page it becomes a dark one.
PALE, LIGHTEST = 0.8, 0.64


def inline(svg: bytes, *, prefix: str, kind: str) -> str:
    """Makes an SVG file part of an HTML page.

    Ids get a prefix, each colour #rrggbb becomes var(--c-rrggbb), paths are
    rounded to 1/100 point. The picture is hidden from screen readers: what
    holds it has the alt text.

    Args:
        svg: bytes that matplotlib wrote, text as paths.
        prefix: for ids, unique in the page; letters, digits, "_" and "-".
        kind: the picture's CSS class.
    Returns: the svg element.
    Raises: ValueError if there is no svg element with a viewBox.
    """
    text = NEEDLESS.sub("", svg.decode())
    opening = OPENING.search(text)
    view = VIEW.search(opening[0]) if opening else None
    if view is None:
        raise ValueError("no svg element with a viewBox")
    body = text[opening.end() :]
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = re.sub(r'(xlink:href="|url\()#', rf"\1#{prefix}-", body)
    body = re.sub(r'(?<= )(?:d|x|y)="[^"]*"', _rounded, body)
    body = STYLED.sub(_by_css, body)
    body = re.sub(r">\s+<", "><", body)
    # Points are 1/72 inch, CSS pixels 1/96.
    width = float(view[1].split()[2]) * 96 / 72
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'class="{kind}" viewBox="{view[1]}" style="max-width:{width:.0f}px" '
        f'aria-hidden="true" focusable="false">{body.strip()}'
    )


def palette(pictures: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Collects the colours of what inline made.

    Returns: rrggbb -> (its colour on a light page, and on a dark one); black
        too, which SVG leaves out as what everything is filled with.
    """
    colors = {"000000"} | {
        name
        for picture in pictures
        for name in re.findall(r"var\(--c-([0-9a-f]{6})\)", picture)
    }
    return {name: (f"#{name}", on_dark(name)) for name in sorted(colors)}


def on_dark(name: str) -> str:
    """What a colour becomes on a dark page.

    Greys are turned round, black to light ink and white to the background;
    colours keep their hue and get light enough to be read.

    Args:
        name: rrggbb.
    Returns: #rrggbb.
    """
    red, green, blue = (int(name[n : n + 2], 16) / 255 for n in (0, 2, 4))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    if max(red, green, blue) - min(red, green, blue) < 0.04:
        level = INK + (BACKGROUND - INK) * light
        channels = (level,) * 3
    else:
        light = 1 - 0.8 * light if light > PALE else max(light, LIGHTEST)
        channels = colorsys.hls_to_rgb(hue, light, min(saturation, 0.8))
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)


def _rounded(match):
    return NUMBER.sub(lambda number: f"{float(number[0]):.2f}", match[0])


def _by_css(match):
    """Colours as CSS variables; an attribute becomes a style to hold them."""
    name, _, value = match[0].partition("=")
    css = COLOR.sub(lambda color: f"var(--c-{color[0][1:]})", value)
    if name == "style" or css == value:
        return f"{name}={css}"
    return f'style="{name}: {css.strip(chr(34))}"'
