"""The side environment in which benchmarks/attacks.py runs its peer."""

import pathlib
import subprocess
import sys
import venv
import zipfile

from qmia_tf.errors import InputError

PYTHON = (3, 11)
PINS = (
    "numpy==1.26.4",
    "scikit-learn==1.5.2",
    "scipy<1.14",
    "pandas==2.2.3",
    "statsmodels==0.14.2",
    "immutabledict",
    "matplotlib",
)
PEER = "tensorflow-privacy==0.8.12"
WORKER = pathlib.Path(__file__).with_name("attacks_peer.py")


class Peer:
    """The peer, waiting in a process of its own for work."""

    def __init__(self, work_dir, data):
        """Makes the environment if it is not there, and starts the worker.

        Args:
            work_dir: folder of the environment.
            data: folder of the arrays, see attacks_peer.py.
        """
        python, wheel = environment(pathlib.Path(work_dir))
        # Its warnings about rates of 0 are its own.
        command = (python, "-E", "-W", "ignore", WORKER, wheel, data)
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, job) -> float:
        """Runs "threshold" or "lira" once; returns what it took."""
        self._process.stdin.write(f"{job}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the peer stopped during {job!r}")
        return float(answer)

    def close(self):
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()


def environment(folder):
    """Makes a venv with the pinned packages, once.

    The peer's own requirements ask for TensorFlow and for packages that no
    longer fit each other, so its wheel is only unpacked.

    Args:
        folder: pathlib.Path.
    Returns: path of its Python, folder of the unpacked wheel.
    Raises: InputError if the running Python is not 3.11.
    """
    if sys.version_info[:2] != PYTHON:
        raise InputError(
            f"{PEER} needs Python 3.11 and this is {sys.version.split()[0]}: "
            "run the benchmark with Python 3.11, or without it: --nopeer"
        )
    python, wheel = folder / "venv" / "bin" / "python", folder / "wheel"
    # The wheel is unpacked last, under its name when it is whole.
    if wheel.is_dir():
        return python, wheel
    folder.mkdir(parents=True, exist_ok=True)
    print(f"making {folder} (once, some minutes)", flush=True)
    venv.create(folder / "venv", with_pip=True, clear=True)
    pip = [str(python), "-E", "-m", "pip", "-qq"]
    subprocess.run([*pip, "install", *PINS], check=True)
    subprocess.run(
        [*pip, "download", "--no-deps", f"--dest={folder}", PEER], check=True
    )
    [archive] = folder.glob("tensorflow_privacy-*.whl")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder / "unpacked")
    (folder / "unpacked").rename(wheel)
    return python, wheel
