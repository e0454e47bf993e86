"""``python -m benchmarks``, as root: measure everything, and print RESULTS.md."""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib import import_module
from typing import Final

from benchmarks import machine, tools
from benchmarks.table import Goal, Section, markdown

_CASES: Final = ("syscalls", "vdso", "bystander", "start", "processes", "work", "pauses")
_HEAD: Final = """# Results

Written by `make bench`. Each figure is the median of rounds in which all tools took turns; the
spread is the lowest and the highest. "Added" is what a tool adds to the untraced figure, and the
floor is what two empty eBPF programs on the raw tracepoints `sys_enter` and `sys_exit` add. "Lost"
is by how much the tool's own count was too low, over all rounds. [NOTES.md](NOTES.md) says what
was tried, and where the nanoseconds go.
"""


def main() -> None:
    """Run the cases that are named, or all."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(_CASES)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--milliseconds", type=int, default=200, help="of each loop")
    asked = parser.parse_args()
    if missing := tools.missing():
        sys.exit(f"benchmarks: not installed: {', '.join(missing)}; make bench installs them")
    begin = time.monotonic()
    sections: list[Section] = []
    for case in asked.cases or _CASES:
        if case not in _CASES:
            sys.exit(f"benchmarks: no such case: {case}")
        sys.stderr.write(f"{time.monotonic() - begin:4.0f} s  {case}\n")
        module = import_module(f"benchmarks.cases.{case}")
        sections += module.sections(asked.rounds, asked.milliseconds)
    sys.stdout.write(_document(sections, time.monotonic() - begin))


def _document(sections: Sequence[Section], seconds: float) -> str:
    goals = [goal for section in sections for goal in section.goals]
    parts = [_HEAD, f"## Machine\n\n{machine.described()}\n- {_when(seconds)}\n"]
    if goals:
        parts.append(f"## Goals\n\n{_table(goals)}\n")
    parts += [f"## {section.title}\n\n{section.text}\n" for section in sections]
    return "\n".join(parts)


def _when(seconds: float) -> str:
    commit = subprocess.run(
        ("git", "-C", str(tools.HERE), "rev-parse", "--short", "HEAD"),
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    now = datetime.now(timezone.utc).date().isoformat()
    return f"systrace at {commit or 'an unknown commit'}, {now}; {seconds / 60:.0f} minutes"


def _table(goals: Sequence[Goal]) -> str:
    return markdown(["", "goal", "measured", "reached"], [goal.row for goal in goals])


if __name__ == "__main__":
    main()
