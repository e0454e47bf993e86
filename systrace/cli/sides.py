"""The two sides of a comparison, as typed: saved reports and commands, or the line that was meant.

A word that names a readable report is one, any other is a command.
"""

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

import click

from systrace import launcher
from systrace.cli.habits import example
from systrace.cli.line import Line, Word, split
from systrace.cli.options import FOR_COMMANDS
from systrace.errors import InputError, UsageError
from systrace.report import Report
from systrace.saved import load

_ENDING = ".json"

# What a shell does not take as it is, once all that is quoted has been left out: control
# operators, redirections, variables, command substitution.
_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.""", re.DOTALL)
_FOR_A_SHELL = re.compile(r"\|\|?|&&?|;|[0-9]*[<>]+|[()]|`|\$[A-Za-z_{(?$!@*#0-9-][A-Za-z_0-9]*")


@dataclass(frozen=True, slots=True)
class Named:
    """A side as the user called it: a report, or else a command's argument vector."""

    label: str
    report: Report | None = None
    command: tuple[str, ...] = ()


def read(line: Line, command: click.Command, *, by_shell: bool) -> tuple[Named, Named]:
    """Find out what the two words are. Raises UsageError, and InputError for a bad report."""
    words = _two_words(line, command)
    a, b = (_named(word, line, by_shell=by_shell) for word in words)
    if a.report is not None and b.report is not None:
        _refuse_command_options(line)
    return a, b


def alone(line: Line, *, by_shell: bool) -> tuple[Named, Named]:
    """Take what stands after ``--without-vdso`` for one command, with its vDSO and without.

    Raises UsageError.
    """
    if not line.command:
        raise _refusal("--without-vdso needs a command, for example:", example(line))
    words = line.command
    if not by_shell and (report := _report(words[0])) is not None:
        raise _refusal(
            f"--without-vdso takes a command, and {launcher.quoted(words[:1])} is a report:",
            example(replace(line, command=report.command)),
        )
    if by_shell:
        words = _to_a_shell(shlex.join(words) if len(words) > 1 else words[0])
    elif len(words) == 1 and len(_split(words[0])) > 1 and not Path(words[0]).exists():
        raise _refusal(
            "here the command and its arguments are words of their own:",
            replace(line, command=tuple(_split(words[0]))),
        )
    label = shlex.join(line.command)
    return Named(f"{label}, with its vDSO", None, words), Named(
        f"{label}, without its vDSO", None, words
    )


def swapped(a: Named, b: Named, line: Line) -> str | None:
    """Say so where A is the later of two reports of one command, with the line that is meant."""
    if a.report is None or b.report is None or a.report.command != b.report.command:
        return None
    if a.report.started <= b.report.started:
        return None
    meant = replace(line, command=(b.label, a.label))
    return f"A is the later run of the two; from the earlier to the later:\n  {_spelled(meant)}"


def _two_words(line: Line, command: click.Command) -> tuple[str, str]:
    words = line.command
    if len(words) == 2:
        return words[0], words[1]
    sides, options = _sorted_out(words, command)
    if len(sides) == 2 and all(word.option is not None for word in options):
        meant = replace(line, words=(*line.words, *options), command=tuple(sides))
        raise _refusal("the options come before A and B:", meant)
    if not words:
        raise _refusal("compare needs two reports or commands, for example:", example(line))
    if len(words) == 1:
        raise _one_side(words[0], line)
    if all(word.endswith(_ENDING) for word in words):
        meant = replace(line, command=words[:2])
        raise _refusal(f"compare takes two reports, not {len(words)}:", meant)
    # Where the first word comes again, the second command begins.
    place = words.index(words[0], 1) if words[0] in words[1:] else 1
    meant = replace(line, command=(shlex.join(words[:place]), shlex.join(words[place:])))
    raise _refusal("a command and its arguments are one word here, so quote them:", meant)


def _sorted_out(words: Sequence[str], command: click.Command) -> tuple[list[str], list[Word]]:
    """Part options and sides, wherever they stand."""
    sides, options, rest = list[str](), list[Word](), tuple(words)
    while rest:
        if rest[0].startswith("-"):
            inner = split(command, "compare", rest)
            options += inner.words
            rest = inner.command
        if rest:
            sides.append(rest[0])
            rest = rest[1:]
    return sides, options


def _one_side(word: str, line: Line) -> UsageError:
    last = line.words[-1] if line.words else None
    # systrace compare -o A.json B.json: the report was taken for the file to write.
    if last is not None and last.value and _writes(last) and _saved(last.value) is not None:
        meant = replace(line, words=line.words[:-1], command=(last.value, word))
        took = launcher.quoted((last.value,))
        return _refusal(f"{last.spelling} took {took} for its file:", meant)
    report = _saved(word)
    if report is not None:
        again = shlex.join(report.command) or "after.json"
        meant = replace(line, command=(word, again))
        return _refusal("compare needs a second side, for example:", meant)
    bare = Word("--without-vdso", None)
    meant = Line(line.verb, (*line.words, bare), tuple(_split(word)))
    return _refusal("compare needs a second side; or a program without its vDSO:", meant)


def _writes(word: Word) -> bool:
    return word.option is not None and "-o" in word.option.opts


def _named(word: str, line: Line, *, by_shell: bool) -> Named:
    report = _saved(word, line)
    if report is not None:
        return Named(word, report)
    return Named(word, None, _argv(word, line, by_shell=by_shell))


def _saved(word: str, line: Line | None = None) -> Report | None:
    """Read the report that a word names, ``-`` standard input; None where it may be a command.

    Raises InputError where it can be neither.
    """
    if word == "-":
        return load(word)
    path = Path(word)
    if not _exists(path):
        if word.endswith(_ENDING) and not re.search(r"\s", word):
            raise InputError(_missing(word, line))
        return None
    if path.is_dir():
        return None
    try:
        return load(word)
    except InputError as error:
        if not path.is_file():
            raise
        if os.access(path, os.X_OK):
            return None
        if not word.endswith(_ENDING):
            file = launcher.quoted((word,))
            raise InputError(f"{error}\nnor is it a command: chmod +x {file}") from error
        raise


def _report(word: str) -> Report | None:
    """Read the report that a word names; None where it names none. Standard input is left alone."""
    try:
        return None if word == "-" else _saved(word)
    except InputError:
        return None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or a NUL: a command's business
        return False


def _missing(word: str, line: Line | None) -> str:
    said = f"cannot read {word!r}: there is no such file"
    directory = Path(word).parent
    try:
        there = [name for name in os.listdir(directory) if name.endswith(_ENDING)]  # noqa: PTH208
    except OSError:
        there = []
    stems = {name.removesuffix(_ENDING): str(directory / name) for name in there}
    near = get_close_matches(Path(word).stem, stems)
    close = [stems[stem] for stem in near if line is None or stems[stem] not in line.command]
    if line is None or not close:
        return said
    meant = tuple(close[0] if typed == word else typed for typed in line.command)
    return f"{said}; did you mean:\n  {_spelled(replace(line, command=meant))}"


def _argv(word: str, line: Line, *, by_shell: bool) -> tuple[str, ...]:
    """Split a command as a shell would. Raises UsageError for what only a shell can do."""
    if by_shell:
        return _to_a_shell(word)
    found = _FOR_A_SHELL.search(_QUOTED.sub("", word))
    if found is not None:
        meant = replace(line, words=(*line.words, Word("--shell", None)))
        raise _refusal(f"{found[0]!r} in {word!r} is for a shell; to give it to one:", meant)
    try:
        argv = tuple(shlex.split(word))
    except ValueError as error:
        raise UsageError(f"{word!r} cannot be split into words: {error}") from error
    if not argv:
        raise UsageError("a command is empty: compare needs two reports or commands")
    return argv


def _to_a_shell(word: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", word)


def _split(word: str) -> Sequence[str]:
    try:
        return shlex.split(word)
    except ValueError:
        return (word,)


def _refuse_command_options(line: Line) -> None:
    """Refuse what would be passed over in silence."""
    for word in line.words:
        if word.option is not None and word.option.name in FOR_COMMANDS:
            rest = tuple(other for other in line.words if other is not word)
            said = f"{word.spelling} is for commands, and both sides are reports:"
            raise _refusal(said, replace(line, words=rest))


def _refusal(said: str, meant: Line) -> UsageError:
    return UsageError(f"{said}\n  {_spelled(meant)}")


def _spelled(line: Iterable[str]) -> str:
    return launcher.call(line)
