"""The running kernel: what it calls itself, and where its structures have what the probes read.

That is read from its BTF, which takes 15 ms, and kept (cache.py) until the next boot: neither a
version nor a build id tells all builds of a kernel apart.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from functools import cache as once
from pathlib import Path
from typing import Final, NamedTuple

from systrace import cache
from systrace.errors import UnsupportedError

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")

_OFFSETS: Final = {
    "TASK_STATUS": "task_struct.thread_info.status",
    "TASK_FLAGS": "task_struct.flags",
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
_FUNCTIONS: Final = ("bpf_iter_task",)


class Types(NamedTuple):
    """Offsets and sizes by the name that the probes give them; BTF ids of functions, if there."""

    offsets: Mapping[str, int]
    ids: Mapping[str, int]


def offsets() -> Mapping[str, int]:
    """Return the structure offsets that the programs are compiled with.

    Raises UnsupportedError where the kernel has no BTF, or not these structures.
    """
    return _types().offsets


def function_id(name: str) -> int:
    """Return the BTF id of a kernel function. Raises UnsupportedError if there is none such."""
    found = _types().ids.get(name)
    if found is None:
        raise UnsupportedError(f"this kernel has no {name}")
    return found


def build() -> bytes:
    """Return what the kernel says of itself: release, version, architecture."""
    return "\0".join(os.uname()[2:]).encode()


@once
def _types() -> Types:
    try:
        boot = _BOOT.read_bytes()
    except OSError:
        return _read()
    sources = (boot, build(), cache.own_source("kernel.py", "btf.py"))
    return cache.kept("kernel", sources, _read, _encode, _decode)


def _read() -> Types:
    from systrace.btf import KernelTypes  # noqa: PLC0415 - libbpf, unless it is known already

    with KernelTypes() as types:
        offsets = {name: types.offset(path) for name, path in _OFFSETS.items()}
        offsets |= {name: types.size(struct) for name, struct in _SIZES.items()}
        ids = {}
        for name in _FUNCTIONS:
            with contextlib.suppress(UnsupportedError):
                ids[name] = types.function(name)
    return Types(offsets, ids)


def _encode(types: Types) -> bytes:
    return json.dumps(types).encode("ascii")


def _decode(text: bytes) -> Types:
    offsets, ids = json.loads(text)
    return Types(offsets, ids)
