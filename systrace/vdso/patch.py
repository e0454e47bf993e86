"""Trampolines patched into a held process, and the counters that they leave behind.

Two injected calls map the block (see x86_64.py): a private page of code that is written through
/proc/PID/mem, and shared counters that are opened through /proc/PID/map_files/. Neither needs a
descriptor, a string or a writable code page in the target, and the counters outlive it.
"""

import ctypes
import io
import mmap
import os
import struct
from typing import Final

from systrace import proc
from systrace.errors import UnsupportedError
from systrace.tally import Entries
from systrace.target.inject import NR_CLOSE, NR_MADVISE, NR_MMAP, Injector
from systrace.vdso import place, x86_64
from systrace.vdso.image import Image
from systrace.vdso.x86_64 import Plan

_PROT_READ, _PROT_WRITE, _PROT_EXEC = 1, 2, 4
_MAP_SHARED, _MAP_PRIVATE, _MAP_ANONYMOUS = 0x01, 0x02, 0x20
_MAP_FIXED: Final = 0x10
_MAP_FIXED_NOREPLACE: Final = 0x100000
_MADV_WIPEONFORK: Final = 18
CS_64: Final = 0x33  # __USER_CS, arch/x86/include/asm/segment.h
_VDSO: Final = "[vdso]"  # in /proc/PID/maps, where a file's name would be a path
_EI_CLASS, _ELFCLASS32 = 4, b"\1"  # elf(5)
_IS_32_BIT: Final = "it is a 32-bit program"
_MOST: Final = 2**54  # calls of one function, which take years
_START_BRK: Final = 47  # field of /proc/PID/stat


_process_vm_readv = ctypes.CDLL(None, use_errno=True).process_vm_readv
_process_vm_readv.restype = ctypes.c_ssize_t


class _Part(ctypes.Structure):
    """struct iovec, readv(2)."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class UnpatchableError(UnsupportedError):
    """This process cannot be patched; the reason completes 'not counted: '."""


class CounterPages:
    """The counters of one patched process, mapped into systrace; ``address`` is where it has them.

    ``inode`` is that of the shared memory, by which a forked child is known to count there too.
    ``overwritten``: they hold what no counting can have left there.
    """

    def __init__(self, plan: Plan, pid: int, address: int) -> None:
        """Map a process's counters here. Raises UnpatchableError."""
        self._plan = plan
        self._sums = (0,) * (x86_64.SHARD_BYTES // 8)
        self.overwritten = False
        self.address = address
        try:
            fd = os.open(_counters(pid, address), os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise UnpatchableError(f"its counters cannot be opened: {error.strerror}") from error
        try:
            self.inode = os.fstat(fd).st_ino
            self._pages = mmap.mmap(fd, x86_64.COUNTER_BYTES, mmap.MAP_SHARED, mmap.PROT_READ)
        finally:
            os.close(fd)

    def read(self) -> Entries:
        """Add up all shards; where the target wrote there itself, as they were before that.

        Once closed, they stay as they were when last read.
        """
        plain, clocked = {}, {}
        if not self._pages.closed:
            self._sums = self._added_up()
        for trampoline in self._plan.trampolines:
            counters = self._sums[trampoline.counter : trampoline.counter + trampoline.counters]
            name = trampoline.function.name
            if len(counters) == 1:
                plain[name] = counters[0]
            else:
                clocked[name] = {clock: count for clock, count in enumerate(counters) if count}
        return Entries(plain, clocked)

    def _added_up(self) -> tuple[int, ...]:
        shard_format = f"={len(self._sums)}Q"
        shards = (
            struct.unpack_from(shard_format, self._pages, shard * x86_64.SHARD_BYTES)
            for shard in range(x86_64.SHARDS)
        )
        sums = tuple(map(sum, zip(*shards, strict=True)))
        self.overwritten |= any(
            not before <= total < _MOST for total, before in zip(sums, self._sums, strict=True)
        )
        return self._sums if self.overwritten else sums

    def close(self) -> None:
        """Unmap them here; the target keeps its own mapping."""
        self._pages.close()


def _counters(pid: int, address: int) -> str:
    tid = proc.with_memory(pid) or pid
    return f"/proc/{tid}/map_files/{address:x}-{address + x86_64.COUNTER_BYTES:x}"


def counters_inode(pid: int, address: int) -> int | None:
    """Return the inode of the counters that a process has there; None if it has none."""
    try:
        return os.stat(_counters(pid, address)).st_ino  # noqa: PTH116 - one of all processes
    except OSError:
        return None


def vdso_address(pid: int) -> int | None:
    """Where the vDSO is, None without one; the auxiliary vector knows only where it once was."""
    return next((item.low for item in _maps(pid) if item.name == _VDSO), None)


def _maps(pid: int) -> list[place.Mapping]:
    return place.parse_maps(proc.maps(pid))


def check_image(pid: int, image: Image, registers_cs: int, *, jumps: bool = False) -> int:
    """Return the vDSO's address; raises UnpatchableError if it is not the one we planned for.

    With ``jumps`` its functions may begin with another systrace's.
    """
    if registers_cs != CS_64:
        raise UnpatchableError(_IS_32_BIT)
    return check_address(pid, image, jumps=jumps)


def check_address(pid: int, image: Image, *, jumps: bool = False) -> int:
    """Return where a 64-bit process has this image; raises UnpatchableError if it has another."""
    base = vdso_address(pid)
    if base is None:
        raise UnpatchableError("it has no vDSO")
    found = bytearray(read_memory(pid, base, len(image.data)))
    if found[_EI_CLASS : _EI_CLASS + 1] == _ELFCLASS32:
        raise UnpatchableError(_IS_32_BIT)
    for function in image.functions if jumps else ():
        entry = slice(function.offset, function.offset + x86_64.JUMP_BYTES)
        if found[entry][:1] == x86_64.JUMP:
            found[entry] = image.data[entry]
    if found != image.data:
        raise UnpatchableError("its vDSO is not the kernel's, or was changed already")
    return base


def open_memory(pid: int) -> io.FileIO:
    """Open the memory of a held process to read and write it. Raises UnpatchableError."""
    try:
        return proc.memory(pid, "r+b")
    except PermissionError as error:
        raise UnpatchableError(
            "its memory may not be written (that of another user's takes CAP_DAC_OVERRIDE)"
        ) from error


def read_memory(pid: int, address: int, size: int) -> bytes:
    """Read memory, another user's too: process_vm_readv(2) asks for CAP_SYS_PTRACE alone.

    Raises OSError.
    """
    try:
        with proc.memory(pid) as memory:
            memory.seek(address)
            return memory.read(size)
    except PermissionError:
        pass
    buffer = ctypes.create_string_buffer(size)
    ours, theirs = _Part(ctypes.addressof(buffer), size), _Part(address, size)
    one = ctypes.c_ulong(1)
    taken = _process_vm_readv(pid, ctypes.byref(ours), one, ctypes.byref(theirs), one, 0)
    if taken < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return buffer.raw[:taken]


def patch(
    pid: int, plan: Plan, vdso: int, injector: Injector, code_fd: int | None = None
) -> CounterPages:
    """Map code and counters into a held process and lead its vDSO's functions through them.

    With ``code_fd``, the number of a file that both systrace and the target have open, the code
    is mapped from there, and the target's descriptor closed. Raises UnpatchableError, with
    nothing changed but perhaps an unused mapping.
    """
    with open_memory(pid) as memory:
        block = map_block(pid, plan, vdso, injector, code_fd)
        pages = CounterPages(plan, pid, block + x86_64.PAGE)
        if code_fd is None:
            memory.seek(block)
            memory.write(plan.code_page(block, vdso))
        if plan.marked:
            set_mark(memory, block)
        write_jumps(memory, plan, block, vdso)
    return pages


def map_block(
    pid: int, plan: Plan, vdso: int, injector: Injector, code_fd: int | None = None
) -> int:
    """Map code and counters, and return where; with ``code_fd`` the code is there already.

    Raises UnpatchableError.
    """
    block = place.choose(_maps(pid), vdso, x86_64.BLOCK_BYTES, start_brk(pid))
    if block is None:
        raise UnpatchableError("there is no room within 2 GiB of its vDSO")
    private = _MAP_PRIVATE | _MAP_FIXED_NOREPLACE
    read_execute = _PROT_READ | _PROT_EXEC
    try:
        if code_fd is None:
            anonymous = private | _MAP_ANONYMOUS
            injector.call(NR_MMAP, block, x86_64.PAGE, read_execute, anonymous, -1, 0)
        else:
            os.pwrite(code_fd, plan.code_page(block, vdso), 0)
            injector.call(NR_MMAP, block, x86_64.PAGE, read_execute, private, code_fd, 0)
        _map_counters(injector, block + x86_64.PAGE, _MAP_FIXED_NOREPLACE)
        if plan.marked:
            _map_mark(injector, block + x86_64.MARK_AT)
    except OSError as error:
        raise UnpatchableError(f"it may not map memory: {error.strerror}") from error
    finally:
        if code_fd is not None:
            injector.call(NR_CLOSE, code_fd)
    return block


def _map_counters(injector: Injector, address: int, fixed: int) -> None:
    flags = _MAP_SHARED | _MAP_ANONYMOUS | fixed
    protection = _PROT_READ | _PROT_WRITE
    injector.call(NR_MMAP, address, x86_64.COUNTER_BYTES, protection, flags, -1, 0)


def _map_mark(injector: Injector, address: int) -> None:
    flags = _MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_FIXED_NOREPLACE
    injector.call(NR_MMAP, address, x86_64.PAGE, _PROT_READ, flags, -1, 0)
    injector.call(NR_MADVISE, address, x86_64.PAGE, _MADV_WIPEONFORK)


def set_mark(memory: io.RawIOBase, block: int) -> None:
    """Let a process be counted that has trampolines which ask for it."""
    memory.seek(block + x86_64.MARK_AT)
    memory.write(x86_64.MARK)


def part(plan: Plan, injector: Injector, shared: CounterPages) -> CounterPages:
    """Give a held process counters of its own, in the place of those that it was forked with.

    Raises UnpatchableError, with nothing changed.
    """
    try:
        _map_counters(injector, shared.address, _MAP_FIXED)
    except OSError as error:
        raise UnpatchableError(f"it may not map memory: {error.strerror}") from error
    return CounterPages(plan, injector.tid, shared.address)


def write_jumps(memory: io.RawIOBase, plan: Plan, block: int, vdso: int) -> None:
    """Lead every function through its trampoline; no thread may run meanwhile."""
    for trampoline in plan.trampolines:
        memory.seek(vdso + trampoline.function.offset)
        memory.write(plan.jump(trampoline, block, vdso))


def has_jumps(code: bytes, plan: Plan, block: int, vdso: int) -> bool:
    """Whether in a vDSO's bytes every function leads through its trampoline."""
    for trampoline in plan.trampolines:
        if not code.startswith(plan.jump(trampoline, block, vdso), trampoline.function.offset):
            return False
    return bool(plan.trampolines)


def restore(memory: io.RawIOBase, plan: Plan, vdso: int) -> None:
    """Put back the bytes that jumps replaced."""
    for trampoline in plan.trampolines:
        start = trampoline.function.offset
        memory.seek(vdso + start)
        memory.write(plan.image.data[start : start + x86_64.JUMP_BYTES])


def start_brk(pid: int) -> int:
    """Where the heap begins, even before it is there; 0 if the kernel does not say."""
    return int(proc.stat_field(proc.read(pid, "stat"), _START_BRK))
