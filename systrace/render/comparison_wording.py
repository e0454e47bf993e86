"""What is said of a comparison in words: whose runs, the verdict and the notes.

Everything that came from outside is made printable here.
"""

from collections import Counter
from collections.abc import Iterator

from systrace.comparison import STRONGEST, Change, Comparison, RingChange, Row, Side
from systrace.render import comparison_cells as cells
from systrace.render import units
from systrace.render.text import clip, printable, wrap
from systrace.render.wording import ended, facts, subject
from systrace.report import UNCOUNTED
from systrace.significance import LEVEL
from systrace.words import plural

_INDENT = "   "
_MOST_ERRORS = 6


def title(comparison: Comparison) -> str:
    """Name both sides as the user called them."""
    return f"{printable(comparison.a.label)} -> {printable(comparison.b.label)}"


def several(comparison: Comparison) -> bool:
    """Whether there is more than one run of a side, so that there is a spread to show."""
    return any(len(side.reports) > 1 for side in (comparison.a, comparison.b))


def headlines(comparison: Comparison, width: int) -> Iterator[str]:
    """Say of each side what it is and how its runs ended; lines of at most ``width``."""
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        yield clip(f"{letter}  {name(side)}", width)
        yield from (_INDENT + line for line in wrap(about(side), width - len(_INDENT)))


def name(side: Side) -> str:
    """Name a side as the user called it; a report together with what it is of."""
    label = printable(side.label)
    return f"{label}: {subject(side.reports[0])}" if side.kind == "report" else label


def about(side: Side) -> str:
    """Say how its runs ended, how long they took, and how far their counts can be trusted."""
    if len(side.reports) == 1:
        return facts(side.reports[0])
    exits = Counter(ended(report.exit) for report in side.reports)
    how = [text if len(exits) == 1 else f"{text} ({n} times)" for text, n in exits.items()]
    lost = sum(report.lost for report in side.reports)
    text = ", ".join((plural(len(side.reports), "run"), *how))
    if source := side.reports[0].machine.clocksource:
        text += f"; clocksource {printable(source)}"
    return f"{text}; lost {units.count(lost)}"


def ring_change(change: RingChange, comparison: Comparison) -> str:
    """Name a call that changed ring, from where to where."""
    label = cells.label(change.name, change.abi, comparison)
    calls = plural(change.calls, "call")
    return f"Changed ring: {label}: {change.before} -> {change.after}, {calls}"


def lost(comparison: Comparison) -> Iterator[str]:
    """Say loudly of which side counts are missing."""
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        if number := sum(report.lost for report in side.reports):
            yield f"LOST: up to {plural(number, 'call')} missing from the counts of {letter}."


def verdict(comparison: Comparison) -> str:
    """Say in a sentence whether anything differs."""
    differing = [row for row in comparison.rows if row.changed]
    if not differing:
        return "No call differs."
    rows = f"{units.count(len(differing))} of {plural(len(comparison.rows), 'row')}"
    differ = "differs" if len(differing) == 1 else "differ"
    found = Counter(row.verdict for row in differing)
    text = f"{rows} {differ}"
    if found["beyond"] or not found["unknown"]:
        text += f", {found['beyond'] or 'none'} beyond the noise of the runs"
    elif found["within"]:
        text += f", {found['within']} within the noise"
    return f"{text}. {_rings(comparison)}".rstrip()


def notes(
    comparison: Comparison, *, unchanged: bool = False, warnings: bool = True
) -> Iterator[str]:
    """Everything worth knowing below the verdict, a paragraph each; ``unchanged``: such rows show.

    Without ``warnings`` (and ``caveats``) for a format that has a place of its own for them.
    """
    yield from _saved(comparison)
    yield from _errors(comparison)
    hidden = sum(not row.changed for row in comparison.rows)
    if hidden and not unchanged:
        yield f"Unchanged, and shown by --all: {plural(hidden, 'row')}."
    if warnings:
        yield from caveats(comparison)
    yield from _noise(comparison)
    yield from _times(comparison)


def _rings(comparison: Comparison) -> str:
    """Say how many more or fewer calls of each ring B makes, where that is not mere noise."""
    if comparison.without_vdso:
        return ""  # said together with the time
    parts = []
    for change, what in (
        (comparison.ring0_calls, ("enter", "ring 0")),
        (comparison.ring3_calls, ("stay", "in ring 3")),
    ):
        if more := _more(change, *what):
            parts.append(more)
    return f"B makes {', and '.join(parts)}." if parts else ""


def _more(change: Change, do: str, where: str) -> str:
    """Say how many more or fewer calls B makes; empty where that is none, or mere noise."""
    difference = change.difference
    if not difference or change.verdict == "within":
        return ""
    more = "more" if difference > 0 else "fewer"
    calls = plural(abs(difference), f"{more} call that {do}s", f"{more} calls that {do}")
    return f"{calls} {where}"


def _saved(comparison: Comparison) -> Iterator[str]:
    """Say what the vDSO saves the program that B runs without."""
    if not comparison.without_vdso:
        return
    ring0, timed = comparison.ring0_calls, comparison.unprobed_ns
    more = _more(ring0, "enter", "ring 0")
    if not more:
        more = "no more calls that enter ring 0" + " beyond the noise" * bool(ring0.difference)
    text = f"Without its vDSO the program makes {more}"
    if timed is not None and timed.factor is not None:
        took = cells.change(timed, units.duration)
        both = f"{took['B']}, not {took['A']}; both without probes"
        if timed.verdict == "unknown":
            both += "; too few runs to tell it from noise"
        if timed.verdict in ("beyond", "unknown"):
            text += f", and takes {cells.digits(timed.factor)} times as long ({both})"
        else:
            text += f", and takes no longer beyond the noise ({both})"
    yield f"{text}."


def _errors(comparison: Comparison) -> Iterator[str]:
    """List the errors that differ and are not known to be noise, the surest and largest first."""
    found = [
        (row, error, change)
        for row in comparison.rows
        for error, change in row.errors.items()
        if change.verdict in ("beyond", "unknown")
    ]
    found.sort(key=lambda item: (STRONGEST.index(item[2].verdict or "unknown"), _size(item[2])))
    items = [_error(row, error, change, comparison) for row, error, change in found]
    if items:
        more = len(items) - _MOST_ERRORS
        listed = ", ".join(items[:_MOST_ERRORS]) + (f", and {more} more" if more > 0 else "")
        yield f"Errors: {listed}."


def _size(change: Change) -> float:
    return -abs(change.difference or 0)


def _error(row: Row, error: str, change: Change, comparison: Comparison) -> str:
    written = cells.change(change)
    noise = f" ({written['noise']})" if several(comparison) else ""
    label = cells.label(row.name, row.abi, comparison)
    return f"{label} {printable(error)} {written['A']} -> {written['B']}{noise}"


def caveats(comparison: Comparison) -> Iterator[str]:
    """Say where the two sides were not counted alike."""
    a, b = comparison.a.reports[0], comparison.b.reports[0]
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        if any(report.probes.vdso in UNCOUNTED for report in side.reports):
            yield f"vDSO calls of {letter} were not counted: there, - is no 0."
    if a.selected or b.selected:
        which = "both sides" if a.selected and b.selected else "A" if a.selected else "B"
        yield f"A selection (-e) left calls of {which} out: what is missing there is no 0."
    if a.without_children != b.without_children:
        without, with_ = ("A", "B") if a.without_children else ("B", "A")
        yield f"{without} was counted without its children (--no-follow), {with_} with them."
    machines = [
        f"Linux {printable(report.machine.kernel)}, {printable(report.machine.arch)}, "
        f"{plural(report.machine.cpus, 'CPU')}, clocksource {printable(report.machine.clocksource)}"
        for report in (a, b)
    ]
    if machines[0] != machines[1]:
        yield f"Not the same machine: A on {machines[0]}; B on {machines[1]}."
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        warnings = Counter(text for report in side.reports for text in report.warnings)
        for text, number in warnings.items():
            runs = f" ({number} of {len(side.reports)} runs)" if len(side.reports) > 1 else ""
            yield f"Warning, {letter}{runs}: {printable(text)}"


def _noise(comparison: Comparison) -> Iterator[str]:
    """Say by which test a difference is told from noise, or why it is not."""
    runs = [len(side.reports) for side in (comparison.a, comparison.b)]
    if max(runs) == 1:
        if comparison.runs_needed:
            yield (
                f"One run each: -r {comparison.runs_needed} of two commands would tell whether a "
                "difference is noise."
            )
        return
    yield (
        f"Noise: Mann-Whitney test of {runs[0]} and {plural(runs[1], 'run')}, Holm's correction "
        f"for all quantities, level {100 * LEVEL:g} %."
    )
    if comparison.runs_needed:
        yield f"?: too few runs to tell it from noise; {_remedy(comparison)}."


def _remedy(comparison: Comparison) -> str:
    enough = f"-r {comparison.runs_needed} can"
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        if len(side.reports) == 1 and side.kind == "report":
            return f"{letter} is one run: its command instead, and {enough}"
    return enough


def _times(comparison: Comparison) -> Iterator[str]:
    estimated = any(row.estimated for row in comparison.rows) and not several(comparison)
    text = "Times are wall clock, with what counting costs in them"
    if comparison.unprobed_ns is not None:
        text += " but for the row without probes"
    yield text + ("; ~ is estimated." if estimated else ".")
