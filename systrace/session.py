"""target + probes + clock, yielding snapshots. It never prints and never exits."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from typing import Final

from systrace import machine
from systrace.assemble import Facts
from systrace.counting import Counting, prepare, tracepoints
from systrace.options import RunOptions, TraceOptions
from systrace.probe import require_bpf
from systrace.report import Probes
from systrace.target.command import find
from systrace.target.follow import Alone, Tree
from systrace.target.launch import Command, Held, inherited_environment, signals_blocked
from systrace.target.user import Identity, resolve
from systrace.vdso.count import VdsoCount
from systrace.vdso.remove import WithoutVdso
from systrace.watch import Snapshot, Watch, utc_now

# What reaches us in the target's place is passed on; a terminal's signals it gets by itself.
_FORWARDED: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
_AWAITED: Final = _FORWARDED | {signal.SIGCHLD, signal.SIGUSR1}


def run(options: RunOptions) -> Iterator[Snapshot]:
    """Start the command held, attach, release, and yield snapshots until it has ended.

    Raises NotFoundError, NotExecutableError, PrivilegeError, UnsupportedError or SystraceError.
    """
    require_bpf()
    command, identity = _command(options)
    with signals_blocked(_AWAITED) as signals, contextlib.ExitStack() as stack:
        vdso = stack.enter_context(_vdso(options.trace))
        target = Held(command, identity, signals, vdso.lent_fd)
        stack.callback(target.abandon)
        build = prepare(options.trace)
        stack.callback(build.close)
        image = vdso.load()
        counting = stack.enter_context(Counting(options.trace, image, build))
        counting.await_exec(target.pid, vdso.secret)
        tree = _tree(target.pid, vdso, options)
        tree.status = target.start()
        counting.started()
        if tree.status is None:
            tree.start()
            target.released()
        held_ns = time.monotonic_ns() - target.exec_ns
        facts = _facts(options, vdso, counting.started_ns() + held_ns)
        watch = Watch(counting, vdso, tree, facts)
        yield from watch.snapshots(partial(_next_signal, target), options.snapshots)
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
        started=utc_now(),
        started_ns=started_ns,
        machine=machine.describe(),
        probes=Probes(tracepoints(), vdso.mode),
        selection=options.trace.selection,
        with_times=not options.trace.counts_only,
        vdso_ns=vdso.call_ns,
    )


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
