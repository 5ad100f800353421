"""A stage is disturbed, repeated, and compared with an undisturbed run."""

import contextlib
import dataclasses
import os
import pathlib
import random
import shutil
import signal
import subprocess

import by_value
import processes
from processes import Moment, Pace
from stages import STAGES, Stage

EQUAL = "equal"
# A kill that comes too late is drawn again, earlier.
TRIES, EARLIER = 4, 0.7
PAGE = 4096
ROOM = 1 << 30


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One disturbance.

    Attributes:
        stage: which.
        what: SIGKILL, SIGTERM, full disk, ...
        moment: when, or how.
        result: EQUAL, or what is wrong.
        is_skipped: it could not be tried; result says why.
    """

    stage: str
    what: str
    moment: str
    result: str
    is_skipped: bool = False

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return self.is_skipped or self.result == EQUAL


class Trial:
    """A stage with an undisturbed run of it.

    Args:
        name: of the stage.
        folder: for all that is made.
        before: what is there before the stage.
        stage: None takes that of STAGES.
    Raises: RuntimeError if it fails undisturbed.
    """

    def __init__(self, name, folder, before, *, stage: Stage | None = None):
        self.name, self.stage = name, stage or STAGES[name]
        self.before = before
        self._folder, self._places = folder / name, 0
        self.whole = self.copy()
        self.pace: Pace
        self.pace, status, errors = processes.observe(
            self.stage.command, self.whole
        )
        if status:
            raise RuntimeError(f"{name} ended with {status}: {errors}")

    def new_place(self) -> pathlib.Path:
        """Names a folder that is not there yet."""
        self._places += 1
        self._folder.mkdir(exist_ok=True)
        return self._folder / str(self._places)

    def fill(self, place: pathlib.Path) -> None:
        """Copies to a folder what is there before."""
        shutil.copytree(self.before, place, dirs_exist_ok=True)

    def copy(self) -> pathlib.Path:
        """Makes a copy of what is there before."""
        place = self.new_place()
        self.fill(place)
        return place

    def new_files(self) -> list[pathlib.Path]:
        """The files that the stage makes or changes, as relative paths."""
        paths = (x.relative_to(self.whole) for x in self.whole.rglob("*"))
        return sorted(x for x in paths if self._is_new(x))

    def _is_new(self, path):
        if not (self.whole / path).is_file() or path.name.startswith("."):
            return False
        old = self.before / path
        return (
            not old.is_file()
            or old.read_bytes() != (self.whole / path).read_bytes()
        )

    def repeat(self, place: pathlib.Path, **options) -> str:
        """Runs the command again and compares; options of Process."""
        status, errors = processes.finish(self.stage.command, place, **options)
        if status:
            return f"ended with {status}: {_line(errors)}"
        lines = by_value.differences(self.whole, place, timed=self.stage.timed)
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        return f"differs: {lines[0]}{more}" if lines else EQUAL


def kill(trial: Trial, draw: random.Random, number: int) -> Outcome:
    """Kills it at a random moment: by the clock, or while it writes."""
    sign = processes.SIGNALS[number % 2]
    is_by_clock = number % 4 < 2
    moment = Moment(share=draw.uniform(0, 1))
    if not is_by_clock and trial.pace.writes:
        moment = Moment(write=draw.randint(1, trial.pace.writes))
    name = signal.Signals(sign).name
    for _ in range(TRIES):
        place = trial.copy()
        if processes.kill(trial.stage.command, place, moment, trial.pace, sign):
            result = trial.repeat(place)
            _remove(place, result)
            return Outcome(trial.name, name, str(moment), result)
        shutil.rmtree(place)
        share = draw.uniform(0, 1) if moment.share is None else moment.share
        moment = Moment(share=share * EARLIER)
    reason = "it had ended every time"
    return Outcome(trial.name, name, str(moment), reason, is_skipped=True)


def fill(trial: Trial, draw: random.Random, number: int) -> Outcome:
    """Lets it run where there is too little space; then there is more.

    On a small disk, and where none can be mounted, and every second time,
    under a limit on the size of files.
    """
    share = draw.uniform(0.1, 0.9)
    if number % 2:
        return _limit_files(trial, share)
    place = trial.new_place()
    place.mkdir()
    sizes = _on_disk(trial.before), _on_disk(trial.whole)
    size = int(sizes[0] + share * (sizes[1] - sizes[0]))
    with _small_disk(place, size) as grow:
        if grow is None:
            return _limit_files(trial, share)
        trial.fill(place)
        status, errors = processes.finish(trial.stage.command, place)
        result = _complaint(status, errors)
        grow()
        result = result or trial.repeat(place)
        if result != EQUAL:
            shutil.copytree(place, trial.new_place())
    moment = f"at {share:.0%} of what it writes: status {status}"
    return Outcome(trial.name, "full disk", moment, result)


def _limit_files(trial, share):
    """Lets it run where no file may be large."""
    largest = max((trial.whole / x).stat().st_size for x in trial.new_files())
    place = trial.copy()
    size = max(int(share * largest), 1)
    status, errors = processes.finish(
        trial.stage.command, place, file_bytes=size
    )
    result = _complaint(status, errors) or trial.repeat(place)
    _remove(place, result)
    moment = f"{size:,} bytes: status {status}"
    return Outcome(trial.name, "file limit", moment, result)


def forbid(trial: Trial, draw: random.Random, number: int) -> Outcome:
    """Takes a permission away: to write a folder, or to read a file."""
    what = ("write", "read")[number % 2]
    kind = f"may not {what}"
    place = trial.copy()
    user, reason = processes.other_user(place)
    if user is None:
        shutil.rmtree(place)
        return Outcome(trial.name, kind, "", reason, True)
    if what == "write":
        files = [place / path for path in trial.new_files()]
        forbidden = draw.choice(sorted({_folder_now(file) for file in files}))
    else:
        forbidden = draw.choice(
            sorted(x for x in place.rglob("*") if x.is_file())
        )
    processes.give(place, user)
    mode = forbidden.stat().st_mode
    forbidden.chmod(0o555 if what == "write" else 0)
    status, errors = processes.finish(trial.stage.command, place, user=user)
    result = _complaint(status, errors)
    forbidden.chmod(mode)
    result = result or trial.repeat(place, user=user)
    shown = forbidden.relative_to(place).as_posix()
    moment = f"{shown}, {user.name}: status {status}"
    _remove(place, result)
    return Outcome(trial.name, kind, moment, result)


def _folder_now(path):
    """The folder that is there, in which a file or its folder is made."""
    return next(x for x in path.parents if x.is_dir())


def _complaint(status, errors):
    """What is wrong with how it stopped; None if nothing is.

    It may also have ended well, without what was taken away.
    """
    lines = [x for x in errors.splitlines() if x.startswith("error: ")]
    if status and (status != 2 or len(lines) != 1 or "Traceback" in errors):
        return f"stopped with {status}: {_line(errors)}"
    return None


def _line(errors):
    return (errors.strip().splitlines() or ["(nothing on stderr)"])[-1][:300]


def _remove(place, result):
    """What is wrong is kept, to be looked at."""
    if result == EQUAL:
        shutil.rmtree(place)


def _on_disk(folder):
    """Bytes of a folder in whole pages."""
    paths = [folder, *folder.rglob("*")]
    sizes = (x.stat().st_size if x.is_file() else 1 for x in paths)
    return sum(-(-size // PAGE) * PAGE for size in sizes)


@contextlib.contextmanager
def _small_disk(place, size):
    """Mounts a file system of some bytes; gives what enlarges it, or None."""
    if not _mount("-t", "tmpfs", "-o", f"size={size}", "qmia", place):
        yield None
        return
    try:
        yield lambda: _mount("-o", f"remount,size={ROOM}", place)
    finally:
        subprocess.run(["umount", place], check=True)


def _mount(*arguments):
    if os.geteuid() or not shutil.which("mount"):
        return False
    done = subprocess.run(["mount", *arguments], capture_output=True)
    return done.returncode == 0
