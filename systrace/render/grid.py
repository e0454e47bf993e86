"""Lines of cells, laid out in columns of a terminal; the one user of tabulate."""

from collections.abc import Callable, Sequence

from systrace.render.columns import Line

# A row of a table is stripped of its spaces, and cells are ASCII: this stands for an indent.
INDENT = "\N{MIDDLE DOT}"

BOLD, DIM, LOUD, GREEN, YELLOW = "1", "2", "1;31", "32", "33"
_RING_COLOURS = {"3": GREEN, "3->0": YELLOW}
_LEFT = ("call", "via", "ring")

Paint = Callable[[str, str], str]


def painter(*, colour: bool) -> Paint:
    """Return what colours a text for a terminal, or leaves it as it is."""
    return _painted if colour else _plain


def grid(lines: Sequence[Line], paint: Paint) -> list[str]:
    """Align the cells, text to the left and figures to the right; None is a rule."""
    # Its import takes as long as everything else together.
    import tabulate  # noqa: PLC0415

    row = tabulate.DataRow("", " ", "")
    style = tabulate.TableFormat(
        lineabove=None,
        linebelowheader=tabulate.Line("", "-", " ", ""),
        linebetweenrows=None,
        linebelow=None,
        headerrow=row,
        datarow=row,
        padding=0,
        with_header_hide=None,
    )
    rows = [tabulate.SEPARATING_LINE if line is None else _cells(line, paint) for line in lines]
    aligned = ["left" if key in _LEFT else "right" for key in next(filter(None, lines))]
    text = tabulate.tabulate(rows, tablefmt=style, colalign=aligned, disable_numparse=True)
    return [_finished(line, paint) for line in text.splitlines()]


def _cells(line: dict[str, str], paint: Paint) -> list[str]:
    ring = line["ring"]
    colour = _RING_COLOURS.get(ring)
    return list((line | {"ring": paint(ring, colour)} if colour else line).values())


def _finished(line: str, paint: Paint) -> str:
    line = line.rstrip().replace(INDENT, " ")
    return paint(line, DIM) if set(line) <= {"-", " "} else line


def _painted(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m"


def _plain(text: str, _colour: str) -> str:
    return text
