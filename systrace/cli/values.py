"""What the values of options may be.

Read at ``--help``: imports nothing that costs time beyond click.
"""

import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    # click 8.2 made it generic, for the type checker alone as far as we are concerned.
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType

_SECONDS = {"ms": 0.001, "": 1, "s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h|)", re.ASCII)
_SHORTEST_S = 0.01
_LONGEST_S = 365 * 24 * 3600


class Duration(_ParamType):
    """``10``, ``10s``, ``2m``, ``500ms``, ``1h``: seconds, as a float."""

    name = "duration"
    takes = "a time such as 10, 10s, 2m or 500ms (from 10ms to 8760h)"
    example = "10s"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Take the seconds; click.BadParameter for anything else."""
        if isinstance(value, (int, float)):
            return float(value)
        match = _DURATION.fullmatch(value)
        seconds = float(match[1]) * _SECONDS[match[2]] if match else 0
        if not _SHORTEST_S <= seconds <= _LONGEST_S:
            self.fail(f"{value!r} is not {self.takes}", param, ctx)
        return seconds


class HeadRoom(_ParamType):
    """How many times the spread: ``5``, ``2.5``, 0 or more; as typed, for it is exact."""

    name = "factor"
    takes = "a number, 0 or more, such as 5 or 2.5"
    example = "5"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the number; click.BadParameter for anything else."""
        if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4})?", value):
            self.fail(f"{value!r} is not {self.takes}", param, ctx)
        return str(value)


class Rows(_ParamType):
    """How many rows: 1 or more."""

    name = "rows"
    takes = "a number of rows, 1 or more"
    example = "10"
    least = 1

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Take the number; click.BadParameter for anything else."""
        if isinstance(value, int):
            return value
        if not re.fullmatch("[0-9]{1,9}", value) or int(value) < self.least:
            self.fail(f"{value!r} is not {self.takes}", param, ctx)
        return int(value)


class Runs(Rows):
    """How many runs: 1 or more."""

    name = "runs"
    takes = "a number of runs, 1 or more"


class WarmUps(Rows):
    """How many runs that do not count: 0 or more."""

    name = "runs"
    takes = "a number of runs"
    example = "1"
    least = 0
