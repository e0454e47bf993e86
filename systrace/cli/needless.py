"""Options that ask for what none of the reports shows: refused, for nobody means that."""

from collections.abc import Mapping
from typing import Any, Final

from systrace.errors import UsageError
from systrace.options import FORMATS, Format
from systrace.output import format_of

OVERHEAD: Final[tuple[Format, ...]] = tuple(name for name in FORMATS if name != "csv")
PER_PROCESS: Final[tuple[Format, ...]] = tuple(name for name in FORMATS if name != "github")
# Of files, in which no report stands but the whole run otherwise.
INTERVALS: Final[tuple[Format, ...]] = ("csv",)


def refuse(asked: Mapping[str, Any], stream: str = "standard error") -> None:
    """Refuse ``--overhead``, ``-P`` and ``-i`` where they change no report. Raises UsageError.

    ``stream`` gets a report unless ``quiet`` was asked for.
    """
    files = {format_of(name, asked["format_"]) for name in asked["outputs"]}
    shown = set() if asked.get("quiet") else {asked["format_"]}
    if asked["overhead"] and (files | shown).isdisjoint(OVERHEAD):
        raise _shown_nowhere("--overhead", "what tracing cost", stream, ".json")
    # One that is asked for by SIGUSR1 is shown however quiet we are.
    if asked.get("per_process") and (files | {asked["format_"]}).isdisjoint(PER_PROCESS):
        raise _shown_nowhere("-P", "single processes", stream, ".json")
    if asked.get("interval") and not shown and files.isdisjoint(INTERVALS):
        raise _shown_nowhere("-i", "intervals", stream, ".csv")


def _shown_nowhere(option: str, what: str, stream: str, ending: str) -> UsageError:
    return UsageError(
        f"{option} is of no use: neither {stream} nor a file shows {what} here; "
        f"-o FILE{ending} does"
    )
