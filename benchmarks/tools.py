"""What is compared: how each tool is called, and how many calls it says that it saw."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
PROGRAMS: Final = HERE / "bin"
SYSTRACE: Final = str(Path(sys.executable).with_name("systrace"))

# (file for the report, command of the workload) -> command
Command = Callable[[str, Sequence[str]], list[str]]
# (what the tool wrote, name of a call, its number) -> how many
Counted = Callable[[str, str, int], int | None]

_ENTER = "tracepoint:raw_syscalls:sys_enter /pid == cpid/"
_EXIT = "tracepoint:raw_syscalls:sys_exit"
_BY_ID = f"{_ENTER} {{ @[args->id] = count(); }}"
_TIMES = (
    f"{_ENTER} {{ @begin[tid] = nsecs; }} {_EXIT} /@begin[tid]/ {{ "
    "@[args->id] = count(); @ns[args->id] = sum(nsecs - @begin[tid]); "
    "@us[args->id] = hist((nsecs - @begin[tid]) / 1000); delete(@begin[tid]); }"
)


@dataclass(frozen=True, slots=True)
class Tool:
    """``beside``: it is started with the workload's pid, and not with its command."""

    name: str
    command: Command
    counted: Counted = lambda *_: None
    beside: bool = False


def _of_systrace(report: str, call: str, _: int) -> int:
    rows = json.loads(report)["calls"]
    return sum(row["count"] for row in rows if row["name"] == call)


def _of_strace(report: str, call: str, _: int) -> int:
    lines = [line.split() for line in report.splitlines()]
    return sum(int(words[3]) for words in lines if words and words[-1] == call)


def _of_perf_trace(report: str, call: str, _: int) -> int:
    return sum(int(count) for count in re.findall(rf"^ +{call} +(\d+)", report, re.MULTILINE))


def _of_perf_stat(report: str, *_: object) -> int:
    return next(int(line.split(",")[0]) for line in report.splitlines() if "sys_enter" in line)


def _of_bpftrace(report: str, _: str, number: int) -> int:
    found = re.search(rf"^@\[{number}\]: (\d+)$", report, re.MULTILINE)
    return int(found[1]) if found else 0


def _of_syscount(report: str, call: str, _: int) -> int:
    return sum(int(count) for count in re.findall(rf"^{call} +(\d+)", report, re.MULTILINE))


def systrace(*options: str) -> Tool:
    """Systrace with options; JSON is what it writes."""
    return Tool(
        " ".join(("systrace", *options)),
        lambda report, work: [SYSTRACE, "run", "-q", "-o", f"{report}.json", *options, *work],
        _of_systrace,
    )


def _bpftrace(name: str, program: str) -> Tool:
    def command(report: str, work: Sequence[str]) -> list[str]:
        # whole paths only: it refuses a program that PATH has twice, as where /bin is a link
        whole = (shutil.which(work[0]) or work[0], *work[1:])
        return ["bpftrace", "-o", report, "-c", shlex.join(whole), "-e", program]

    return Tool(name, command, _of_bpftrace)


def _syscount(*options: str) -> Tool:
    return Tool(
        " ".join(("syscount", *options)),
        lambda _, pid: ["syscount-bpfcc", "-T", "1000", *options, "-p", *pid],
        _of_syscount,
        beside=True,
    )


UNTRACED: Final = Tool("untraced", lambda _, work: [*work])
FLOOR: Final = Tool(
    "two empty raw tracepoints",
    lambda _, work: [sys.executable, str(HERE / "floor.py"), *work],
)
FULL: Final = systrace()
COUNTS_ONLY: Final = systrace("--counts-only")
STRACE: Final = Tool(
    "strace -c -f", lambda report, work: ["strace", "-c", "-f", "-o", report, *work], _of_strace
)
PERF_TRACE: Final = Tool(
    "perf trace -s",
    lambda report, work: ["perf", "trace", "-s", "-o", report, "--", *work],
    _of_perf_trace,
)
PERF_STAT: Final = Tool(
    "perf stat -e raw_syscalls:sys_enter",
    lambda report, work: [
        *("perf", "stat", "-x,", "-o", report, "-e", "raw_syscalls:sys_enter", "--"),
        *work,
    ],
    _of_perf_stat,
)
BPFTRACE: Final = _bpftrace("bpftrace, count by id", _BY_ID)
BPFTRACE_TIMES: Final = _bpftrace("bpftrace, with times", _TIMES)
SYSCOUNT: Final = _syscount()
SYSCOUNT_L: Final = _syscount("-L")

PEERS: Final = (STRACE, PERF_TRACE, PERF_STAT, BPFTRACE, BPFTRACE_TIMES, SYSCOUNT, SYSCOUNT_L)
_NEEDED: Final = ("strace", "perf", "bpftrace", "syscount-bpfcc")


def missing() -> list[str]:
    """Return the programs of peers that are not installed."""
    return [name for name in _NEEDED if shutil.which(name) is None]
