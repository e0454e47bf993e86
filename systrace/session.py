"""target + probes + clock, yielding snapshots. It never prints and never exits."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Final, Literal

from systrace import assemble, machine
from systrace.assemble import Facts
from systrace.counting import Counting
from systrace.layout import Space, Total
from systrace.options import RunOptions, Snapshots, TraceOptions
from systrace.probe import require_bpf
from systrace.report import Exit, Probes, Report
from systrace.tally import Tally, without_redone
from systrace.target.command import find
from systrace.target.follow import Alone, Tree
from systrace.target.launch import Command, Held, inherited_environment, signals_blocked
from systrace.target.user import Identity, resolve
from systrace.vdso.count import VdsoCount
from systrace.vdso.remove import WithoutVdso

# What reaches us in the target's place is passed on; a terminal's signals it gets by itself.
_FORWARDED: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
_AWAITED: Final = _FORWARDED | {signal.SIGCHLD, signal.SIGUSR1}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A report at a moment.

    ``progress`` and ``asked`` (SIGUSR1) reports are cumulative, an ``interval`` report holds
    what happened since the last one, and ``final``, the last, is the whole run.
    """

    kind: Literal["progress", "asked", "interval", "final"]
    report: Report


def run(options: RunOptions) -> Iterator[Snapshot]:
    """Start the command held, attach, release, and yield snapshots until it has ended.

    Raises NotFoundError, NotExecutableError, PrivilegeError, UnsupportedError or SystraceError.
    """
    require_bpf()
    command, identity = _command(options)
    with signals_blocked(_AWAITED) as signals, contextlib.ExitStack() as stack:
        vdso = stack.enter_context(_vdso(options.trace))
        # forked before bcc is loaded: the child is small, and nothing of bcc's is in it
        target = Held(command, identity, signals, vdso.lent_fd)
        stack.callback(target.abandon)
        image = vdso.load()
        counting = stack.enter_context(Counting(options.trace, image))
        counting.await_exec(target.pid, vdso.secret)
        tree = _tree(target.pid, vdso, options)
        tree.status = target.start()
        counting.started()
        if tree.status is None:
            tree.start()
            target.released()
        held_ns = time.monotonic_ns() - target.exec_ns
        facts = _facts(options, vdso, counting.started_ns() + held_ns)
        watch = _Watch(counting, vdso, tree, facts)
        yield from watch.snapshots(target, options.snapshots)
        counting.stop()
        tree.release()
        final = watch.final()
        _discard_signals()
    yield final


def _vdso(trace: TraceOptions) -> VdsoCount:
    return WithoutVdso() if trace.without_vdso else VdsoCount(trace.vdso)


def _tree(pid: int, vdso: VdsoCount, options: RunOptions) -> Tree | Alone:
    """Follow under ptrace only where new images have to be prepared."""
    if vdso.follows:
        return Tree(pid, vdso, children=options.trace.follow)
    return Alone(pid)


def _command(options: RunOptions) -> tuple[Command, Identity | None]:
    identity = resolve(options.user)
    environment = inherited_environment()
    if identity is not None:
        environment = identity.environment(environment)
    path = environment.get(b"PATH")
    file = find(options.command[0], None if path is None else os.fsdecode(path), identity)
    return Command(file, options.command, environment), identity


def _facts(options: RunOptions, vdso: VdsoCount, started_ns: int) -> Facts:
    """``started_ns``: the first call's enter, moved by as long as the target was held."""
    return Facts(
        command=options.command,
        started=datetime.now(timezone.utc)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z"),
        started_ns=started_ns,
        machine=machine.describe(),
        probes=Probes("raw_tracepoint", vdso.mode),
        selection=options.trace.selection,
        with_times=not options.trace.counts_only,
        vdso_ns=vdso.call_ns,
    )


class _Watch:
    """The running target's counters, and how it ended."""

    def __init__(
        self, counting: Counting, vdso: VdsoCount, tree: Tree | Alone, facts: Facts
    ) -> None:
        self._counting = counting
        self._vdso = vdso
        self._tree = tree
        self._facts = facts

    def snapshots(self, target: Held, when: Snapshots) -> Iterator[Snapshot]:
        """Yield what is due until the target has ended."""
        interval = _Ticks(when.interval_s, self._facts.started_ns)
        progress = _Ticks(when.progress_s, self._facts.started_ns)
        before: Tally | None = None
        busy = True
        while self._tree.status is None:
            due_ns = min(interval.due_ns, progress.due_ns)
            number = _next_signal(target, 0 if busy else due_ns)
            busy = self._tree.step(due_ns)
            if number == signal.SIGUSR1:
                yield Snapshot("asked", self._report(self._drain()))
            if self._tree.status is None and interval.passed():
                now = self._drain()
                yield Snapshot("interval", self._interval(now, before))
                before = now
            if self._tree.status is None and progress.passed():
                yield Snapshot("progress", self._report(self._drain()))

    def final(self) -> Snapshot:
        """Return the whole run, once the target has ended and the probes are detached."""
        tally = self._drain()
        first = tally.processes[0] if tally.processes else None
        if first is not None and first.end_ns:
            tally = replace(tally, at_ns=first.end_ns)
        return Snapshot("final", self._report(tally))

    def _drain(self) -> Tally:
        tally = self._counting.drain()
        rows = without_redone(tally.rows, self._tree.redone)
        return replace(tally, rows=rows, entries=self._vdso.read())

    def _report(self, tally: Tally, since_ns: int | None = None) -> Report:
        warnings = self._vdso.warnings()
        status = self._tree.status
        if status is not None:
            warnings += self._checks(tally)
        facts = replace(self._facts, exit=_exit(status), warnings=tuple(warnings))
        return assemble.report(tally, facts, since_ns)

    def _checks(self, tally: Tally) -> list[str]:
        """Hold the ways of counting against each other, once all is over."""
        disagreement = self._vdso.disagreement()
        warnings = [disagreement] if disagreement else []
        missed = tally.totals[Total.EXECS] + 1 - self._tree.images if self._vdso.follows else 0
        if missed > 0:
            programs = "1 program" if missed == 1 else f"{missed:,} programs"
            warnings.append(f"vDSO calls of {programs} were not counted: not stopped in time")
        fallbacks = sum(
            row.count for (space, _), row in tally.rows.items() if space == Space.FALLBACK
        )
        if (self._vdso.uncounted or missed > 0) and tally.entries and fallbacks:
            # whose fallbacks they were is not known: all are taken off the entries
            warnings.append(f"vdso rows may be too low by up to {fallbacks:,}, for the same reason")
        return warnings

    def _interval(self, now: Tally, before: Tally | None) -> Report:
        if before is None:
            return self._report(now)
        return self._report(now.since(before), before.at_ns)


class _Ticks:
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


def _next_signal(target: Held, due_ns: float) -> int:
    """Wait for a signal, or until ``due_ns``; one that was meant for the target is passed on."""
    if due_ns == float("inf"):
        info = signal.sigwaitinfo(_AWAITED)
    else:
        timeout = max(0.0, (due_ns - time.monotonic_ns()) / 1e9)
        timed = signal.sigtimedwait(_AWAITED, timeout)
        if timed is None:
            return 0
        info = timed
    # si_code > 0: from the kernel, that is from a terminal, which the target shares
    if info.si_signo in _FORWARDED and info.si_code <= 0:
        target.send(info.si_signo)
    return info.si_signo


def _discard_signals() -> None:
    """Take what is still pending: the target has ended, and a report is to be written."""
    while signal.sigtimedwait(_AWAITED, 0) is not None:
        pass


def _exit(status: int | None) -> Exit:
    if status is None:
        return Exit()
    if os.WIFSIGNALED(status):
        return Exit(signal=os.WTERMSIG(status))
    return Exit(code=os.WEXITSTATUS(status))
