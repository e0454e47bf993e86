"""A command line taken apart, so that a mistake in it can be put right and the rest kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import click


@dataclass(frozen=True, slots=True)
class Word:
    """An option as typed.

    ``option`` is None where the verb has none such, ``value`` is None where none was given.
    """

    spelling: str
    option: click.Option | None
    value: str | None = None

    def __iter__(self) -> Iterator[str]:
        if self.value is None:
            return iter((self.spelling,))
        if self.option is not None and self.option.is_flag:
            return iter((f"{self.spelling}={self.value}",))
        return iter((self.spelling, self.value))

    def means(self, parameter: click.Parameter | None) -> bool:
        """Whether it is a spelling of this parameter."""
        return self.option is not None and self.option is parameter


@dataclass(frozen=True, slots=True)
class Line:
    """``verb options command``; command is where options end."""

    verb: str
    words: tuple[Word, ...]
    command: tuple[str, ...]

    def __iter__(self) -> Iterator[str]:
        yield self.verb
        for word in self.words:
            yield from word
        if self.command and self.command[0].startswith("-"):
            yield "--"
        yield from self.command

    def swap(self, old: Word, *new: Word) -> "Line":
        """Put ``new`` in the place of ``old``."""
        place = next(i for i, word in enumerate(self.words) if word is old)
        return replace(self, words=(*self.words[:place], *new, *self.words[place + 1 :]))


def split(command: click.Command, verb: str, arguments: Sequence[str]) -> Line:
    """Take apart what follows the verb, as click does, but never refuse."""
    options = {
        spelling: option
        for option in command.params
        if isinstance(option, click.Option)
        for spelling in (*option.opts, *option.secondary_opts)
    }
    rest, words = list(arguments), list[Word]()
    while rest and rest[0].startswith("-") and rest[0] != "-":
        first = rest.pop(0)
        if first == "--":
            break
        if first.startswith("--"):
            spelling, equals, value = first.partition("=")
            option = options.get(spelling)
            glued = value if equals else None
            words.append(Word(spelling, option, _value(option, glued, rest)))
            continue
        letters = first[1:]
        while letters:
            spelling, letters = f"-{letters[0]}", letters[1:]
            option = options.get(spelling)
            glued = None
            if letters and _takes_value(option):
                glued, letters = letters, ""
            words.append(Word(spelling, option, _value(option, glued, rest)))
    return Line(verb, tuple(words), tuple(rest))


def _takes_value(option: click.Option | None) -> bool:
    return option is not None and not option.is_flag and not option.count


def _value(option: click.Option | None, glued: str | None, rest: list[str]) -> str | None:
    if glued is None and rest and _takes_value(option):
        return rest.pop(0)
    return glued
