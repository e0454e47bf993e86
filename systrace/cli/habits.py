"""What people type by habit, each with the line that does what they meant."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

import click

from systrace import launcher
from systrace.cli.line import Line, Word, split
from systrace.cli.options import FOR_COMMANDS
from systrace.errors import UsageError
from systrace.options import FORMATS

# A command that every machine has, where the user's own is not known yet.
_EXAMPLE = ("ls", "/usr/bin")
_EXAMPLE_PID = "1234"
_EXAMPLE_COMMANDS = ("ls /usr/bin", "ls -l /usr/bin")
_EXAMPLES = {
    "attach": (_EXAMPLE_PID,),
    "budget": ("report.json",),
    "check": ("report.json",),
    "compare": ("before.json", "after.json"),
    "doctor": (),
    "show": ("report.json",),
}
_NEEDS = {"show": "a saved report"}
_FORMATS = {(wanted,) for wanted in FORMATS}
# Options of strace, ltrace and our own run that a verb needs none of, and why.
_NEEDLESS = {
    **dict.fromkeys(("-c", "-C", "-w", "-T", "-D"), "a report always has counts and times"),
    "-q": "what it prints is all that it is for",
}
_FOLLOWS = "-f follows children; a format is asked for with -F:"
_BEHIND = "the value of --follow stands behind an =:"
_SIGNAL = ("signal",)
_FLAGS = ("-f", "--follow")
_OPTIONAL = ("run", "follow")
_PID = ("-p", "--pid", "--attach")
# What options without a type of their own take.
_SAMPLES = {
    "baseline": "old.json",
    "budgets": "budget.toml",
    "expressions": "openat,%network",
    "fail_if": "ring0_calls > 400",
    "output": "budget.toml",
    "outputs": "report.json",
    "pids": _EXAMPLE_PID,
    "user": "root",
}


def correct(error: click.UsageError, command: click.Command, verb: str, rest: Sequence[str]) -> str:
    """Say what is wrong with ``verb rest``, and the line to paste; ``command`` has the options."""
    for place, word in enumerate(rest):
        if word.startswith("-f") and word[2:] in FORMATS and isinstance(error, click.NoSuchOption):
            meant = split(command, verb, (*rest[:place], "-F", word[2:], *rest[place + 1 :]))
            return _with(_FOLLOWS, example(meant))
    line = split(command, verb, rest)
    if isinstance(error, click.NoSuchOption):
        return _no_such_option(error, line, command)
    if isinstance(error, click.BadOptionUsage):
        return _wrong_use(error, line)
    if isinstance(error, click.MissingParameter):
        return _no_command(line)
    if isinstance(error, click.BadParameter):
        return _bad_value(error, line)
    return _in_clicks_words(error, verb)


def _in_clicks_words(error: click.UsageError, verb: str) -> str:
    from systrace.render.text import printable  # noqa: PLC0415  only where click says it

    return f"{printable(error.format_message())}\n  {launcher.call((verb, '--help'))}"


def refuse_meant_value(command: click.Command, line: Line) -> None:
    """Refuse ``-f json`` and ``--follow signal``: the flag follows children, as in strace.

    What stands behind it would be the command. Raises UsageError.
    """
    said, meant = _FOLLOWS, _meant_format(command, line)
    if meant is None:
        said, meant = _BEHIND, _meant_signal(command, line)
    if meant is not None and shutil.which(line.command[0]) is None:
        raise UsageError(_with(said, example(meant)))


def _meant_format(command: click.Command, line: Line) -> Line | None:
    last = line.words[-1] if line.words else None
    if last is None or last.spelling != "-f" or line.command[:1] not in _FORMATS:
        return None
    return _behind(command, line, last, Word("-F", None, line.command[0]))


def _meant_signal(command: click.Command, line: Line) -> Line | None:
    last = line.words[-1] if line.words else None
    if line.verb != "run" or last is None or last.spelling not in _FLAGS:
        return None
    if line.command[:1] != _SIGNAL:
        return None
    return _behind(command, line, last, Word("--follow=signal", None))


def _behind(command: click.Command, line: Line, last: Word, meant: Word) -> Line:
    """Put ``meant`` in the place of ``last`` and its value; options may follow that."""
    before = line.swap(last, meant).words
    rest = split(command, line.verb, line.command[1:])
    return replace(rest, words=(*before, *rest.words))


def without_verb(run: click.Command, verbs: Sequence[str], arguments: Sequence[str]) -> str:
    """Say what ``systrace ARGUMENTS``, which begin with none of the ``verbs``, should have been."""
    line = split(run, "run", arguments)
    if not line.words and not line.command:
        return _with("what shall it trace? For example:", Line("run", (), _EXAMPLE))
    if _wants_attach(line):
        return _to_attach(line)
    if line.words:
        return _options_first(run, line)
    name = line.command[0]
    if name == "help":
        return f"there is no verb help, but an option:\n  {launcher.call(('--help',))}"
    close = get_close_matches(name, verbs, n=1, cutoff=0.6)
    if close and shutil.which(name) is None:
        inner = split(run, close[0], line.command[1:])
        return _with(f"there is no verb {_word(name)}; did you mean:", inner)
    return _with(f"there is no verb {_word(name)}; to trace a command:", line)


def _wants_attach(line: Line) -> bool:
    if any(_is_attach(word) for word in line.words):
        return True
    return bool(line.command) and line.command[0].isdecimal()


def _options_first(run: click.Command, line: Line) -> str:
    """Answer ``systrace -o FILE ./app`` and ``systrace -o FILE run ./app``."""
    if line.command[:1] == ("run",):
        inner = split(run, "run", line.command[1:])
        line = Line("run", (*line.words, *inner.words), inner.command)
    strange = next((word.spelling for word in line.words if _strange(word)), None)
    if strange is not None:
        return (
            f"there is no option {_word(strange)}; those there are:\n  {launcher.call(('--help',))}"
        )
    known = _known(line)
    dropped = "" if known == line else "; a report always has counts and times"
    return _with(f"a verb comes first, options behind it{dropped}:", example(known))


def _no_such_option(error: click.NoSuchOption, line: Line, command: click.Command) -> str:
    wrong = next((word for word in line.words if word.option is None), None)
    if wrong is None:
        return _in_clicks_words(error, line.verb)
    if _is_attach(wrong):
        return _to_attach(line)
    if wrong.spelling == "-f" and (meant := _meant_format(command, line)):
        return _with("a format is asked for with -F:", example(meant))
    if why := _NEEDLESS.get(wrong.spelling):
        said = f"{line.verb} has no {_word(wrong.spelling)}: {why}:"
        return _with(said, example(_known(line)))
    close = _near(error, wrong)
    if not close:
        help_ = launcher.call((line.verb, "--help"))
        return f"{line.verb} has no option {_word(wrong.spelling)}; those it has:\n  {help_}"
    meant = line.swap(wrong, replace(wrong, spelling=close[0]))
    if error.ctx is not None:
        # An option that takes a value has taken none yet: what follows it looked like a command.
        meant = split(error.ctx.command, line.verb, tuple(meant)[1:])
    return _with(
        f"{line.verb} has no option {_word(wrong.spelling)}; did you mean:", example(meant)
    )


def _near(error: click.NoSuchOption, wrong: Word) -> list[str]:
    if error.ctx is None or not wrong.spelling.startswith("--"):
        return []
    known = [
        spelling
        for parameter in error.ctx.command.get_params(error.ctx)
        for spelling in (*parameter.opts, *parameter.secondary_opts)
        if spelling.startswith("--")
    ]
    begins = [spelling for spelling in known if spelling.startswith(wrong.spelling)]
    # without the dashes, which would make any two options alike
    names = {spelling.lstrip("-"): spelling for spelling in known}
    near = get_close_matches(wrong.spelling.lstrip("-"), names, n=1)
    return begins or [names[name] for name in near]


def _wrong_use(error: click.BadOptionUsage, line: Line) -> str:
    for word in line.words:
        if word.option is None or error.option_name not in (word.spelling, *word.option.opts):
            continue
        if word.option.is_flag:
            meant = line.swap(word, replace(word, value=None))
            value = (
                "signal or no value" if (line.verb, word.option.name) == _OPTIONAL else "no value"
            )
            return _with(f"{_both(word.option)} takes {value}:", example(meant))
        if word.value is None:
            meant = line.swap(word, replace(word, value=_sample(word.option)))
            return _with(f"{_both(word.option)} lacks its {_metavar(word)}:", example(meant))
    return _in_clicks_words(error, line.verb)


def _bad_value(error: click.BadParameter, line: Line) -> str:
    for word in line.words:
        if not word.means(error.param) or word.option is None or word.value is None:
            continue
        if not _refused(word, error.ctx):
            continue
        meant = line.swap(word, replace(word, value=_sample(word.option, word.value)))
        said = f"{_both(word.option)} takes {_takes(word.option)}, not {_word(word.value)}:"
        return _with(said, example(meant))
    return _in_clicks_words(error, line.verb)


def _refused(word: Word, ctx: click.Context | None) -> bool:
    """Whether it is this value that click refused: an option may stand there twice."""
    try:
        if word.option is not None:
            word.option.type.convert(word.value, word.option, ctx)
    except click.BadParameter:
        return True
    return False


def _no_command(line: Line) -> str:
    last = line.words[-1] if line.words else None
    # systrace run -o ./app: the command was taken for the file.
    if last is not None and last.value and "-o" in _spellings(last) and shutil.which(last.value):
        meant = line.swap(last, replace(last, value=_sample(last.option)))
        meant = replace(meant, command=(last.value,))
        return _with(f"{last.spelling} took {_word(last.value)} for its file:", meant)
    needed = _NEEDS.get(line.verb, "a command to trace")
    return _with(f"{line.verb} needs {needed}, for example:", example(line))


def _known(line: Line) -> Line:
    return replace(line, words=tuple(word for word in line.words if word.option is not None))


def example(line: Line) -> Line:
    """Give the line some command, so that it can be pasted."""
    if line.command or any("-p" in _spellings(word) for word in line.words):
        return line
    given = {word.option.name for word in line.words if word.option is not None}
    if line.verb == "compare" and given & FOR_COMMANDS and "without_vdso" not in given:
        return replace(line, command=_EXAMPLE_COMMANDS)
    verb = "run" if "without_vdso" in given else line.verb
    return replace(line, command=_EXAMPLES.get(verb, _EXAMPLE))


def _is_attach(word: Word) -> bool:
    return word.option is None and word.spelling in _PID


def _strange(word: Word) -> bool:
    return word.option is None and word.spelling not in _NEEDLESS


def _to_attach(line: Line) -> str:
    """Give the line that attaches to the pid that was typed, wherever it stands."""
    values = [word.value for word in line.words if _is_attach(word) and word.value]
    pids = (*values, *line.command[:1])
    pid = next((pid for pid in pids if pid.replace(",", "").isdecimal()), _EXAMPLE_PID)
    return _with(
        "what runs already is counted by attach:", Line("attach", (Word("-p", None, pid),), ())
    )


def _with(said: str, line: Line) -> str:
    return f"{said}\n  {launcher.call(line)}"


def _word(word: str) -> str:
    return launcher.quoted((word,))


def _spellings(word: Word) -> tuple[str, ...]:
    return tuple(word.option.opts) if word.option is not None else ()


def _both(option: click.Option) -> str:
    return "/".join(option.opts)


def _metavar(word: Word) -> str:
    return (word.option.metavar if word.option is not None else None) or "value"


def _takes(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        *others, last = (str(choice) for choice in option.type.choices)
        return f"{', '.join(others)} or {last}"
    return str(getattr(option.type, "takes", option.type.name))


def _sample(option: click.Option | None, near: str = "") -> str:
    """Find a value that this option accepts, the nearest to what was typed."""
    name = "outputs" if option is None else option.name or ""
    if option is None or name in _SAMPLES:
        return _SAMPLES[name]
    if isinstance(option.type, click.Choice):
        choices = [str(choice) for choice in option.type.choices]
        return (get_close_matches(near, choices, n=1) or choices)[0]
    return str(getattr(option.type, "example", near))
