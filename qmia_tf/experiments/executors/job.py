"""One job: a function of the library, its arguments, and its log."""

import contextlib
import dataclasses
import importlib
import os
import pathlib
import sys
import time
import traceback
from collections.abc import Mapping

from qmia_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        reason: in one line why it failed; None if it did not.
        seconds: that it took, of one that did not fail.
    """

    reason: str | None = None
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """One job.

    Attributes:
        name: in messages.
        function: "module:function", called with what all jobs share and the
            arguments.
        arguments: by keyword; they can be pickled.
        log: file that takes what a job in another process prints, and the
            traceback of one that fails.
        after: names of the jobs that have to be done before.
    """

    name: str
    function: str
    arguments: Mapping
    log: pathlib.Path
    after: tuple[str, ...] = ()

    def run(self, shared) -> Outcome:
        """Runs the job in this process."""
        started = time.monotonic()
        reason = self._failure(shared)
        return Outcome(reason, time.monotonic() - started)

    def _failure(self, shared):
        module, _, name = self.function.partition(":")
        try:
            function = getattr(importlib.import_module(module), name)
            function(shared, **self.arguments)
        except Exception as error:
            # A full disk may have been the error.
            with contextlib.suppress(OSError), self.opened_log() as log:
                traceback.print_exc(file=log)
            if isinstance(error, InputError):
                return str(error)
            return f"{type(error).__name__}: {error}".split("\n")[0][:300]
        return None

    def run_logged(self, shared) -> Outcome:
        """Runs the job with all that it prints in its log.

        The log grows at once, which tells that the job has begun.
        """
        try:
            with self.opened_log() as log, _written_to(log):
                log.write(f"== {self.name}\n")
                log.flush()
                return self.run(shared)
        except OSError as error:
            # Not of the job, whose own errors are outcomes.
            return Outcome(
                f"cannot write {self.log}: {error.strerror or error}: free "
                "some space"
            )

    @property
    def log_size(self) -> int:
        """Bytes of the log; -1 if it is not there."""
        return self.log.stat().st_size if self.log.exists() else -1

    def opened_log(self):
        """Opens the log, to add to what is there."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        return open(self.log, "a", encoding="utf-8")


@contextlib.contextmanager
def _written_to(log):
    """Has file descriptors 1 and 2 write to a file: C++ libraries too."""
    kept = os.dup(1), os.dup(2)
    try:
        for number in (1, 2):
            os.dup2(log.fileno(), number)
        yield
    finally:
        for name in ("stdout", "stderr"):
            with contextlib.suppress(OSError, ValueError):
                getattr(sys, name).flush()
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)
