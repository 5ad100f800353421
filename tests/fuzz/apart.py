"""Reads damaged files of one kind in a process that they may kill.

    python tests/fuzz/apart.py KIND

Folders come on its standard input, what became of each goes to its standard
output, a line of JSON each.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading
import warnings

import kinds

from qmia_tf.errors import InputError

SECONDS = 120
# Beside what TensorFlow takes: none of the files is larger than 1 MB.
MEMORY = 4 << 30


class Reader:
    """A process that reads files of one kind; started when it is needed."""

    def __init__(self, name: str):
        self._name = name
        self._process = None

    def read(self, folder: pathlib.Path) -> None:
        """Reads what lies in a folder.

        Raises: InputError as the process does; AssertionError if it raises
            anything else, dies, or takes too long.
        """
        process = self._process = self._process or self._started()
        timer = threading.Timer(SECONDS, process.kill)
        timer.start()
        try:
            process.stdin.write(f"{folder}\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if not line:
            self.close()
            raise AssertionError(f"the process died: {process.returncode}")
        kind, text = json.loads(line)
        if kind == "InputError":
            raise InputError(text)
        if kind:
            raise AssertionError(text)

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
        self._process = None

    def _started(self):
        return subprocess.Popen(
            [sys.executable, __file__, self._name],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(
                    path for path in sys.path if path
                ),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


def _limit():
    import resource

    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _outcome(kind, folder):
    try:
        kind.read(folder)
    except InputError as error:
        return "InputError", str(error)
    except Exception as error:
        import traceback

        return type(error).__name__, traceback.format_exc()[-3000:]
    return None, ""


def main() -> None:
    """Answers until the other process closes its end."""
    kind = kinds.ALL[sys.argv[1]]
    answers = os.fdopen(os.dup(1), "w")
    # What a library prints must not come between the answers.
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    if kind.suffix != ".tflite":
        from qmia_tf import quiet

        quiet.start_tensorflow()
        if sys.platform == "linux":
            _limit()
    for line in sys.stdin:
        print(
            json.dumps(_outcome(kind, pathlib.Path(line.rstrip("\n")))),
            file=answers,
            flush=True,
        )


if __name__ == "__main__":
    main()
