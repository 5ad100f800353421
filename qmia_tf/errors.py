"""The one error that means: what you gave cannot be used."""


class InputError(ValueError):
    """Something the user gave is wrong.

    The message says what was wrong, where, and what to do. Scripts print it
    on one line without a traceback and exit with status 2.
    """


class FileFailure(InputError):
    """A model file cannot be loaded: it is empty, cut off or damaged.

    Or it made its runtime crash, hang or overflow. Other targets of the same
    audit can still be queried.
    """
