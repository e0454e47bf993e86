"""Commands run in turn, A B A B, each run counted on its own. It never prints and never exits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from systrace import early, session
from systrace.errors import CommandFailedError
from systrace.launcher import quoted
from systrace.options import RunOptions
from systrace.report import Exit, Report
from systrace.syscalls import signal_name


class StoppedError(Exception):
    """Somebody asked systrace to end, by this signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass(frozen=True, slots=True)
class Plan:
    """How often each command runs, after ``warmup`` runs of each that count for nothing.

    With ``unprobed`` each run is followed by one without a probe, for its time alone.
    """

    runs: int
    warmup: int = 0
    ignore_failure: bool = False
    unprobed: bool = False

    @property
    def steps(self) -> int:
        """How many runs that is of each command, all told."""
        return (self.runs + self.warmup) * (2 if self.unprobed else 1)


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one command, run by run; the reports are without their lists of processes."""

    reports: tuple[Report, ...]
    unprobed_ns: tuple[int, ...]


def run(commands: Sequence[RunOptions], plan: Plan, done: Callable[[], None]) -> list[Trial]:
    """Run the commands in turn, as often as planned; ``done`` is called after each run.

    Raises CommandFailedError at the first failure that is not to be ignored, StoppedError, and
    what ``session.run`` raises; nothing has been started when one cannot be run at all.
    """
    for command in commands:
        session.executable(command)
    reports = [list[Report]() for _ in commands]
    times_ns = [list[int]() for _ in commands]
    for number in range(1 - plan.warmup, plan.runs + 1):
        for place, command in enumerate(commands):
            report = _counted(command)
            _refuse_failure(report.exit, command, number, plan)
            reports[place].append(report)
            done()
        for place, command in enumerate(commands if plan.unprobed else ()):
            timing = session.unprobed(command)
            _stop(timing.stopped_by)
            _refuse_failure(timing.exit, command, number, plan)
            times_ns[place].append(timing.elapsed_ns)
            done()
    warm = slice(plan.warmup, None)
    return [
        Trial(tuple(kept[warm]), tuple(times[warm]))
        for kept, times in zip(reports, times_ns, strict=True)
    ]


def _counted(command: RunOptions) -> Report:
    for snapshot in early.run(command):
        if snapshot.kind == "final":
            _stop(snapshot.stopped_by)
            # a run of thousands of processes is kept only as long as it has to be
            return replace(snapshot.report, processes=())
    raise RuntimeError("the session ended without a final report")


def _stop(number: int) -> None:
    if number:
        raise StoppedError(number)


def _refuse_failure(ended: Exit, command: RunOptions, number: int, plan: Plan) -> None:
    if ended.code == 0 or plan.ignore_failure:
        return
    what = f"exit {ended.code}" if ended.signal is None else signal_name(ended.signal)
    when = f"run {number} of {plan.runs}" if number > 0 else "its warm-up"
    raise CommandFailedError(
        f"{quoted(command.command)} failed in {when}: {what}\n"
        "--show-output shows what it says; --ignore-failure counts it all the same"
    )
