"""What was asked for, parsed once into frozen values."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from systrace.errors import UsageError

VdsoMode = Literal["auto", "patch", "breakpoint", "uprobe", "off"]
SortKey = Literal["count", "errors", "total", "mean", "p99", "max", "name"]
Format = Literal["table", "json", "csv", "markdown", "prometheus", "github"]

VDSO_MODES: tuple[VdsoMode, ...] = ("auto", "patch", "breakpoint", "uprobe", "off")
SORT_KEYS: tuple[SortKey, ...] = ("count", "errors", "total", "mean", "p99", "max", "name")
TIMES: frozenset[SortKey] = frozenset({"total", "mean", "p99", "max"})  # of sort keys
FORMATS: tuple[Format, ...] = get_args(Format)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which calls are counted, by name; ``-e`` of the command line.

    ``names`` is the set of call names, for every ABI and via; with ``negated`` it is the set
    that is left out. ``None`` in place of a Selection means every call.
    """

    names: frozenset[str]
    negated: bool = False

    def admits(self, name: str) -> bool:
        """Whether calls of this name are counted."""
        return (name in self.names) != self.negated

    def and_(self, other: "Selection") -> "Selection":
        """Return the selection that admits what both admit."""
        if self.negated and other.negated:
            return Selection(self.names | other.names, negated=True)
        if self.negated:
            return Selection(other.names - self.names)
        return Selection(self.names - other.names if other.negated else self.names & other.names)


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """How to count, whatever the target is.

    Raises UsageError for what does not go together.
    """

    vdso: VdsoMode = "auto"
    counts_only: bool = False
    selection: Selection | None = None
    follow: bool = True
    by_signal: bool = False
    without_vdso: bool = False
    per_process: bool = False

    def __post_init__(self) -> None:
        if self.without_vdso and self.vdso not in ("auto", "off"):
            raise UsageError(
                f"--without-vdso leaves --vdso {self.vdso} nothing to count: give one of them"
            )


@dataclass(frozen=True, slots=True)
class Snapshots:
    """When the session hands out a report before the end; seconds, None for never.

    ``costs``: the last one says what tracing cost, which may have to be tried out first.
    """

    interval_s: float | None = None
    progress_s: float | None = None
    duration_s: float | None = None
    costs: bool = True


@dataclass(frozen=True, slots=True)
class RunOptions:
    """``systrace run``: the command and how to start and count it.

    ``user`` is the name or number that ``-u`` gave; None is the calling user, which under
    sudo is the user who called sudo. ``streams`` are the descriptors of ours that become its
    standard input, output and error.
    """

    command: tuple[str, ...]
    user: str | None = None
    trace: TraceOptions = field(default_factory=TraceOptions)
    snapshots: Snapshots = field(default_factory=Snapshots)
    wait_all: bool = False
    streams: tuple[int, int, int] = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class AttachOptions:
    """``systrace attach``: pids as /proc numbers them, and how to count what they call."""

    pids: tuple[int, ...]
    trace: TraceOptions = field(default_factory=TraceOptions)
    snapshots: Snapshots = field(default_factory=Snapshots)


@dataclass(frozen=True, slots=True)
class TableOptions:
    """How the table is laid out; nothing here changes a count.

    ``unchanged`` asks for those rows of a comparison that did not change, too; ``overhead`` for
    what tracing cost.
    """

    sort: SortKey = "count"
    top: int | None = None
    width: int = 80
    colour: bool = False
    unchanged: bool = False
    overhead: bool = False
