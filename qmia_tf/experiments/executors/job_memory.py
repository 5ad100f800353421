"""How many processes fit into this machine's memory."""

import contextlib
import pathlib

from qmia_tf.errors import InputError, option

GIGABYTE = 1e9
# What a process that trains a small ResNet-18 takes: most of it is TensorFlow
# and what XLA compiles.
USUAL_BYTES = 1_200_000_000
CGROUP = pathlib.Path("/sys/fs/cgroup")


def free_bytes() -> int | None:
    """The memory that processes started now can have; None if unknown.

    What the machine has left, or the control group of this process (a
    container's limit) if that is less.
    """
    known = [_left_in_machine(), _left_in_group()]
    return min((x for x in known if x is not None), default=None)


def fitting(job_bytes: int | None) -> int | None:
    """How many jobs fit at the same time, 1 or more; None if unknown."""
    free = free_bytes()
    if free is None:
        return None
    return max(1, int(free // (job_bytes or USUAL_BYTES)))


def require(workers: int, job_bytes: int | None) -> None:
    """Refuses more jobs at the same time than fit.

    Args:
        workers: that somebody asked for.
        job_bytes: that one takes, measured; None takes USUAL_BYTES.
    Raises: InputError with the numbers.
    """
    free, most = free_bytes(), fitting(job_bytes)
    if free is None or workers <= most:
        return
    each = (job_bytes or USUAL_BYTES) / GIGABYTE
    source = "measured when the run was trained" if job_bytes else "estimated"
    raise InputError(
        f"{workers} jobs at a time need about {workers * each:.1f} GB of "
        f"memory ({each:.1f} GB each, {source}), and {free / GIGABYTE:.1f} GB "
        f"are free: give {option('workers', most, flag='jobs')} or fewer"
    )


def _left_in_machine():
    with contextlib.suppress(OSError, ValueError):
        return 1024 * _numbers(pathlib.Path("/proc/meminfo"))["MemAvailable:"]
    return None


def _left_in_group():
    with contextlib.suppress(OSError, ValueError, KeyError):
        limit = int((CGROUP / "memory.max").read_text())
        used = int((CGROUP / "memory.current").read_text())
        # Of files, and given back when somebody needs it.
        used -= _numbers(CGROUP / "memory.stat")["inactive_file"]
        return max(0, limit - used)
    return None


def _numbers(path):
    """The numbers of a file of lines such as `MemAvailable:  123 kB`."""
    rows = [line.split() for line in path.read_text().splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) > 1}
