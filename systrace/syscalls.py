"""Names for the kernel's numbers: system calls by ABI, errnos, signals."""

import errno
import re
import signal
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

# The ABIs of an x86-64 kernel, as reports name them and as system_calls does.
ABIS = ("x86_64", "i386", "x32")

# __X32_SYSCALL_BIT, arch/x86/include/uapi/asm/unistd.h
X32_BIT = 0x40000000

# What an x86-64 vDSO exports, by the names of reports: vdso(7), and SGX of
# arch/x86/entry/vdso/vdso.lds.S. No system call is named after the last one.
VDSO_FUNCTIONS = frozenset(
    {
        "clock_getres",
        "clock_gettime",
        "getcpu",
        "getrandom",
        "gettimeofday",
        "time",
        "sgx_enter_enclave",
    }
)

_UNNAMED = re.compile(r"syscall_(0|-?[1-9][0-9]*)")

# errno(3): two names for one number. These are the second ones; strace shows the first.
_ALIASES = frozenset({"EWOULDBLOCK", "EDEADLOCK", "ENOTSUP"})

# EHWPOISON is newer than Python's list; the rest is include/linux/errno.h, which is not meant to
# reach a program and now and then does (ENOTSUPP is the usual one).
_NOT_IN_PYTHON = {
    133: "EHWPOISON",
    512: "ERESTARTSYS",
    513: "ERESTARTNOINTR",
    514: "ERESTARTNOHAND",
    515: "ENOIOCTLCMD",
    516: "ERESTART_RESTARTBLOCK",
    517: "EPROBE_DEFER",
    518: "EOPENSTALE",
    519: "ENOPARAM",
    521: "EBADHANDLE",
    522: "ENOTSYNC",
    523: "EBADCOOKIE",
    524: "ENOTSUPP",
    525: "ETOOSMALL",
    526: "ESERVERFAULT",
    527: "EBADTYPE",
    528: "EJUKEBOX",
    529: "EIOCBQUEUED",
    530: "ERECALLCONFLICT",
    531: "ENOGRACE",
}

# signal(7): what glibc calls SIGRTMIN; it keeps the two below for itself.
_SIGRTMIN = 34
_SIGRTMAX = 64
_REAL_TIME = re.compile(r"SIGRTMIN\+([0-9]{1,2})")
_OTHER_SIGNAL = re.compile(r"SIG([0-9]{1,9})")


def name(abi: str, nr: int) -> str:
    """Name call ``nr`` of ``abi``, or say ``syscall_9999`` where the number has no name.

    An x32 number may carry its bit 30 or not; it is shown without. Raises ValueError for an ABI
    that is not in ``ABIS``.
    """
    if abi == "x32" and nr >= 0:
        nr &= ~X32_BIT
    return _names(abi).get(nr, f"syscall_{nr}")


def numbers(abi: str) -> Mapping[str, int]:
    """Map every name of ``abi`` to its number, x32 without bit 30. Raises ValueError as above."""
    return _numbers(abi)


def names() -> frozenset[str]:
    """Every name in any ABI."""
    return _all_names()


def is_known(name: str) -> bool:
    """Whether some ABI has a call of this name; ``syscall_9999`` is not one."""
    return name in _all_names()


def is_name(name: str) -> bool:
    """Whether a row of a report can have this name."""
    return is_known(name) or name in VDSO_FUNCTIONS or unnamed_number(name) is not None


def unnamed_number(name: str) -> int | None:
    """Read the number out of ``syscall_9999``; None for every other name."""
    match = _UNNAMED.fullmatch(name)
    return int(match[1]) if match and len(name) < 30 else None


def is_unnamed(name: str) -> bool:
    """Whether rows may have this name, ``syscall_9999``, for no ABI has another for the number."""
    number = unnamed_number(name)
    return number is not None and any(_names(abi).get(number) is None for abi in ABIS)


def errno_name(number: int) -> str:
    """Name a positive errno, ``ENOENT``; ``errno 4095`` where it has no name."""
    return _errnos().get(number, f"errno {number}")


def signal_name(number: int) -> str:
    """Name a signal: ``SIGTERM``, ``SIGRTMIN+3``, and ``SIG32`` where it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        pass
    if _SIGRTMIN < number < _SIGRTMAX:
        return f"SIGRTMIN+{number - _SIGRTMIN}"
    return f"SIG{number}"


def signal_number(name: str) -> int:
    """Turn what ``signal_name`` said back into the number. Raises ValueError for anything else."""
    if name in signal.Signals.__members__:
        return int(signal.Signals[name])
    if match := _REAL_TIME.fullmatch(name):
        number = _SIGRTMIN + int(match[1])
    elif match := _OTHER_SIGNAL.fullmatch(name):
        number = int(match[1])
    else:
        raise ValueError(f"no such signal: {name!r}")
    if signal_name(number) != name:
        raise ValueError(f"no such signal: {name!r}")
    return number


@cache
def _numbers(abi: str) -> Mapping[str, int]:
    if abi not in ABIS:
        raise ValueError(f"no such ABI: {abi!r}")
    # Its tables are read only where a name is looked up.
    import system_calls  # noqa: PLC0415

    table: Mapping[str, int] = system_calls.syscalls().load_arch_table(abi)
    return MappingProxyType({name: nr & ~X32_BIT for name, nr in table.items()})


@cache
def _names(abi: str) -> Mapping[int, str]:
    return {nr: name for name, nr in _numbers(abi).items()}


@cache
def _all_names() -> frozenset[str]:
    return frozenset().union(*(_numbers(abi) for abi in ABIS))


@cache
def _errnos() -> Mapping[int, str]:
    named = {
        number: name
        for name, number in vars(errno).items()
        if isinstance(number, int) and name not in _ALIASES
    }
    return _NOT_IN_PYTHON | named
