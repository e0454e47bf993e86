"""Counting what runs already: attach, watch, let go. It never prints and never exits."""

import contextlib
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from typing import Final

from systrace import descriptors, machine, probe, report
from systrace.assemble import Facts
from systrace.counting import Counting
from systrace.definitions import prepare, tracepoints
from systrace.options import AttachOptions
from systrace.target.attached import AWAITED, Attached
from systrace.target.find import Found, find
from systrace.target.launch import signals_blocked
from systrace.trial import costed
from systrace.vdso.live import LiveVdso
from systrace.watch import Snapshot, Watch, utc_now

_NAMED: Final = 4


def attach(options: AttachOptions, announce: Callable[[str], None]) -> Iterator[Snapshot]:
    """Attach to processes, all of their threads, and yield snapshots until it is over.

    That is after the duration, at a SIGINT, SIGTERM or SIGHUP to us, or when they have ended.
    ``announce`` is told, before a process is touched, what will be done to it.

    Raises PrivilegeError, UnsupportedError, UsageError or SystraceError.
    """
    # Once that has returned its counters are gone, and reports may be as large.
    yield (yield from _traced(options, announce))


def _traced(
    options: AttachOptions, announce: Callable[[str], None]
) -> Generator[Snapshot, None, Snapshot]:
    """Yield all snapshots but the last, and return that."""
    probe.require_bpf()
    found = find([str(pid) for pid in options.pids])
    with signals_blocked(AWAITED), descriptors.many(), contextlib.ExitStack() as stack:
        target = stack.enter_context(Attached(found, options.snapshots.duration_s))
        vdso = LiveVdso(
            options.trace.vdso,
            announce,
            follow=options.trace.follow,
            per_process=options.trace.per_process,
        )
        stack.enter_context(vdso)
        # nobody traces them: a thread that moves its vDSO is held by a signal
        trace = replace(options.trace, by_signal=True)
        build = prepare(trace, probe.SEEDING)
        stack.callback(build.close)
        image = vdso.load()
        counting = stack.enter_context(Counting(trace, image, build))
        holds = counting.holds()
        if vdso.follows:
            counting.hold_moves()
            vdso.hear(holds)
        seeds = counting.await_seeds(vdso.secret)
        stack.callback(seeds.close)
        stack.callback(vdso.see_to_last, seeds)
        stack.callback(vdso.let_go, seeds)
        for process in found:
            vdso.take(process, seeds)
        # only now all are counted: a thread in vfork, for one, cannot be held at once
        started, started_ns = utc_now(), time.monotonic_ns()
        target.begin(vdso.settle, holds.fd, vdso.see_to_moves)
        announce(f"attached to {_names(found)}; {_end(options)}")
        facts = Facts(
            command=(),
            attached=tuple(report.Attached(process.pid, process.comm) for process in found),
            started=started,
            started_ns=started_ns,
            machine=machine.describe(),
            probes=report.Probes(tracepoints(), vdso.mode),
            selection=options.trace.selection,
            without_children=not options.trace.follow,
            with_times=not options.trace.counts_only,
            vdso_ns=vdso.call_ns,
        )
        watch = Watch(counting, vdso, target, facts)
        yield from watch.snapshots(target.next_signal, options.snapshots)
        vdso.let_go(seeds)
        counting.stop()
        vdso.see_to_last(seeds)
        watch.facts = replace(facts, longest_stop_ns=vdso.longest_stop_ns)
        *rest, final = watch.ended()
        yield from rest
        if options.snapshots.costs:
            final = costed(final, counting, build, vdso)
    return final


def _names(found: Sequence[Found]) -> str:
    if len(found) > _NAMED:
        return f"{len(found)} processes"
    return ", ".join(str(process) for process in found)


def _end(options: AttachOptions) -> str:
    if options.snapshots.duration_s is None:
        return "Ctrl-C ends this, not them" if len(options.pids) > 1 else "Ctrl-C ends this, not it"
    return f"for {options.snapshots.duration_s:g} s"
