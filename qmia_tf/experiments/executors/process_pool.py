"""The executor of one machine: a pool of processes, with loky."""

import contextlib
import os
import threading
import time
import warnings
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool

from qmia_tf import extras
from qmia_tf.experiments.executors import job_memory
from qmia_tf.experiments.executors.job import Outcome
from qmia_tf.experiments.executors.job_board import LOOK_SECONDS, JobBoard

# How often the process of a job may die, its first time among others.
TRIES = 3
THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)
_shared = None


def run(board: JobBoard, shared, resources) -> None:
    """Runs the jobs of a board.

    If a process dies (out of memory, killed) the pool is made anew. The jobs
    that were running then go on one at a time, so that a job which always
    dies takes no other with it.

    Raises: InputError if fewer jobs fit into memory than were asked for.
    """
    if resources.workers:
        workers = min(resources.workers, board.waiting)
        job_memory.require(workers, resources.job_bytes)
    while board.waiting:
        lost = _until_broken(board, shared, resources)
        begun = [job for job in lost if board.has_begun(job)]
        # If none has, it is not the jobs: no process can be started.
        alone = begun or lost
        for job in reversed(lost):
            if job not in alone:
                board.put_back(job)
        for job in alone:
            board.end(job, _run_alone(job, shared, resources))


def _run_alone(job, shared, resources):
    """Runs a job that was running when a process died."""
    for _ in range(TRIES - 1):
        with (
            _pool(1, shared, resources) as pool,
            contextlib.suppress(BrokenProcessPool),
        ):
            return pool.submit(_run, job).result()
    return Outcome(f"its process died {TRIES} times; out of memory?")


def _until_broken(board, shared, resources):
    """Runs jobs; returns those that had not ended when a process died."""
    job_of, lost = {}, []
    workers = min(resources.workers_here(), board.waiting)
    with _pool(workers, shared, resources) as pool:
        while not lost:
            lost += _submit_all(board, pool, job_of)
            if not job_of:
                break
            ended, _ = wait(job_of, LOOK_SECONDS, FIRST_COMPLETED)
            for future in ended:
                job = job_of.pop(future)
                try:
                    board.end(job, future.result())
                except BrokenProcessPool:
                    lost.append(job)
            board.look(list(job_of.values()))
    return lost + list(job_of.values())


def _submit_all(board, pool, job_of):
    """Submits what can run; returns the job that found the pool broken."""
    while job := board.take():
        try:
            job_of[pool.submit(_run, job)] = job
        except BrokenProcessPool:
            return [job]
    return []


@contextlib.contextmanager
def _pool(workers, shared, resources):
    extras.require("joblib", "the executor 'process'")
    from joblib.externals import loky

    pool = loky.ProcessPoolExecutor(
        workers,
        env=environment(resources.threads),
        initializer=_start,
        initargs=(shared, os.getpid()),
    )
    ended = False
    try:
        with warnings.catch_warnings():
            # loky ends workers that have grown, and starts others.
            warnings.filterwarnings("ignore", "A worker stopped while some")
            yield pool
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
