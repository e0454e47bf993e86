"""Counting vDSO calls in whichever mode was asked for, or the best that works (``auto``)."""

import os
from typing import Final

from systrace.errors import UnsupportedError
from systrace.options import VdsoMode
from systrace.ptrace import get_registers
from systrace.tally import Entries
from systrace.target.inject import Injector
from systrace.vdso import image, x86_64
from systrace.vdso.patch import CounterPages, UnpatchableError, check_image, patch
from systrace.vdso.uprobe import UprobeCounters, code_file

_MODES: Final = {"auto": "patch", "patch": "patch", "uprobe": "uprobe", "off": "off"}


class VdsoCount:
    """The vDSO side of a session; a context manager.

    ``mode`` is what the report says: ``patch``, ``uprobe``, ``off``, ``none`` (there is no vDSO)
    or ``uncounted``. ``lent_fd`` is a file that the target needs across its exec, or None.
    """

    def __init__(self, asked: VdsoMode) -> None:
        if asked not in _MODES:
            raise UnsupportedError(f"--vdso {asked} is not there yet; use --vdso patch")
        self._asked = asked
        self.mode = _MODES[asked]
        self.warnings: list[str] = []
        self.lent_fd = code_file() if self.mode == "uprobe" else None
        self._plan: x86_64.Plan | None = None
        self._pages: CounterPages | None = None
        self._uprobes: UprobeCounters | None = None
        self._image: image.Image | None = None

    def __enter__(self) -> "VdsoCount":
        return self

    def __exit__(self, *_: object) -> None:
        if self._uprobes is not None:
            self._uprobes.close()
        if self._pages is not None:
            self._pages.close()
        if self.lent_fd is not None:
            os.close(self.lent_fd)

    def load(self) -> image.Image | None:
        """Read this kernel's vDSO and plan for it; None if there is none.

        Raises UnsupportedError if a mode was named that cannot work here.
        """
        data = image.own_bytes()
        if data is None:
            self._refuse("none", "this kernel runs without a vDSO")
            return None
        self._image = image.parse(data)
        if self.mode in ("patch", "uprobe"):
            self._plan = x86_64.make_plan(self._image)
            for name, reason in self._plan.refused.items():
                self.warnings.append(f"vDSO calls of {name} were not counted: {reason}")
            if self.lent_fd is not None:
                self._uprobes = UprobeCounters(self._plan, self.lent_fd)
        return self._image

    def prepare(self, pid: int, secret: int) -> int:
        """Patch a target that is held at the exit of its exec; returns a signal to hand it.

        Raises UnsupportedError if a mode was named that this target does not allow.
        """
        if self._plan is None:
            return 0
        try:
            base = check_image(pid, self._plan, get_registers(pid).cs)
            address = base + self._plan.image.syscall_offset
            with Injector(pid, address, secret) as injector:
                self._pages = patch(pid, self._plan, base, injector, self.lent_fd)
        except UnpatchableError as error:
            self._refuse("uncounted", str(error))
            return 0
        if self._uprobes is not None:
            self._uprobes.attach()
        return injector.pending_signal

    def _refuse(self, mode: str, reason: str) -> None:
        if self._asked in ("patch", "uprobe"):
            raise UnsupportedError(
                f"--vdso {self._asked} cannot count this program's vDSO calls: {reason}\n"
                "--vdso auto counts what it can, and says what it could not"
            )
        if self._asked == "auto":
            self.mode = mode
            if mode == "uncounted":
                self.warnings.append(f"vDSO calls were not counted: {reason}")

    def read(self) -> Entries:
        """Return the entries so far; with uprobes theirs, held against the trampolines'."""
        if self._pages is None:
            return Entries()
        return self._uprobes.read() if self._uprobes is not None else self._pages.read()

    def disagreement(self) -> str | None:
        """Return a warning if uprobes and trampolines do not agree to the last call."""
        if self._uprobes is None or self._pages is None:
            return None
        if self._uprobes.read() == self._pages.read():
            return None
        return "uprobes and trampolines do not agree: vDSO counts may be off"
