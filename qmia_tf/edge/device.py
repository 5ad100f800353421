"""What a machine is, and how much memory this process has needed."""

import importlib.metadata
import os
import pathlib
import platform
import re
import sys

CPUINFO = pathlib.Path("/proc/cpuinfo")
STATUS = pathlib.Path("/proc/self/status")
PACKAGES = ("ai-edge-litert", "numpy")


def facts() -> dict:
    """Describes the machine.

    Returns: platform, machine, cpu (its model) and board (None where
        the system does not say), cores (that this process may use), python
        and the versions of what computes.
    """
    cpu, board = _processor(_read(CPUINFO))
    return {
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu": cpu,
        "board": board,
        "cores": cores(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def cores() -> int:
    """Counts the processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def peak_memory() -> int | None:
    """The most resident bytes this process has held so far, with libraries.

    None where the system does not count.
    """
    # Linux's getrusage also counts what the starting process held.
    match = re.search(r"^VmHWM:\s*(\d+) kB", _read(STATUS), re.MULTILINE)
    if match:
        return int(match[1]) * 1024
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In KiB, but on macOS in bytes.
    return most if sys.platform == "darwin" else most * 1024


def _read(path):
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _processor(cpuinfo):
    """Finds the models of processor and board; each None if not said."""
    pairs = [line.split(":", 1) for line in cpuinfo.splitlines() if ":" in line]
    fields = {key.strip(): value.strip() for key, value in pairs}
    cpu = fields.get("model name") or fields.get("Hardware")
    if cpu is None and "CPU part" in fields:
        maker, part = fields.get("CPU implementer", "?"), fields["CPU part"]
        cpu = f"implementer {maker}, part {part}"
    return cpu or platform.processor() or None, fields.get("Model")


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
