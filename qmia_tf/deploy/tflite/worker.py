"""Runs one .tflite file for another process, under a limit of memory.

isolation.py starts it: `python -m qmia_tf.deploy.tflite.worker`. Requests come
on its standard input, answers go to its standard output: a line of JSON
behind its length, then the numbers of an array. Needs NumPy and
ai-edge-litert only.
"""

import contextlib
import dataclasses
import json
import mmap
import os
import pathlib
import signal
import struct
import sys
import threading
import time

import numpy as np

from qmia_tf.deploy import timing
from qmia_tf.deploy.tflite.interpreter import Interpreter
from qmia_tf.errors import FileFailure, InputError

MOST_HEADER = 2**28
# Stacks and arenas of a thread, without the file.
THREAD_BYTES = 2**28
# What LiteRT writes to standard error goes to a file of at most so many.
MOST_WRITTEN = 2**20
INPUT, FAILURE, MEMORY, OTHER = "input", "failure", "memory", "other"


def send(file, header: dict, payload=b"") -> None:
    """Writes a message: its header, then the numbers of an array."""
    text = json.dumps(header).encode()
    file.write(struct.pack("<Q", len(text)) + text)
    file.write(payload)
    file.flush()


def receive(file) -> dict:
    """Reads a header.

    Raises: EOFError if the other process has ended, ValueError if it wrote
        something else.
    """
    start = file.read(8)
    if len(start) < 8:
        raise EOFError
    (length,) = struct.unpack("<Q", start)
    if length > MOST_HEADER:
        raise ValueError(f"a header of {length} bytes")
    text = file.read(length)
    if len(text) < length:
        raise EOFError
    return json.loads(text)


def receive_array(file, shape, dtype) -> np.ndarray:
    """Reads the numbers of an array.

    Raises: EOFError if the other process ended before all were there.
    """
    rows = np.empty(shape, dtype)
    if file.readinto(rows.reshape(-1).view(np.uint8)) < rows.nbytes:
        raise EOFError
    return rows


class _Worker:
    def __init__(self, source, sink):
        self._source, self._sink = source, sink
        self._model = None
        # Bytes of address space that are taken without the file.
        self._taken = 0

    def serve(self):
        """Answers until the other process closes its end."""
        while True:
            try:
                request = receive(self._source)
            except EOFError:
                return
            do = {
                "open": self._open,
                "run": self._run,
                "run_inside": self._run_inside,
                "time": self._time,
            }
            try:
                answer, payload = do[request["do"]](request)
            except FileFailure as error:
                answer, payload = {"error": str(error), "kind": FAILURE}, b""
            except InputError as error:
                answer, payload = {"error": str(error), "kind": INPUT}, b""
            except MemoryError:
                answer, payload = {"error": "", "kind": MEMORY}, b""
            except Exception as error:
                text = " ".join(f"{type(error).__name__}: {error}".split())
                answer, payload = {"error": text[:300], "kind": OTHER}, b""
            send(self._sink, answer, payload)

    def _open(self, request):
        import ai_edge_litert.interpreter  # noqa: F401

        self._taken = _taken() + request["num_threads"] * THREAD_BYTES
        _allow(self._taken + request["bytes"])
        self._model = model = _kind(request["inside"])(
            request["path"],
            num_threads=request["num_threads"],
            kernels=request["kernels"],
            signature=request["signature"],
        )
        return {
            "signature": model.signature,
            "has_variables": model.has_variables,
            "output_step": model.output_step,
            "input": _port(model.input),
            "output": _port(model.output),
            "ops": [
                {
                    "op_name": op["op_name"],
                    "inputs": list(map(int, op["inputs"])),
                    "outputs": list(map(int, op["outputs"])),
                }
                for op in model.ops()
            ],
            "tensors": list(map(_tensor, model.tensors())),
            "layer": model.layer.facts if request["inside"] else None,
        }, b""

    def _values(self, request):
        _allow(self._taken + request["bytes"])
        return receive_array(self._source, request["shape"], request["dtype"])

    def _run(self, request):
        rows = np.ascontiguousarray(self._model.run(self._values(request)))
        return {"shape": rows.shape, "dtype": rows.dtype.str}, rows.data

    def _run_inside(self, request):
        arrays = [
            np.ascontiguousarray(array)
            for array in self._model.run_inside(self._values(request))
        ]
        kinds = [(array.shape, array.dtype.str) for array in arrays]
        payload = b"".join(array.tobytes() for array in arrays)
        return {"arrays": kinds}, payload

    def _time(self, request):
        values = self._values(request)
        timed = timing.measure(lambda: self._model.run(values))
        return dataclasses.asdict(timed), b""


def _kind(inside):
    """The interpreter that shows what is inside, or the one that does not."""
    if not inside:
        return Interpreter
    from qmia_tf.deploy.tflite.inside_interpreter import InsideInterpreter

    return InsideInterpreter


def _port(port):
    return {**dataclasses.asdict(port), "dtype": np.dtype(port.dtype).str}


def _tensor(tensor):
    # Of many scales it is enough to know that there are several.
    grid = tensor["quantization_parameters"]
    return {
        "index": int(tensor["index"]),
        "name": tensor["name"],
        "dtype": np.dtype(tensor["dtype"]).str,
        "quantization_parameters": {
            name: grid[name][:2].tolist() for name in ("scales", "zero_points")
        },
    }


def _taken() -> int:
    """Bytes of address space of this process; 0 where it cannot be limited."""
    if sys.platform != "linux":
        return 0
    pages = pathlib.Path("/proc/self/statm").read_text().split()[0]
    return int(pages) * mmap.PAGESIZE


def _allow(limit: int) -> None:
    """Lets this process take so many bytes; on Linux only."""
    if sys.platform != "linux":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = _at_most(limit, resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))


def _at_most(limit: int, kind: int) -> int:
    """A limit, or the one of the system if that is lower."""
    import resource

    _, most = resource.getrlimit(kind)
    return limit if most == resource.RLIM_INFINITY else min(limit, most)


def _restrain() -> None:
    """Is the first to be killed where memory ends; writes no large files."""
    if sys.platform != "linux":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    size = _at_most(MOST_WRITTEN, resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/oom_score_adj").write_text("1000")


def _end_with(parent: int) -> None:
    """Ends when the process that started this one is gone."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main() -> None:
    """Serves the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sink = os.fdopen(os.dup(1), "wb")
    # What a library prints must not come between the answers.
    os.dup2(2, 1)
    _restrain()
    threading.Thread(
        target=_end_with, args=(os.getppid(),), daemon=True
    ).start()
    _Worker(sys.stdin.buffer, sink).serve()


if __name__ == "__main__":
    main()
