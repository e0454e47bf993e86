"""The columns of the table, and what gives way when they are too wide."""

from collections.abc import Callable, Iterable, Sequence

from systrace.render.text import clip

# One line of the table: a cell by column, in the columns' order; None is a rule.
Line = dict[str, str] | None
# What makes a line narrower, at the cost of what it says.
Concession = Callable[[dict[str, str]], dict[str, str]]

_CLIPPED = 8
_LONGEST_NAME = 36  # sched_rr_get_interval_time64 [i386], the longest there is, and one


def fit(lines: Sequence[Line], width: int, concessions: Iterable[Concession]) -> list[Line]:
    """Give up what matters least until the lines take at most ``width`` columns, if they can.

    ``concessions`` are made one after another; after the last of them names are cut.
    """
    fitted = [_clipped(line, _LONGEST_NAME) for line in lines]
    for give_up in concessions:
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


def without(*keys: str) -> Concession:
    """Leave columns out."""
    return lambda line: {key: cell for key, cell in line.items() if key not in keys}


def without_commas(*keys: str) -> Concession:
    """Write counts shorter; they are never rounded."""
    return lambda line: line | {key: line[key].replace(",", "") for key in keys if key in line}


def short_via(line: dict[str, str]) -> dict[str, str]:
    """Write ``fallback`` for ``vdso-fallback``."""
    return line | {"via": line["via"].removeprefix("vdso-")}


def _clipped(line: Line, width: int) -> Line:
    return line and line | {"call": clip(line["call"], width)}
