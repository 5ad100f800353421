"""The executor of one machine: a pool of processes, with loky."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool

from qmia_tf import extras
from qmia_tf.experiments.executors.job import Job

# How often the process of a job may die, its first time among others.
TRIES = 3
THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)
_shared = None


def run(jobs: list[Job], shared, resources) -> Iterator:
    """Yields each job as it ends, with why it failed, or None.

    If a process dies (out of memory, killed) the pool is made anew. The jobs
    that were running then go on one at a time, so that a job which always
    dies takes no other with it.
    """
    waiting = list(jobs)
    while waiting:
        sizes = {job.name: _size(job) for job in waiting}
        count = len(waiting)
        for job, reason in _until_broken(waiting, shared, resources):
            waiting.remove(job)
            yield job, reason
        # A job that was running has written to its log.
        begun = [job for job in waiting if _size(job) != sizes[job.name]]
        if not begun and len(waiting) == count:
            # Then it is not the jobs: no process can be started.
            begun = list(waiting)
        for job in begun:
            waiting.remove(job)
            yield job, _run_alone(job, shared, resources)


def _run_alone(job, shared, resources):
    """Runs a job that was running when a process died."""
    for _ in range(TRIES - 1):
        for _, reason in _until_broken([job], shared, resources):
            return reason
    return f"its process died {TRIES} times; out of memory?"


def _until_broken(jobs, shared, resources):
    """Yields what ended before all had, or a process died."""
    extras.require("joblib", "the executor 'process'")
    from joblib.externals import loky

    pool = loky.ProcessPoolExecutor(
        min(resources.workers_here(), len(jobs)),
        env=environment(resources.threads),
        initializer=_start,
        initargs=(shared, os.getpid()),
    )
    ended = False
    try:
        futures = {pool.submit(_run, job): job for job in jobs}
        for future in as_completed(futures):
            try:
                reason = future.result()
            except BrokenProcessPool:
                continue
            yield futures[future], reason
        ended = True
    finally:
        pool.shutdown(kill_workers=not ended)


def environment(threads: int) -> dict[str, str]:
    """The variables that give a worker its threads."""
    return dict.fromkeys(THREAD_VARIABLES, str(threads))


def _start(shared, parent):
    """Begins a worker: it ends when the process that started it does."""
    global _shared
    _shared = shared
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent):
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _run(job):
    return job.run_logged(_shared)


def _size(job):
    return job.log.stat().st_size if job.log.exists() else -1
