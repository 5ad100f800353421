"""Processes that are watched, killed, or kept from writing."""

import dataclasses
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time

import stages

# Of the folder in which files.atomic writes a file.
PARTIAL = ".partial-"
SIGNALS = (signal.SIGKILL, signal.SIGTERM)
# Between two looks at a folder.
PAUSE = 0.01


@dataclasses.dataclass(frozen=True)
class Pace:
    """What an undisturbed process did.

    Attributes:
        seconds: from the first thing that it made to its end.
        writes: files that were seen while they were written.
    """

    seconds: float
    writes: int


@dataclasses.dataclass(frozen=True)
class Moment:
    """When a process is killed.

    Attributes:
        share: of its time, from the first thing that it made on; or
        write: while it writes the file of this number.
    """

    share: float | None = None
    write: int | None = None

    def __str__(self):
        if self.write is not None:
            return f"writing file {self.write}"
        return f"at {self.share:.0%}"

    def is_now(self, watch: "Watch", pace: Pace) -> bool:
        """Whether it is time, by what was seen."""
        if self.write is not None:
            return len(watch.writes) >= self.write
        return watch.seconds > self.share * pace.seconds


class Watch:
    """What happens in a folder."""

    def __init__(self, folder: pathlib.Path):
        self._folder, self._before = folder, _everything(folder)
        self.first, self.writes = None, set()

    def look(self) -> None:
        """Takes note of what is new."""
        new = _everything(self._folder) - self._before
        if new and self.first is None:
            self.first = time.monotonic()
        self.writes |= {x for x in new if PARTIAL in os.path.basename(x)}

    @property
    def seconds(self) -> float:
        """Since the first new thing; 0 before it."""
        return 0.0 if self.first is None else time.monotonic() - self.first


def _everything(folder):
    # What is listed may be gone before it is read; os.walk passes that over.
    return {
        os.path.join(parent, name)
        for parent, folders, names in os.walk(folder)
        for name in (*folders, *names)
    }


@dataclasses.dataclass(frozen=True)
class User:
    """Who runs a process.

    Attributes:
        name: for the table.
        number: None is who starts it.
        prefix: of the command.
    """

    name: str = "this user"
    number: int | None = None
    prefix: tuple[str, ...] = ()


class Process:
    """A command in a folder, the first of a group of processes.

    As a context manager it ends them all with the block.

    Args:
        user: who runs it.
        file_bytes: no file may be larger; None sets no limit.
    """

    def __init__(self, command, folder, *, user=User(), file_bytes=None):
        path = os.pathsep.join(map(str, (stages.ROOT, stages.ROOT / "tests")))
        self._errors = tempfile.TemporaryFile("w+")
        owner = {}
        if user.number is not None:
            owner = {"user": user.number, "group": user.number}
            owner["extra_groups"] = []

        def limit():
            if file_bytes is not None:
                most = (file_bytes, file_bytes)
                resource.setrlimit(resource.RLIMIT_FSIZE, most)

        self._process = subprocess.Popen(
            [*user.prefix, *command],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, "HOME": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            start_new_session=True,
            preexec_fn=limit,
            **owner,
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.is_running:
            self.end(signal.SIGKILL)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def end(self, number=None) -> tuple[int, str]:
        """Waits for the end, or ends the group with a signal.

        Returns: the exit status, negative of a signal, and what was written
            to stderr.
        """
        if number is not None:
            os.killpg(self._process.pid, number)
        status = self._process.wait()
        self._errors.seek(0)
        with self._errors:
            return status, self._errors.read()


def command(program, *flags) -> list[str]:
    """How a Python program of this checkout is called."""
    return [sys.executable, str(program), *flags]


def finish(command, folder, **options) -> tuple[int, str]:
    """Runs a command to its end; as Process.end."""
    with Process(command, folder, **options) as process:
        return process.end()


def observe(command, folder) -> tuple[Pace, int, str]:
    """Runs a command to its end and sees when it writes."""
    watch = Watch(folder)
    with Process(command, folder) as process:
        while process.is_running:
            watch.look()
            time.sleep(PAUSE)
        return Pace(watch.seconds, len(watch.writes)), *process.end()


def kill(command, folder, moment: Moment, pace: Pace, number) -> bool:
    """Kills a command and all that it started; False if it ended before."""
    watch = Watch(folder)
    with Process(command, folder) as process:
        while process.is_running:
            watch.look()
            if watch.first is not None and moment.is_now(watch, pace):
                status, _ = process.end(number)
                return status == -number
            time.sleep(PAUSE)
        process.end()
    return False


# To whom permissions apply, which they do not to root.
USERS = (
    User("nobody", number=65534),
    User(
        "root without its privilege",
        prefix=("setpriv", "--bounding-set=-dac_override,-dac_read_search"),
    ),
)


def other_user(folder) -> tuple[User | None, str]:
    """Finds a user to whom permissions apply.

    Nobody, or, where nobody may read this Python, root without the privilege
    to pass permissions over.

    Args:
        folder: where the user works.
    Returns: the user; or None, and why there is none.
    """
    if os.geteuid():
        return User(), ""
    reason = ""
    for user in USERS:
        test = [sys.executable, "-c", "import numpy, qmia_tf"]
        try:
            status, errors = finish(test, folder, user=user)
        except OSError as error:
            status, errors = 1, error.strerror
        if not status:
            return user, ""
        reason = reason or (errors.strip().splitlines() or ["it fails"])[-1]
    return None, f"no other user can run this Python: {reason}"


def give(folder: pathlib.Path, user: User) -> None:
    """Gives a folder and all in it to a user."""
    if user.number is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.number, user.number)
