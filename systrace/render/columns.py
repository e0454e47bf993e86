"""The columns of the table, and what gives way when they are too wide."""

from collections.abc import Callable, Iterator, Sequence

from systrace.render.text import clip

# One line of the table: a cell by column, in the columns' order; None is a rule.
Line = dict[str, str] | None

_CLIPPED = 8
_LONGEST_NAME = 36  # sched_rr_get_interval_time64 [i386], the longest there is, and one


def fit(lines: Sequence[Line], width: int) -> list[Line]:
    """Give up what matters least until the lines take at most ``width`` columns, if they can.

    Counts are given up last, and never rounded.
    """
    fitted = [_clipped(line, _LONGEST_NAME) for line in lines]
    for give_up in _concessions():
        if columns_of(fitted) <= width:
            return fitted
        fitted = [line and give_up(line) for line in fitted]
    excess = columns_of(fitted) - width
    if excess > 0:
        longest = max(len(line["call"]) for line in fitted if line)
        fitted = [_clipped(line, max(longest - excess, _CLIPPED)) for line in fitted]
    return fitted


def columns_of(lines: Sequence[Line]) -> int:
    """How many columns these lines take, one space between two cells."""
    cells = [line for line in lines if line]
    widths = [max(len(line[key]) for line in cells) for key in cells[0]]
    return sum(widths) + len(widths) - 1


def _concessions() -> Iterator[Callable[[dict[str, str]], dict[str, str]]]:
    yield _without("time%")
    yield _short_via
    yield _without("p99", "max")
    yield _without("mean")
    yield _without_commas
    yield _without("total")
    yield _without("errs")
    yield _without("via")


def _without(*keys: str) -> Callable[[dict[str, str]], dict[str, str]]:
    return lambda line: {key: cell for key, cell in line.items() if key not in keys}


def _short_via(line: dict[str, str]) -> dict[str, str]:
    return line | {"via": line["via"].removeprefix("vdso-")}


def _without_commas(line: dict[str, str]) -> dict[str, str]:
    return line | {key: line[key].replace(",", "") for key in ("calls", "errs")}


def _clipped(line: Line, width: int) -> Line:
    return line and line | {"call": clip(line["call"], width)}
