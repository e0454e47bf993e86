"""CLOCK_MONOTONIC as eBPF reads it and as this process does: they differ in a time namespace."""

from pathlib import Path
from typing import Final

_OFFSETS: Final = Path("/proc/self/timens_offsets")


def offset_ns(file: Path = _OFFSETS) -> int:
    """Return how far our CLOCK_MONOTONIC is ahead of the kernel's own (time_namespaces(7))."""
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0  # a kernel without time namespaces
    for line in lines:
        clock, seconds, ns = line.split()
        if clock in ("monotonic", "1"):  # Linux 5.10 names clocks, and the first ones gave numbers
            return int(seconds) * 1_000_000_000 + int(ns)
    return 0
