"""Rows for people to read: their order, their cells as text, and what is said of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from systrace.options import TableOptions
from systrace.render import units, wording
from systrace.render.columns import Concession, Line, fit, short_via, without, without_commas
from systrace.render.grid import GREEN, YELLOW, Paint, ascii_only, lay_out
from systrace.report import UNCOUNTED, Call, Process, Report, Ring, Times

RING_TITLES: Sequence[tuple[str, Ring]] = (("stayed in ring 3", "3"), ("entered ring 0", "3->0"))


_RING_COLOURS = {"3": GREEN, "3->0": YELLOW}
_LEFT = ("call", "via", "ring")
_CONCESSIONS: Sequence[Concession] = (
    without("time%"),
    short_via,
    without("p99", "max"),
    without("mean"),
    without_commas("calls", "errs"),
    without("total"),
    without("errs"),
    without("via"),
)


def laid_out(lines: Sequence[Line], width: int, paint: Paint) -> list[str]:
    """Lay out a table of calls, as many columns of it as ``width`` has room for."""
    fitted = fit(lines, width, _CONCESSIONS)
    return lay_out([line and _coloured(line, paint) for line in fitted], _LEFT, paint)


def _coloured(line: dict[str, str], paint: Paint) -> dict[str, str]:
    colour = _RING_COLOURS.get(line["ring"])
    return line | {"ring": paint(line["ring"], colour)} if colour else line


def ordered(calls: Iterable[Call], options: TableOptions) -> list[Call]:
    """Sort rows as ``options.sort`` says: largest first, what was not measured last, then names."""
    by_name = sorted(calls, key=lambda call: (call.name, call.via, call.abi))
    if options.sort == "name":
        return by_name
    return sorted(by_name, key=lambda call: _weight(call, options), reverse=True)


def _weight(call: Call, options: TableOptions) -> float:
    if options.sort == "count":
        return call.count
    if options.sort == "errors":
        return call.error_count
    measured = _time_of(call.times, options.sort)
    return -1 if measured is None else measured


def _time_of(times: Times | None, key: str) -> float | None:
    if times is None:
        return None
    match key:
        case "total":
            return times.total_ns
        case "mean":
            return times.mean_ns
        case "max":
            return times.max_ns
        case _:
            return times.p99_ns


def cells(call: Call, report: Report) -> dict[str, str]:
    """Return every cell that a row can have, by column."""
    times = call.times
    # Of these nobody sees the return.
    unseen = call.via in ("vdso", "vsyscall") and not call.errors
    whole = sum(other.times.total_ns for other in report.calls if other.times is not None)
    return {
        "call": ascii_only(wording.label(call, report)),
        "calls": units.count(call.count),
        "via": call.via,
        "ring": call.ring,
        "errs": "-" if unseen else units.count(call.error_count),
        "total": _duration(times, "total"),
        "time%": "-" if times is None else units.share(times.total_ns, whole),
        "mean": _duration(times, "mean"),
        "p99": _duration(times, "p99"),
        "max": _duration(times, "max"),
    }


def ring_total(report: Report, ring: Ring) -> dict[str, str]:
    """Return the cells of all calls of a ring, by column."""
    calls = [call for call in report.calls if call.ring == ring]
    measured = [call.times for call in calls if call.times is not None]
    # in ring 0 it is calls that never return that have no time
    known = measured and (ring != "3" or len(measured) == len(calls))
    about = "~" if any(times.estimated for times in measured) else ""
    total = f"{about}{units.duration(sum(times.total_ns for times in measured))}"
    return {
        "calls": ring_count(report, ring),
        "errs": "" if ring == "3" else units.count(report.errors),
        "total": total if known else "-",
    }


def ring_count(report: Report, ring: Ring) -> str:
    """Return how many calls a ring had, as text; ``-`` where nobody counted them."""
    return "-" if is_uncounted(report, ring) else units.count(report.ring_calls(ring))


def of_process(report: Report, one: Process) -> Report:
    """Return a report in which the calls are those of one process."""
    return replace(report, calls=one.calls)


def is_uncounted(report: Report, ring: Ring) -> bool:
    """Whether a ring's count of 0 is no count at all."""
    if ring != "3" or report.ring_calls(ring):
        return False
    return report.probes.vdso in UNCOUNTED or "vdso" in report.incomplete


def notes(
    report: Report, options: TableOptions, width: int, *, warnings: bool = True
) -> Iterator[str]:
    """Say what ``--top`` left out, and then all that ``wording.notes`` says."""
    hidden = ordered(report.calls, options)[options.top :] if options.top is not None else []
    if hidden:
        yield wording.left_out(len(hidden), sum(call.count for call in hidden))
    if options.overhead:
        yield wording.overhead(report)
    yield from wording.notes(report, width, warnings=warnings)


def _duration(times: Times | None, key: str) -> str:
    value = _time_of(times, key)
    if times is None or value is None:
        return "-"
    # A percentile is known to 12.5 %: a third digit would be invented.
    text = units.duration(value, digits=2 if key == "p99" else 3)
    return f"~{text}" if times.estimated else text
