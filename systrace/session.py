"""target + probes + clock, yielding snapshots. It never prints and never exits."""

import contextlib
import os
import signal
import time
from collections.abc import Generator, Iterator
from functools import partial
from typing import Final, NamedTuple

from systrace import descriptors, machine
from systrace.assemble import Facts
from systrace.counting import Counting
from systrace.definitions import tracepoints
from systrace.options import RunOptions, TraceOptions
from systrace.probe import Build
from systrace.report import Exit, Probes
from systrace.target import job
from systrace.target.alone import Alone
from systrace.target.command import find
from systrace.target.follow import Tree
from systrace.target.launch import Command, Held, inherited_environment, signals_blocked
from systrace.target.signalled import Signalled
from systrace.target.user import Identity, resolve
from systrace.trial import costed
from systrace.vdso.count import VdsoCount
from systrace.vdso.remove import WithoutVdso
from systrace.watch import Snapshot, Watch, exit_of, utc_now

# What reaches us in the target's place is passed on; a terminal's signals it gets by itself.
_FORWARDED: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
# these the target's group gets too, and stops, or not; then so do we: see job.py
_AWAITED: Final = _FORWARDED | job.STOPS | {signal.SIGCHLD, signal.SIGUSR1}
_POLL_NS: Final = 20_000_000
_SETTLED_S: Final = 0.005
_MOST_EVENTS_NS: Final = 50_000_000


class Timing(NamedTuple):
    """How long a command took and how it ended; ``stopped_by`` as in Snapshot."""

    elapsed_ns: int
    exit: Exit
    stopped_by: int = 0


def run(options: RunOptions, build: Build) -> Iterator[Snapshot]:
    """Start the command held, attach, release, and yield snapshots until it has ended.

    ``build`` is of what ``options`` ask for, and closed in the end; see early.py.

    Raises NotFoundError, NotExecutableError, PrivilegeError, UnsupportedError or SystraceError.
    """
    # Once that has returned its counters are gone, and reports may be as large.
    yield (yield from _traced(options, build))


def _traced(options: RunOptions, build: Build) -> Generator[Snapshot, None, Snapshot]:
    """Yield all snapshots but the last, and return that."""
    with contextlib.ExitStack() as stack:
        stack.callback(build.close)
        command, identity = executable(options)
        signals = stack.enter_context(signals_blocked(_AWAITED))
        vdso = stack.enter_context(_vdso(options.trace))
        target = Held(command, identity, signals, vdso.lent_fd)
        stack.callback(target.abandon)
        stack.enter_context(descriptors.many())
        image = vdso.load()
        counting = stack.enter_context(Counting(options.trace, image, build))
        if vdso.follows:
            counting.hold_moves()
        counting.await_exec(target.pid, vdso.secret)
        tree = _tree(target.pid, vdso, options, counting, stack)
        tree.status = target.start()
        counting.started()
        if tree.status is None:
            tree.start()
            target.released()
        held_ns = (tree.let_go_ns or time.monotonic_ns()) - target.exec_ns
        facts = _facts(options, vdso, counting.started_ns() + held_ns)
        watch = Watch(counting, vdso, tree, facts)
        heard = set[int]()
        wait = partial(_next_signal, target, tree, heard)
        yield from watch.snapshots(wait, options.snapshots)
        counting.stop()
        tree.release()
        *rest, final = watch.ended()
        yield from rest
        if options.snapshots.costs:
            final = costed(final, counting, build, vdso, tree.held_ns)
        _discard_signals(heard)
    return final._replace(stopped_by=min(heard & _FORWARDED, default=0))


def unprobed(options: RunOptions) -> Timing:
    """Run the command with no probe in place, to learn what it takes by itself.

    It is followed under ptrace, whether its vDSO is taken away or not, so that both are alike.

    Raises what ``run`` does.
    """
    command, identity = executable(options)
    with signals_blocked(_AWAITED) as signals, contextlib.ExitStack() as stack:
        vdso = WithoutVdso() if options.trace.without_vdso else VdsoCount("off")
        target = Held(command, identity, signals)
        stack.callback(target.abandon)
        tree = Tree(target.pid, stack.enter_context(vdso), children=options.trace.follow)
        tree.status = target.start()
        if tree.status is None:
            tree.start()
            target.released()
        begun_ns = time.monotonic_ns()
        heard = set[int]()
        while not tree.over:
            tree.step(float("inf"))
            if not tree.over:
                _next_signal(target, tree, heard, float("inf"))
        elapsed_ns = time.monotonic_ns() - begun_ns
        tree.release()
        _discard_signals(heard)
    return Timing(elapsed_ns, exit_of(tree.status), min(heard & _FORWARDED, default=0))


def _vdso(trace: TraceOptions) -> VdsoCount:
    if trace.without_vdso:
        return WithoutVdso()
    return VdsoCount(
        trace.vdso,
        follow=trace.follow,
        per_process=trace.per_process,
        announced=not trace.by_signal,
    )


def _tree(
    pid: int,
    vdso: VdsoCount,
    options: RunOptions,
    counting: Counting,
    stack: contextlib.ExitStack,
) -> Tree | Alone:
    """Follow only where new images have to be prepared."""
    alive = counting.alive if options.wait_all else None
    if not vdso.follows:
        return Alone(pid, alive)
    if options.trace.by_signal:
        return stack.enter_context(Signalled(pid, vdso, counting, _AWAITED, alive))
    return Tree(pid, vdso, children=options.trace.follow, wait_all=options.wait_all)


def executable(options: RunOptions) -> tuple[Command, Identity | None]:
    """Find the file to execute, and who will; nothing is started.

    Raises NotFoundError, NotExecutableError or UsageError.
    """
    identity = resolve(options.user)
    environment = inherited_environment()
    if identity is not None:
        environment = identity.environment(environment)
    path = environment.get(b"PATH")
    file = find(options.command[0], None if path is None else os.fsdecode(path), identity)
    return Command(file, options.command, environment, options.streams), identity


def _facts(options: RunOptions, vdso: VdsoCount, started_ns: int) -> Facts:
    """``started_ns``: the first call's enter, moved by as long as the target was held."""
    return Facts(
        command=options.command,
        started=utc_now(),
        started_ns=started_ns,
        machine=machine.describe(),
        probes=Probes(tracepoints(), vdso.mode),
        selection=options.trace.selection,
        without_children=not options.trace.follow,
        with_times=not options.trace.counts_only,
        vdso_ns=vdso.call_ns,
    )


def _next_signal(target: Held, tree: Tree | Alone, heard: set[int], due_ns: float) -> int:
    """Wait for a signal, or until ``due_ns``; one that was meant for the target is passed on."""
    if tree.stopped_by:
        _stop_with(target, tree)
    if tree.polls:
        due_ns = min(due_ns, time.monotonic_ns() + _POLL_NS)
    if isinstance(tree, Signalled):
        tree.rest(due_ns)
        due_ns = 0
    if due_ns == float("inf"):
        info = signal.sigwaitinfo(_AWAITED)
    else:
        timeout = max(0.0, (due_ns - time.monotonic_ns()) / 1e9)
        timed = signal.sigtimedwait(_AWAITED, timeout)
        if timed is None:
            return 0
        info = timed
    # si_code > 0: from the kernel, that is from a terminal, which the target shares
    if tree.status is not None and info.si_signo in _FORWARDED:
        tree.give_up()
    elif info.si_signo in _FORWARDED | job.STOPS and info.si_code <= 0:
        target.send(info.si_signo)
    heard.add(info.si_signo)
    return info.si_signo


def _stop_with(target: Held, tree: Tree | Alone) -> None:
    """Stop as the target has stopped, where there is a shell that waits for it and will go on."""
    number, tree.stopped_by = tree.stopped_by, 0
    if not job.is_controlled():
        return
    # it may have been continued already, at the same time as we were
    time.sleep(_SETTLED_S)
    tree.stopped_by = number
    tree.step(time.monotonic_ns() + _MOST_EVENTS_NS)
    if tree.stopped_by:
        tree.stopped_by = 0
        job.stop(number, target.pid)


def _discard_signals(heard: set[int]) -> None:
    """Take what is still pending: the target has ended, and a report is to be written."""
    while (info := signal.sigtimedwait(_AWAITED, 0)) is not None:
        heard.add(info.si_signo)
