"""matplotlib, whatever the user's settings are."""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping

BACKEND = "MPLBACKEND"


def import_matplotlib():
    """Imports matplotlib also where MPLBACKEND names no backend.

    A backend that exists is the user's choice, as always.
    """
    backend = os.environ.get(BACKEND)
    if "matplotlib" in sys.modules or not backend:
        import matplotlib  # noqa: F401

        return
    del os.environ[BACKEND]
    try:
        import matplotlib
    finally:
        os.environ[BACKEND] = backend
    with contextlib.suppress(ValueError):
        matplotlib.rcParams["backend"] = backend


@contextlib.contextmanager
def plain(settings: Mapping[str, object] | None = None) -> Iterator[None]:
    """Draws with matplotlib's defaults and some settings, nobody's file."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings or {})
        yield
