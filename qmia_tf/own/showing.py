"""Whether records of one's own are shown in audit.json, and which they are."""

from qmia_tf.auditing import pictures
from qmia_tf.errors import InputError
from qmia_tf.own import models, records, sources


def pictures_of(members, choice, data):
    """Gives what shows the most exposed members.

    Args:
        members: the source of the members, as own.sources reads it. Those
            that everybody has, of TFDS, are shown unless choice is "off".
        choice: "auto", "on" or "off".
        data: own.records.Records, or None if there are only outputs.
    Returns: callable record ids [K] -> uint8 [K, H, W, C]; None for no
        pictures.
    Raises: InputError if choice is another, or "on" and there is nothing to
        show.
    """
    published = models.is_path(members) and sources.is_published(members)
    if not pictures.wanted(choice, published=published):
        return None
    if data is not None and data.is_images:
        return data.values.__getitem__
    if choice == pictures.ON:
        missing = (
            "only outputs are given" if data is None else records.NOT_IMAGES
        )
        raise InputError(f"--pictures=on has nothing to show: {missing}")
    return None
