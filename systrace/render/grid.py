"""Lines of cells laid out as a table, for every table there is."""

from collections.abc import Callable, Collection, Sequence

from systrace.render.columns import Line

# A row of a table is stripped of its spaces, and cells are ASCII: this stands for an indent.
_INDENT = "\N{MIDDLE DOT}"

BOLD, DIM, LOUD, GREEN, YELLOW = "1", "2", "1;31", "32", "33"

Paint = Callable[[str, str], str]


def lay_out(lines: Sequence[Line], left: Collection[str], paint: Paint) -> list[str]:
    """Align the cells, those of the columns in ``left`` at the left; a rule is dimmed."""
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
    rows = [tabulate.SEPARATING_LINE if line is None else list(line.values()) for line in lines]
    aligned = ["left" if key in left else "right" for key in next(filter(None, lines))]
    text = tabulate.tabulate(rows, tablefmt=style, colalign=aligned, disable_numparse=True)
    return [_finished(line, paint) for line in text.splitlines()]


def indented(text: str) -> str:
    """Move a cell's text to the right, below what it belongs to."""
    return 2 * _INDENT + ascii_only(text)


def ascii_only(text: str) -> str:
    """Keep to what tabulate measures alike with and without wcwidth; calls are named in ASCII."""
    return text.encode("ascii", "backslashreplace").decode()


def painter(*, colour: bool) -> Paint:
    """Return what paints a text in a colour, or does not."""
    return _painted if colour else _plain


def _finished(line: str, paint: Paint) -> str:
    line = line.rstrip().replace(_INDENT, " ")
    return paint(line, DIM) if set(line) <= {"-", " "} else line


def _painted(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m"


def _plain(text: str, _colour: str) -> str:
    return text
