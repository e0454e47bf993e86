"""Limits that could not be held, whatever the target does: refused before it starts."""

from collections.abc import Iterable
from math import inf

from systrace import launcher
from systrace.errors import UsageError
from systrace.limits import knowledge
from systrace.limits.grammar import Limit
from systrace.limits.quantity import NEW_CALLS, Quantity, matches
from systrace.limits.wording import origin
from systrace.options import TraceOptions


def refuse_changes(limits: Iterable[Limit], report: str = "REPORT.json") -> None:
    """Refuse limits that need a baseline, for there is none. Raises UsageError for the first."""
    for limit in limits:
        if limit.needs_baseline:
            pasted = ("check", "--baseline", "OLD.json", "--fail-if", str(limit), report)
            raise UsageError(
                f"{origin(limit)}: a change needs a report to compare with:\n"
                f"  {launcher.call(pasted)}"
            )


def refuse_unknowable(limits: Iterable[Limit], trace: TraceOptions) -> None:
    """Refuse limits on figures that these options leave out. Raises UsageError for the first."""
    known = knowledge.before(trace)
    for limit in limits:
        for quantity in _quantities(limit, known):
            doubt = known.doubt(quantity)
            if doubt is not None and doubt.missing == inf:
                raise UsageError(f"{quantity} cannot be known: {doubt.reason} ({origin(limit)})")


def _quantities(limit: Limit, known: knowledge.Knowledge) -> list[Quantity]:
    if limit.quantity != Quantity(NEW_CALLS):
        return [limit.quantity]
    old = limit.known or ()
    new = (name for name in known.unseen if not any(matches(name, one) for one in old))
    return [Quantity("count", name) for name in sorted(new)]
