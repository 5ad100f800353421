"""One job: a function of the library, its arguments, and its log."""

import contextlib
import dataclasses
import importlib
import os
import pathlib
import sys
import traceback
from collections.abc import Mapping

from qmia_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        name: in messages.
        function: "module:function", called with what all jobs share and the
            arguments.
        arguments: by keyword; they can be pickled.
        log: file that takes what a job in another process prints, and the
            traceback of one that fails.
    """

    name: str
    function: str
    arguments: Mapping
    log: pathlib.Path

    def run(self, shared) -> str | None:
        """Runs the job in this process.

        Returns: in one line why it failed; None if it did not.
        """
        module, _, name = self.function.partition(":")
        try:
            function = getattr(importlib.import_module(module), name)
            function(shared, **self.arguments)
        except Exception as error:
            with self.opened_log() as log:
                traceback.print_exc(file=log)
            if isinstance(error, InputError):
                return str(error)
            return f"{type(error).__name__}: {error}".split("\n")[0][:300]
        return None

    def run_logged(self, shared) -> str | None:
        """Runs the job with all that it prints in its log.

        The log grows at once, which tells that the job was begun.
        """
        with self.opened_log() as log, _written_to(log):
            log.write(f"== {self.name}\n")
            log.flush()
            return self.run(shared)

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
