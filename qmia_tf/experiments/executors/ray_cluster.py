"""The executor of many machines: a Ray cluster.

The run directories lie where every node reads and writes them under the same
path. What survives a node is what lies there: a job goes on from its last
checkpoint on another node.
"""

import socket

from qmia_tf import extras
from qmia_tf.errors import InputError
from qmia_tf.experiments.executors.job import Outcome
from qmia_tf.experiments.executors.job_board import LOOK_SECONDS, JobBoard
from qmia_tf.experiments.executors.process_pool import TRIES, environment

CONNECT_SECONDS = 5


def run(board: JobBoard, shared, resources) -> None:
    """Runs the jobs of a board.

    Each takes resources.threads processors of a node; resources.workers is
    how many run at the same time at most. Ray runs a job again, up to TRIES
    times, whose process or node died.

    Raises: InputError if Ray is not installed or the cluster not reached.
    """
    ray = _connected(resources.ray_address)
    # Never retried because of an exception: job.run returns those.
    remote = ray.remote(
        num_cpus=resources.threads,
        max_retries=TRIES - 1,
        runtime_env={"env_vars": environment(resources.threads)},
    )(_run)
    try:
        handle = ray.put(shared)
        job_of, most = {}, resources.workers or board.waiting
        while True:
            while len(job_of) < most and (job := board.take()):
                job_of[remote.remote(job, handle)] = job
            if not job_of:
                break
            ended, _ = ray.wait(list(job_of), timeout=LOOK_SECONDS)
            for task in ended:
                board.end(job_of.pop(task), _outcome(ray, task))
            board.look(list(job_of.values()))
    finally:
        ray.shutdown()


def _connected(address):
    extras.require("ray", "the executor 'ray'")
    import ray

    _require_reachable(address)
    try:
        ray.init(
            # "local" is Ray's word too: never a cluster that was there.
            address=address,
            logging_level="ERROR",
            log_to_driver=False,
            include_dashboard=False if address == "local" else None,
        )
    # Ray raises Exception itself where a node does not start.
    except Exception as error:
        raise _no_cluster(address, error) from error
    return ray


def _require_reachable(address):
    """Ray itself tries for minutes."""
    host, _, port = address.rpartition(":")
    if not host:
        return
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address, error):
    reason = str(error).split("\n")[0][:200]
    if address == "local":
        return InputError(
            f"Ray did not start on this machine ({reason}): is it busy? Try "
            "again, or use the executor 'process'"
        )
    return InputError(
        f"no Ray cluster at {address!r} ({reason}): start one with `ray start "
        "--head`, or use 'local'"
    )


def _run(job, shared):
    return job.run_logged(shared)


def _outcome(ray, ended):
    try:
        return ray.get(ended)
    except ray.exceptions.RayError as error:
        reason = str(error).splitlines()[0][:200]
        return Outcome(f"{type(error).__name__}: {reason}")
