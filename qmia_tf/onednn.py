"""How this process's TensorFlow computes: with oneDNN or not, its threads.

TensorFlow takes oneDNN's kernels by itself only on processors with AVX-512 or
newer. Elsewhere the variable below, set before TensorFlow is imported, makes
it. Programs and tests call `prefer`; importing the library sets nothing.
Another setting, or another number of threads, adds in another order: the last
bits of a trained weight follow from both.
"""

import contextlib
import functools
import os
import pathlib
import platform
import sys

from qmia_tf.errors import InputError

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"
THREADS = "TF_NUM_INTRAOP_THREADS"


def prefer():
    """Asks for oneDNN's kernels, unless the user chose.

    Of use only before TensorFlow is imported.
    """
    os.environ.setdefault(VARIABLE, "1")


def is_on() -> bool:
    """Whether this process's TensorFlow computes with oneDNN's kernels.

    TensorFlow's own answer, from the variable and the processor as it found
    them: what the variable says later changes nothing.
    """
    from tensorflow.python.util import _pywrap_util_port

    return bool(_pywrap_util_port.IsMklEnabled())


def threads() -> int:
    """How many threads TensorFlow computes one op with."""
    import tensorflow as tf

    text = os.environ.get(THREADS, "")
    return (
        tf.config.threading.get_intra_op_parallelism_threads()
        or (int(text) if text.isdecimal() else 0)
        or _processors()
    )


def _processors():
    """Those that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def record() -> dict:
    """What config.json and checkpoints say of the process that trained.

    Returns: onednn, a bool, intra_op_threads, an int, and processor, a text.
    """
    return {
        "onednn": is_on(),
        "intra_op_threads": threads(),
        "processor": processor(),
    }


def processor() -> str:
    """Names this machine's processor, as its system does."""
    with contextlib.suppress(OSError):
        # Elsewhere than on Linux there is no such file.
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            key, _, name = line.partition(":")
            if key.strip() == "model name":
                return name.strip()
    return platform.processor() or platform.machine()


def is_record(value) -> bool:
    """Whether a value is what `record` gives."""
    return (
        isinstance(value, dict)
        and type(value.get("onednn")) is bool
        and type(value.get("intra_op_threads")) is int
    )


def described(settings) -> str:
    """Says a record in words: "oneDNN on, 2 threads".

    Args:
        settings: what `record` gave.
    """
    count = settings["intra_op_threads"]
    return (
        f"oneDNN {'on' if settings['onednn'] else 'off'}, {count} "
        f"thread{'' if count == 1 else 's'}"
    )


def wanted(settings) -> str:
    """Names the variables that make a process compute like a record.

    Args:
        settings: what `record` gave in another process.
    Returns: str, those that differ here; empty if none does.
    """
    here = record()
    values = {
        "onednn": f"{VARIABLE}={int(settings['onednn'])}",
        "intra_op_threads": f"{THREADS}={settings['intra_op_threads']}",
    }
    return " and ".join(
        text for key, text in values.items() if settings[key] != here[key]
    )


@contextlib.contextmanager
def explaining(name):
    """Turns what TensorFlow's kernels refuse into an error with a way out.

    Without oneDNN they refuse channels_first, and depthwise convolutions with
    unequal strides.

    Args:
        name: the target's.
    Raises: InputError.
    """
    import tensorflow as tf

    kinds = tf.errors.InvalidArgumentError, tf.errors.UnimplementedError
    try:
        yield
    except kinds as error:
        reason = error.message.partition("[[{{node")[0]
        reason = " ".join(reason.rpartition("}}")[2].split())[:300].rstrip(".")
        advice = (
            "; oneDNN is off, and its kernels may compute it: set "
            f"{VARIABLE}=1 before TensorFlow is imported"
        )
        raise InputError(
            f"target {name!r} cannot be computed by TensorFlow: {reason}"
            + ("" if is_on() else advice)
        ) from error


@functools.cache
def say_if_off():
    """Says, once a process, that oneDNN is off and what that costs.

    Nothing is said where TensorFlow has no oneDNN to switch on (other
    processors than x86, macOS) or trains on a GPU.
    """
    import tensorflow as tf
    from tensorflow.python.util import _pywrap_util_port

    from qmia_tf import terminal

    could = _pywrap_util_port.IsX86Available() and sys.platform != "darwin"
    if is_on() or not could or tf.config.list_physical_devices("GPU"):
        return
    terminal.say(
        "oneDNN is off in this TensorFlow: without it training a ResNet-18 "
        "took seven times as long (AMD EPYC with AVX2, two cores); set "
        f"{VARIABLE}=1 before TensorFlow is imported"
    )
