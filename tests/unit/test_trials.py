"""Commands run in turn: how often, in which order, and what ends it."""

import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from systrace import early, session, trials
from systrace.errors import CommandFailedError, NotFoundError
from systrace.options import RunOptions, TraceOptions
from systrace.report import Call, Exit
from systrace.session import Timing
from systrace.trials import Plan, StoppedError
from systrace.watch import Snapshot

from .conftest import GOAPP

A, B = RunOptions(("a",)), RunOptions(("b", "-x"), trace=TraceOptions(without_vdso=True))


class Session:
    """Stands in for the engine, and notes what it was asked to do."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.exits: dict[int, Exit] = {}
        self.stops: dict[int, int] = {}

    def _note(self, kind: str, options: RunOptions) -> int:
        self.asked.append(kind + options.command[0])
        return len(self.asked)

    def executable(self, options: RunOptions) -> None:
        if options.command[0] == "missing":
            raise NotFoundError("command not found: missing")

    def run(self, options: RunOptions) -> Iterator[Snapshot]:
        number = self._note("", options)
        calls = (Call("read", "syscall", "x86_64", number),)
        report = replace(GOAPP, calls=calls, exit=self.exits.get(number, Exit(code=0)))
        yield Snapshot("asked", GOAPP)
        yield Snapshot("final", report, stopped_by=self.stops.get(number, 0))

    def unprobed(self, options: RunOptions) -> Timing:
        number = self._note("time ", options)
        end = self.exits.get(number, Exit(code=0))
        return Timing(1000 * number, end, self.stops.get(number, 0))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Session:
    engine = Session()
    for module, name in ((session, "executable"), (early, "run"), (session, "unprobed")):
        monkeypatch.setattr(module, name, getattr(engine, name))
    return engine


def counts(trial: trials.Trial) -> list[int]:
    return [report.calls[0].count for report in trial.reports]


def nothing() -> None:
    pass


def test_the_commands_run_in_turn(engine: Session) -> None:
    a, b = trials.run((A, B), Plan(3), nothing)
    assert engine.asked == ["a", "b", "a", "b", "a", "b"]
    assert (counts(a), counts(b)) == ([1, 3, 5], [2, 4, 6])
    assert a.unprobed_ns == ()


def test_runs_that_warm_up_count_for_nothing(engine: Session) -> None:
    (a,) = trials.run((A,), Plan(2, warmup=3), nothing)
    assert engine.asked == ["a"] * 5
    assert counts(a) == [4, 5]


def test_each_turn_ends_with_runs_for_the_time_alone(engine: Session) -> None:
    a, b = trials.run((A, B), Plan(2, warmup=1, unprobed=True), nothing)
    assert engine.asked == ["a", "b", "time a", "time b"] * 3
    assert (a.unprobed_ns, b.unprobed_ns) == ((7_000, 11_000), (8_000, 12_000))
    assert (counts(a), counts(b)) == ([5, 9], [6, 10])


@pytest.mark.parametrize("plan", [Plan(3), Plan(2, warmup=2), Plan(2, warmup=1, unprobed=True)])
def test_each_run_is_told_and_their_number_is_foretold(engine: Session, plan: Plan) -> None:
    told: list[int] = []
    trials.run((A, B), plan, lambda: told.append(len(engine.asked)))
    assert told == list(range(1, 2 * plan.steps + 1))


@pytest.mark.usefixtures("engine")
def test_processes_are_not_kept() -> None:
    (a,) = trials.run((A,), Plan(1), nothing)
    assert GOAPP.processes
    assert a.reports[0].processes == ()


def test_nothing_starts_when_one_of_them_is_not_found(engine: Session) -> None:
    with pytest.raises(NotFoundError, match="missing"):
        trials.run((A, RunOptions(("missing",))), Plan(1), nothing)
    assert engine.asked == []


@pytest.mark.parametrize(
    ("number", "end", "said"),
    [
        (1, Exit(code=3), "a failed in its warm-up: exit 3"),
        (6, Exit(code=3), "b -x failed in run 1 of 2: exit 3"),
        (9, Exit(signal=11), "a failed in run 2 of 2: SIGSEGV"),
        (8, Exit(code=1), "b -x failed in run 1 of 2: exit 1"),
    ],
)
def test_a_failure_ends_it(engine: Session, number: int, end: Exit, said: str) -> None:
    engine.exits[number] = end
    plan = Plan(2, warmup=1, unprobed=True)
    with pytest.raises(CommandFailedError) as failed:
        trials.run((A, B), plan, nothing)
    assert str(failed.value).splitlines()[0] == said
    assert len(engine.asked) == number
    assert failed.value.exit_status == 2


def test_a_failure_may_be_ignored(engine: Session) -> None:
    engine.exits = {1: Exit(code=3), 3: Exit(signal=9), 4: Exit(code=1)}
    a, _ = trials.run((A, B), Plan(2, ignore_failure=True, unprobed=True), nothing)
    assert [report.exit for report in a.reports] == [Exit(code=3), Exit(code=0)]
    assert len(engine.asked) == 8


@pytest.mark.parametrize("number", [1, 4])
def test_a_signal_to_systrace_ends_it_whatever_the_command_made_of_it(
    engine: Session, number: int
) -> None:
    engine.stops[number] = signal.SIGTERM
    engine.exits[number] = Exit(code=1)
    with pytest.raises(StoppedError) as stopped:
        trials.run((A, B), Plan(2, ignore_failure=True, unprobed=True), nothing)
    assert stopped.value.number == signal.SIGTERM
    assert len(engine.asked) == number
