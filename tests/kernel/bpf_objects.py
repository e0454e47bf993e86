"""Which programs, maps and links the kernel holds, by bpf(2)."""

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

SYS_BPF = 321
# enum bpf_cmd, linux/bpf.h
GET_NEXT_ID = {"program": 11, "map": 12, "link": 31}

_IN_FDINFO = {"prog_id": "program", "map_id": "map", "link_id": "link"}

_libc = ctypes.CDLL(None, use_errno=True)


def _ids(command: int) -> Iterator[int]:
    attributes = ctypes.create_string_buffer(struct.pack("=III", 0, 0, 0), 12)
    while _libc.syscall(SYS_BPF, command, attributes, 12) == 0:
        _, following, _ = struct.unpack("=III", attributes.raw)
        yield following
        struct.pack_into("=III", attributes, 0, following, 0, 0)
    number = ctypes.get_errno()
    if number != errno.ENOENT:
        raise OSError(number, os.strerror(number))


def open_objects() -> set[tuple[str, int]]:
    """The same of those that processes have open, whoever they are: by /proc/PID/fdinfo."""
    found = set()
    for file in Path("/proc").glob("[0-9]*/fdinfo/*"):
        with suppress(OSError):
            for line in file.read_text().splitlines():
                name, _, value = line.partition(":")
                if name in _IN_FDINFO:
                    found.add((_IN_FDINFO[name], int(value)))
    return found


def bpf_objects() -> set[tuple[str, int]]:
    """Every object's kind and id; ids are never used twice."""
    return {(kind, found) for kind, command in GET_NEXT_ID.items() for found in _ids(command)}
