"""What lies beside qmia_tf/ in a checkout, and is never installed."""

import importlib
import pathlib
import sys
import types

from qmia_tf.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load(script, name) -> types.ModuleType:
    """Imports a module of the checkout that a script belongs to.

    Puts the root of the checkout on sys.path, to stay there.

    Args:
        script: path of the script, which lies in a folder of the root.
        name: of the module, the folder first: "folder.module".
    Raises: InputError if the checkout has no such module.
    """
    place = pathlib.Path(script)
    module = load_if_there(name, root=place.resolve().parent.parent)
    if module is None:
        raise InputError(
            f"there is no {name.partition('.')[0]}/ beside {place.parent}: run "
            f"{place.name} from a whole checkout"
        )
    return module


def load_if_there(name, *, root=ROOT) -> types.ModuleType | None:
    """Imports a module as `load` does; None if it is not there.

    Args:
        name: as of load.
        root: folder to look in; where qmia_tf lies if not given.
    """
    root = pathlib.Path(root)
    if not root.joinpath(*name.split(".")).with_suffix(".py").is_file():
        return None
    if str(root) not in sys.path[:1]:
        sys.path.insert(0, str(root))
    return importlib.import_module(name)
