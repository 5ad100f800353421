"""Packages that only some work needs, and what is said where one is missing.

setup.py puts them into extras: pip install "qmia_tf[train]".
"""

import importlib.util
from collections.abc import Iterable

from qmia_tf.errors import InputError

# What is imported -> what pip calls it, and the extra that brings it.
EXTRAS = {
    "tensorflow": ("tensorflow", "train"),
    "keras": ("keras", "train"),
    "tf_keras": ("tf-keras", "train"),
    "h5py": ("h5py", "train"),
    "sklearn": ("scikit-learn", "train"),
    "tensorflow_datasets": ("tensorflow-datasets", "tfds"),
    "importlib_resources": ("importlib_resources", "tfds"),
    "requests": ("requests", "tfds"),
    "tensorflow_model_optimization": ("tensorflow-model-optimization", "tfmot"),
    "tensorflow_privacy": ("tensorflow-privacy", "tfprivacy"),
    "joblib": ("joblib", "train"),
    "ray": ("ray", "ray"),
    "tensorboard": ("tensorboard", "tensorboard"),
    "pyarrow": ("pyarrow", "parquet"),
}


def is_installed(module: str) -> bool:
    """Whether a module can be found; it is not imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def require(module: str, user: str) -> None:
    """Raises InputError unless a module of EXTRAS is installed.

    Args:
        module: as it is imported.
        user: what needs it, for the message: "training".
    """
    if not is_installed(module):
        raise missing(module, user)


def require_packages(packages: Iterable[str], user: str) -> None:
    """Raises InputError unless those of EXTRAS among packages are installed.

    Args:
        packages: as pip calls them.
        user: what needs them.
    """
    for module, (package, _) in EXTRAS.items():
        if package in packages:
            require(module, user)


def missing(module: str, user: str) -> InputError:
    """Makes the error that a module of EXTRAS is not installed.

    Args:
        module: as it is imported.
        user: what needs it.
    """
    package, extra = EXTRAS[module]
    return InputError(
        f"{user} needs {package}, which is not installed: {command(extra)}"
    )


def command(extra: str) -> str:
    """The command that installs an extra, in any shell."""
    return f'pip install "qmia_tf[{extra}]"'


def of_import(error: ModuleNotFoundError, user: str) -> InputError | None:
    """Makes the error of an import that failed; None if not of EXTRAS.

    Args:
        error: what Python raised.
        user: what needs the module.
    """
    module = (error.name or "").partition(".")[0]
    return missing(module, user) if module in EXTRAS else None
