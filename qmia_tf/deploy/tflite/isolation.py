"""A .tflite file in a process of its own, which may die, hang or overflow.

LiteRT's C++ code does not claim to be safe against hostile files.
"""

import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator
from numbers import Real

import numpy as np

from qmia_tf.deploy.tflite import bounds, model_file, worker
from qmia_tf.deploy.tflite.interpreter import NO_REASON
from qmia_tf.deploy.tflite.ports import Port
from qmia_tf.deploy.timing import Timing
from qmia_tf.errors import FileFailure, InputError, option

MODULE = "qmia_tf.deploy.tflite.worker"
MB = 10**6
# Starting the process, and opening the file.
START_SECONDS = 60.0
# Of a batch besides its records: the first takes at most some seconds more
# than others, and a busy machine may be away for a while.
BATCH_SECONDS = 30.0
# Of a record: on a slow board a large network takes less.
SECONDS, SECONDS_OF_MB, SECONDS_OF_VALUE = 0.5, 0.05, 1e-5
# The reference kernels take 30 to 70 times as long as the default ones.
TIMES = {"reference": 10}
BYTES, FILE_TIMES, RECORD_TIMES = 2 * 1024**3, 8, 64
MOST_CLASSES = 10**5
# Of timing.measure, at least.
TIMED_CALLS = 14
# What the C++ library says where memory ends.
OUT_OF_MEMORY = (
    *("bad_alloc", "out of memory", "length_error"),
    *("Failed to allocate", NO_REASON),
)


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a stranger's file may take.

    Attributes:
        timeout: seconds to open the file, and for each batch; None goes by
            the sizes of the file and the records.
        memory: in MB, besides what Python and LiteRT take; on Linux only.
            None likewise.
    Raises: InputError if one is not above 0.
    """

    timeout: float | None = None
    memory: float | None = None

    def __post_init__(self):
        for name in ("timeout", "memory"):
            limit = getattr(self, name)
            is_number = isinstance(limit, Real) and 0 < limit < float("inf")
            if limit is not None and not is_number:
                raise InputError(
                    f"file_{name} must be a number > 0, got {limit!r}"
                )

    def seconds(
        self,
        file_size: int,
        values: np.ndarray | None,
        *,
        kernels: str = "default",
    ) -> float:
        """For one call: to open a file, or to run a batch."""
        if self.timeout is not None:
            return self.timeout
        megabytes = file_size / MB
        if values is None:
            return START_SECONDS + megabytes
        of_record = SECONDS + SECONDS_OF_MB * megabytes
        of_records = of_record * len(values) + SECONDS_OF_VALUE * values.size
        return BATCH_SECONDS + TIMES.get(kernels, 1) * of_records

    def bytes(self, file_size: int, values: np.ndarray | None) -> int:
        """For one call; at most what the machine has."""
        if self.memory is not None:
            return int(self.memory * MB)
        count = 0 if values is None else 4 * values.size
        wanted = BYTES + FILE_TIMES * file_size + RECORD_TIMES * count
        return min(wanted, _machine_bytes() or wanted)


BY_SIZES = Limits()


class IsolatedInterpreter:
    """Interpreter, in a process of its own; the same outputs, bit for bit.

    `tensors` says of many scales only the first two.

    Args:
        limits: what the file may take.
        others: as Interpreter.
    Raises: InputError as Interpreter; FileFailure if the file is damaged, or
        its process dies or takes more than it may.
    """

    _shows_inside = False

    def __init__(
        self,
        path,
        *,
        limits: Limits,
        num_threads: int = 1,
        kernels: str = "default",
        signature: str | None = None,
    ):
        self.path = pathlib.Path(path)
        self._limits, self._kernels, self._answered = limits, kernels, 0
        self._moment = "when it was opened"
        content = model_file.read(self.path)
        self._file_size = len(content)
        self._seconds = limits.seconds(self._file_size, None)
        self._start()
        try:
            # Python and NumPy are loaded there meanwhile.
            bounds.check(content, self.path)
            self._options = {
                "num_threads": num_threads,
                "kernels": kernels,
                "signature": signature,
            }
            self._open(**self._options)
        except BaseException:
            self.close()
            raise

    def _open(self, **options):
        request = {
            "do": "open",
            "path": str(self.path),
            "bytes": self._limits.bytes(self._file_size, None),
            "inside": self._shows_inside,
            **options,
        }
        with self._watched():
            facts = self._ask(request)
            self.signature: str | None = facts["signature"]
            self.has_variables = bool(facts["has_variables"])
            self.output_step = float(facts["output_step"])
            self.input = _port(facts["input"])
            self.output = _port(facts["output"])
            self._ops = facts["ops"]
            self._tensors = list(map(_tensor, facts["tensors"]))
            self._require_classes(self.output.shape)
            self.layer: dict | None = facts["layer"]

    @property
    def fixed_batch(self) -> int | None:
        """The only batch size the file takes, or None."""
        size = self.input.shape[0]
        return size if size > 0 else None

    def ops(self) -> list[dict]:
        """Lists the ops: op_name, inputs and outputs."""
        return self._ops

    def tensors(self) -> list[dict]:
        """Lists index, name, dtype and quantization_parameters of tensors."""
        return self._tensors

    def run(self, values: np.ndarray) -> np.ndarray:
        """Runs one batch; see Interpreter."""
        with self._batch(values):
            answer = self._ask(self._request("run", values), values)
            rows = self._receive(answer["shape"], answer["dtype"], len(values))
        self._answered += len(values)
        return rows

    def measure(self, values: np.ndarray) -> Timing:
        """Times a batch, inside of the process: as timing.measure."""
        with self._batch(values, calls=TIMED_CALLS):
            return Timing(**self._ask(self._request("time", values), values))

    def reopened(self, kind: type, *args) -> "IsolatedInterpreter":
        """Opens the same file once more, as another kind of interpreter."""
        return kind(self.path, *args, limits=self._limits, **self._options)

    def close(self) -> None:
        """Ends the process."""
        self._end()

    def _receive(self, shape, dtype, count):
        shape, dtype = tuple(shape), np.dtype(dtype)
        self._require_classes(shape)
        if len(shape) != 2 or shape[0] != count:
            raise ValueError(f"outputs of shape {shape}")
        if dtype.kind not in "fiu":
            raise ValueError(f"outputs of {dtype}")
        return worker.receive_array(self._process.stdout, shape, dtype)

    def _start(self):
        # A hostile file may write without end: the worker has a limit for it.
        self._written = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._written,
        )
        self._end = weakref.finalize(self, _end, self._process, self._written)

    def _request(self, do, values):
        return {
            "do": do,
            "shape": values.shape,
            "dtype": values.dtype.str,
            "bytes": self._limits.bytes(self._file_size, values),
        }

    @contextlib.contextmanager
    def _batch(self, values, *, calls=1):
        last = self._answered + len(values) - 1
        self._moment = f"at record {self._answered}"
        if len(values) > 1:
            self._moment = f"at records {self._answered} to {last}"
        self._seconds = calls * self._limits.seconds(
            self._file_size, values, kernels=self._kernels
        )
        with self._watched():
            yield

    def _ask(self, request, values=None):
        payload = b"" if values is None else np.ascontiguousarray(values).data
        worker.send(self._process.stdin, request, payload)
        answer = worker.receive(self._process.stdout)
        if "error" not in answer:
            return answer
        text = str(answer["error"])
        kind = answer["kind"]
        if kind == worker.MEMORY or any(word in text for word in OUT_OF_MEMORY):
            raise self._out_of_memory()
        if kind == worker.OTHER:
            raise FileFailure(f"{self.path} cannot be run: {text}")
        raise (FileFailure if kind == worker.FAILURE else InputError)(text)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Kills a process that takes too long; says how one died."""
        if not self._end.alive:
            raise FileFailure(
                f"the process of {self.path} has ended: open it again"
            )
        late = threading.Event()

        def kill(process=self._process):
            late.set()
            process.kill()

        timer = threading.Timer(self._seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (EOFError, OSError) as error:
            raise self._died(late.is_set()) from error
        except InputError:
            raise
        # What a process sends that a file has taken over may be anything.
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            self.close()
            raise FileFailure(
                f"{self.path} made the TFLite runtime answer something "
                f"senseless {self._moment}"
            ) from error
        except BaseException:
            # An answer that nobody reads would be taken for the next.
            self.close()
            raise
        finally:
            timer.cancel()

    def _died(self, is_late):
        process = self._process
        try:
            code = process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        written = self._last_words()
        self.close()
        if is_late:
            return FileFailure(
                f"{self.path} made the TFLite runtime take more than "
                f"{self._seconds:g} s {self._moment}, and it was ended: give "
                f"{option('file_timeout')} if it needs more"
            )
        if any(word in written for word in OUT_OF_MEMORY):
            return self._out_of_memory()
        how = f"end (status {code})"
        if code < 0:
            how = f"crash (signal {-code}{_signal_name(-code)})"
        return FileFailure(
            f"{self.path} made the TFLite runtime {how} {self._moment}: the "
            "file is damaged, or LiteRT has a defect"
        )

    def _out_of_memory(self):
        return FileFailure(
            f"{self.path} made the TFLite runtime run out of memory "
            f"{self._moment}: give {option('file_memory')} (MB) if it needs "
            "more"
        )

    def _last_words(self):
        self._written.seek(0)
        return self._written.read(worker.MOST_WRITTEN).decode(errors="replace")

    def _require_classes(self, shape):
        if any(size > MOST_CLASSES for size in shape[1:]):
            raise FileFailure(
                f"{self.path} outputs {list(shape)}: more than {MOST_CLASSES} "
                "numbers a record are not taken for classes"
            )


def _end(process, written):
    process.kill()
    process.wait()
    for file in (process.stdin, process.stdout, written):
        # Of what was not sent yet, nothing is left to be sent.
        with contextlib.suppress(OSError):
            file.close()


def _environment():
    paths = [path for path in sys.path if path]
    package = str(pathlib.Path(__file__).resolve().parents[3])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([package, *paths])}


def _port(facts):
    dtype = np.dtype(facts["dtype"])
    if dtype.kind not in "fiuc":
        raise ValueError(f"a port of {dtype}")
    return Port(
        index=int(facts["index"]),
        shape=tuple(map(int, facts["shape"])),
        dtype=dtype.type,
        step=float(facts["step"]),
        zero_point=int(facts["zero_point"]),
    )


def _tensor(facts):
    return {**facts, "dtype": np.dtype(facts["dtype"]).type}


def _signal_name(number):
    try:
        return f", {signal.Signals(number).name}"
    except ValueError:
        return ""


def _machine_bytes():
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
