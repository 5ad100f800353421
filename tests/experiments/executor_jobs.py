"""What the tests of executors run; resumable, as a training is."""

import os
import pathlib
import signal
import time


def count(shared, *, folder, last, die_at=None, seconds=0.0):
    """Counts to `last`, a file a number; may be killed once, at a number."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(last):
        path = folder / f"{number}"
        if path.exists():
            continue
        killed = folder / "killed"
        if number == die_at and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(seconds)
        path.write_text(str(shared[0] * number))
    threads = os.environ.get("TF_NUM_INTRAOP_THREADS")
    print(f"counted with {threads} threads")


def die(shared):
    os.kill(os.getpid(), signal.SIGKILL)


def fail(shared, *, message):
    raise ValueError(message)
