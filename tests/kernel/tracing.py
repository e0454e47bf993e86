"""The installed command, run on a real program, and the report that it writes."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

import systrace
from systrace.vdso import image

SYSTRACE = Path(sys.executable).parent / "systrace"
EXAMPLES = Path(__file__).parents[2] / "examples"
SCHEMA = Path(systrace.__file__).with_name("report.schema.json")

# Nothing here takes a tenth of that: it turns a hang into a failure, and measures nothing. An
# emulated machine (tests/kernels) says by how many times it is slower.
SLOWNESS = int(os.environ.get("SYSTRACE_SLOWNESS", "1"))
HANGS_S = 120 * SLOWNESS

# What this kernel's vDSO exports: getrandom since Linux 6.11 only.
VDSO = frozenset(function.name for function in image.parse(image.own_bytes() or b"").functions)

Row = dict[str, Any]
Key = tuple[str, str, str]


def example(name: str) -> str:
    return str(EXAMPLES / "bin" / name)


@dataclass(frozen=True)
class Traced:
    """A run that has ended: how systrace ended, and the JSON that it wrote."""

    process: subprocess.CompletedProcess[bytes]
    report: dict[str, Any]

    @property
    def totals(self) -> dict[str, int]:
        totals: dict[str, int] = self.report["totals"]
        return totals

    @property
    def warnings(self) -> list[str]:
        warnings: list[str] = self.report["warnings"]
        return warnings

    @property
    def rows(self) -> dict[Key, Row]:
        return rows(self.report)

    def row(self, name: str, via: str = "syscall", abi: str = "x86_64") -> Row:
        return self.rows[name, via, abi]

    def count(self, name: str, via: str = "syscall", abi: str = "x86_64") -> int:
        row = self.rows.get((name, via, abi))
        return 0 if row is None else int(row["count"])

    def entered_ring_0(self, name: str) -> int:
        return sum(
            int(row["count"])
            for (called, _, _), row in self.rows.items()
            if called == name and row["ring"] == "3->0"
        )


class Tracer:
    """Runs ``systrace run``, and holds every report against what all reports promise."""

    def __init__(self, directory: Path) -> None:
        self.output = directory / "report.json"

    def argv(self, *command: str, options: Sequence[str] = ()) -> list[str]:
        return [str(SYSTRACE), "run", "-q", "-o", str(self.output), *options, *command]

    def __call__(
        self,
        *command: str,
        options: Sequence[str] = (),
        prefix: Sequence[str] = (),
        **popen: Any,
    ) -> Traced:
        argv = [*prefix, *self.argv(*command, options=options)]
        popen = {"stdin": subprocess.DEVNULL, "capture_output": True, **popen}
        process = subprocess.run(argv, check=False, timeout=HANGS_S, **popen)
        assert self.output.exists(), process
        return self.read(process)

    def read(self, process: subprocess.CompletedProcess[bytes]) -> Traced:
        report = json.loads(self.output.read_text())
        self.output.unlink()
        check(report)
        return Traced(process, report)


def changed_systrace(change: str, argv: Sequence[str]) -> list[str]:
    """The same command after a change, in Python, to systrace, which is Python."""
    run = f"{change}\nimport sys; from systrace.cli import main; sys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-I", "-c", run, *argv[1:]]


def told(most: int, warnings: Sequence[str]) -> tuple[list[str], int]:
    """Return all warnings but one, and of how many stops by ``--follow=signal`` that tells.

    Which of the ``most`` children that are held come to stop is a matter of speed.
    """
    said = re.compile(
        r"parents were told of ([\d,]+) stops? of their children, by --follow=signal: "
        r"the calls that they made because of it are counted"
    )
    found = [match[1] for match in map(said.fullmatch, warnings) if match]
    stops = sum(int(number.replace(",", "")) for number in found)
    assert len(found) <= 1
    assert stops <= most
    return [warning for warning in warnings if not said.fullmatch(warning)], stops


def rows(report: dict[str, Any]) -> dict[Key, Row]:
    found = {(row["name"], row["via"], row["abi"]): row for row in report["calls"]}
    assert len(found) == len(report["calls"]), "a row stands twice"
    return found


def check(report: dict[str, Any]) -> None:
    """What holds for every report."""
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    totals = report["totals"]
    assert totals["lost"] == 0, report["warnings"]
    ring = {"3": 0, "3->0": 0}
    errors = restarted = fallbacks = 0
    for (_, via, _), row in rows(report).items():
        assert (row["ring"] == "3") == (via == "vdso")
        ring[row["ring"]] += row["count"]
        errors += sum(row.get("errors", {}).values())
        restarted += row.get("restarted", 0)
        fallbacks += row["count"] if via == "vdso-fallback" else 0
        if "by_clock" in row:
            assert sum(row["by_clock"].values()) == row["count"]
        if "histogram" in row:
            returned = sum(count for _, _, count in row["histogram"])
            # what began before an interval may return in it
            early = returned + row["unfinished"] - row["count"]
            assert early == 0 or (early > 0 and "since_ns" in report)
    assert totals["ring3_calls"] == ring["3"]
    assert totals["ring0_calls"] == ring["3->0"]
    assert totals["vdso_fallbacks"] == fallbacks
    assert totals["errors"] == errors
    assert totals["restarted"] == restarted
