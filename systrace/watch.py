"""What is due while a target is watched: reports so far, by interval, and the last one."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Final, Literal, NamedTuple, Protocol

from systrace import again, assemble
from systrace.again import Rerun
from systrace.assemble import Facts
from systrace.counting import Counting
from systrace.layout import Space, Total
from systrace.options import Snapshots
from systrace.report import Exit, Report
from systrace.tally import Tally, with_entries
from systrace.vdso.count import VdsoCount
from systrace.words import plural

_COLLECTION_S: Final = 0.5  # the kernel's table of processes takes longer to fill


class Snapshot(NamedTuple):
    """A report at a moment.

    ``progress`` and ``asked`` (SIGUSR1) reports are cumulative, an ``interval`` report holds
    what happened since the last one, and ``final``, the last, is the whole run. ``stopped_by``
    of that is the signal that asked systrace itself to end meanwhile, 0 for none.
    """

    kind: Literal["progress", "asked", "interval", "final"]
    report: Report
    stopped_by: int = 0


class Watched(Protocol):
    """A target, as far as its watching needs it.

    ``status`` is how it ended, as wait(2) encodes it, None before or where nobody can know.
    ``images`` is how many programs were prepared.
    ``missed`` is why vDSO calls of a new program may not have been counted. ``whole``: it ends
    with its last process, not with its first; or where nobody waits any longer for that.
    ``stops_shown``: how often a process was stopped, and its parent was told.
    """

    status: int | None
    images: int
    missed: str
    whole: bool
    stops_shown: int

    @property
    def over(self) -> bool:
        """Whether there is nothing left to watch."""

    @property
    def redone(self) -> Mapping[Rerun, int]:
        """Calls that ran again because somebody traced, and how often."""

    def step(self, until_ns: float) -> bool:
        """Handle what has happened; returns whether something may be left."""


class Watch:
    """The running target's counters, and how it ended."""

    def __init__(
        self,
        counting: Counting,
        vdso: VdsoCount,
        target: Watched,
        facts: Facts,
    ) -> None:
        self._counting = counting
        self._vdso = vdso
        self._target = target
        self.facts = facts
        self._before: Tally | None = None  # at the end of the last interval

    def snapshots(self, next_signal: Callable[[float], int], when: Snapshots) -> Iterator[Snapshot]:
        """Yield what is due until it is over.

        ``next_signal`` waits for one until a time, ns of CLOCK_MONOTONIC, and returns its number.
        """
        interval = Ticks(when.interval_s, self.facts.started_ns)
        progress = Ticks(when.progress_s, self.facts.started_ns)
        collection = Ticks(_COLLECTION_S, self.facts.started_ns)
        busy = True
        while not self._target.over:
            due_ns = min(interval.due_ns, progress.due_ns, collection.due_ns)
            number = next_signal(0 if busy else due_ns)
            busy = self._target.step(due_ns)
            if collection.passed():
                self._counting.collect()
            if number == signal.SIGUSR1:
                yield Snapshot("asked", self._report(self._drain()))
            if not self._target.over and interval.passed():
                yield self._interval(self._drain())
            if not self._target.over and progress.passed():
                yield Snapshot("progress", self._report(self._drain()))

    def ended(self) -> tuple[Snapshot, ...]:
        """Return the whole run, once the target has ended and the probes are detached.

        Before it comes what is in no interval yet, where there were some.
        """
        tally = self._whole()
        rest = () if self._before is None else (self._interval(tally),)
        return (*rest, Snapshot("final", self._report(tally)))

    def _whole(self) -> Tally:
        """Read everything, up to the end of the last process."""
        tally = self._drain()
        self._vdso.left_out(tally.totals[Total.SHARERS])
        self._vdso.untold(tally.processes)
        processes = tally.processes if self._target.whole else tally.processes[:1]
        ends = [process.end_ns for process in processes]
        return tally._replace(at_ns=max(ends)) if ends and all(ends) else tally

    def _drain(self) -> Tally:
        tally = again.without(self._counting.drain(), self._target.redone)
        processes = with_entries(tally.processes, self._vdso.by_process())
        return tally._replace(entries=self._vdso.read(), processes=processes)

    def _report(self, tally: Tally, since_ns: int | None = None) -> Report:
        self._vdso.descended(tally.processes)
        warnings, incomplete = self._vdso.warnings(), self._vdso.incomplete()
        status = self._target.status
        if self._target.over:
            checks, doubtful = self._checks(tally)
            warnings += checks
            incomplete |= doubtful
        facts = replace(
            self.facts,
            exit=exit_of(status),
            warnings=tuple(warnings),
            incomplete=frozenset(incomplete),
        )
        return assemble.report(tally, facts, since_ns)

    def _checks(self, tally: Tally) -> tuple[list[str], set[str]]:
        """Hold the ways of counting against each other, once all is over.

        Returns warnings, and what is incomplete.
        """
        disagreement = self._vdso.disagreement()
        warnings = [disagreement] if disagreement else []
        missed = tally.totals[Total.EXECS] + 1 - self._target.images if self._vdso.follows else 0
        if missed > 0 and self._target.images:
            warnings.append(
                f"vDSO calls of {plural(missed, 'program')} were not counted: {self._target.missed}"
            )
        if shown := self._target.stops_shown:
            warnings.append(
                f"parents were told of {plural(shown, 'stop')} of their children, "
                "by --follow=signal: the calls that they made because of it are counted"
            )
        alive = sum(not process.end_ns for process in tally.processes)
        if alive and self.facts.command:
            processes = plural(alive, "process was", "processes were")
            warnings.append(f"{processes} still running at the end: counted up to then")
        fallbacks = sum(
            row.count for (space, _), row in tally.rows.items() if space == Space.FALLBACK
        )
        if (self._vdso.uncounted or missed > 0) and tally.entries and fallbacks:
            # whose fallbacks they were is not known: all are taken off the entries
            calls = plural(fallbacks, "counted call")
            warnings.append(
                f"besides, up to {calls} may be missing from the vdso rows: "
                "fallbacks of programs that were not counted are taken off them"
            )
        doubtful = {"vdso"} if disagreement or (missed > 0 and self._target.images) else set[str]()
        return warnings, doubtful

    def _interval(self, now: Tally) -> Snapshot:
        before, self._before = self._before, now
        if before is None:
            return Snapshot("interval", self._report(now, self.facts.started_ns))
        return Snapshot("interval", self._report(now.since(before), before.at_ns))


class Ticks:
    """Moments at fixed distances, ns of CLOCK_MONOTONIC; those that were missed are left out."""

    def __init__(self, period_s: float | None, start_ns: int) -> None:
        self._period_ns = None if period_s is None else max(1, round(period_s * 1e9))
        self.due_ns: float = float("inf")
        if self._period_ns is not None:
            self.due_ns = start_ns + self._period_ns

    def passed(self) -> bool:
        """Whether one is due; if so, the next one is set."""
        now = time.monotonic_ns()
        if self._period_ns is None or now < self.due_ns:
            return False
        self.due_ns += ((now - self.due_ns) // self._period_ns + 1) * self._period_ns
        return True


def utc_now() -> str:
    """Return the time of day, RFC 3339."""
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    return now.replace("+00:00", "Z")


def exit_of(status: int | None) -> Exit:
    """Read a status of wait(2); None: it has not ended."""
    if status is None:
        return Exit()
    if os.WIFSIGNALED(status):
        return Exit(signal=os.WTERMSIG(status))
    return Exit(code=os.WEXITSTATUS(status))
