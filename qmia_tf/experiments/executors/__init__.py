"""Executors: the same jobs, one after another, in processes, or on Ray.

A job is a function of the library and its arguments. What it makes lies in
files and is resumable, so that a job can be run again wherever it stopped.
Executors return nothing but how each job ended.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

from qmia_tf.errors import InputError
from qmia_tf.experiments.executors import job_memory
from qmia_tf.experiments.executors.job import Job
from qmia_tf.experiments.executors.job_board import JobBoard
from qmia_tf.registry import Registry

__all__ = ["EXECUTORS", "Job", "Resources", "execute", "require_done"]

EXECUTORS = Registry(
    "executor",
    {
        "serial": "qmia_tf.experiments.executors.serial:run",
        "process": "qmia_tf.experiments.executors.process_pool:run",
        "ray": "qmia_tf.experiments.executors.ray_cluster:run",
    },
)


@dataclasses.dataclass(frozen=True)
class Resources:
    """What the jobs may use.

    Attributes:
        workers: jobs at the same time, 1 or more; None: what fits.
        threads: of TensorFlow and NumPy in each worker, 1 or more.
        ray_address: "auto" for the cluster that this machine belongs to,
            HOST:PORT, or "local" for a cluster of this machine alone.
        job_bytes: memory that one job takes, measured; None goes by what such
            jobs usually take.
    Raises: InputError if a number is below 1.
    """

    workers: int | None = None
    threads: int = 1
    ray_address: str = "local"
    job_bytes: int | None = None

    def __post_init__(self):
        for name in ("workers", "threads"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise InputError(f"{name} must be 1 or more, got {number}")

    def workers_here(self) -> int:
        """How many jobs run at the same time on this machine."""
        if self.workers:
            return self.workers
        count = max(1, processors() // self.threads)
        return min(count, job_memory.fitting(self.job_bytes) or count)


def processors() -> int:
    """How many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_machine() -> bool:
    """Whether two processes at a time are faster here than one.

    On several processors; but a process of TensorFlow takes all of a GPU.
    """
    has_gpu = any(pathlib.Path("/dev").glob("nvidia[0-9]*"))
    return processors() > 1 and not has_gpu


def execute(
    jobs: Sequence[Job],
    shared=None,
    *,
    executor: str = "serial",
    resources: Resources | None = None,
    noun: str = "job",
) -> dict[str, str]:
    """Runs jobs; a failed one stops none but those that need it.

    Says after each job how many are done, run and failed, and how long the
    rest will take; meanwhile too, where jobs run in other processes.

    Args:
        jobs: each under a name of its own, behind those that it needs.
        shared: handed to every job as its first argument; pickled once a
            worker.
        executor: one of EXECUTORS.
        noun: what one job is called.
    Returns: name -> in one line why it failed, of the failed ones.
    Raises: InputError if the executor is not there or cannot be started, or
        more processes are asked for than fit into memory.
    """
    board = JobBoard(jobs, noun=noun)
    run = EXECUTORS.get(executor)
    run(board, shared, resources or Resources())
    return board.failed


def require_done(failed: dict[str, str], jobs: Sequence[Job], what: str):
    """Raises InputError if a job failed; it shows the first.

    Args:
        failed: as execute gives it.
        jobs: all of them.
        what: they are called, such as "reference models".
    """
    if failed:
        name, reason = next(iter(failed.items()))
        (log,) = (job.log for job in jobs if job.name == name)
        raise InputError(
            f"{len(failed)} of {len(jobs)} {what} failed; {name}: {reason} "
            f"(log: {log}); the same command does what is missing"
        )
