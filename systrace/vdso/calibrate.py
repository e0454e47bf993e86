"""What a vDSO call costs on this machine, so that a report can estimate what a program spent.

A loop in machine code calls our own vDSO's functions, for the price of a Python call is many
times theirs. The fastest of a few rounds counts: what disturbs a round only makes it slower.
"""

import ctypes
import mmap
import time
from collections.abc import Callable
from typing import Final

from systrace.vdso.image import Image, own_address
from systrace.vdso.x86_64 import BY_CLOCK, CALL_LOOP

_ROUNDS: Final = 5
_CALLS: Final = 1000
_POINTERS: Final = {"gettimeofday": 0, "time": 0, "getcpu": 0, **dict.fromkeys(BY_CLOCK, 1)}

_Loop = Callable[..., int]  # count, function, first and second argument


class Calibration:
    """Costs in ns, measured when first asked for."""

    def __init__(self, image: Image | None) -> None:
        functions = image.functions if image else ()
        self._functions = {function.name: function.offset for function in functions}
        self._base = own_address()
        self._known: dict[tuple[str, int], float | None] = {}
        self._loop: _Loop | None = None
        self._code: mmap.mmap | None = None

    def call_ns(self, name: str, clock: int = 0) -> float | None:
        """Return the cost of one call; None for one that is not a plain read of a clock."""
        if (name, clock) not in self._known:
            self._known[name, clock] = self._measure(name, clock)
        return self._known[name, clock]

    def _measure(self, name: str, clock: int) -> float | None:
        offset = self._functions.get(name)
        if offset is None or name not in _POINTERS or not self._base:
            return None
        try:
            self._callable()
        except OSError:
            return None  # a security module forbids code in anonymous memory
        return min(self.once_ns(name, _CALLS, clock) for _ in range(_ROUNDS))

    def once_ns(self, name: str, calls: int, clock: int = 0) -> float:
        """Make that many calls, one after the other, and return the cost of one.

        Only for a function that ``call_ns`` knows the cost of.
        """
        loop = self._callable()
        buffer = ctypes.create_string_buffer(64)
        pointer = ctypes.addressof(buffer)
        first, second = (clock, pointer) if name in BY_CLOCK else (pointer, 0)
        return _timed(loop, calls, self._base + self._functions[name], first, second)

    def entered_ns(self, address: int, clock: int) -> float:
        """Return the cost of one clock_gettime that is entered at another address."""
        loop = self._callable()
        buffer = ctypes.create_string_buffer(64)
        pointer = ctypes.addressof(buffer)
        return min(_timed(loop, _CALLS, address, clock, pointer) for _ in range(_ROUNDS))

    def system_call_ns(self) -> float | None:
        """Return the cost of one getppid, through libc's function, which does nothing else."""
        function = ctypes.cast(ctypes.CDLL(None).getppid, ctypes.c_void_p).value or 0
        try:
            loop = self._callable()
        except OSError:
            return None
        return min(_timed(loop, _CALLS, function, 0, 0) for _ in range(_ROUNDS))

    def _callable(self) -> _Loop:
        if self._loop is None:
            self._code = mmap.mmap(
                -1,
                mmap.PAGESIZE,
                mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
                mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC,
            )
            self._code.write(CALL_LOOP)
            address = ctypes.addressof(ctypes.c_char.from_buffer(self._code))
            prototype = ctypes.CFUNCTYPE(ctypes.c_long, *[ctypes.c_long] * 4)
            self._loop = prototype(address)
        return self._loop


def _timed(loop: _Loop, calls: int, *function_and_arguments: int) -> float:
    """Return what one call of the loop took, ns."""
    begin = time.perf_counter_ns()
    loop(calls, *function_and_arguments)
    return (time.perf_counter_ns() - begin) / calls
