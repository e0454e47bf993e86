"""The report as a table for people, and below it what it says in words."""

from collections.abc import Iterable, Iterator, Sequence

from systrace.options import TableOptions
from systrace.render import units, wording
from systrace.render.columns import Concession, Line, fit, short_via, without, without_commas
from systrace.render.grid import (
    BOLD,
    GREEN,
    LOUD,
    YELLOW,
    Paint,
    ascii_only,
    indented,
    lay_out,
    painter,
)
from systrace.render.text import printable, wrap
from systrace.report import UNCOUNTED, Call, Report, Ring, Times

# Narrower terminals get lines of this length: two counts and a name need it.
_NARROWEST = 40
_WITH_SHARE = 90

_RING_COLOURS = {"3": GREEN, "3->0": YELLOW}

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

_TITLES: Sequence[tuple[str, Ring]] = (("stayed in ring 3", "3"), ("entered ring 0", "3->0"))


def render(report: Report, options: TableOptions) -> str:
    """Lay the report out in at most ``options.width`` columns (or 40), ending with a newline."""
    width = max(options.width, _NARROWEST)
    paint = painter(colour=options.colour)
    lines = [
        *(paint(line, BOLD) for line in wording.headline(report, width)),
        "",
        *_table(report, options, width, paint),
        "",
        *wrap(wording.verdict(report), width),
        *(paint(line, LOUD) for line in wrap(wording.lost(report), width)),
    ]
    for note in _notes(report, options, width):
        lines += wrap(note, width)
    return "\n".join(lines) + "\n"


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


def _notes(report: Report, options: TableOptions, width: int) -> Iterator[str]:
    hidden = ordered(report.calls, options)[options.top :] if options.top is not None else []
    if hidden:
        yield wording.left_out(len(hidden), sum(call.count for call in hidden))
    yield from wording.notes(report, width)


def _table(report: Report, options: TableOptions, width: int, paint: Paint) -> list[str]:
    lines = fit(list(_lines(report, options, width)), width, _CONCESSIONS)
    painted = [line and _coloured(line, paint) for line in lines]
    return lay_out(painted, ("call", "via", "ring"), paint)


def _coloured(line: dict[str, str], paint: Paint) -> dict[str, str]:
    ring = line["ring"]
    colour = _RING_COLOURS.get(ring)
    return line | {"ring": paint(ring, colour)} if colour else line


def _lines(report: Report, options: TableOptions, width: int) -> Iterator[Line]:
    keys = ["call", "calls", "via", "ring", "errs"]
    if any(call.times is not None for call in report.calls):
        keys += ["total", *(["time%"] if width >= _WITH_SHARE else []), "mean"]
        # What the rows are sorted by has to be seen.
        keys.append("max" if options.sort == "max" else "p99")
    empty = dict.fromkeys(keys, "")
    yield {key: key for key in keys}
    yield None
    for call in ordered(report.calls, options)[: options.top]:
        cells = _row(call, report)
        yield {key: cells[key] for key in keys}
        for clock, count in sorted(call.by_clock.items(), key=lambda item: (-item[1], item[0])):
            yield empty | {"call": _clock(clock), "calls": units.count(count)}
    yield None
    for title, ring in _TITLES:
        cells = empty | {"call": title} | _total(report, ring)
        yield {key: cells[key] for key in keys}


def _row(call: Call, report: Report) -> dict[str, str]:
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


def _duration(times: Times | None, key: str) -> str:
    value = _time_of(times, key)
    if times is None or value is None:
        return "-"
    # A percentile is known to 12.5 %: a third digit would be invented.
    text = units.duration(value, digits=2 if key == "p99" else 3)
    return f"~{text}" if times.estimated else text


def _total(report: Report, ring: Ring) -> dict[str, str]:
    calls = [call for call in report.calls if call.ring == ring]
    measured = [call.times for call in calls if call.times is not None]
    total = units.duration(sum(times.total_ns for times in measured)) if measured else "-"
    estimated = any(times.estimated for times in measured)
    count = report.ring_calls(ring)
    uncounted = ring == "3" and not count and report.probes.vdso in UNCOUNTED
    return {
        "calls": "-" if uncounted else units.count(count),
        "errs": "" if ring == "3" else units.count(report.errors),
        "total": f"~{total}" if estimated else total,
    }


def _clock(name: str) -> str:
    return indented(printable(name.removeprefix("CLOCK_")))
