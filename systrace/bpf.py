"""bpf(2), all that systrace needs once its programs are compiled: maps, programs, links.

Every call raises OSError with the kernel's errno. Attribute layouts: include/uapi/linux/bpf.h.
"""

import contextlib
import ctypes
import errno
import os
import struct
import time
from collections.abc import Iterator as Entries
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

_NR_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
_NR_MEMBARRIER = {"x86_64": 324, "aarch64": 283}[os.uname().machine]
_MEMBARRIER_CMD_GLOBAL = 1  # include/uapi/linux/membarrier.h
_AT_WORK_S = 0.001  # no program takes as long

_MAP_CREATE = 0
_MAP_LOOKUP_ELEM = 1
_MAP_UPDATE_ELEM = 2
_MAP_DELETE_ELEM = 3
_MAP_GET_NEXT_KEY = 4
_PROG_LOAD = 5
_OBJ_GET_INFO_BY_FD = 15
_RAW_TRACEPOINT_OPEN = 17
_MAP_LOOKUP_BATCH = 24
_MAP_DELETE_BATCH = 27
_LINK_CREATE = 28
_ITER_CREATE = 33

_BATCH_ENTRIES = 16384  # at once; more than any bucket of a hash can hold

KPROBE = 2  # enum bpf_prog_type; uprobes are of this one too
PERF_EVENT = 7
RAW_TRACEPOINT = 17
TRACING = 26
ATTACH_TYPED_TRACEPOINT = 23  # BPF_TRACE_RAW_TP, enum bpf_attach_type
ATTACH_ITERATOR = 28  # BPF_TRACE_ITER

INSTRUCTION_BYTES = 8
_LICENCE = b"Dual MIT/GPL"  # as in the sources, for the helpers that want it
_NAME_BYTES = 16
_LOG_BYTES = 1 << 20

_PROG_INFO_BYTES = 216  # struct bpf_prog_info up to and with recursion_misses (Linux 5.12)
_RECURSION_MISSES = 208

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

Key = TypeVar("Key", bound=Any)  # a ctypes scalar or structure
Value = TypeVar("Value", bound=Any)


class MapLayout(NamedTuple):
    """A map to be: kind (enum bpf_map_type), sizes of keys and values, how many, and flags."""

    name: str
    kind: int
    key_bytes: int
    value_bytes: int
    entries: int
    flags: int


class LoadError(OSError):
    """The kernel refused a program; the third argument is what the verifier wrote."""

    def __init__(self, number: int | None, text: str | None, log: str) -> None:
        super().__init__(number, text)
        self.log = log


class _Batch(ctypes.Structure):
    """The part of union bpf_attr that the batch commands take."""

    _fields_ = (
        ("in_batch", ctypes.c_uint64),
        ("out_batch", ctypes.c_uint64),
        ("keys", ctypes.c_uint64),
        ("values", ctypes.c_uint64),
        ("count", ctypes.c_uint32),
        ("map_fd", ctypes.c_uint32),
        ("elem_flags", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
    )


def _bpf(command: int, attributes: bytes) -> int:
    return _bpf_in_place(command, ctypes.create_string_buffer(attributes, len(attributes)))


def _bpf_in_place(command: int, attributes: "ctypes.Array[ctypes.c_char] | _Batch") -> int:
    """Call bpf(2), which may write to the attributes."""
    result: int = _libc.syscall(
        ctypes.c_long(_NR_BPF),
        ctypes.c_long(command),
        ctypes.byref(attributes),
        ctypes.c_long(ctypes.sizeof(attributes)),
    )
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def possible_cpus() -> int:
    """CPUs that the kernel keeps per-CPU values for (sysfs ``possible``; always contiguous)."""
    text = Path("/sys/devices/system/cpu/possible").read_text(encoding="ascii")
    return int(text.strip().rsplit("-", 1)[-1].rsplit(",", 1)[-1]) + 1


class Map(Generic[Key, Value]):
    """A BPF map of fixed-size keys and values; the descriptor stays the loader's.

    ``Value`` of a per-CPU map is the ctypes array ``value * possible_cpus()``: values must be a
    multiple of 8 bytes.
    """

    def __init__(self, fd: int, key: type[Key], value: type[Value]) -> None:
        self.fd = fd
        self._key = key
        self._value = value

    def _element(self, command: int, key: Key | None, value: Value | Key | None, flags: int) -> int:
        return _bpf(
            command,
            struct.pack(
                "=I4xQQQ",
                self.fd,
                ctypes.addressof(key) if key is not None else 0,
                ctypes.addressof(value) if value is not None else 0,
                flags,
            ),
        )

    def get(self, key: Key) -> Value | None:
        """Return a copy of the value, or None if the map has no such key."""
        value: Value = self._value()
        try:
            self._element(_MAP_LOOKUP_ELEM, key, value, 0)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return value

    def __getitem__(self, key: Key) -> Value:
        """Return a copy of the value; raises KeyError."""
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: Key, value: Value) -> None:
        """Write the value, whether the key is there or not."""
        self._element(_MAP_UPDATE_ELEM, key, value, 0)

    def discard(self, key: Key) -> None:
        """Delete the key, if it is there."""
        try:
            self._element(_MAP_DELETE_ELEM, key, None, 0)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    def items(self) -> Entries[tuple[Key, Value]]:
        """Yield the entries of a hash, which may change meanwhile; what vanishes is left out."""
        previous: Key | None = None
        while True:
            key = self._key()
            try:
                self._element(_MAP_GET_NEXT_KEY, previous, key, 0)
            except OSError as error:
                if error.errno == errno.ENOENT:
                    return
                raise
            value = self.get(key)
            if value is not None:
                yield key, value
            previous = key

    def everything(self) -> Entries[tuple[Key, Value]]:
        """Yield the entries of a hash, thousands with each call; keys that stay are not missed."""
        position = ctypes.c_uint32()  # of a hash: its bucket
        batch = _Batch(out_batch=ctypes.addressof(position), map_fd=self.fd)
        last = False
        while not last:
            # what is yielded are views of these
            keys, values = (self._key * _BATCH_ENTRIES)(), (self._value * _BATCH_ENTRIES)()
            batch.keys, batch.values = ctypes.addressof(keys), ctypes.addressof(values)
            batch.count = _BATCH_ENTRIES
            try:
                _bpf_in_place(_MAP_LOOKUP_BATCH, batch)
            except OSError as error:
                if error.errno != errno.ENOENT:
                    raise
                last = True
            for index in range(batch.count):
                key = keys[index]
                yield (key if isinstance(key, self._key) else self._key(key)), values[index]
            batch.in_batch = batch.out_batch

    def discard_all(self, wanted: Sequence[Key]) -> None:
        """Delete keys that are all there."""
        if not wanted:
            return
        keys = (self._key * len(wanted))(*wanted)
        batch = _Batch(keys=ctypes.addressof(keys), count=len(wanted), map_fd=self.fd)
        _bpf_in_place(_MAP_DELETE_BATCH, batch)


def probe() -> None:
    """Make the smallest map there is, and drop it: raises OSError where bpf(2) is not to be had."""
    array, key_bytes, value_bytes, entries = 2, 4, 8, 1
    os.close(_bpf(_MAP_CREATE, struct.pack("=IIII", array, key_bytes, value_bytes, entries)))


def create_map(layout: MapLayout) -> int:
    """Make a map; closing the returned descriptor lets go of it."""
    name = layout.name.encode("ascii")[: _NAME_BYTES - 1]
    return _bpf(
        _MAP_CREATE,
        struct.pack(
            f"=IIIII8x{_NAME_BYTES}s",
            layout.kind,
            layout.key_bytes,
            layout.value_bytes,
            layout.entries,
            layout.flags,
            name,
        ),
    )


def load_program(
    name: str, kind: int, instructions: bytes, attach_kind: int = 0, attach_id: int = 0
) -> int:
    """Load a program; closing the returned descriptor unloads it.

    ``attach_id`` is the BTF id of what a program of kind TRACING is for. Raises LoadError.
    """
    code = ctypes.create_string_buffer(instructions, len(instructions))
    licence = ctypes.create_string_buffer(_LICENCE)
    log = ctypes.create_string_buffer(0)

    def load() -> int:
        return _bpf(
            _PROG_LOAD,
            struct.pack(
                f"=IIQQIIQ8x{_NAME_BYTES}s4xI36xI8x",
                kind,
                len(instructions) // INSTRUCTION_BYTES,
                ctypes.addressof(code),
                ctypes.addressof(licence),
                1 if len(log) else 0,
                len(log),
                ctypes.addressof(log) if len(log) else 0,
                name.encode("ascii")[: _NAME_BYTES - 1],
                attach_kind,
                attach_id,
            ),
        )

    try:
        return load()
    except OSError as error:
        if error.errno == errno.EPERM:
            raise
        # once more, for the verifier's words
        log = ctypes.create_string_buffer(_LOG_BYTES)
        with contextlib.suppress(OSError):
            return load()
        raise LoadError(
            error.errno, error.strerror, log.value.decode("utf-8", "replace")
        ) from error


def open_tracepoint(name: str | None, program_fd: int) -> int:
    """Attach a program; closing the returned descriptor detaches it.

    ``name`` is that of a raw tracepoint; a program for a typed one knows its own.
    """
    text = ctypes.create_string_buffer((name or "").encode("ascii"))
    address = 0 if name is None else ctypes.addressof(text)
    return _bpf(_RAW_TRACEPOINT_OPEN, struct.pack("=QI4x", address, program_fd))


def recursion_misses(program_fd: int) -> int:
    """How often the kernel skipped the program because it was running on that CPU already."""
    info = ctypes.create_string_buffer(_PROG_INFO_BYTES)
    attributes = struct.pack("=IIQ", program_fd, len(info), ctypes.addressof(info))
    _bpf(_OBJ_GET_INFO_BY_FD, attributes)
    return int(struct.unpack_from("=Q", info, _RECURSION_MISSES)[0])


class Iterator:
    """A program that the kernel runs for every task of our pid namespace, when we say so."""

    def __init__(self, program_fd: int) -> None:
        """Take over the program, which is loaded for an iterator. Raises OSError."""
        try:
            attributes = struct.pack("=IIII", program_fd, 0, ATTACH_ITERATOR, 0)
            self._link = _bpf(_LINK_CREATE, attributes)
        finally:
            os.close(program_fd)

    def run(self) -> None:
        """Run it once, for all tasks."""
        fd = _bpf(_ITER_CREATE, struct.pack("=II", self._link, 0))
        try:
            while os.read(fd, 4096):
                pass
        finally:
            os.close(fd)

    def close(self) -> None:
        """Unload it."""
        os.close(self._link)


def await_programs() -> None:
    """Wait for the programs that are at work at this moment, detached or not.

    They run with preemption disabled (include/trace/bpf_probe.h), and membarrier(2) waits for an
    RCU grace period (kernel/sched/membarrier.c), but for a single CPU, where none is at work now.
    Where that is refused (nohz_full, a seccomp filter) a moment has to do.
    """
    if _libc.syscall(_NR_MEMBARRIER, _MEMBARRIER_CMD_GLOBAL, 0, 0):
        time.sleep(_AT_WORK_S)
