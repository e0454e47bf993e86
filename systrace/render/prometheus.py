"""The report as Prometheus text, for the node exporter's textfile collector.

One file a program: ``command``, the name of what ran, keeps the series of several files apart, and
pids, arguments and warnings, which would make new series with every run, are no labels. Counters
begin at 0 with each run; ``systrace_run_start_time_seconds`` tells two runs apart.

Times are a summary and no histogram: a range from nanoseconds to hours would take some forty
buckets a call to give a percentile within a factor of two, and the quantiles here are known to
12.5 %. Quantiles 0 and 1 are the shortest and the longest call. What is no series for lack of an
event (errors, filtered calls, restarts) did not happen.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import PurePath

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from systrace import __version__
from systrace.options import TableOptions
from systrace.render.rows import is_uncounted
from systrace.render.text import printable
from systrace.report import RING, Attached, Call, Overhead, Process, Report, Ring, Times

Labels = Mapping[str, str]

SECOND_NS = 1_000_000_000
_MOST_COMMS = 100
_OTHERS = "(others)"


def render(report: Report, _table: TableOptions) -> str:
    """Write all of the report; the text of warnings stands in comments."""
    return comments("Warning", report.warnings) + exposition([*_run(report), *_calls(report)])


def comments(what: str, texts: Iterable[str]) -> str:
    """Write texts as comments, a line each."""
    return "".join(f"# {what}: {printable(text)}\n" for text in texts)


def exposition(metrics: Iterable[Metric]) -> str:
    """Write metrics as text, those that have a sample."""
    return generate_latest(_Collected(metric for metric in metrics if metric.samples)).decode()


def metric(
    name: str, kind: str, what: str, samples: Iterable[tuple[str, Labels, float]], **labels: str
) -> Metric:
    """Make a metric of samples, each a suffix to the name, labels of its own, and a value."""
    made = Metric(f"systrace_{name}", what, kind)
    for suffix, own, value in samples:
        named = {key: label(text) for key, text in {**labels, **own}.items()}
        made.add_sample(made.name + suffix, named, value)
    return made


def label(text: str) -> str:
    """Make a text a label's value: printable, one line, UTF-8, and no two texts the same value.

    A text with a backslash or something that would not show is escaped as in Python, the others
    stay as they are. (Two series with the same labels would cost the exporter the whole scrape.)
    """
    plain = text.isprintable() and "\\" not in text
    return text if plain else text.encode("unicode_escape").decode("ascii")


def command(report: Report) -> str:
    """Name what ran, without its arguments: they would make new series with every run."""
    if report.command:
        return PurePath(report.command[0]).name
    processes: Sequence[Attached | Process] = report.attached or report.processes
    return processes[0].comm if processes else ""


class _Collected(Collector):
    """What ``generate_latest`` wants of a registry."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


class _Metrics:
    """Makes the metrics of one run, whose series all have its ``command``."""

    def __init__(self, report: Report) -> None:
        self._command = command(report)

    def counter(self, name: str, what: str, samples: Iterable[tuple[Labels, float]]) -> Metric:
        return self._make(name, "counter", what, (("_total", *sample) for sample in samples))

    def gauge(self, name: str, what: str, *values: float | None, **labels: str) -> Metric:
        """Leave out what is None."""
        return self.gauges(name, what, ((labels, value) for value in values if value is not None))

    def gauges(self, name: str, what: str, samples: Iterable[tuple[Labels, float]]) -> Metric:
        return self._make(name, "gauge", what, (("", *sample) for sample in samples))

    def summary(self, name: str, what: str, calls: Iterable[Call]) -> Metric:
        samples = (sample for call in calls for sample in _durations(call))
        return self._make(name, "summary", what, samples)

    def _make(
        self, name: str, kind: str, what: str, samples: Iterable[tuple[str, Labels, float]]
    ) -> Metric:
        return metric(name, kind, what, samples, command=self._command)


def _run(report: Report) -> Iterator[Metric]:
    make, machine, probes = _Metrics(report), report.machine, report.probes
    yield make.gauge(
        "run_info",
        "What counted, and where; always 1.",
        1,
        version=__version__,
        kernel=machine.kernel,
        arch=machine.arch,
        clocksource=machine.clocksource,
        syscalls=probes.syscalls,
        vdso=probes.vdso,
        selected="true" if report.selected else "false",
    )
    since_s = (report.since_ns or 0) / SECOND_NS
    began_s = datetime.fromisoformat(report.started.replace("Z", "+00:00")).timestamp() + since_s
    yield make.gauge("run_start_time_seconds", "When counting began, Unix time.", began_s)
    took_s = report.elapsed_ns / SECOND_NS
    yield make.gauge("run_duration_seconds", "How long was counted.", took_s)
    yield make.gauge("run_exit_code", "The exit status, if it ended so.", report.exit.code)
    signal = report.exit.signal
    yield make.gauge("run_exit_signal", "The signal that ended it, if one did.", signal)
    yield make.gauge("run_processes", "Processes that were counted.", report.process_count)
    yield make.gauge("run_threads", "Threads that were counted.", report.thread_count)
    yield make.gauge(
        "run_warnings",
        "Reasons why counts may be off; their text is in comments of this file.",
        len(report.warnings),
    )
    if report.longest_stop_ns is not None:
        yield make.gauge(
            "run_longest_stop_seconds",
            "For how long, at most, systrace held a thread.",
            report.longest_stop_ns / SECOND_NS,
        )
    if report.overhead is not None:
        yield from _overhead(make, report.overhead)


def _overhead(make: "_Metrics", cost: Overhead) -> Iterator[Metric]:
    added_s, held_s = cost.added_ns / SECOND_NS, cost.held_ns / SECOND_NS
    yield make.gauge("run_added_seconds", "What tracing added, summed over threads.", added_s)
    yield make.gauge("run_held_seconds", "For how long programs were held.", held_s)
    costs: dict[Ring, float | None] = {"3": cost.vdso_ns, "3->0": cost.syscall_ns}
    # to a tenth of a nanosecond, as a saved report has it
    known = {ring: round(ns, 1) / SECOND_NS for ring, ns in costs.items() if ns is not None}
    yield make.gauges(
        "call_added_seconds",
        "What counting adds to a call on this machine.",
        (({"ring": ring}, seconds) for ring, seconds in known.items()),
    )


def _calls(report: Report) -> Iterator[Metric]:
    make, calls = _Metrics(report), report.calls
    yield make.counter("lost_calls", "By how much counts may be too low.", [({}, report.lost)])
    yield make.counter(
        "ring_calls",
        "Calls by the ring that served them; no series for a ring that was not counted.",
        (({"ring": ring}, report.ring_calls(ring)) for ring in _rings(report)),
    )
    yield make.counter("calls", "Calls.", ((_row(call), call.count) for call in calls))
    yield make.counter(
        "calls_by_clock",
        "Calls that take a clock id, by clock.",
        (
            ({**_row(call), "clock": clock}, count)
            for call in calls
            for clock, count in call.by_clock.items()
        ),
    )
    yield make.counter(
        "call_errors",
        "Calls that returned an error.",
        (
            ({**_row(call), "error": error}, count)
            for call in calls
            for error, count in call.errors.items()
        ),
    )
    for name, what, key in (
        (
            "call_restarts",
            "Calls that a signal interrupted: restarted, or ended with EINTR.",
            "restarted",
        ),
        ("filtered_calls", "Calls that a seccomp filter answered; not in calls.", "filtered"),
        ("unfinished_calls", "Calls that had not returned at the end.", "unfinished"),
    ):
        counts = ((_row(call), getattr(call, key)) for call in calls)
        yield make.counter(name, what, ((row, count) for row, count in counts if count))
    measured = [call for call in calls if call.times is not None and not call.times.estimated]
    yield make.summary("call_duration_seconds", "Wall clock, waiting included.", measured)
    yield make.counter(
        "call_estimated_seconds",
        "Time in calls that no probe saw return: calls times their calibrated cost.",
        (
            (_row(call), call.times.total_ns / SECOND_NS)
            for call in calls
            if call.times is not None and call.times.estimated
        ),
    )
    yield make.counter(
        "process_calls",
        f"Calls by name of process; those of all but the {_MOST_COMMS} with most under {_OTHERS}.",
        (
            ({"comm": comm, "ring": ring}, count)
            for (comm, ring), count in _by_comm(report.processes).items()
        ),
    )


def _row(call: Call) -> Labels:
    return {"call": call.name, "via": call.via, "ring": call.ring, "abi": call.abi}


def _rings(report: Report) -> list[Ring]:
    return [ring for ring in dict.fromkeys(RING.values()) if not is_uncounted(report, ring)]


def _durations(call: Call) -> Iterator[tuple[str, Labels, float]]:
    times, row = call.times, _row(call)
    if times is None:
        return
    for quantile, value in _quantiles(times).items():
        if value is not None:
            yield "", {**row, "quantile": quantile}, value / SECOND_NS
    yield "_sum", row, times.total_ns / SECOND_NS
    yield "_count", row, max(0, call.count - call.unfinished)


def _quantiles(times: Times) -> Mapping[str, int | None]:
    return {
        "0": times.min_ns,
        "0.5": times.p50_ns,
        "0.95": times.p95_ns,
        "0.99": times.p99_ns,
        "1": times.max_ns,
    }


def _by_comm(processes: Iterable[Process]) -> Mapping[tuple[str, Ring], int]:
    """Sum over processes of a name, for a pid is new in every run; names are not endless."""
    totals, counts = Counter[str](), Counter[tuple[str, Ring]]()
    for process in processes:
        for call in process.calls:
            totals[process.comm] += call.count
            counts[process.comm, call.ring] += call.count
    kept = {comm for comm, _ in totals.most_common(_MOST_COMMS)}
    summed = Counter[tuple[str, Ring]]()
    for (comm, ring), count in counts.items():
        summed[comm if comm in kept else _OTHERS, ring] += count
    return summed
