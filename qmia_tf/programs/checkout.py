"""What lies beside scripts/ in a checkout, and is never installed."""

import importlib
import pathlib
import sys
import types

from qmia_tf.errors import InputError


def load(script, name) -> types.ModuleType:
    """Imports a module of the checkout that a script belongs to.

    Puts the root of the checkout on sys.path, to stay there.

    Args:
        script: path of the script, which lies in a folder of the root.
        name: of the module, the folder first: "folder.module".
    Raises: InputError if the checkout has no such folder.
    """
    module = load_if_there(script, name)
    if module is None:
        place = pathlib.Path(script)
        raise InputError(
            f"there is no {name.partition('.')[0]}/ beside {place.parent}: run "
            f"{place.name} from a whole checkout"
        )
    return module


def load_if_there(script, name) -> types.ModuleType | None:
    """Imports a module as `load` does; None without its folder.

    Args:
        script: as of load.
        name: as of load.
    """
    root = pathlib.Path(script).resolve().parent.parent
    if not (root / name.partition(".")[0] / "__init__.py").is_file():
        return None
    if str(root) not in sys.path[:1]:
        sys.path.insert(0, str(root))
    return importlib.import_module(name)
