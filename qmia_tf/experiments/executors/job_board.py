"""The jobs of one call: which wait, run, are done or failed; the view of it.

An executor takes jobs from the board and says how each ended. What people see
is the same whatever the executor and whatever the jobs are.
"""

import collections
import itertools
import statistics
import time
from collections.abc import Sequence

from qmia_tf import terminal
from qmia_tf.errors import InputError
from qmia_tf.experiments.executors.job import Job, Outcome

# How often an executor has the board look.
LOOK_SECONDS = 0.5
# Names that the line of what is running has room for.
MOST_NAMES = 4


class JobBoard:
    """Hands out jobs, those before which others must be done first.

    Args:
        jobs: each under a name of its own, behind those of its `after`.
        noun: what one job is called.
    Raises: InputError if two have one name, or one is before what it needs.

    Attributes:
        failed: name -> in one line why it failed.
    """

    def __init__(self, jobs: Sequence[Job], *, noun: str):
        _check(jobs)
        self.failed: dict[str, str] = {}
        self._noun, self._total = noun, len(jobs)
        self._waiting, self._done = list(jobs), set()
        # Of those that were taken: bytes of the log before.
        self._taken: dict[Job, int] = {}
        # When they were seen to run.
        self._running: dict[Job, float] = {}
        # By function: what those took that are done.
        self._seconds = collections.defaultdict(list)
        self._most_running = 1
        self._status = terminal.Status()

    @property
    def waiting(self) -> int:
        """How many nobody has taken."""
        return len(self._waiting)

    def take(self) -> Job | None:
        """Gives the next job that can run; None if none can now."""
        for job in self._waiting:
            if self._done.issuperset(job.after):
                self._waiting.remove(job)
                self._taken[job] = job.log_size
                return job
        return None

    def put_back(self, job: Job) -> None:
        """Takes a job back that has not begun."""
        self._forget(job)
        self._waiting.insert(0, job)

    def has_begun(self, job: Job) -> bool:
        """Whether a job that was taken has written to its log."""
        return job.log_size != self._taken[job]

    def look(self, taken: Sequence[Job]) -> None:
        """Sees which of the jobs have begun, and shows how far all are.

        Args:
            taken: those that have not ended; if there is none, nothing is
                shown.
        """
        if not taken:
            return
        for job in taken:
            if job not in self._running and self.has_begun(job):
                self._running[job] = time.monotonic()
        self._most_running = max(self._most_running, len(self._running))
        names = [job.name for job in self._running][:MOST_NAMES]
        more = ", ..." if len(self._running) > MOST_NAMES else ""
        which = f" ({', '.join(names)}{more})" if names else ""
        self._status.show(f"{self._noun}s: {self.summary(which)}")

    def end(self, job: Job, outcome: Outcome) -> None:
        """Notes how a job ended, and says so."""
        self._forget(job)
        if outcome.reason is None:
            self._done.add(job.name)
            self._seconds[job.function].append(outcome.seconds)
            end = "done"
        else:
            self.failed[job.name] = outcome.reason
            end = f"failed: {outcome.reason} (log: {job.log})"
        self._status.clear()
        terminal.say(f"{self._noun} {job.name} {end}; {self.summary()}")
        if outcome.reason is not None:
            self._fail_followers(job)

    def summary(self, which: str = "") -> str:
        """Says how many are done, run and failed, and the time left.

        Args:
            which: said behind the number of those that run.
        """
        parts = [f"{len(self._done)} of {self._total} done"]
        if self._running:
            parts.append(f"{len(self._running)} running{which}")
        if self.failed:
            parts.append(f"{len(self.failed)} failed")
        seconds = self.seconds_left()
        if seconds:
            parts.append(f"about {terminal.duration(seconds)} left")
        return ", ".join(parts)

    def seconds_left(self) -> float | None:
        """Estimates how long the rest takes, from what is done.

        As many run at the same time as have done so.

        Returns: None if nothing is done.
        """
        if not self._seconds:
            return None
        now, seconds = time.monotonic(), 0.0
        left = (*self._waiting, *self._taken)
        for job in left:
            age = now - self._running.get(job, now)
            seconds += max(0.0, self._usual_seconds(job) - age)
        return seconds / max(1, min(self._most_running, len(left)))

    def _usual_seconds(self, job):
        """The mean of those of its function, else of all."""
        alike = self._seconds.get(job.function)
        every = itertools.chain(*self._seconds.values())
        return statistics.fmean(alike or every)

    def _forget(self, job):
        self._taken.pop(job, None)
        self._running.pop(job, None)

    def _fail_followers(self, failed):
        for job in [x for x in self._waiting if failed.name in x.after]:
            if job in self._waiting:
                self._waiting.remove(job)
                self.end(job, Outcome(f"needs {failed.name}, which failed"))


def _check(jobs):
    before = set()
    for job in jobs:
        if job.name in before:
            raise InputError(f"two jobs are called {job.name}")
        missing = sorted(set(job.after) - before)
        if missing:
            raise InputError(f"{job.name} needs {missing[0]} before it")
        before.add(job.name)
