"""Measures a .tflite file on this machine and stores its outputs."""

import pathlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qmia_tf import files, locks, outputs, terminal
from qmia_tf.deploy import timing
from qmia_tf.edge import device, device_data, resumable_queries
from qmia_tf.errors import InputError
from qmia_tf.outputs import repeatability, validation
from qmia_tf.targets.tflite_target import TFLiteTarget

SCHEMA_VERSION = 1
USUAL_THREADS = (1, 2, 4)
MOST_CALLS = 10_000


def evaluate(
    model: Path,
    data: Path,
    out: Path,
    *,
    threads: Sequence[int] | None = None,
    kernels: str = "default",
    logits: bool = False,
    batch_size: int = 100,
    seconds: float = 1.0,
    signature: str | None = None,
    progress: bool = True,
) -> dict:
    """Times a file, queries every record and saves the outputs.

    Latency is the time of one image, throughput that of a whole batch. The
    records are queried with the most threads of those timed. Killed and
    started again, it goes on there and saves the same outputs.

    Args:
        model: the .tflite file.
        data: the data file, see device_data.
        out: where the outputs go, see outputs.Outputs.
        threads: numbers of them to time with; None takes 1, 2 and 4 as far
            as there are cores.
        seconds: how long each time is measured; all others are as of
            TFLiteTarget.
    Returns: JSON types, docs/edge.md describes them.
    Raises: InputError if an option is out of range, a file cannot be used,
        the two do not fit, the file does not answer the same image alike,
        or another process writes `out`.
    """
    model, out = pathlib.Path(model), pathlib.Path(out)
    _check_place(out, model, data)
    threads = _check_threads(threads)
    if not 0 <= seconds < float("inf"):
        raise InputError(f"seconds must be 0 or more, got {seconds}")
    with locks.writing(out):
        records, run = device_data.load(data)
        before = device.peak_memory()
        timings = []
        for count in threads:
            target = TFLiteTarget(
                model,
                name=_name(model, kernels),
                num_threads=count,
                batch_size=batch_size,
                kernels=kernels,
                logits=logits,
                signature=signature,
            )
            with terminal.working(f"timing with {count} threads"):
                timings.append(_timed(target, count, records.values, seconds))
        rows, resumed = _query_all(
            target, records, data, threads[-1], out, progress
        )
        first = rows[: max(repeatability.FIRST, target.batch_size)]
        repeatability.require(target, records.values, first)
        latency = timings[0]["latency_ms"]["median"]
        target.info.update(latency_ms=latency, latency_threads=threads[0])
        device_outputs = outputs.Outputs(
            probabilities=rows,
            labels=records.labels,
            members=records.members,
            record_ids=records.record_ids,
            info={
                **target.info,
                "fingerprint": records.fingerprint,
                "run": run,
            },
        )
        device_outputs.save(out)
        _partial(out).unlink(missing_ok=True)
    return {
        "schema_version": SCHEMA_VERSION,
        "model": {"file": model.name, **_facts(target)},
        "data": {
            "file": pathlib.Path(data).name,
            "dataset": records.name,
            "fingerprint": records.fingerprint,
            "run": run,
            "classes": records.classes,
            "members": int(records.members.sum()),
            "nonmembers": int((~records.members).sum()),
        },
        "right": _right(device_outputs),
        "timings": timings,
        "query": {"threads": threads[-1], "resumed_at": resumed},
        "memory": {
            "before_model_bytes": before,
            "peak_bytes": device.peak_memory(),
        },
        "device": device.facts(),
        "outputs": str(out),
    }


def _check_place(out, model, data):
    if out.suffix != ".npz":
        raise InputError(f"outputs are an .npz file, got {out}")
    for source in (model, pathlib.Path(data)):
        if out.resolve() == source.resolve():
            raise InputError(f"{out} would be written over: name another file")
    files.require_writable(out.parent)


def _check_threads(threads):
    if threads is None:
        threads = [n for n in USUAL_THREADS if n <= device.cores()]
    wrong = [count for count in threads if count < 1]
    if wrong or not threads:
        raise InputError(
            f"threads must be numbers of 1 or more, got {list(threads)}"
        )
    return sorted(set(threads))


def _name(model, kernels):
    name = validation.as_name(model.stem).lstrip("._-")
    suffix = "" if kernels == "default" else f".{kernels}"
    return (name or "model") + suffix


def _timed(target, threads, images, seconds):
    image, batch = images[:1], images[: target.batch_size]
    latency = timing.measure(
        lambda: target.predict(image), seconds=seconds, most=MOST_CALLS
    )
    # A batch takes long where an image does; three times must do there.
    whole = timing.measure(
        lambda: target.predict(batch),
        seconds=seconds,
        least=3,
        most=MOST_CALLS,
        warmup=1,
    )
    return {
        "threads": threads,
        "latency_ms": {
            "median": latency.median_ms,
            "p95": latency.p95_ms,
            "first": latency.first_ms,
            "runs": latency.runs,
        },
        "images_per_second": len(batch) / whole.median_ms * 1e3,
        "batch": len(batch),
    }


def _query_all(target, records, data, threads, out, progress):
    """Queries every record; a killed process goes on where it was."""
    key = {
        "model": target.info["sha256"],
        "data": files.sha256(data),
        "kernels": target.info["kernel_set"],
        "outputs": target.info["outputs"],
        "batch_size": target.batch_size,
        **_signature(target),
        "threads": threads,
        "device": device.facts(),
    }
    return resumable_queries.query_all(
        target,
        records.values,
        classes=records.classes,
        partial=_partial(out),
        key=key,
        progress=progress,
    )


def _partial(out):
    return out.with_name(f"{out.name}.partial")


def _right(device_outputs):
    right = device_outputs.predicted == device_outputs.labels
    return {
        "members": int(np.sum(right[device_outputs.members])),
        "nonmembers": int(np.sum(right[~device_outputs.members])),
    }


def _signature(target):
    """Which signature ran, if one had to be chosen."""
    signature = target.interpreter.signature
    return {} if signature is None else {"signature": signature}


def _facts(target):
    names = ("target", "sha256", "size_bytes", "kernel_set", "outputs")
    return {
        **{name: target.info[name] for name in names},
        **_signature(target),
        "fixed_batch": target.interpreter.fixed_batch,
    }
