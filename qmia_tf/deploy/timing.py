"""How long a call takes: warm-up apart, median and 95th percentile."""

import dataclasses
import time
from collections.abc import Callable

import numpy as np

MOST = 200


@dataclasses.dataclass(frozen=True)
class Timing:
    """Times of one call, in milliseconds.

    Attributes:
        median_ms: half of the runs took longer.
        p95_ms: one run in twenty took longer.
        first_ms: the very first call, which allocates and compiles.
        runs: how many calls median and percentile are of.
    """

    median_ms: float
    p95_ms: float
    first_ms: float
    runs: int


def measure(
    call: Callable[[], object],
    *,
    seconds: float = 1.0,
    least: int = 10,
    most: int = MOST,
    warmup: int = 3,
) -> Timing:
    """Times call() again and again.

    The first `warmup` calls are not counted; the very first is reported
    apart. Then it is called until `seconds` have passed, but `least` times
    at least and `most` times at most.

    Raises: ValueError if an argument is out of range.
    """
    if seconds < 0 or not 1 <= least <= most or warmup < 1:
        raise ValueError(
            f"seconds must be >= 0, 1 <= least <= {most} and warmup >= 1, got "
            f"{seconds}, {least} and {warmup}"
        )
    first, *_ = [_milliseconds(call) for _ in range(warmup)]
    times = []
    end = time.perf_counter() + seconds
    while len(times) < least or (
        len(times) < most and time.perf_counter() < end
    ):
        times.append(_milliseconds(call))
    return Timing(
        median_ms=float(np.median(times)),
        p95_ms=float(np.quantile(times, 0.95)),
        first_ms=first,
        runs=len(times),
    )


def _milliseconds(call):
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3
