"""Which processes ``attach`` means: by pid, or by name, and why one cannot be taken."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from systrace import launcher, proc
from systrace.errors import SystraceError, UsageError

_PF_KTHREAD: Final = 0x00200000  # include/linux/sched.h
_FLAGS: Final = 9  # field of proc(5)'s stat


@dataclass(frozen=True, slots=True)
class Found:
    """A process to attach to, its pid as /proc numbers it; ``word`` is what it was found by."""

    pid: int
    comm: str
    word: str

    def __str__(self) -> str:
        """Write it as messages do: ``nginx (1234)``."""
        return f"{launcher.quoted((self.comm,))} ({self.pid})"


def find(words: Sequence[str]) -> tuple[Found, ...]:
    """Find every process that these words mean, each once, in the order of the words.

    A number is a pid; anything else is the name of a program, as ``comm`` or the file that it
    was started from. Raises UsageError and SystraceError.
    """
    if len(fields("self").get("NSpid", "").split()) > 1:
        raise SystraceError(
            "attach needs the /proc of the pid namespace that it runs in, and this one numbers "
            "processes otherwise\n`unshare --mount-proc`, or `mount -t proc proc /proc`"
        )
    found: dict[int, Found] = {}
    for word in words:
        for pid in [int(word)] if _is_number(word) else _named(word):
            found.setdefault(pid, _checked(pid, word))
    return tuple(found.values())


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal()


def _named(name: str) -> Iterator[int]:
    import psutil  # noqa: PLC0415 - 30 ms, and a pid needs none of it

    matches = [
        process.pid
        for process in psutil.process_iter(["name", "exe"])
        if name in (process.info["name"], _comm(process.pid), _base(process.info["exe"]))
    ]
    for pid in matches:
        if pid != os.getpid() and _refusal(pid) is None:
            yield pid
    if not any(pid != os.getpid() for pid in matches):
        raise UsageError(f"there is no process {name!r}; {_hint(name)}")
    if all(pid == os.getpid() or _refusal(pid) for pid in matches):
        reason = next(_refusal(pid) for pid in matches if pid != os.getpid())
        raise SystraceError(f"cannot attach to {name!r}: {reason}")


def _hint(name: str) -> str:
    """Say how to find the process that was meant, or how to spell it."""
    several = [word for word in name.split(",") if word]
    if len(several) > 1:
        said, meant = "several are separated by blanks", several
    elif base := PurePath(name).name if "/" in name else "":
        said, meant = "a program is given by its name, without its path", [base]
    else:
        return "`ps -e` lists those there are"
    return f"{said}:\n  {launcher.call(('attach', *meant))}"


def _base(file: str | None) -> str | None:
    return os.path.basename(file) if file else None  # noqa: PTH119 - of what may be no path


def _checked(pid: int, word: str) -> Found:
    comm = _comm(pid)
    if comm is None:
        raise UsageError(f"there is no process {pid}; `ps -e` lists those there are")
    found = Found(pid, comm, word)
    if reason := _refusal(pid):
        raise SystraceError(f"cannot attach to {found}: {reason}")
    return found


def _refusal(pid: int) -> str | None:
    """Say why a process cannot be counted; None if it can."""
    status = fields(pid)
    reasons = (
        (not status, "it has ended"),
        (status.get("Tgid") != str(pid), f"it is a thread of process {status.get('Tgid')}"),
        (pid == os.getpid(), "it is this systrace"),
        (pid in _ancestors() and _is_systrace(pid), "it is the systrace that started this one"),
        (_stat_flags(pid) & _PF_KTHREAD, "it is a kernel thread, which makes no calls"),
        (_is_zombie(status), "it has ended, and its parent has not yet asked how (a zombie)"),
    )
    return next((reason for applies, reason in reasons if applies), None)


def _is_zombie(status: Mapping[str, str]) -> bool:
    """Whether no thread is left; that the first one has ended does not mean so."""
    ended = status.get("State", "").startswith(("Z", "X"))
    return ended and status.get("Threads") in ("0", "1")


def fields(pid: int | str) -> dict[str, str]:
    """Read ``/proc/PID/status``; empty where there is no such process."""
    try:
        return proc.status(pid)
    except OSError:
        return {}


def _comm(pid: int) -> str | None:
    try:
        data = proc.read(pid, "comm")
    except OSError:
        return None
    return os.fsdecode(data.removesuffix(b"\n"))


def _stat_flags(pid: int) -> int:
    try:
        stat = proc.read(pid, "stat")
    except OSError:
        return 0
    return int(proc.stat_field(stat, _FLAGS))


def _ancestors() -> set[int]:
    found: set[int] = set()
    pid = os.getppid()
    while pid and pid not in found:
        found.add(pid)
        pid = int(fields(pid).get("PPid", "0"))
    return found


def _is_systrace(pid: int) -> bool:
    try:
        words = proc.read(pid, "cmdline").split(b"\0")
    except OSError:
        return False
    return any(word.rpartition(b"/")[2] == b"systrace" for word in words[:5])
