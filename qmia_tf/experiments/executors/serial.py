"""The executor of one process: jobs one after another, in this one."""

from collections.abc import Iterator

from qmia_tf.experiments.executors.job import Job


def run(jobs: list[Job], shared, resources) -> Iterator:
    """Yields each job as it ends, with why it failed, or None.

    Threads are those that this process has; resources are not looked at.
    """
    del resources
    for job in jobs:
        yield job, job.run(shared)
