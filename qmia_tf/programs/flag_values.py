"""Values of flags, checked as far as a flag alone tells."""

from absl import flags

from qmia_tf.errors import InputError


def value(name):
    """Returns the value of a flag."""
    return flags.FLAGS[name].value


def required(name):
    """Returns the value of a flag that must be given.

    Raises: InputError if it is not.
    """
    flag_value = value(name)
    if not flag_value:
        raise InputError(f"--{name} is missing")
    return flag_value


def choices(name, known):
    """Returns a list flag whose items are of some names.

    Args:
        name: of the flag.
        known: the names.
    Raises: InputError if an item is another, or there is none.
    """
    items = value(name)
    wrong = [item for item in items if item not in known]
    if wrong or not items:
        raise InputError(
            f"--{name} must be one of {', '.join(known)}, or several with "
            f"commas between them, got {(wrong or [''])[0]!r}"
        )
    return items


def integers(name, *, least):
    """Returns a list flag as integers.

    Args:
        name: of the flag.
        least: the smallest that is allowed.
    Raises: InputError if an item is something else, or there is none.
    """
    items = value(name)
    numbers = [int(item) for item in items if item.strip().isdecimal()]
    if not items or len(numbers) < len(items) or min(numbers) < least:
        raise InputError(
            f"--{name} takes integers from {least} on, got "
            f"{','.join(items) or 'none'}"
        )
    return numbers
