"""Files that are whole or absent: JSON, .npz and others.

A process that was killed while writing may leave a `.partial-*` folder
behind; nothing reads it and it may be deleted.
"""

import contextlib
import errno
import hashlib
import io
import json
import math
import os
import pathlib
import re
import shutil
import sys
import tempfile
import zipfile
from typing import TypeGuard

import numpy as np

from qmia_tf.errors import InputError

# In indented JSON, where no text holds a line break.
NUMBERS = re.compile(r"\[\n(?:[\s\deE.,+-]|null)*\]")
# Longer whole numbers are damage, and slow to read.
DIGITS = 20
# What is nested deeper is damage, and would end in a RecursionError somewhere.
DEPTH = 64
# deflate makes nothing smaller than this: a byte of a file is at most so many.
DEFLATION = 1032
# The first five bits of half a character of UTF-16.
SURROGATES = 0xD800 >> 11
MOST_HEADER = 2**16
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def atomic(path):
    """Gives a temporary path that becomes `path` if the block succeeds.

    The temporary has the same file name, in a hidden folder beside `path`;
    the block creates it. Then it is flushed to the disk and renamed. If
    anything fails it is removed and `path` stays as it was, or absent.

    Args:
        path: the file to make; missing parent folders are created.
    Yields: pathlib.Path to write to.
    Raises: InputError if the disk is full, the file larger than files may be
        (ulimit -f), or the place is not writable.
    """
    path = pathlib.Path(path)
    folder = _temporary_folder(path)
    temporary = folder / path.name
    with _room_for(path, folder):
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)


@contextlib.contextmanager
def scratch_folder():
    """Gives a folder for temporary files, a Path, gone behind the block.

    Raises: InputError as atomic, of a full disk or a limit.
    """
    folder = pathlib.Path(tempfile.mkdtemp())
    with _room_for(f"temporary files in {folder.parent} (TMPDIR)", folder):
        yield folder


@contextlib.contextmanager
def _room_for(what, folder):
    """Removes a folder, whose files there may be no room for."""
    try:
        yield
    except Exception as error:
        if not _is(error, errno.EFBIG, *FULL_DISK):
            raise
        sizes = [x.stat().st_size for x in folder.rglob("*") if x.is_file()]
        written = f"{max(sizes, default=0) / 1e6:.1f} MB"
        shutil.rmtree(folder, ignore_errors=True)
        free = f"{shutil.disk_usage(folder.parent).free / 1e6:.1f} MB"
        reason = (
            f"the disk is full (stopped after {written}; {free} free now): "
            "free some space"
        )
        if _is(error, errno.EFBIG):
            reason = f"files may not grow beyond {written} here: raise the "
            reason += "limit (ulimit -f)"
        raise InputError(
            f"cannot save {what}: {reason} and run the same command again"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_bytes(path, data):
    """Writes bytes to a file, whole or not at all.

    Raises: InputError if the disk is full or the place is not writable.
    """
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def write_json(path, obj):
    """Writes an object as strict JSON (no NaN), whole or not at all.

    Args:
        obj: dicts, lists, strings, finite numbers, booleans and None.
    Raises: InputError if the disk is full or the place is not writable.
    """
    text = json.dumps(obj, indent=2, allow_nan=False) + "\n"
    # A list of numbers alone on one line.
    text = NUMBERS.sub(lambda match: " ".join(match[0].split()), text)
    write_bytes(path, text.encode())


def read_json(path):
    """Reads a JSON file.

    Raises: InputError if the file cannot be read or is not JSON.
    """
    try:
        return parse_json(pathlib.Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}") from error


def parse_json(text):
    """Parses strict JSON whose text and numbers can all be used.

    Args:
        text: str or bytes.
    Returns: the object.
    Raises: ValueError.
    """
    try:
        tree = json.loads(
            text,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_no_number,
        )
        _check_depth(tree)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    # Half a character of UTF-16 can be neither printed nor written.
    if ("\\ud" if isinstance(text, str) else b"\\ud") in text.lower():
        json.dumps(tree, ensure_ascii=False).encode()
    return tree


def _check_depth(tree):
    level = [tree]
    for _ in range(DEPTH):
        level = [part for part in level if isinstance(part, (dict, list))]
        level = [
            item
            for part in level
            for item in (part.values() if isinstance(part, dict) else part)
        ]
        if not level:
            return
    raise ValueError("it is nested too deeply")


def _no_number(text):
    raise ValueError(f"{text} is not a number of JSON")


def _integer(text):
    if len(text) > DIGITS:
        raise ValueError(f"the number {text[:DIGITS]}... is too large")
    return int(text)


def _finite(text):
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:DIGITS]} is too large")
    return number


def write_npz(path, **arrays):
    """Writes named arrays to an .npz file, whole or not at all.

    Args:
        **arrays: name -> array or scalar, of a type that needs no pickle.
    Raises: InputError if the disk is full or the place is not writable,
        ValueError for an array of Python objects.
    """
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise ValueError(f"array {name!r} holds Python objects")
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def require_readable(path):
    """Raises InputError unless a file is there and can be read."""
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise _not_readable(path, error) from error


def _not_readable(path, error):
    reason = error.strerror or str(error)
    return InputError(f"cannot read {path}: {reason}")


def read_npz(path):
    """Reads every array of an .npz file, checksums included.

    Returns: dict name -> array.
    Raises: InputError if the file is missing, damaged, something other than
        an .npz, or holds pickled objects (which could run any code).
    """
    arrays = {}
    name = None
    try:
        with open(path, "rb") as file:
            _require_honest_sizes(file)
        with (
            open(path, "rb") as file,
            np.load(file, allow_pickle=False) as stored,
        ):
            for name in stored.files:
                arrays[name] = _whole_text(stored[name])
    except OSError as error:
        raise _not_readable(path, error) from error
    # A damaged file makes zipfile, zlib and NumPy raise nearly anything.
    except Exception as error:
        if "allow_pickle=False" in str(error) and name:
            raise InputError(
                f"{path}: array {name!r} holds pickled Python objects, which "
                "are not loaded: save plain numbers or text (for text: "
                "np.array(values, dtype=str))"
            ) from error
        raise InputError(
            f"{path} is damaged or not an .npz file ({_line(error)}): make it "
            "anew"
        ) from error
    return arrays


def read_npy(path):
    """Reads an .npy file.

    Args:
        path: the file.
    Returns: the array.
    Raises: InputError if the file is missing, damaged, something other than
        an .npy, or holds pickled objects (which could run any code).
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            # What claims a longer header gets no memory for it.
            head = io.BytesIO(file.read(MOST_HEADER))
            _check_header(head, size, pathlib.Path(path).stem)
            file.seek(0)
            return _whole_text(np.lib.format.read_array(file))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot read {path}: {reason}") from error
    # NumPy raises several kinds for what is damaged or pickled.
    except Exception as error:
        raise InputError(
            f"{path} is damaged or not an .npy file of numbers "
            f"({_line(error)}): save it with np.save"
        ) from error


def _whole_text(array):
    """The array, if its text is made of characters that there are."""
    if array.dtype.kind == "U" and array.size:
        order = array.dtype.byteorder
        codes = np.ascontiguousarray(array).reshape(-1).view(f"{order}u4")
        if codes.max() > sys.maxunicode or np.any(codes >> 11 == SURROGATES):
            raise ValueError("it holds text that is none")
    return array


def _line(error):
    return " ".join(str(error).split())[:200]


def npz_names(path) -> set[str]:
    """Names the arrays of an .npz file without reading them.

    Raises: OSError, ValueError or zipfile.BadZipFile if it is none.
    """
    with zipfile.ZipFile(path) as archive:
        names = [info.filename for info in archive.infolist()]
    return {name.removesuffix(".npy") for name in names}


def _require_honest_sizes(file):
    """Sees that no array claims more bytes than the file can hold.

    Raises: ValueError, or whatever a damaged ZIP file raises.
    """
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            packed = info.compress_size
            if info.file_size > DEFLATION * packed + DEFLATION:
                raise ValueError(
                    f"array {name!r} claims {info.file_size} bytes, of {packed}"
                )
            with archive.open(info) as member:
                _check_header(member, info.file_size, name)


def _check_header(member, size, name):
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        header = np.lib.format.read_array_header_1_0(member)
    else:
        header = np.lib.format.read_array_header_2_0(member)
    shape, _, dtype = header
    claimed = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0:
        raise ValueError(f"array {name!r} has shape {shape}")
    if not dtype.hasobject and claimed != size - member.tell():
        raise ValueError(
            f"array {name!r} claims shape {shape} of {dtype}, {claimed} bytes, "
            f"and has {size - member.tell()}"
        )


def is_path(source: object) -> TypeGuard[str | pathlib.Path]:
    """Whether something is a path, not the thing itself."""
    return isinstance(source, (str, pathlib.Path))


def sha256(path):
    """Hashes a file: 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_writable(folder):
    """Makes a folder, a Path, if need be, and tries to write there.

    Raises: InputError if nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise not_writable(folder, error) from error


def _temporary_folder(path):
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return pathlib.Path(
            tempfile.mkdtemp(prefix=".partial-", dir=path.parent)
        )
    except OSError as error:
        raise not_writable(path, error) from error


def not_writable(path, error: OSError) -> InputError:
    """Makes the error for a place where nothing can be written."""
    return InputError(
        f"cannot write {path}: {error.strerror}: choose another place or "
        "mend its permissions"
    )


def _is(error, *numbers):
    # h5py and TensorFlow report a full disk in words, without an errno.
    return getattr(error, "errno", None) in numbers or any(
        os.strerror(number) in str(error) for number in numbers
    )


def _flush(path):
    if os.name == "nt" and path.is_dir():
        return  # Windows flushes a folder with its files.
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
