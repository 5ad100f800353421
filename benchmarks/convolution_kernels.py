"""Looks for convolutions that TensorFlow's oneDNN kernels get wrong.

    python benchmarks/convolution_kernels.py
    python benchmarks/convolution_kernels.py --threads=1 --kernels=1

Computes convolutions, depthwise and transposed ones of many shapes, and both
gradients, with oneDNN on one, two and four threads, under glibc's heap
checks, and again without oneDNN. Every number of channels has a process of
its own. Says of each kind, kernel and strides with which numbers of channels
(the kernel's third axis) something is wrong:

    crash    the process died (SIGSEGV, or a damaged heap)
    differ   a number is not that of TensorFlow's own kernels, by more than
             TOLERANCE of the largest
    waver    the same call twice gave other bits

Found on 30 November 2026 (TensorFlow 2.21.0, AMD EPYC with AVX2, one thread,
--kernels=1): 41 of 156 cells crash, and none else is wrong. Convolutions and
transposed ones with strides (2, 2) and 1 to 6 channels, with (2, 1) and
(1, 2) and 1 to 7; depthwise with (2, 2) and one channel, which TensorFlow
computes as a plain convolution. Stride 1, (3, 3), and 8 channels or more are
right. It is the gradient of the kernel that does it. On two and four threads
31 and 32 of the same cells are wrong: none dies, but the kernel gradient
differs from the right one, or from call to call.
"""

import collections
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import numpy as np
from absl import flags

from qmia_tf.programs import program

FLAGS = flags.FLAGS
KINDS = ("conv", "depthwise", "transpose")
STRIDES = ((1, 1), (2, 2), (3, 3), (2, 1), (1, 2))
CHANNELS = (*range(1, 11), 12, 16)
OTHERS = {"conv": (1, 4, 8, 12), "depthwise": (1, 2), "transpose": (4, 8)}
BATCHES = (2, 16)
SIZE = 8
# Of float32 sums of some thousand products in another order.
TOLERANCE = 1e-4
HEAP_CHECKS = "libc_malloc_debug.so.0"
DIED = "died.json"
LONGEST = 300
CELLS = "cells.json"
RESULTS = ("result", "input gradient", "kernel gradient")


def define_flags():
    """Defines the flags."""
    flags.DEFINE_list("threads", ["1", "2", "4"], "intra-op threads")
    flags.DEFINE_list("kernels", ["1", "3", "7"], "kernel sizes")
    flags.DEFINE_string("inner", None, "a folder (inner use)")


def main(argv):
    """Runs every cell and prints what is not right."""
    del argv
    if FLAGS.inner:
        return compute(pathlib.Path(FLAGS.inner))
    todo = cells()
    with tempfile.TemporaryDirectory() as folder:
        right = pathlib.Path(folder, "right")
        run_all(todo, right, threads="1", onednn="0")
        for threads in FLAGS.threads:
            onednn_folder = pathlib.Path(folder, threads)
            died = run_all(todo, onednn_folder, threads=threads, onednn="1")
            faults = {number: "crash" for number in died}
            for number in set(range(len(todo))) - set(died):
                symptom = fault(
                    onednn_folder / f"{number}.npz", right / f"{number}.npz"
                )
                if symptom:
                    faults[number] = symptom
            show(todo, faults, threads)


def cells():
    """Returns [kind, kernel, strides, channels] of every cell."""
    kernels = [int(kernel) for kernel in FLAGS.kernels]
    return [
        cell
        for cell in itertools.product(KINDS, kernels, STRIDES, CHANNELS)
        # The kernels without oneDNN refuse depthwise with unequal strides.
        if cell[0] != "depthwise" or cell[2][0] == cell[2][1]
    ]


def run_all(todo, folder, *, threads, onednn):
    """Runs all cells, each in a process of its own.

    Returns: numbers of the cells that killed one.
    """
    folder.mkdir()
    (folder / CELLS).write_text(json.dumps(todo))
    environment = {
        **os.environ,
        "TF_ENABLE_ONEDNN_OPTS": onednn,
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": "1",
        "OMP_NUM_THREADS": threads,
        "LD_PRELOAD": HEAP_CHECKS,
        "GLIBC_TUNABLES": "glibc.malloc.check=3",
    }
    command = [sys.executable, __file__, f"--inner={folder}"]
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True
    )
    if ended.returncode:
        raise RuntimeError(ended.stderr)
    return json.loads((folder / DIED).read_text())


def fault(tested_file, right):
    """Returns what is wrong with a cell that killed nothing, or ""."""
    with np.load(tested_file) as ours, np.load(right) as theirs:
        if ours["wavers"]:
            return "waver"
        wrong = {
            RESULTS[int(name.rpartition(" ")[2])]
            for name in ours.files
            if name != "wavers" and not close(ours[name], theirs[name])
        }
    return f"differ ({', '.join(sorted(wrong))})" if wrong else ""


def close(array, right):
    """Whether two arrays differ by rounding alone."""
    return np.abs(array - right).max() <= TOLERANCE * np.abs(right).max()


def show(todo, faults, threads):
    """Prints the faults under a number of threads, a line each."""
    lines = collections.defaultdict(list)
    for number, symptom in sorted(faults.items()):
        kind, kernel, strides, channels = todo[number]
        name = f"{kind} {kernel}x{kernel}, strides {strides}: {symptom}"
        lines[name].append(channels)
    threads = f"{threads} thread{'' if threads == '1' else 's'}"
    print(f"{threads}: {len(todo)} cells, {len(faults)} not right", flush=True)
    for name, channels in lines.items():
        print(f"    {name}, channels {channels}", flush=True)


def compute(folder):
    """Computes every cell in a fork of this process; notes which died."""
    # TensorFlow starts its threads with its first op: until then it may fork.
    import tensorflow  # noqa: F401

    died = []
    for number, cell in enumerate(json.loads((folder / CELLS).read_text())):
        child = os.fork()
        if not child:
            # A damaged heap may also end in a wait without end.
            signal.alarm(LONGEST)
            compute_cell(*cell, file=folder / f"{number}.npz")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            died.append(number)
        elif status:
            sys.exit(f"cell {cell} failed")
    (folder / DIED).write_text(json.dumps(died))


def compute_cell(kind, kernel, strides, channels, *, file):
    """Computes a cell twice and keeps its numbers."""
    # A 1x1 kernel is never padded.
    paddings = ("SAME", "VALID") if kernel > 1 else ("VALID",)
    arrays, wavers = {}, False
    for shape in itertools.product(OTHERS[kind], BATCHES, paddings):
        case = kind, kernel, strides, channels, *shape
        first, again = numbers(*case), numbers(*case)
        wavers |= any(
            not np.array_equal(*pair) for pair in zip(first, again, strict=True)
        )
        for place, array in enumerate(first):
            arrays[f"{' '.join(map(str, shape))} {place}"] = array
    np.savez(file, wavers=wavers, **arrays)


def numbers(kind, kernel, strides, channels, filters, batch, padding):
    """Returns result, input gradient and kernel gradient of one shape."""
    import tensorflow as tf

    random = np.random.default_rng(0)

    def normal(*shape):
        return tf.constant(random.normal(size=shape).astype(np.float32))

    image = batch, SIZE, SIZE, channels
    weights = normal(kernel, kernel, channels, filters)
    window = {"strides": (1, *strides, 1), "padding": padding}
    x = normal(*image)
    if kind == "transpose":
        # Back from what a convolution would make of the image.
        x = normal(*tf.nn.conv2d(x, weights, **window).shape)
    operation = {
        "conv": tf.nn.conv2d,
        "depthwise": tf.nn.depthwise_conv2d,
        "transpose": lambda x, weights, **window: tf.nn.conv2d_transpose(
            x, weights, image, **window
        ),
    }[kind]
    with tf.GradientTape() as tape:
        tape.watch([x, weights])
        y = operation(x, weights, **window)
    gradients = tape.gradient(y, [x, weights], normal(*y.shape))
    return [part.numpy() for part in (y, *gradients)]


if __name__ == "__main__":
    program.run(sys.modules[__name__])
