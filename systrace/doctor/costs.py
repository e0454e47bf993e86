"""What one call costs on this machine, and one breakpoint."""

import os
from typing import Final

from systrace import perf_event
from systrace.doctor import smallest
from systrace.doctor.findings import Costs
from systrace.vdso.calibrate import Calibration
from systrace.vdso.image import Image, own_address

_FUNCTION: Final = "clock_gettime"
_CLOCK_MONOTONIC: Final = 1
_HITS: Final = 1000
_ROUNDS: Final = 5


def measure(image: Image | None) -> Costs:
    """Measure on ourselves, the fastest of a few rounds; takes some 50 ms."""
    calibration = Calibration(image)
    vdso_call_ns = calibration.call_ns(_FUNCTION, _CLOCK_MONOTONIC)
    hit_ns = None
    if image is not None and vdso_call_ns is not None:
        hit_ns = _hit_ns(image, calibration, vdso_call_ns)
    return Costs(vdso_call_ns, calibration.system_call_ns(), hit_ns)


def _hit_ns(image: Image, calibration: Calibration, plain_ns: float) -> float | None:
    """Return what a breakpoint adds to a call; None where there is none to be had."""
    offset = next(item.offset for item in image.functions if item.name == _FUNCTION)
    try:
        with smallest.loaded(smallest.PERF_EVENT) as program:
            fd = perf_event.open_breakpoint(0, own_address() + offset, program, threads=False)
    except OSError:
        return None
    try:
        rounds = range(_ROUNDS)
        hit = min(calibration.once_ns(_FUNCTION, _HITS, _CLOCK_MONOTONIC) for _ in rounds)
    finally:
        os.close(fd)
    return max(0.0, hit - plain_ns)
