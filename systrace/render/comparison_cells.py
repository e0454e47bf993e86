"""What stands in the cells of a comparison, for every format that people read."""

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter

from systrace.comparison import Change, Comparison, Row, Spread
from systrace.options import TableOptions
from systrace.render import units
from systrace.render.text import printable
from systrace.significance import Verdict

VERDICTS: dict[Verdict | None, str] = {
    "beyond": "beyond",
    "within": "within",
    "unknown": "?",
    "same": "",
    None: "",
}
_ONLY = {"a": "only A", "b": "only B", None: ""}

# A factor below this reads better upside down.
_TINY = 0.1

Keys = Sequence[str]
ONE_RUN: Keys = ("call", "via", "A", "B", "change", "factor", "time A", "time B", "errs")
RUNS: Keys = ("call", "via", "A", "B", "change", "factor", "noise")
Unit = Callable[[float], str]


def label(name: str, abi: str, comparison: Comparison) -> str:
    """Name a call, and its ABI where that is not A's machine's own: ``getpid [i386]``."""
    native = comparison.a.reports[0].machine.arch
    return printable(name) if abi == native else f"{printable(name)} [{printable(abi)}]"


def row(row: Row, comparison: Comparison) -> dict[str, str]:
    """Write the cells of a row, by column; the medians where there are several runs."""
    mark = "~" if row.estimated else ""
    return {
        "call": label(row.name, row.abi, comparison),
        "via": row.via,
        **change(row.count),
        "factor": _ONLY[row.only] or factor(row.count),
        "time A": _marked(value(row.total_ns.a, units.duration), mark),
        "time B": _marked(value(row.total_ns.b, units.duration), mark),
        "errs": "-" if row.via == "vdso" else _errors(row),
    }


def shown(comparison: Comparison, options: TableOptions) -> list[Row]:
    """Choose the rows to show: those that changed, or all."""
    return [row for row in comparison.rows if row.changed or options.unchanged]


def columns(comparison: Comparison) -> Keys:
    """Choose the columns by whether there are several runs; without those that nothing is in."""
    keys = RUNS if any(len(side.reports) > 1 for side in (comparison.a, comparison.b)) else ONE_RUN
    if not any(row.total_ns.a or row.total_ns.b for row in comparison.rows):
        keys = [key for key in keys if not key.startswith("time")]
    if not any(row.errors for row in comparison.rows):
        keys = [key for key in keys if key != "errs"]
    return keys


def totals(comparison: Comparison) -> Iterator[tuple[str, Change, Unit]]:
    """Yield the quantities of a run as a whole, each with its title and how it is written."""
    yield "stayed in ring 3", comparison.ring3_calls, units.count
    yield "entered ring 0", comparison.ring0_calls, units.count
    yield "elapsed time", comparison.elapsed_ns, units.duration
    if comparison.unprobed_ns is not None:
        yield "without probes", comparison.unprobed_ns, units.duration


def change(change: Change, unit: Unit = units.count) -> dict[str, str]:
    """Write the cells that every quantity has: A, B, change, factor, noise."""
    return {
        "A": value(change.a, unit),
        "B": value(change.b, unit),
        "change": signed(change.difference, unit),
        "factor": factor(change),
        "noise": VERDICTS[change.verdict],
    }


def spread(change: Change, unit: Unit = units.count) -> Iterator[dict[str, str]]:
    """Write the cells of the smallest and the largest run, where these are not the same."""
    if all(side is None or side.min == side.max for side in (change.a, change.b)):
        return
    for name in ("min", "max"):
        pick = attrgetter(name)
        yield {
            "call": name,
            "A": "-" if change.a is None else unit(pick(change.a)),
            "B": "-" if change.b is None else unit(pick(change.b)),
        }


def value(side: Spread | None, unit: Unit) -> str:
    """Write a side's median; ``-`` for what was not counted or not measured."""
    return "-" if side is None else unit(side.median)


def signed(difference: float | None, unit: Unit) -> str:
    """Write a difference: ``+12``, ``-3``, ``0``."""
    if difference is None:
        return "-"
    sign = "+" if difference > 0 else "-" if difference < 0 else ""
    return sign + unit(abs(difference)) if difference else "0"


def factor(change: Change) -> str:
    """Write a factor: ``x1.41``, ``x0.75``, ``x1/13,334``; nothing where there is none."""
    factor = change.factor
    if not factor:
        return ""
    return f"x{digits(factor)}" if factor >= _TINY else f"x1/{digits(1 / factor)}"


def digits(number: float) -> str:
    """Write a ratio with three digits, or with all those before its point."""
    for decimals, limit in ((2, 9.995), (1, 99.95)):
        if number < limit:
            return f"{number:.{decimals}f}"
    return f"{number:,.0f}"


def _errors(row: Row) -> str:
    pairs = ((change.a, change.b) for change in row.errors.values())
    sides = list(zip(*pairs, strict=True)) or [(), ()]
    a, b = (sum(side.median for side in found if side is not None) for found in sides)
    return units.count(a) if a == b else f"{units.count(a)}->{units.count(b)}"


def _marked(text: str, mark: str) -> str:
    return text if text == "-" else mark + text
