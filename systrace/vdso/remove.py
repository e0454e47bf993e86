"""A program without its vDSO: the entry of its auxiliary vector that says where it is, ignored.

The kernel leaves the vector on the new program's stack, above the environment, and a copy of it
in /proc/PID/auxv, which nothing here can change. What reads the stack (every libc, Go, the dynamic
linker) makes real system calls from then on. elf(5), getauxval(3), fs/binfmt_elf.c.
"""

import struct
from collections import Counter
from typing import Final

from systrace import proc, ptrace
from systrace.ptrace import Registers
from systrace.vdso.count import VdsoCount
from systrace.vdso.image import AT_SYSINFO_EHDR
from systrace.vdso.patch import CS_64

_AT_NULL: Final = 0
_AT_IGNORE: Final = 1
_AT_SYSINFO: Final = 32  # i386: where __kernel_vsyscall is, which the vDSO holds
_READ_BYTES: Final = 65536


class NotRemovedError(Exception):
    """The program keeps its vDSO; the reason completes 'could not be taken away: '."""


class WithoutVdso(VdsoCount):
    """In place of counting: the tree's programs have no vDSO to call."""

    def __init__(self) -> None:
        super().__init__("off")
        self.mode = "removed"
        self._kept: Counter[str] = Counter()

    @property
    def follows(self) -> bool:
        """Whether new images have to be prepared: each gets a vDSO again."""
        return True

    def prepare(self, pid: int) -> int:
        """Take the vDSO from a process that is held at the exit of its exec; returns no signal."""
        self.forget(pid)
        try:
            remove(pid, ptrace.get_registers(pid))
        except NotRemovedError as error:
            self._kept[str(error)] += 1
        return 0

    def incomplete(self) -> set[str]:
        """Return what was not counted: the calls of programs that kept their vDSO."""
        return {"vdso"} if self._kept else set()

    def warnings(self) -> list[str]:
        """Say which programs have it still."""
        return [
            f"the vDSO of {count:,} program{'s' if count > 1 else ''} could not be taken away: "
            f"{reason}"
            for reason, count in self._kept.items()
        ]


def remove(pid: int, registers: Registers) -> None:
    """Hide the vDSO of a process held before its first instruction; nothing else is written.

    Raises NotRemovedError, with nothing changed.
    """
    try:
        saved = proc.read(pid, "auxv")
        with proc.memory(pid, "r+b") as memory:
            memory.seek(registers.rsp)
            stack = _Stack(memory.read(_READ_BYTES), 8 if registers.cs == CS_64 else 4)
            place = stack.vector()
            while place is None:
                more = memory.read(_READ_BYTES)
                if not more:
                    raise NotRemovedError("its auxiliary vector was not found on its stack")
                stack.extend(more)
                place = stack.vector()
            for offset in stack.entries_to_hide(place, saved):
                memory.seek(registers.rsp + offset)
                memory.write(_AT_IGNORE.to_bytes(stack.word, "little"))
    except OSError as error:
        raise NotRemovedError(f"its memory cannot be written: {error.strerror}") from error


class _Stack:
    """What the kernel laid out from rsp upwards: argc, argv, 0, environ, 0, vector."""

    def __init__(self, data: bytes, word: int) -> None:
        self._data = data
        self.word = word
        self._format = "<Q" if word == 8 else "<I"

    def extend(self, more: bytes) -> None:
        """Add what lies above."""
        self._data += more

    def _at(self, offset: int) -> int:
        return int(struct.unpack_from(self._format, self._data, offset)[0])

    def vector(self) -> int | None:
        """Return the offset of the auxiliary vector; None if it, or its end, lies higher up."""
        try:
            offset = self.word * (self._at(0) + 2)
            while self._at(offset):
                offset += self.word
            begin = end = offset + self.word
            while self._at(end) != _AT_NULL:
                end += 2 * self.word
        except (struct.error, OverflowError):  # the latter by an argc that none can be
            return None
        return begin

    def entries_to_hide(self, begin: int, saved: bytes) -> list[int]:
        """Return the offsets of the types to overwrite.

        Raises NotRemovedError unless the vector is the one that the kernel remembers.
        """
        found, offset = [], begin
        while (kind := self._at(offset)) != _AT_NULL:
            if kind in (_AT_SYSINFO, AT_SYSINFO_EHDR):
                found.append(offset)
            offset += 2 * self.word
        if not saved.startswith(self._data[begin:offset]):
            raise NotRemovedError("its auxiliary vector is not the kernel's")
        return found
