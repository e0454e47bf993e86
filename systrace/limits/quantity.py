"""What a limit can be put on: the figures of a report, each by its name."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

# Of a call. All are numbers of calls ...
COUNTS: Final = (
    "count",
    "ring0_calls",
    "ring3_calls",
    "vdso",
    "vdso-fallback",
    "syscall",
    "vsyscall",
    "errors",
    "filtered",
    "restarted",
    "unfinished",
)
# ... or times in ns, of the calls that entered ring 0 and returned.
TIMES: Final = ("total", "mean", "min", "p50", "p95", "p99", "max")
FIELDS: Final = COUNTS + TIMES

NEW_CALLS: Final = "new_calls"
_ELAPSED: Final = "elapsed"
TOTALS: Final = (
    "ring0_calls",
    "ring3_calls",
    "vdso_fallbacks",
    "errors",
    "restarted",
    "processes",
    "threads",
    "lost",
    _ELAPSED,
    NEW_CALLS,
)

_CALL: Final = re.compile(r"[A-Za-z_*?][A-Za-z0-9_*?]*")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A figure: ``field`` of the calls named ``call``, or the total ``field`` where that is None.

    ``call`` may be a pattern of ``*`` and ``?``, which stands for each call that it matches.
    """

    field: str
    call: str | None = None

    def __str__(self) -> str:
        return self.field if self.call is None else f"{self.call}.{self.field}"

    @property
    def is_time(self) -> bool:
        """Whether it is in ns, and no number of calls."""
        return self.field in ((_ELAPSED,) if self.call is None else TIMES)

    @property
    def is_pattern(self) -> bool:
        """Whether it stands for several calls."""
        return self.call is not None and is_pattern(self.call)


def may_name(name: str) -> bool:
    """Whether a limit can be put on a call of this name, or on those of this pattern."""
    return bool(_CALL.fullmatch(name)) and name not in TOTALS


def is_pattern(name: str) -> bool:
    """Whether it may match several names."""
    return "*" in name or "?" in name


def matches(name: str, pattern: str) -> bool:
    """Whether the pattern, or the one name that it is, stands for this name."""
    # fnmatch knows brackets too, and no pattern of ours holds one
    return fnmatchcase(name, pattern) if is_pattern(pattern) else name == pattern
