"""Data sets from a folder of class folders.

    photos/cat/1.png  photos/cat/2.jpg  photos/dog/a.png ...
    photos/train/cat/1.png ... photos/test/cat/7.png ...    the same, parted

Classes and files are read in the order of their names. PNG, JPEG and BMP;
8-bit gray or RGB, all of one size. Hidden files are passed over.
"""

import os
import pathlib

import numpy as np

from qmia_tf import terminal
from qmia_tf.data.dataset import Dataset, assemble, choose_parts
from qmia_tf.data.loaders import Loader
from qmia_tf.data.sides import Side
from qmia_tf.data.split import PARTS
from qmia_tf.errors import InputError
from qmia_tf.files import is_path

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB"}


def load(name: str, *, pool: str, **_) -> Dataset:
    """Loads a data set from a folder that is laid out as this module says.

    The classes are those of all folders, whatever the pool. Without train/
    and test/ folders every record is a train record.

    Raises: InputError that names the file that cannot be read, or that
        differs in size or channels from the first.
    """
    roots = _part_roots(pathlib.Path(name).expanduser())
    listed = {part: _list_images(root) for part, root in roots.items()}
    class_names = tuple(sorted(set().union(*listed.values())))
    chosen = choose_parts(name, roots, pool)
    parts = {}
    for part in chosen:
        pairs = [
            (file, class_names.index(label))
            for label, files in listed[part].items()
            for file in files
        ]
        images = _read_all(f"{name} ({part})", [file for file, _ in pairs])
        parts[part] = images, np.array([label for _, label in pairs])
    return assemble(name, parts, class_names, pool=pool)


def _load_side(source, **_):
    dataset = load(str(source), pool="all")
    return Side.of(
        str(source),
        dataset.images,
        dataset.labels,
        class_names=dataset.class_names,
        ordered=False,
        taken=f"images of {dataset.classes} class folders",
    )


def _is_folder(source):
    return is_path(source) and pathlib.Path(source).expanduser().is_dir()


def _has_separator(name):
    return os.sep in name or (os.altsep or os.sep) in name


def _part_roots(path):
    folders = {folder.name: folder for folder in _visible(path)}
    if not folders.keys() & set(PARTS):
        return {"train": path}
    strangers = sorted(folders.keys() - set(PARTS))
    if strangers:
        raise InputError(
            f"{path} has train/ or test/, so it may have nothing else, but "
            f"it has {strangers[0]}: move it away"
        )
    return folders


def _list_images(root):
    """Lists the images of each class: dict class name -> sorted paths."""
    classes = {}
    for folder in _visible(root):
        if not folder.is_dir():
            raise InputError(
                f"{folder} lies outside the class folders of {root}: move it"
            )
        classes[folder.name] = _visible(folder)
        for file in classes[folder.name]:
            if file.suffix.lower() not in SUFFIXES:
                raise InputError(
                    f"{file} is not one of {', '.join(SUFFIXES)}: convert "
                    "it or move it away"
                )
        if not classes[folder.name]:
            raise InputError(f"the class folder {folder} is empty: remove it")
    if not classes:
        raise InputError(
            f"{root} has no class folders: lay images in {root}/CLASS/"
        )
    return classes


def _visible(folder):
    try:
        paths = [path for path in folder.iterdir() if path.name[0] != "."]
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror}") from error
    return sorted(paths, key=lambda path: path.name)


def _read_all(name, files):
    """Reads images into one array, uint8 [N, H, W, C]."""
    images = None
    bar = terminal.bar(files, desc=f"reading {name}", leave=False)
    for row, file in enumerate(bar):
        image = _read(file)
        if images is None:
            images = np.empty((len(files), *image.shape), np.uint8)
        if image.shape != images.shape[1:]:
            raise InputError(
                f"{file} is {_described(image)} but {files[0]} is "
                f"{_described(images[0])}: all images must have one size "
                "and be all gray or all RGB"
            )
        images[row] = image
    return images


def _read(file):
    from PIL import Image

    try:
        with Image.open(file) as image:
            image.load()
            mode = image.mode
            image = image.convert(MODES.get(mode, mode))
    # Damaged images make Pillow raise nearly anything.
    except Exception as error:
        raise InputError(
            f"{file} is not a readable image ({error}): mend it or remove it"
        ) from error
    if mode not in MODES:
        raise InputError(
            f"{file} has pixels of mode {mode}, not 8-bit gray or RGB: "
            "convert it"
        )
    values = np.asarray(image)
    return values[..., np.newaxis] if values.ndim == 2 else values


def _described(image):
    height, width, channels = image.shape
    return f"{width}x{height} {'gray' if channels == 1 else 'RGB'}"


LOADER = Loader(
    is_dataset=lambda name: _has_separator(name) and _is_folder(name),
    load_dataset=load,
    is_side=_is_folder,
    load_side=_load_side,
)
