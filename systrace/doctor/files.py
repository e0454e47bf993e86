"""Files of /proc and /sys, which a machine may lack."""

from pathlib import Path


def text(path: str | Path) -> str | None:
    """Return what a file says, without space around it; None if it cannot be read."""
    try:
        return Path(path).read_bytes().decode("utf-8", "surrogateescape").strip()
    except OSError:
        return None


def number(path: str | Path) -> int | None:
    """Return the number in a file; None if it holds none (``max``) or cannot be read."""
    said = text(path)
    return int(said) if said is not None and said.isdecimal() else None


def status(name: str) -> str:
    """Return a field of our own /proc/self/status (proc(5)); empty if there is none such."""
    for line in (text("/proc/self/status") or "").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value.strip()
    return ""
