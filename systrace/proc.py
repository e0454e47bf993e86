"""What /proc says of a process, taken apart: proc(5).

A process chooses its name, and those of the files that it maps. Of what may end a line the kernel
escapes the newline in them, and nothing else: not what Python ends lines at besides.
"""

import contextlib
import io
import os
from collections.abc import Iterator
from typing import Final, Literal

STATE: Final = 3  # the first field of ``stat`` behind the name, which may hold anything


def read(pid: int | str, name: str) -> bytes:
    """Return what a file of ``/proc/PID`` says. Raises OSError."""
    # not a Path, which leaves a trace of every pid in the table of interned strings
    with open(f"/proc/{pid}/{name}", "rb", buffering=0) as file:  # noqa: PTH123
        return file.read()


def memory(pid: int, mode: Literal["rb", "r+b"] = "rb") -> io.FileIO:
    """Open a process's memory, unbuffered, at address 0. Raises OSError."""
    return open(f"/proc/{pid}/mem", mode, buffering=0)  # noqa: PTH123 - as above


def with_memory(pid: int) -> int | None:
    """Return a thread that has the process's memory; the first one's is gone when it has ended.

    None where no thread is left, or for one of the kernel's.
    """
    if _has_memory(pid):
        return pid
    seen: set[int] = set()
    with contextlib.suppress(OSError):
        while unseen := tids(pid) - seen:
            for tid in unseen:
                if _has_memory(tid):
                    return tid
            seen |= unseen
    return None


def _has_memory(tid: int) -> bool:
    try:
        return not read(tid, "statm").startswith(b"0 ")
    except OSError:
        return False


def pids() -> set[int]:
    """Return the processes there are."""
    return {int(name) for name in os.listdir("/proc") if name.isdecimal()}  # noqa: PTH208


def tids(pid: int) -> set[int]:
    """Return a process's threads, its first one even where that has ended. Raises OSError."""
    return {int(name) for name in os.listdir(f"/proc/{pid}/task")}  # noqa: PTH208


def lines(text: bytes) -> Iterator[str]:
    """Yield the lines of ``status`` or ``maps``; bytes that are no UTF-8 come as os.fsdecode's."""
    for line in text.removesuffix(b"\n").split(b"\n"):
        yield line.decode("utf-8", "surrogateescape")


def maps(pid: int | str) -> Iterator[str]:
    """Return the lines of ``/proc/PID/maps``. Raises OSError."""
    text = read(pid, "maps")
    return lines(text) if text else iter(())


def status(pid: int | str) -> dict[str, str]:
    """Return the fields of ``/proc/PID/status`` by name. Raises OSError."""
    return status_fields(read(pid, "status"))


def status_fields(text: bytes) -> dict[str, str]:
    """Return the fields in the text of ``status``."""
    parted = (line.partition(":") for line in lines(text))
    return {name: value.strip() for name, _, value in parted}


def stat_field(text: bytes, number: int) -> bytes:
    """Return a field of ``/proc/PID/stat`` behind the name, by its number in proc(5)."""
    return text.rpartition(b") ")[2].split()[number - STATE]


def shared_memory_device() -> str:
    """Return the device of shared memory without a file, as ``maps`` writes it.

    It is the kernel's own tmpfs, where memfd_create(2) is too.
    """
    fd = os.memfd_create("systrace")
    try:
        device = os.fstat(fd).st_dev
    finally:
        os.close(fd)
    return f"{os.major(device):02x}:{os.minor(device):02x}"
