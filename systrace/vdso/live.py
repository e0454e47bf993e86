"""vDSO calls of processes that run already."""

from collections.abc import Callable

from systrace.options import VdsoMode
from systrace.seeds import Seeds
from systrace.target.find import Found
from systrace.vdso.count import VdsoCount


class LiveVdso(VdsoCount):
    """As VdsoCount, for images that are in use: each is held while it is changed."""

    def __init__(self, asked: VdsoMode, announce: Callable[[str], None]) -> None:
        """``announce`` is told what will be done to a process, before it is done."""
        super().__init__("off" if asked in ("auto", "off") else asked)
        self._announce = announce
        self.longest_stop_ns: int | None = None

    def take(self, process: Found, seeds: Seeds) -> None:
        """Begin to count a process: its system calls and, as the mode says, its vDSO calls."""
        seeds.sow([process.pid], held=False)

    def let_go(self) -> None:
        """Restore what was changed."""
