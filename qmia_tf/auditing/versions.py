"""The programs that made an audit."""

import importlib.metadata
import platform

import qmia_tf

# Those that did the arithmetic; Pillow packs the pictures.
PACKAGES = ("numpy", "scipy", "scikit-learn", "tensorflow-privacy", "pillow")


def of_audit() -> dict[str, str]:
    """Returns name -> version, of those that are installed."""
    versions = {
        "python": platform.python_version(),
        "qmia_tf": qmia_tf.__version__,
    }
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
