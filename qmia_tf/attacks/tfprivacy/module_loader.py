"""Loads tensorflow-privacy's membership-inference modules, and no more."""

import functools
import importlib
import importlib.metadata
import os
import sys
import types

from qmia_tf import extras, plot_settings
from qmia_tf.errors import InputError

VERSION = "0.7.3"
PACKAGE = "tensorflow_privacy"
LOCATION = f"{PACKAGE}.privacy.privacy_tests.membership_inference_attack"
MODULES = ("membership_inference_attack", "data_structures", "plotting")


@functools.cache
def load() -> types.SimpleNamespace:
    """Loads the MODULES and leaves sys.modules as it was.

    Raises: InputError if release 0.7.3 is not installed or cannot be loaded.
    """
    try:
        installed = importlib.metadata.distribution("tensorflow-privacy")
    except importlib.metadata.PackageNotFoundError as error:
        raise _unusable("is not installed") from error
    if installed.version != VERSION:
        raise _unusable(f"{installed.version} is installed")
    _draw_without_a_screen()
    bare = types.ModuleType(PACKAGE)
    bare.__path__ = [str(installed.locate_file(PACKAGE))]
    before = _take_out()
    sys.modules[PACKAGE] = bare
    try:
        return types.SimpleNamespace(
            **{
                name: importlib.import_module(f"{LOCATION}.{name}")
                for name in MODULES
            }
        )
    except ImportError as error:
        raise _unusable(f"cannot be loaded ({error})") from error
    finally:
        _take_out()
        sys.modules.update(before)


def _draw_without_a_screen():
    plot_settings.import_matplotlib()
    # Its plots would open windows; whoever chose a backend is left alone.
    if "matplotlib.pyplot" in sys.modules or "MPLBACKEND" in os.environ:
        return
    importlib.import_module("matplotlib").use("agg")


def _take_out():
    names = [name for name in sys.modules if name.partition(".")[0] == PACKAGE]
    return {name: sys.modules.pop(name) for name in names}


def _unusable(reason):
    return InputError(
        f"tensorflow-privacy {reason}: {extras.command('tfprivacy')}, or "
        "audit without it: --tfprivacy=off"
    )
