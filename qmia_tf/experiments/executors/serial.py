"""The executor of one process: jobs one after another, in this one."""

from qmia_tf.experiments.executors.job_board import JobBoard


def run(board: JobBoard, shared, resources) -> None:
    """Runs the jobs of a board.

    Threads are those that this process has; resources are not looked at.
    """
    del resources
    while job := board.take():
        board.end(job, job.run(shared))
