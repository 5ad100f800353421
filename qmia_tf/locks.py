"""One writer at a time: a lock for each thing that is written.

The lock of a product is a hidden file beside it, `.NAME.lock`, which says who
writes. Only writers take it. It is the operating system's, so that of a dead
process counts for nothing; the file that it may leave is used again.
"""

import contextlib
import datetime
import errno
import json
import os
import pathlib
import shlex
import socket
import sys
from collections.abc import Iterator

from qmia_tf import files, terminal
from qmia_tf.errors import InputError

# What file systems say that cannot lock, network ones above all.
UNSUPPORTED = (
    *(errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP),
    errno.EINVAL,
)
# For files that are written in an instant, such as the manifest.
SHORT = 60
LONGEST_COMMAND = 100


def lock_file(product) -> pathlib.Path:
    """Names the lock of a file or folder."""
    product = pathlib.Path(product)
    return product.with_name(f".{product.name}.lock")


@contextlib.contextmanager
def writing(product, *, wait: float = 0) -> Iterator[None]:
    """Makes this thread the only writer of a file or folder.

    A thread that is it already may enter again.

    Args:
        product: what is written; its folder is made if it is not there.
        wait: seconds to wait for another writer.
    Raises: InputError if there is another writer (who it is), or the folder
        cannot be written.
    """
    path = lock_file(product)
    lock = _lock(path)
    if lock is None:
        _say_unlocked(product, "the package filelock is not installed")
    if lock is None or lock.is_locked:
        yield
        return
    folders = [path.parent, *path.parent.parents]
    new = [folder for folder in folders if not folder.exists()]
    is_held = _acquire(lock, path, product, wait)
    try:
        yield
    finally:
        if is_held:
            # While it is held: who waits sees that this file is gone. Windows
            # deletes no open file, so there it stays.
            with contextlib.suppress(OSError):
                path.unlink()
            lock.release()
        # Where nothing was written there is no trace.
        with contextlib.suppress(OSError):
            for folder in new:
                folder.rmdir()


def _lock(path):
    """The lock of a path; None without filelock, as on a board."""
    try:
        import filelock
    except ImportError:
        return None
    return filelock.FileLock(
        path, is_singleton=True, thread_local=True, fallback_to_soft=False
    )


def _acquire(lock, path, product, wait):
    """Takes the lock; False where the file system has none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=wait)
    except TimeoutError as error:
        raise InputError(
            f"{product} is being written by {_holder(path)}: wait until that "
            "is done, or choose another place"
        ) from error
    except (OSError, NotImplementedError) as error:
        if getattr(error, "errno", errno.ENOSYS) not in UNSUPPORTED:
            raise files.not_writable(path.parent, error) from error
        with contextlib.suppress(OSError):
            path.unlink()
        _say_unlocked(
            product, f"{path.parent} is on a file system without locks"
        )
        return False
    # On a full disk the lock holds all the same.
    with contextlib.suppress(OSError):
        path.write_text(json.dumps(_this_process()), encoding="utf-8")
    return True


def _say_unlocked(product, reason):
    terminal.say(
        f"{reason}: see that no other process writes "
        f"{pathlib.Path(product).name} meanwhile"
    )


def _this_process():
    now = datetime.datetime.now().astimezone()
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": now.isoformat(" ", "seconds"),
        "command": shlex.join(sys.argv) or "python",
    }


def _holder(path):
    """Says who holds a lock, as far as its file tells."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        pid, host, since, command = (
            str(holder[key]) for key in ("pid", "host", "since", "command")
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return "another process"
    if len(command) > LONGEST_COMMAND:
        command = f"{command[:LONGEST_COMMAND]}..."
    return f"process {pid} on {host} since {since} ({command})"
