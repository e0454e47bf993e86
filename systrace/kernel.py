"""The running kernel: what it calls itself, and where its structures have what the probes read.

That is read from its BTF, which takes 15 ms, and kept (cache.py) until the next boot: neither a
version nor a build id tells all builds of a kernel apart.
"""

import json
import os
from collections.abc import Mapping
from functools import cache as once
from pathlib import Path
from typing import Final, NamedTuple

from systrace import cache
from systrace.errors import UnsupportedError

KIND: Final = "kernel"  # of the entry in the cache
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")

_OFFSETS: Final = {
    "TASK_STATUS": "task_struct.thread_info.status",
    "TASK_FLAGS": "task_struct.flags",
    "TASK_STACK": "task_struct.stack",
    "TASK_MM": "task_struct.mm",
    "TASK_PTRACE": "task_struct.ptrace",
    "TASK_PARENT": "task_struct.parent",
    "TASK_EXIT_CODE": "task_struct.exit_code",
    "TASK_SIGNAL": "task_struct.signal",
    "SIGNAL_FLAGS": "signal_struct.flags",
    "SIGNAL_GROUP_EXIT_CODE": "signal_struct.group_exit_code",
    "TASK_SECCOMP_MODE": "task_struct.seccomp.mode",
    "TASK_THREAD_PID": "task_struct.thread_pid",
    "TASK_GROUP_LEADER": "task_struct.group_leader",
    "TASK_REAL_PARENT": "task_struct.real_parent",
    "TASK_START_TIME": "task_struct.start_time",
    "TASK_COMM": "task_struct.comm",
    "MM_VDSO": "mm_struct.context.vdso",
    "PID_LEVEL": "pid.level",
    "PID_NUMBERS": "pid.numbers",
    "UPID_NR": "upid.nr",
}
_SIZES: Final = {"UPID_SIZE": "upid"}
TASK_ITERATOR: Final = "bpf_iter_task"
_TYPED: Final = "btf_trace_"  # what the kernel's BTF calls the arguments of a tracepoint
_FUNCTIONS: Final = (TASK_ITERATOR,)
_TRACEPOINTS: Final = ("sys_enter", "sys_exit")


class Types(NamedTuple):
    """Offsets and sizes by the name that the probes give them; BTF ids by name, where there."""

    offsets: Mapping[str, int]
    ids: Mapping[str, int]


def offsets() -> Mapping[str, int]:
    """Return the structure offsets that the programs are compiled with.

    Raises UnsupportedError where the kernel has no BTF, or not these structures.
    """
    return types().offsets


def task_iterator() -> int:
    """Return the BTF id of what a program for every task is for. Raises UnsupportedError."""
    found = types().ids.get(TASK_ITERATOR)
    if found is None:
        raise UnsupportedError(f"this kernel has no {TASK_ITERATOR}")
    return found


def tracepoint(name: str) -> int | None:
    """Return the BTF id of a typed tracepoint; None where there are raw ones only."""
    return types().ids.get(_TYPED + name)


def build() -> bytes:
    """Return what the kernel says of itself: release, version, architecture."""
    return "\0".join(os.uname()[2:]).encode()


@once
def types() -> Types:
    """Return all of it. Raises UnsupportedError where the kernel has no BTF."""
    boot = sources()
    return cache.kept(KIND, boot, _read, encode, _decode) if boot else _read()


def sources() -> tuple[bytes, ...] | None:
    """Return what decides whether these types are still true; None where a boot has no name."""
    try:
        boot = _BOOT.read_bytes()
    except OSError:
        return None
    return boot, build(), cache.own_source("kernel.py", "btf.py")


def _read() -> Types:
    # libbpf, unless all is known already
    from systrace.btf import KIND_FUNCTION, KIND_TYPEDEF, KernelTypes  # noqa: PLC0415

    with KernelTypes() as btf:
        offsets = {name: btf.offset(path) for name, path in _OFFSETS.items()}
        offsets |= {name: btf.size(struct) for name, struct in _SIZES.items()}
        found = {name: btf.id(name, KIND_FUNCTION) for name in _FUNCTIONS}
        for name in _TRACEPOINTS:
            found[_TYPED + name] = btf.id(_TYPED + name, KIND_TYPEDEF)
        ids = {name: number for name, number in found.items() if number is not None}
    return Types(offsets, ids)


def encode(types: Types) -> bytes:
    """Write them down, to be kept."""
    return json.dumps(types).encode("ascii")


def _decode(text: bytes) -> Types:
    offsets, ids = json.loads(text)
    return Types(offsets, ids)
