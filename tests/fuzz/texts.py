"""Parsers of what people write and save; each takes bytes, and raises where it does wrong.

Right is a value that its users can use, or the error that the parser documents.
"""

import contextlib
import functools
import io
import os
import re
from collections.abc import Iterator

import click

from systrace import cli, selection
from systrace.budget import read as budgets
from systrace.cli import formats, habits, line
from systrace.errors import InputError, SystraceError, UsageError
from systrace.limits import grammar
from systrace.options import FORMATS, TableOptions
from systrace.render import json
from systrace.saved import load_all
from systrace.target import user

_LINES = 2  # of a refusal


def report(content: bytes) -> None:
    """A saved report is what it was in every format, and when it is saved again."""
    with _file(content) as path:
        try:
            reports = load_all(path)
        except InputError as error:
            _check_refusal(str(error))
            return
    for found in reports:
        for wanted in FORMATS:
            formats.text(found, wanted, TableOptions()).encode()
        saved = json.render(found)
        with _file(saved.encode()) as path:
            assert [json.render(again) for again in load_all(path)] == [saved]


def budget(content: bytes) -> None:
    with _file(content) as path:
        try:
            for limit in budgets.read(path, ("a_call_of_no_kernel",)):
                str(limit).encode()
        except InputError as error:
            _check_refusal(str(error))


def limit(content: bytes) -> None:
    """What is understood is understood again when it is written down."""
    try:
        found = grammar.parse(content.decode(errors="surrogateescape"))
    except grammar.LimitError as error:
        _check_refusal(str(error))
    else:
        assert grammar.parse(str(found)) == found


def selected(content: bytes) -> None:
    text = content.decode(errors="surrogateescape")
    if "/" in text and len(re.findall(r"[*+?{|]", text)) > 1:
        return  # how long a regular expression of theirs takes is the user's own affair
    try:
        selection.parse([text]).admits("read")
    except UsageError as error:
        _check_refusal(str(error))


def command_line(content: bytes) -> None:
    """Whatever is typed is taken, or corrected in two lines that are harmless on a terminal."""
    words = os.fsdecode(content).split("\0")
    verb = words[0] if words[0] in cli.VERBS else "run"
    command, rest = _command(verb), words[words[0] == verb :]
    taken = line.split(command, verb, rest)
    if all(word.option is not None for word in taken.words):
        assert line.split(command, verb, tuple(taken)[1:]) == taken
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            command.make_context(verb, list(rest), obj=tuple(words)).close()
        habits.refuse_meant_value(command, taken)
    except click.exceptions.Exit:
        return
    except click.UsageError as error:
        _check_refusal(cli._corrected(error, words))
    except SystraceError as error:
        _check_refusal(str(error))
    if words[0] not in cli.VERBS:
        _check_refusal(habits.without_verb(command, tuple(cli.VERBS), words))


def sudo(content: bytes) -> None:
    """Nobody's SUDO_* make somebody root who did not call sudo as root."""
    values = [os.fsdecode(value) for value in content.split(b"\0")]
    environ = dict(zip(("SUDO_UID", "SUDO_GID", "SUDO_USER"), values, strict=False))
    try:
        found = user.caller(environ)
    except UsageError as error:
        _check_refusal(str(error))
        return
    if found is not None:
        assert found.name == environ["SUDO_USER"]
        assert found.uid == int(environ["SUDO_UID"])


@functools.cache
def _command(verb: str) -> click.Command:
    return cli._load(verb)


def _check_refusal(said: str) -> None:
    assert said
    assert len(said.split("\n")) <= _LINES, said


@contextlib.contextmanager
def _file(content: bytes) -> Iterator[str]:
    fd = os.memfd_create("fuzzed")
    try:
        os.write(fd, content)
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)
