"""Sentences from the templates here: code decides, templates phrase."""

import functools
import pathlib

import jinja2

from qmia_tf.report import phrases
from qmia_tf.terminal import counted

FOLDER = pathlib.Path(__file__).parent
ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER),
    undefined=jinja2.StrictUndefined,
)
ENVIRONMENT.filters |= {
    "area": phrases.area,
    "attack_title": phrases.attack_title,
    "capital": phrases.capital,
    "counted": counted,
    "figures": phrases.figures,
    "form_title": phrases.form_title,
    "number": format,
    "percent": phrases.percent,
    "reference_models": phrases.reference_models,
    "of_100": phrases.of_100,
    "points": phrases.points,
    "share": phrases.share,
}


def say(template: str, macro: str, *values, **options) -> str:
    """Phrases one paragraph.

    Args:
        template: name of the file, without ".jinja".
        macro: of the template.
        *values: of the macro.
        **options: of the macro.
    """
    text = getattr(_module(template), macro)(*values, **options)
    return " ".join(text.split())


def notes(*names) -> list[str]:
    """What stands below tables: macros of notes.jinja that take nothing."""
    return [say("notes", name) for name in names]


@functools.cache
def _module(template):
    return ENVIRONMENT.get_template(f"{template}.jinja").module
